"""What the EHR vouches for: the signed context of a request, taken once, and the break-glass that it may call for.

A request without the header passes by. One whose header does not hold is refused, with its entry: what the EHR did not
sign is never taken for what it says.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from phigate import logs
from phigate.audit.exchange import break_glass
from phigate.audit.pseudonyms import Pseudonyms
from phigate.deid.subjects import Lookups
from phigate.exchange import Exchange, Said
from phigate.logs import Event
from phigate.policy.bundle import App, Bundle
from phigate.policy.context import replayed, verify
from phigate.ports import Ledger, Metrics, Replays


class Vouching:
    """Reads signed contexts and records calls for break-glass. ``audience`` is the name of this gateway in them."""

    def __init__(
        self,
        *,
        replays: Replays,
        pseudonyms: Pseudonyms,
        lookups: Lookups,
        audience: str,
        ledger: Ledger,
        metrics: Metrics,
    ) -> None:
        self._replays = replays
        self._pseudonyms = pseudonyms
        self._lookups = lookups
        self._audience = audience
        self._ledger = ledger
        self._metrics = metrics

    async def said(self, token: str, app: App, bundle: Bundle, body: bytes, *, now: datetime) -> Said:
        """Return what a context says. Raises `AuthenticationError`, or `UnavailableError` when none can be taken."""
        keys = bundle.site.context_keys
        context = verify(token, keys=keys, audience=self._audience, app=app.name, now=now, body=body)
        if not await self._replays.take(context.issuer, context.jti, until=context.until):
            raise replayed()
        return Said(
            purpose=context.purpose,
            tags=context.tags,
            # A call counts from now where the EHR's clock runs ahead, as far as clocks may differ.
            glass=replace(context.glass, at=min(context.glass.at, now)) if context.glass is not None else None,
            actor=self._pseudonyms.person(context.user) if context.user else "",
            subject=self._lookups.declared(app.tenant, context.subject) if context.subject else None,
            subject_key=self._pseudonyms.subject_key(app.tenant, context.subject) if context.subject else b"",
        )

    async def glass(self, exchange: Exchange) -> None:
        """Count a call for break-glass and, where it was granted, record it before anything is sent.

        Raises `UnavailableError` when it cannot be recorded: then nothing is opened.
        """
        glass, terms = exchange.facts.glass, exchange.bundle.site.break_glass
        if glass is None:
            return
        granted = "break_glass" in exchange.decision.flags
        self._metrics.count("break_glass", result="granted" if granted else "refused")
        logs.emit(Event.BREAK_GLASS, level=logging.WARNING, rid=exchange.rid, app=exchange.app.name, granted=granted)
        if not granted or terms is None:
            return
        await self._ledger.append(
            break_glass(
                rid=exchange.rid,
                app=exchange.app.name,
                actor=exchange.said.actor,
                role=glass.role,
                reason=glass.reason,
                form=glass.wants,
                until=glass.at + timedelta(minutes=terms.ttl_minutes),
                review_by=exchange.facts.now + timedelta(hours=terms.review_hours),
                policy=exchange.bundle.digest,
            )
        )
