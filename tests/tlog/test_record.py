from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.tlog.canonical import JSON, encode
from phigate.tlog.errors import FormatError
from phigate.tlog.note import Note, sign_note, verify_note
from phigate.tlog.record import CONTEXT, MAX_ENTRY_BYTES, encode_record, make_entry, parse_entry
from tests.tlog.keys import pair

KEY = pair("audit.hospital.example/phigate/2026h2/gw-1")
FIELDS: dict[str, JSON] = {
    "v": 1,
    "log": "audit.hospital.example/phigate/2026h2",
    "kind": "intent",
    "eid": "019abc00-0000-7000-8000-000000000001",
    "rid": "019abc00-0000-7000-8000-0000000000aa",
    "attempt": 1,
    "rep": "gw-1",
    "boot": "00112233445566778899aabbccddeeff",
    "seq": 7,
    "ts": "2026-11-23T18:54:58.000001Z",
    "mono": 12,
    "found": {"PERSON": [2, 9]},
    "complete": True,
}


def entry(**changes: Any) -> bytes:
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not ...}
    return sign_note(f"{CONTEXT}\n".encode() + encode(fields) + b"\n", [(KEY.key, KEY.sign)]).to_bytes()


def test_an_entry_is_read_as_it_was_written() -> None:
    data = make_entry(FIELDS, [(KEY.key, KEY.sign)])
    assert data.startswith(b'phigate.example/audit-record/v1\n{"attempt":1,"boot":"0011')
    record = parse_entry(data)
    assert record.fields == FIELDS
    assert verify_note(record.note, [KEY.key]) == (KEY.key,)
    assert (record.log, record.kind, record.seq) == (FIELDS["log"], "intent", 7)
    assert (record.eid, record.rid, record.attempt) == (FIELDS["eid"], FIELDS["rid"], 1)
    assert (record.rep, record.boot, record.ts) == ("gw-1", FIELDS["boot"], FIELDS["ts"])
    assert data == entry()
    assert record.note.text == encode_record(FIELDS)


def test_an_entry_about_no_exchange_has_neither_rid_nor_attempt() -> None:
    record = parse_entry(entry(rid=..., attempt=..., kind="heartbeat"))
    assert (record.rid, record.attempt) == ("", 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"v": 2}, "format version"),
        ({"v": True}, "format version"),
        ({"v": ...}, "format version"),
        ({"log": ...}, "expected log, kind"),
        ({"log": ""}, "expected log, kind"),
        ({"log": "a\nb"}, "expected log, kind"),
        ({"log": "a b"}, "expected log, kind"),
        ({"kind": "Intent"}, "expected log, kind"),
        ({"kind": 7}, "expected log, kind"),
        ({"eid": "019ABC00-0000-7000-8000-000000000001"}, "expected log, kind"),
        ({"eid": "x"}, "expected log, kind"),
        ({"rep": "Märchen"}, "expected log, kind"),
        ({"boot": "00"}, "expected log, kind"),
        ({"ts": "2026-11-23T18:54:58Z"}, "expected log, kind"),
        ({"ts": "2026-11-23T18:54:58.000001+00:00"}, "expected log, kind"),
        ({"seq": -1}, "counts seq and mono"),
        ({"seq": True}, "counts seq and mono"),
        ({"seq": ...}, "counts seq and mono"),
        ({"mono": "1"}, "counts seq and mono"),
        ({"rid": ""}, "UUID as rid"),
        ({"rid": 1}, "UUID as rid"),
        ({"attempt": 0}, "attempt to count from 1"),
        ({"attempt": True}, "attempt to count from 1"),
        ({"rid": ...}, "beside a rid"),
    ],
)
def test_an_incomplete_envelope_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_entry(entry(**changes))
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not ...}
    with pytest.raises(FormatError, match=message):
        encode_record(fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"phigate.example/audit-record/v2\n{}\n", "context line"),
        (b"audit.hospital.example\n7\nAAAA\n", "context line"),
        (CONTEXT.encode() + b"\n", "canonical JSON"),
        (CONTEXT.encode() + b"\n{}\n{}\n", "one line of JSON"),
        (CONTEXT.encode() + b"\n{}\n\n", "one line of JSON"),
        (CONTEXT.encode() + b"\n\n", "canonical JSON"),
        (CONTEXT.encode() + b"\n[]\n", "JSON object"),
        (CONTEXT.encode() + b"\n{}\n", "format version"),
    ],
)
def test_a_note_that_is_no_entry_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_entry(sign_note(text, [(KEY.key, KEY.sign)]).to_bytes())


def test_an_entry_over_16_kib_is_neither_made_nor_read() -> None:
    room = MAX_ENTRY_BYTES - len(entry(filler=""))
    assert len(make_entry({**FIELDS, "filler": "x" * room}, [(KEY.key, KEY.sign)])) == MAX_ENTRY_BYTES
    with pytest.raises(FormatError, match=f"at most 16384 bytes, found {MAX_ENTRY_BYTES + 1}"):
        make_entry({**FIELDS, "filler": "x" * (room + 1)}, [(KEY.key, KEY.sign)])
    with pytest.raises(FormatError, match=f"at most 16384 bytes, found {MAX_ENTRY_BYTES + 1}"):
        parse_entry(entry(filler="x" * (room + 1)))


VALID = entry()


@given(st.integers(0, len(VALID) - 1), st.binary(max_size=2), st.integers(0, 2))
def test_a_mutated_entry_is_refused_or_has_its_own_bytes(at: int, put: bytes, drop: int) -> None:
    data = VALID[:at] + put + VALID[at + drop :]
    try:
        record = parse_entry(data)
    except FormatError:
        return
    assert record.note.to_bytes() == data
    assert encode_record(record.fields) == record.note.text
    assert Note.from_bytes(data) == record.note


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    for candidate in (data, CONTEXT.encode() + b"\n" + data):
        with pytest.raises(FormatError):
            parse_entry(candidate)
