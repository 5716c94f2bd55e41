"""Facts for ``phigate policy explain``: from a request body and the real detector, a ledger entry, or stubs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Facts, Found
from phigate.wire.parts import Attachments, Limits

if TYPE_CHECKING:
    from phigate.analysis import Analysis
    from phigate.wire.parts import Part

_FLOOR = datetime(1970, 1, 1, tzinfo=UTC)


def facts_for(bundle: Bundle, now: datetime, options: dict[str, Any]) -> Facts:
    """Return the facts that the options of `explain` name."""
    if options["request"] is not None:
        facts = _of_request(bundle, now, options["app"], options["request"].read())
    elif options["ledger"]:
        facts = _of_entry(options["ledger"], options["rid"], now)
    else:
        facts = _of_stubs(now, options["app"], options["findings"])
    if options["purpose"] is not None:
        facts = replace(facts, purpose=options["purpose"])
    if options["tags"] is not None:
        facts = replace(facts, tags=frozenset(word for word in options["tags"].split(",") if word))
    if options["attachment"]:
        facts = replace(facts, attachments=Attachments.UNCLEANED)
    if options["unread"]:
        facts = replace(facts, complete=False)
    return replace(facts, model=options["model"]) if options["model"] else facts


def _of_stubs(now: datetime, app: str, findings: str) -> Facts:
    types = [name for name in findings.split(",") if name]
    return Facts(
        app=app,
        found=tuple(Found(EntityType(n) if n in EntityType.__members__ else n, "", (1.0,)) for n in types),
        complete=True,
        attachments=Attachments.NONE,
        model="",
        needs=frozenset(),
        now=now,
    )


def _of_request(bundle: Bundle, now: datetime, app: str, body: bytes) -> Facts:
    from phigate.deid.found import found
    from phigate.wire import chat

    request = chat.parse(body, limits=Limits())
    analysis = analyzed(bundle, request.parts)
    return Facts(
        app=app,
        found=found(analysis, request.parts),
        complete=analysis.complete,
        attachments=request.attachments,
        model=request.model,
        needs=request.needs,
        now=now,
    )


def analyzed(bundle: Bundle, parts: Sequence[Part]) -> Analysis:
    """Return what the real detector finds in these parts. Nothing of it is printed or kept."""
    from phigate.analyzers.presidio import PresidioAnalyzer

    async def run() -> Analysis:
        analyzer = PresidioAnalyzer(bundle)
        await analyzer.start()
        try:
            return await analyzer.analyze(parts, bundle=bundle)
        finally:
            await analyzer.close()

    return asyncio.run(run())


def _of_entry(ledger: str, rid: str | None, now: datetime) -> Facts:
    from phigate.cli.policy_sources import records
    from phigate.policy.replay import facts_of

    if not rid:
        raise click.UsageError("expected --rid beside --ledger")
    for record in records(ledger, since=_FLOOR)[1]:
        if record.get("rid") == rid and "forms" in record:
            return facts_of(record, now=now)
    raise click.ClickException("the ledger holds no decision of that exchange")
