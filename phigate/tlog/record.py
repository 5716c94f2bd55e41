"""One entry of the audit log: a signed note that holds a context line and one line of canonical JSON.

    phigate.example/audit-record/v1
    {"boot":"…","eid":"…","kind":"intent",…}

    — audit.hospital.example/phigate/2026h2/gw-1 BASE64

The context line keeps a record's signature from ever being a checkpoint's. The envelope, checked here, is what every
entry has; what else a kind may say is the append gate's business (docs/ledger-format.md). Leaf hash: over all bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phigate.tlog.canonical import JSON, SAFE_INTEGER, encode, parse
from phigate.tlog.errors import FormatError
from phigate.tlog.note import Note, Sign, VerifierKey, sign_note

CONTEXT: Final = "phigate.example/audit-record/v1"
MAX_ENTRY_BYTES: Final = 16 * 1024
FORMAT_VERSION: Final = 1

_HEAD: Final = CONTEXT.encode() + b"\n"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_TIME = r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z"
_WORD = r"[A-Za-z0-9][A-Za-z0-9._:/\-]{0,199}"
# One match over the joined envelope instead of seven: this runs once for every entry of a log.
_STRINGS: Final = ("log", "kind", "eid", "rep", "boot", "ts")
_ENVELOPE: Final = re.compile(f"{_WORD}\n[a-z][a-z0-9_]{{0,31}}\n{_UUID}\n{_WORD}\n[0-9a-f]{{32}}\n{_TIME}", re.ASCII)
_RID: Final = re.compile(_UUID, re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """What an entry says, and the note that says it. Nothing is verified yet.

    ``rid`` is "" where the entry is about no exchange, ``attempt`` 0 where it is about no attempt.
    """

    fields: Mapping[str, JSON]
    note: Note
    log: str
    kind: str
    eid: str
    rep: str
    boot: str
    seq: int
    ts: str  # RFC 3339, UTC, microseconds: compares as text
    rid: str
    attempt: int


def encode_record(fields: Mapping[str, JSON]) -> bytes:
    """Return the text to sign. Raises `FormatError` where the envelope is not complete or a value has no encoding."""
    _envelope(fields)
    return _HEAD + encode(dict(fields)) + b"\n"


def make_entry(fields: Mapping[str, JSON], signers: Sequence[tuple[VerifierKey, Sign]]) -> bytes:
    """Return the signed bytes of an entry. Raises `FormatError` where `parse_entry` would refuse them."""
    data = sign_note(encode_record(fields), signers).to_bytes()
    if len(data) > MAX_ENTRY_BYTES:
        raise FormatError(f"expected an entry of at most {MAX_ENTRY_BYTES} bytes, found {len(data)}")
    return data


def parse_entry(data: bytes) -> Record:
    """Read an entry strictly: its note, its context, its one line, its envelope. Raises `FormatError`."""
    note = Note.from_bytes(data, max_bytes=MAX_ENTRY_BYTES)
    if not note.text.startswith(_HEAD):
        raise FormatError(f"expected the context line {CONTEXT}")
    line = note.text[len(_HEAD) : -1]
    if b"\n" in line:
        raise FormatError("expected one line of JSON after the context line")
    fields = parse(line)
    strings, seq, rid, attempt = _envelope(fields)
    log, kind, eid, rep, boot, ts = strings.split("\n")
    return Record(fields, note, log, kind, eid, rep, boot, seq, ts, rid, attempt)


def _envelope(fields: Mapping[str, JSON]) -> tuple[str, int, str, int]:
    """Return the strings of a complete envelope, one a line, then seq, rid and attempt."""
    if _number(fields, "v", FORMAT_VERSION, FORMAT_VERSION) is None:
        raise FormatError(f"expected format version v of {FORMAT_VERSION}")
    try:
        strings = "\n".join([fields[name] for name in _STRINGS])  # type: ignore[misc]  # TypeError: no string
    except (KeyError, TypeError):
        strings = ""
    if _ENVELOPE.fullmatch(strings) is None:
        raise FormatError("expected log, kind, eid (UUID), rep, boot (32 hexadecimal digits) and ts (RFC 3339 UTC)")
    seq = _number(fields, "seq", 0, SAFE_INTEGER)
    if seq is None or _number(fields, "mono", 0, SAFE_INTEGER) is None:
        raise FormatError("expected counts seq and mono")
    rid = fields.get("rid", "")
    if not isinstance(rid, str) or ("rid" in fields and _RID.fullmatch(rid) is None):
        raise FormatError("expected a UUID as rid")
    attempt = _number(fields, "attempt", 1, 1000) if "attempt" in fields else 0
    if attempt is None or (attempt and not rid):
        raise FormatError("expected attempt to count from 1 and to stand beside a rid")
    return strings, seq, rid, attempt


def _number(fields: Mapping[str, JSON], name: str, low: int, high: int) -> int | None:
    value = fields.get(name)
    return value if type(value) is int and low <= value <= high else None
