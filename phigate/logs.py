"""Structured log lines from a fixed list of events. A value is a number, a code or an id: prose cannot get in.

One JSON object a line on standard error. `PHIText` is refused, and so is any string that is not a short word of
ASCII letters, digits and ``._:#/+-``: a name with a space, an accent or an at-sign does not pass.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from enum import StrEnum
from typing import Final

_CODE: Final = re.compile(r"[A-Za-z0-9._:#/+\-]{0,200}")
_LOGGER: Final = logging.getLogger("phigate")


class Event(StrEnum):
    """Everything that can be said in a log."""

    STARTED = "started"
    STOPPING = "stopping"
    STOPPED = "stopped"
    EXCHANGE = "exchange"
    REFUSED = "refused"
    UPSTREAM_FAILED = "upstream_failed"
    DETECTOR_FAILED = "detector_failed"
    LEDGER_FAILED = "ledger_failed"
    FORK_SUSPECTED = "fork_suspected"
    WITNESS_FAILED = "witness_failed"
    WITNESS_STALE = "witness_stale"
    WITNESS_FRESH = "witness_fresh"
    PROVEN_MISS = "proven_miss"
    BUNDLE_ACTIVATED = "bundle_activated"
    BUNDLE_REFUSED = "bundle_refused"
    SHADOW_REFUSED = "shadow_refused"
    BREAK_GLASS = "break_glass"
    CONTEXT_REFUSED = "context_refused"
    INTERNAL_ERROR = "internal_error"


def emit(event: Event, /, *, level: int = logging.INFO, **fields: float | str | bool) -> None:
    """Write one event. Raises `TypeError` on a value that could carry text of a request."""
    line: dict[str, float | str | bool] = {"event": event.value}
    for name, value in fields.items():
        if isinstance(value, str):
            if _CODE.fullmatch(value) is None:
                raise TypeError(f"log field {name} is not a code")
        elif not isinstance(value, (int, float)):
            raise TypeError(f"log field {name} is neither a number nor a code")
        line[name] = value
    _LOGGER.log(level, "%s", json.dumps(line, separators=(",", ":")))


class _Formatter(logging.Formatter):
    """Time, level, event. Records of other libraries are reduced to logger name and level: their text may hold PHI."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON, without message or traceback unless the record is ours."""
        at = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        head = {"at": f"{at}Z", "level": record.levelname.lower()}
        if record.name == _LOGGER.name:
            head.update(json.loads(record.getMessage()))
        else:
            head.update({"event": "library", "logger": record.name, "line": str(record.lineno)})
        return json.dumps(head, separators=(",", ":"))


def configure(*, level: int = logging.INFO) -> None:
    """Send every record of this process, ours and the libraries', through the formatter that drops text."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Formatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _LOGGER.setLevel(level)
