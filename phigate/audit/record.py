"""What an entry may say before the appender gives it a place: its kind and its closed set of fields.

A draft holds codes, counts, ids and digests; never text of a request. The appender adds v, log, eid, rep, boot, seq,
ts and mono, signs, and assigns the index (docs/ledger-format.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

JSON = bool | int | str | list["JSON"] | dict[str, "JSON"]


class Kind(StrEnum):
    """Kinds of entry."""

    GENESIS = "genesis"
    INTENT = "intent"
    OUTCOME = "outcome"
    REFUSAL = "refusal"
    HEARTBEAT = "heartbeat"
    CONFIG = "config"
    KEY = "key"
    ACCESS = "access"
    EXPORT = "export"
    ERASURE = "erasure"
    CLOCK = "clock"
    LOSS = "loss"
    RESTORE = "restore"
    ANCHOR = "anchor"
    SEGMENT_CLOSE = "segment_close"
    HOLD = "hold"
    DESTRUCTION = "destruction"
    BREAK_GLASS = "break_glass"
    REVIEW = "review"
    SHADOW = "shadow"


class Status(StrEnum):
    """How an exchange ended, as its outcome says it."""

    OK = "ok"
    UPSTREAM_ERROR = "upstream_error"
    TIMEOUT = "timeout"
    CLIENT_ABORT = "client_abort"
    BLOCKED_OUTPUT = "blocked_output"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry without a place. ``rid`` is the exchange, ``attempt`` counts its tries from 1."""

    kind: Kind
    fields: Mapping[str, JSON]
    rid: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a durable entry stands: origin of the log, index, RFC 6962 leaf hash, and the tree that holds it."""

    origin: str
    index: int
    leaf: bytes
    size: int
    root: bytes

    @property
    def record_id(self) -> str:
        """Return ``origin#index``, as it stands in x-phigate-record."""
        return f"{self.origin}#{self.index}"
