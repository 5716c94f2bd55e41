"""What an HTTP answer of a model server is worth: passed on, or one of a few errors that hold none of its text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from phigate.errors import BadReplyError, PeerError, UnavailableError

NOTHING_SENT: Final = (0, b"")
# Statuses that speak of the request itself. The app made the mistake and gets the server's own words back, for they
# can only repeat what this app sent.
_OF_THE_REQUEST: Final = frozenset({400, 413, 422})
_BUSY: Final = frozenset({429, 503})
_PASSING: Final = frozenset({502, 504})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for one call, in seconds. ``first_byte_s`` covers queueing and, unstreamed, all generation."""

    connect_s: float = 3.0
    first_byte_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """How much one answer may weigh, in bytes."""

    body_bytes: int = 64 * 1024 * 1024
    error_bytes: int = 64 * 1024


def problem_of(status: int, headers: Mapping[str, str], *, server: str) -> PeerError:
    """Return the error that an answer other than 200, and not about the request, amounts to."""
    if status in _BUSY:
        wait_s = _retry_after(headers.get("Retry-After", ""))
        return UnavailableError(
            f"`{server}` is busy (HTTP {status}); try again", code="upstream_busy", retry_after_s=wait_s
        )
    if status in _PASSING:
        return UnavailableError(f"`{server}` is not answering (HTTP {status}); try again", code="upstream_unreachable")
    if status in {401, 403}:
        return BadReplyError(
            f"`{server}` refuses the gateway's own key (HTTP {status}); set the right secret for this destination",
            code="upstream_key",
        )
    if status == 404:
        return BadReplyError(
            f"`{server}` does not serve the model or path that policy names; run `phigate models check`",
            code="upstream_model",
        )
    if 300 <= status < 400:
        return BadReplyError(f"`{server}` redirects (HTTP {status}), which is never followed", code="upstream_redirect")
    return BadReplyError(f"`{server}` failed (HTTP {status})", code="upstream_error")


def speaks_of_the_request(status: int) -> bool:
    """Return whether the status may mean that the app's own request was wrong."""
    return status in _OF_THE_REQUEST


def is_error_object(body: bytes) -> bool:
    """Return whether the body is an error object in OpenAI's shape: ``{"error": {"message": …}}``."""
    value = _parsed(body)
    if not isinstance(value, dict):
        return False
    error = value.get("error")
    return isinstance(error, dict) and isinstance(error.get("message"), str)


def check_object(body: bytes, *, server: str) -> None:
    """Raise `BadReplyError` unless the body is one JSON object."""
    if not isinstance(_parsed(body), dict):
        raise BadReplyError(f"`{server}` answered something that is not a JSON object", code="upstream_reply")


def check_head(headers: Mapping[str, str], *, wanted: str, server: str) -> None:
    """Raise `BadReplyError` unless the answer has the media type that was asked for, and no encoding."""
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise BadReplyError(f"`{server}` compressed its answer, which was not asked for", code="upstream_reply")
    found = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if found != wanted:
        raise BadReplyError(f"`{server}` answered with a media type other than `{wanted}`", code="upstream_reply")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _retry_after(value: str) -> int:
    """Read seconds, within a minute; a date or nonsense is one second."""
    return min(max(int(value), 1), 60) if value.isascii() and value.isdigit() and len(value) < 9 else 1
