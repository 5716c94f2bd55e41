"""From a draft to the bytes of an entry: the fields that only the appender knows, canonical JSON, one signature.

One sealer is one boot of one replica: a fresh record key, a random boot id, and a counter without gaps, so that a
missing acknowledged entry shows without any help from the database.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from phigate.audit.record import JSON, Draft, Kind
from phigate.errors import UnavailableError
from phigate.signing import Signer
from phigate.tlog.merkle import leaf_hash
from phigate.tlog.note import VerifierKey
from phigate.tlog.record import CONTEXT, MAX_ENTRY_BYTES

# What `tlog.record.make_entry` makes of the same fields, without its checks: the gate on drafts (audit/schema.py) lets
# ASCII codes and safe integers through alone, in which subset sorted compact JSON is canonical. A property test holds
# the two equal byte for byte.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
_HEAD: Final = f"{CONTEXT}\n".encode()
CLOCK_TOLERANCE_US: Final = 1_000_000


@dataclass(slots=True)
class Item:
    """One draft on its way. ``deadline`` is on the monotonic clock; ``waiter`` belongs to whoever queued it.

    ``signers`` sign instead of the record key of the boot: one line each, in order.
    """

    draft: Draft
    eid: str
    deadline: float
    waiter: object = None
    signers: tuple[Signer, ...] = ()
    entry: bytes = b""
    leaf: bytes = b""

    slot: tuple[str, int, str] | None = field(init=False)  # what the entry is about, where at most one may exist

    def __post_init__(self) -> None:
        draft = self.draft
        self.slot = (draft.rid, draft.attempt, draft.kind.value) if draft.rid and draft.attempt else None


@dataclass(slots=True)
class Sealer:
    """Seals the entries of one boot, in order. ``now`` is POSIX seconds, ``mono`` the monotonic clock."""

    origin: str
    replica: str
    boot: str
    record: Signer
    now: Callable[[], float]
    mono: Callable[[], float]
    seq: int = 0
    last_ts: int = 0  # microseconds; never runs backwards within a boot, nor behind the head at its start
    began: float = field(init=False)
    _wall_minus_mono: float | None = None
    _prefixes: dict[VerifierKey, tuple[bytes, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.mono()

    def seal(self, item: Item) -> None:
        """Fill in entry and leaf hash.

        Raises `UnavailableError` (code ``entry_refused``) for an entry over 16 KiB; the counter then stays.
        """
        draft = item.draft
        body: dict[str, JSON] = {
            **self._fields(draft),
            "v": 1,
            "log": self.origin,
            "kind": draft.kind.value,
            "eid": item.eid,
            "rep": self.replica,
            "boot": self.boot,
            "seq": self.seq,
            "ts": rfc3339(self.timestamp()),
            "mono": round((self.mono() - self.began) * 1e6),
        }
        if draft.rid:
            body["rid"] = draft.rid
        if draft.attempt:
            body["attempt"] = draft.attempt
        text = _HEAD + _ENCODER.encode(body).encode() + b"\n"
        lines = [self._line(signer, text) for signer in item.signers or (self.record,)]
        item.entry = b"".join((text, b"\n", *lines))
        if len(item.entry) > MAX_ENTRY_BYTES:
            raise UnavailableError(
                f"expected an entry of at most {MAX_ENTRY_BYTES} bytes, found {len(item.entry)}", code="entry_refused"
            )
        item.leaf = leaf_hash(item.entry)
        self.seq += 1

    def _fields(self, draft: Draft) -> Mapping[str, JSON]:
        """Return the fields of a draft. An outcome names the log of its intent only where that is another."""
        named = draft.fields.get("intent")
        if draft.kind is Kind.OUTCOME and isinstance(named, dict) and named.get("log") == self.origin:
            return {**draft.fields, "intent": {name: value for name, value in named.items() if name != "log"}}
        return draft.fields

    def _line(self, signer: Signer, text: bytes) -> bytes:
        """Return the signature line of a signer; all of it but the signature is the same for every entry."""
        key = signer.key
        known = self._prefixes.get(key)
        if known is None:
            known = self._prefixes[key] = ("\u2014 ".encode() + key.name.encode() + b" ", key.id)
        prefix, key_id = known
        return b"%b%b\n" % (prefix, b64encode(key_id + signer.sign(text)))

    def unseal(self, count: int) -> None:
        """Take back the numbers of the last entries, which certainly stand nowhere."""
        self.seq -= count

    def timestamp(self) -> int:
        """Return the time of the next entry: the wall clock, but never before the last one."""
        self.last_ts = max(self.last_ts, int(self.now() * 1e6))
        return self.last_ts

    def clock_draft(self, known_ts: int) -> Draft | None:
        """Return an entry about a jump of the wall clock since the last call, against itself or ``known_ts``."""
        wall, mono = self.now(), self.mono()
        before, self._wall_minus_mono = self._wall_minus_mono, wall - mono
        if before is None:
            jumped_us = min(0, int(wall * 1e6) - known_ts)
        else:
            jumped_us = int((wall - mono - before) * 1e6)
        if abs(jumped_us) <= CLOCK_TOLERANCE_US:
            return None
        seen = int(wall * 1e6)
        fields: dict[str, JSON] = {
            "seen": rfc3339(seen),
            "before": rfc3339(seen - jumped_us),
            "why": "backwards" if jumped_us < 0 else "forwards",
        }
        return Draft(Kind.CLOCK, fields)


def rfc3339(microseconds: int) -> str:
    """Return a time as the ledger writes it: UTC, six decimals, Z."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
