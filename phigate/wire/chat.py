"""POST /v1/chat/completions: a body to parts, and parts with edits back to a body (OpenAI's API reference).

The on-prem copy is the body as sent, number literals and unknown fields included. The copy that leaves is made by
`render_scrubbed` alone, from an allow-list. The table of fields is `chat_schema`.
"""

from __future__ import annotations

from collections.abc import Mapping

from phigate.errors import InvalidRequestError
from phigate.wire.chat_schema import CHAT, PASSABLE, SHOWN
from phigate.wire.outgoing import COVERABLE, Outgoing, outgoing_parts, schemas, scrubbed, uncovered
from phigate.wire.parts import Limits, Need
from phigate.wire.request import ChatRequest, Origin
from phigate.wire.strict import JSON, Number, dump, kind_of, load
from phigate.wire.walk import Walker

__all__ = [
    "COVERABLE",
    "PASSABLE",
    "ChatRequest",
    "Outgoing",
    "outgoing_parts",
    "parse",
    "render_onprem",
    "render_scrubbed",
    "schemas",
    "uncovered",
]


def parse(body: bytes, *, limits: Limits) -> ChatRequest:
    """Read a request. Raises `TooLargeError` over a limit, `InvalidRequestError` for what the API does not allow."""
    tree = load(body, limits=limits)
    if not isinstance(tree, dict):
        raise InvalidRequestError(f"expected a JSON object, found {kind_of(tree)}", code="invalid_type", param="")
    walker = Walker(limits=limits, known=SHOWN)
    walker.body(tree, CHAT)
    return ChatRequest(
        parts=tuple(walker.parts),
        model=_model(tree["model"], limits),
        stream=tree.get("stream") is True,
        choices=_choices(tree.get("n"), limits),
        needs=frozenset(walker.needs) | _needs(tree),
        attachments=walker.attachments,
        origin=Origin(tree, tuple(walker.sites), tuple(walker.strays)),
    )


def _model(name: JSON, limits: Limits) -> str:
    assert isinstance(name, str)
    if not 0 < len(name) <= limits.model_chars:
        raise InvalidRequestError(
            f"expected a model name of 1 to {limits.model_chars} characters, found {len(name)}",
            code="invalid_model",
            param="/model",
        )
    return name


def _choices(asked: JSON, limits: Limits) -> int:
    if asked is None:
        return 1
    assert isinstance(asked, Number)
    literal = asked.literal
    if len(literal) > 9 or not 1 <= int(literal) <= limits.choices:
        raise InvalidRequestError(
            f"expected 1 to {limits.choices} choices, found another number", code="invalid_value", param="/n"
        )
    return int(literal)


def _needs(tree: dict[str, JSON]) -> frozenset[Need]:
    """Say what the model must be able to do, beyond what single members of the body ask for."""
    asked = tree.get("modalities")
    wanted = {
        Need.TOOLS: tree.get("tools") or tree.get("functions") or _has_calls(tree["messages"]),
        Need.AUDIO: isinstance(asked, list) and "audio" in asked,
        Need.LOGIT_BIAS: tree.get("logit_bias"),
        Need.LOGPROBS: tree.get("logprobs") or tree.get("top_logprobs") is not None,
    }
    return frozenset(need for need, there in wanted.items() if there)


def _has_calls(messages: JSON) -> bool:
    return isinstance(messages, list) and any(
        isinstance(message, dict)
        and bool(message.get("role") == "tool" or message.get("tool_calls") or message.get("function_call"))
        for message in messages
    )


def render_onprem(request: ChatRequest, *, model: str) -> bytes:
    """Return the body as the app sent it, every literal and unknown field included, but for the model's name."""
    return dump({**request.origin.tree, "model": model}).encode()


def render_scrubbed(
    request: ChatRequest,
    edits: Mapping[int, str],
    *,
    model: str,
    allow: frozenset[str],
    covers: frozenset[str] = frozenset(),
    exact: bool = False,
) -> Outgoing:
    """Make the copy for one external model: ``edits`` maps part indexes to new text, ``allow`` names the fields.

    ``exact``: nothing but the edits and the allow-list changes it, for a copy that a rule releases raw. Raises
    `InvalidRequestError` with code ``not_covered`` for what the contract does not name in ``covers``.
    """
    return scrubbed(request, edits, model=model, allow=allow, covers=covers, exact=exact)
