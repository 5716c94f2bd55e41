"""The dialects of providers outside: how each is addressed, how its streams end, what may be said of its errors.

No network and no litellm here: values in, values out.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from phigate.deid.release import Release
from phigate.errors import BadReplyError
from phigate.policy.bundle import Destination
from phigate.policy.words import NEVER, ON_PAPER
from phigate.ports import UpstreamReply
from phigate.upstreams.reply import NOTHING_SENT
from phigate.wire.chat_schema import ALWAYS, PASSABLE

_FIELDS: Final = (PASSABLE | ALWAYS) - NEVER
AZURE_VERSION: Final = "2024-10-21"  # the last dated version of the data plane; later models speak provider openai
# Codes of OpenAI's error objects that an app can act on. Anything else of a provider's error stays with it.
_TOLD_CODES: Final = frozenset(
    {"context_length_exceeded", "content_filter", "content_policy_violation", "invalid_value", "unsupported_value"}
    | {"unsupported_parameter", "string_above_max_length", "model_not_found", "max_tokens_exceeded"}
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one provider is spoken to."""

    end_mark: re.Pattern[bytes]  # how its streams end
    spoken_by: str  # the client that litellm takes: openai, azure, handler

    @property
    def translated(self) -> bool:
        """Whether litellm translates the answer; else the provider's bytes are OpenAI's already and pass unread."""
        return self.spoken_by == "handler"


DIALECTS: Final = {
    "openai": Dialect(re.compile(rb"data: ?\[DONE\]\s*\Z"), "openai"),
    "azure": Dialect(re.compile(rb"data: ?\[DONE\]\s*\Z"), "azure"),
    "anthropic": Dialect(re.compile(rb'"type": ?"message_stop"'), "handler"),
    "gemini": Dialect(re.compile(rb"\}\s*\Z"), "handler"),
}


def offered(provider: str) -> bool:
    """Return whether destinations of this provider can be called through the border."""
    return provider in DIALECTS


def check_fields(destination: Destination, release: Release) -> None:
    """Refuse what the allow-list upstream of here should have stopped."""
    strange = sorted(set(release.fields) - _FIELDS)
    unpaid = [name for name in ON_PAPER if name in release.fields and name not in destination.covers]
    for name in (*strange, *unpaid):
        shown = name if name in PASSABLE or name in NEVER else "unknown to the API"
        raise BadReplyError(
            f"the border to `{destination.id}` stopped a field ({shown}); nothing was sent",
            code="upstream_field",
            sent=NOTHING_SENT,
        )


def arguments_of(destination: Destination, release: Release, *, stream: bool) -> dict[str, Any]:
    """Return what litellm is called with: fields of the release, and switches that keep it to one plain call."""
    fields = copy.deepcopy(dict(release.fields))  # litellm changes messages in place
    extra = {name: value for name, value in fields.items() if name not in ALWAYS}
    arguments: dict[str, Any] = {
        "model": fields["model"],
        "messages": fields["messages"],
        "stream": stream,
        "custom_llm_provider": destination.provider,
        "num_retries": 0,
        "max_retries": 0,
        "no-log": True,
        "_skip_mcp_handler": True,
        "_skip_responses_api_bridge": True,
        **extra,
    }
    dialect = DIALECTS[destination.provider]
    if not dialect.translated:
        arguments["allowed_openai_params"] = list(extra)  # the provider judges its own API
    if dialect.spoken_by == "azure":
        arguments["api_version"] = AZURE_VERSION
    return arguments


def base_of(destination: Destination) -> str:
    """Return the endpoint as litellm wants it for this provider."""
    base = destination.endpoint.rstrip("/")
    if destination.provider == "anthropic":
        return base.removesuffix("/v1/messages").removesuffix("/v1")
    if destination.provider == "gemini" and not base.endswith(("/v1beta", "/v1")):
        return f"{base}/v1beta"
    return base


def fields_named(words: str, release: Release) -> tuple[str, ...]:
    """Return which of our own fields a library's message names."""
    return tuple(name for name in release.fields if name in PASSABLE and f"'{name}'" in words)


def told_by(body: bytes, status: int) -> tuple[str, str | None]:
    """Return code and param of a provider's error object, where they are words of closed lists."""
    try:
        error = json.loads(body)["error"]
        code, param = error.get("code"), error.get("param")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        code = param = None
    return (
        code if isinstance(code, str) and code in _TOLD_CODES else f"upstream_http_{status}",
        param if isinstance(param, str) and param in PASSABLE else None,
    )


def refusal(status: int, message: str, code: str, param: str | None, sent: tuple[int, bytes]) -> UpstreamReply:
    """Return an error about the request in words of ours."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return UpstreamReply(status, json.dumps({"error": error}).encode(), None, "", sent)
