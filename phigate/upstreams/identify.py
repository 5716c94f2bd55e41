"""Who a model server says it is, and whether that is what it should be. Asks for its list of models, no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from phigate.upstreams.breaker import Tolerance
from phigate.upstreams.place import Place
from phigate.upstreams.reply import ReplyLimits, Timeouts
from phigate.upstreams.server import ModelServer


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found out about a server."""

    good: bool
    says: str


async def identify(place: Place, *, names: Sequence[str], context: int) -> tuple[Finding, ...]:
    """Ask the server. ``names`` must all be served, with at least ``context`` tokens (0: any).

    Raises `SettingsError` for a place that may not be called.
    """
    server = ModelServer(
        place,
        timeouts=Timeouts(connect_s=5.0),
        limits=ReplyLimits(),
        tolerance=Tolerance(),
        on_error=lambda _: None,
    )
    try:
        answer = await server.probe()
    finally:
        await server.close()
    if answer is None:
        return (Finding(False, f"{place.endpoint} does not answer /v1/models; is it up, and is the path right?"),)
    return tuple(_judge(answer, place, names, context))


def _judge(answer: bytes, place: Place, names: Sequence[str], context: int) -> list[Finding]:
    served = _served(answer)
    if served is None:
        return [Finding(False, f"{place.endpoint} answers, but not with a list of models")]
    found = [Finding(True, f"{place.endpoint} serves {', '.join(served) or 'no model'}")]
    for name in names:
        if name not in served:
            found.append(Finding(False, f"{name} is not served; start the server with --served-model-name {name}"))
        elif context and (length := served[name]) and length < context:
            found.append(Finding(False, f"{name} reads {length} tokens, the policy says {context}"))
        else:
            found.append(Finding(True, f"{name} is served as declared"))
    return found


def _served(answer: bytes) -> dict[str, int] | None:
    """Return the models of a list in OpenAI's shape, with the context where the server says it (0: not said)."""
    try:
        rows = json.loads(answer)["data"]
        return {
            str(row["id"])[:200]: length if isinstance(length := row.get("max_model_len"), int) else 0 for row in rows
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
