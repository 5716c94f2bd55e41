"""From an error to OpenAI's error object and a status: one exhaustive match, and no text but our own."""

from __future__ import annotations

import json
from typing import NamedTuple

from phigate.errors import CallerError, OperatorError, PeerError, PhigateError, TooManyRequestsError, VerificationError


class Problem(NamedTuple):
    """Status, headers and body of an error reply."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem(error: PhigateError, *, headers: dict[str, str] | None = None) -> Problem:
    """Return the reply for an error of ours."""
    more = dict(headers or {})
    match error:
        case TooManyRequestsError():
            more["retry-after"] = str(error.retry_after_s)
            return _problem(error.status, str(error), error.kind, error.code, error.param, more)
        case CallerError():
            more["x-should-retry"] = "false"
            return _problem(error.status, str(error), error.kind, error.code, error.param, more)
        case PeerError():
            more["retry-after"] = str(error.retry_after_s)
            return _problem(error.status, str(error), "upstream_error", error.code, None, more)
        case OperatorError() | VerificationError() | PhigateError():
            return internal(more)


def internal(headers: dict[str, str] | None = None) -> Problem:
    """Return the reply for what should not happen. The cause is in the log as a code, never here."""
    text = "the gateway failed; nothing was sent after the failure; the operator's log names the place"
    return _problem(500, text, "server_error", "internal_error", None, dict(headers or {}))


def error_object(message: str, kind: str, code: str, param: str | None = None) -> bytes:
    """Return OpenAI's error object as JSON."""
    return json.dumps(
        {"error": {"message": message, "type": kind, "param": param, "code": code}}, separators=(",", ":")
    ).encode()


def _problem(status: int, message: str, kind: str, code: str, param: str | None, headers: dict[str, str]) -> Problem:
    headers["content-type"] = "application/json"
    return Problem(status, headers, error_object(message, kind, code, param))
