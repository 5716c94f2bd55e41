"""Every parser of the ledger and of the wire, in one table: how it reads, how it writes back, what it may raise.

`test_parsers` finds the parsers by their names; one that has no row here is a failing test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from phigate.errors import BadReplyError, InvalidRequestError, TooLargeError
from phigate.tlog import canonical
from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint, parse_size
from phigate.tlog.cosign import cosignatures
from phigate.tlog.errors import CheckError, FormatError, TlogError
from phigate.tlog.inspect import Trust, see_head
from phigate.tlog.keyring import Keyring, Role, open_keyring, open_successor
from phigate.tlog.merkle import Frontier, TreeSize
from phigate.tlog.note import Note, Signature, VerifierKey, decode_base64, encode_base64
from phigate.tlog.proof import Proof
from phigate.tlog.record import encode_record, parse_entry
from phigate.tlog.single import Proven, verify_entry
from phigate.tlog.submit import read_answer
from phigate.tlog.tile import TileID, decode_bundle, encode_bundle, split_hashes
from phigate.tlog.verify import Demand
from phigate.tlog.witness import Request, cosigned, decide, known_logs, merge_answer, read_state
from phigate.wire import chat, reply, strict
from phigate.wire.parts import Limits
from phigate.wire.sse import SSEDecoder, encode
from phigate.wire.usage import Usage
from tests.tlog.logs import ENROLMENT, LOG, ORIGIN, ROOT, WITNESSES, LogBuilder, keyring, signed_keyring


@dataclass(frozen=True, repr=False)
class Parser:
    """``read`` may return or raise one of ``errors``; what it returned, ``write`` gives back byte for byte."""

    name: str
    seeds: tuple[bytes, ...]
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes] | None = None  # None: it says something about the bytes and keeps no copy of them
    errors: tuple[type[Exception], ...] = (FormatError,)

    def __repr__(self) -> str:
        return self.name


LIMITS: Final = Limits(body_bytes=64 * 1024, depth=32)


def _log() -> LogBuilder:
    log = LogBuilder()
    boot = log.start()
    log.exchanges(boot, 3)
    log.add("loss", boot, seqs=[[100, 120]], note="Zoë \"'\\ \u20ac")
    return log


_LOG: Final = _log()
_HEAD: Final = _LOG.head(witnesses=2)
_SIGNED: Final = SignedCheckpoint.from_bytes(_HEAD)
_SIZE: Final = len(_LOG.entries)
_BARE: Final = SignedCheckpoint.from_bytes(_LOG.head())
_PATH: Final = tuple(bytes((n,)) * 32 for n in range(4))
_PROOF: Final = Proof(3, _PATH, _SIGNED)
_REQUEST: Final = Request(TreeSize(0), (), _BARE)
_KEYRING: Final = signed_keyring()
_TEXT: Final = keyring().to_text()
_FRONTIER: Final = b"".join(_PATH)
_WITNESSED: Final = (
    cosigned(
        _REQUEST,
        known,
        key=WITNESSES[0].key,
        sign=WITNESSES[0].sign,
    )
    if (known := decide(_REQUEST, None, now_s=1_790_000_000).store)
    else None
)
assert _WITNESSED is not None
_ANSWER: Final = _WITNESSED.body
_TRUST: Final = Trust(ORIGIN, keyring().listed(Role.CHECKPOINT, ORIGIN), tuple(each.key for each in WITNESSES))


def _str(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")  # as a command line or a file name comes


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _both(data: bytes) -> tuple[bytes, int]:
    """Take the last byte for a number beside the data, since readers take such a number from elsewhere."""
    if not data:
        raise FormatError("expected a number behind the data, found nothing")
    return data[:-1], data[-1]


def _entry(data: bytes) -> Any:
    record = parse_entry(data)
    assert encode_record(record.fields) == record.note.text
    return record.note


def _frontier(data: bytes) -> tuple[Frontier, int]:
    held, size = _both(data)
    return Frontier.from_bytes(held, size=size), size


def _hashes(data: bytes) -> tuple[tuple[bytes, ...], int]:
    held, width = _both(data)
    return split_hashes(held, width=width), width


def _bundle(data: bytes) -> tuple[tuple[bytes, ...], int]:
    held, width = _both(data)
    return decode_bundle(held, width=width), width


def _bundle_bytes(value: tuple[tuple[bytes, ...], int]) -> bytes:
    return (encode_bundle(value[0]) if value[0] else b"") + bytes((value[1],))


def _said(data: bytes) -> None:
    for status in (200, 409, 422, 403, 500):
        read_answer(_REQUEST, status=status, body=data, witness=WITNESSES[0].key)


def _proven(data: bytes) -> None:
    cut = data.find(b"c2sp.org/tlog-proof")
    report = verify_entry(Proven(data[:cut], data[cut:]), Demand(keyring=_KEYRING))
    report.to_text()
    canonical.encode(report.to_json())


def _reply(data: bytes) -> dict[str, Any]:
    said = reply.parse(data)
    for index, choice in reply.choices(said):
        for member in ("message", "delta"):
            for slot in reply.slots(index, choice, member=member):
                assert reply.delta_of(slot.channel.path, slot.text) is not None
                slot.put(slot.text)
    assert reply.parse(reply.serialise(said)).keys() == said.keys()
    return said


def _arguments(data: bytes) -> None:
    channel = reply.Channel(0, ("tool_calls", 0, "function", "arguments"))
    assert all(part.text is not None for part in reply.argument_parts(channel, _str(data), 0))


def _usage(data: bytes) -> None:
    whole, streamed = Usage(), Usage()
    whole.take(data)
    for event in data.split(b"\n"):
        streamed.chunk(event)
    for said in (whole, streamed):
        assert all(0 <= value <= 1_000_000_000 for value in said.to_json().values())


def _events(data: bytes) -> None:
    """Bytes mean the same events however they are split, and an event that is written is read as it was."""
    whole, pieces = SSEDecoder(max_event_bytes=4096), SSEDecoder(max_event_bytes=4096)
    events = whole.feed(data)
    assert [each for at in range(len(data)) for each in pieces.feed(data[at : at + 1])] == events
    assert whole.close() == pieces.close()
    for event in events:
        if b"\r" not in event and not event.endswith(b"\n"):
            assert SSEDecoder().feed(encode(event)) == [event]


_CHAT: Final = (
    b'{"model":"m","messages":[{"role":"user","content":"Ana \\u00e9 \\ud83d\\ude00"},{"role":"assistant","tool_calls":'
    b'[{"id":"c","type":"function","function":{"name":"f","arguments":"{\\"a\\":[1,1e400]}"}}]}],"n":1,"stream":true}'
)
_REPLY: Final = (
    b'{"choices":[{"index":0,"message":{"content":"a","tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":1}"}}]}'
    b'}],"model":"m","usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1}}}'
)
_STREAM: Final = b": hi\r\nevent: x\rdata: " + _REPLY + b'\n\ndata: {"a":\ndata: 1}\n\ndata: [DONE]\n\n'
_JSON: Final = b'{"a":[1,true,{"b":"\xc3\xa9\\"\\\\"}],"v":9007199254740991}'

_T = "phigate.tlog."
_W = "phigate.wire."
TABLE: Final = (
    Parser(_T + "canonical.parse", (_JSON, b"{}", b'{"a":{"a":[[[]]]}}'), canonical.parse, canonical.encode),
    Parser(_T + "checkpoint.Checkpoint.from_text", (_SIGNED.note.text,), Checkpoint.from_text, Checkpoint.to_text),
    Parser(
        _T + "checkpoint.SignedCheckpoint.from_bytes",
        (_HEAD, _LOG.head()),
        SignedCheckpoint.from_bytes,
        lambda signed: bytes(signed.note.to_bytes()),
    ),
    Parser(
        _T + "checkpoint.parse_size",
        (b"0", b"13", b"9223372036854775807"),
        lambda data: parse_size(_str(data)),
        lambda size: b"%d" % size,
    ),
    Parser(
        _T + "keyring.Keyring.from_text",
        (_TEXT, keyring(quorum=2, version=7).to_text()),
        Keyring.from_text,
        Keyring.to_text,
    ),
    Parser(_T + "keyring.open_keyring", (_KEYRING,), open_keyring, errors=(FormatError, CheckError)),
    Parser(
        _T + "keyring.open_successor",
        (signed_keyring(version=2),),
        lambda data: open_successor(data, before=keyring()),
        errors=(FormatError, CheckError),
    ),
    Parser(
        _T + "merkle.Frontier.from_bytes",
        (_FRONTIER + b"\x0f", b"\x00"),
        _frontier,
        lambda value: value[0].to_bytes() + bytes((value[1],)),
    ),
    Parser(_T + "note.Note.from_bytes", (_HEAD, _KEYRING, _LOG.entries[1]), Note.from_bytes, Note.to_bytes),
    Parser(
        _T + "note.Signature.from_line",
        (_SIGNED.note.signatures[0].to_line()[:-1],),
        Signature.from_line,
        lambda line: bytes(line.to_line()[:-1]),
    ),
    Parser(
        _T + "note.VerifierKey.from_text",
        tuple(each.key.to_text().encode() for each in (ROOT, LOG, ENROLMENT, *WITNESSES)),
        lambda data: VerifierKey.from_text(_str(data)),
        lambda key: _bytes(key.to_text()),
    ),
    Parser(
        _T + "note.decode_base64", (b"AAAA", b"AAA=", b"AA=="), decode_base64, lambda data: encode_base64(data).encode()
    ),
    Parser(
        _T + "proof.Proof.from_bytes",
        (_PROOF.to_bytes(), Proof(0, (), _BARE, b"x").to_bytes()),
        Proof.from_bytes,
        Proof.to_bytes,
    ),
    Parser(_T + "record.parse_entry", tuple(_LOG.entries), _entry, Note.to_bytes),
    Parser(_T + "single.verify_entry", (_LOG.entries[2] + _PROOF.to_bytes(),), _proven, errors=()),
    Parser(_T + "submit.read_answer", (_ANSWER, b"13\n", b"0\n"), _said, errors=()),
    Parser(
        _T + "inspect.see_head", (_HEAD,), lambda data: see_head(data, size=None, trust=_TRUST), errors=(TlogError,)
    ),
    Parser(
        _T + "cosign.cosignatures",
        (_HEAD,),
        lambda data: cosignatures(Note.from_bytes(data), _TRUST.witnesses),
        errors=(FormatError, CheckError),
    ),
    Parser(
        _T + "tile.TileID.from_path",
        (b"tile/entries/000", b"tile/0/x001/x234/067.p/255", b"tile/7/000"),
        lambda data: TileID.from_path(_str(data)),
        lambda tile: _bytes(tile.path),
    ),
    Parser(
        _T + "tile.decode_bundle",
        (encode_bundle(_LOG.entries) + bytes((_SIZE,)), encode_bundle([b""]) + b"\x01"),
        _bundle,
        _bundle_bytes,
    ),
    Parser(
        _T + "tile.split_hashes", (_FRONTIER + b"\x04",), _hashes, lambda value: b"".join(value[0]) + bytes((value[1],))
    ),
    Parser(
        _T + "witness.Request.from_bytes",
        (_REQUEST.to_bytes(), Request(TreeSize(3), _PATH, _SIGNED).to_bytes()),
        Request.from_bytes,
        Request.to_bytes,
    ),
    Parser(
        _T + "witness.merge_answer",
        (_ANSWER,),
        lambda data: merge_answer(_BARE, data, _TRUST.witnesses),
        errors=(FormatError, CheckError),
    ),
    Parser(
        _T + "witness.known_logs",
        (f"# ours\nlog {LOG.key.to_text()} https://log.example\nquorum none\n".encode(),),
        known_logs,
    ),
    Parser(
        _T + "witness.read_state",
        (b"\x05" + _PATH[0] + b"\x01",),
        lambda data: read_state(int.from_bytes(data[:1] + data[33:41], "big", signed=True), data[1:33], len(data) - 33),
    ),
    Parser(
        _W + "strict.load",
        (_CHAT, _REPLY, b'[1.10,1e400,-0,null,"\\ud83d\\ude00"]'),
        lambda data: strict.load(data, limits=LIMITS),
        errors=(InvalidRequestError, TooLargeError),
    ),
    Parser(
        _W + "strict.load_nested",
        (_CHAT, b"[NaN,1]"),
        lambda data: strict.load_nested(_str(data), depth=8, limits=LIMITS),
        errors=(),
    ),
    Parser(
        _W + "chat.parse",
        (_CHAT,),
        lambda data: chat.parse(data, limits=LIMITS),
        errors=(InvalidRequestError, TooLargeError),
    ),
    Parser(_W + "reply.parse", (_REPLY, _STREAM[21 : 21 + len(_REPLY)]), _reply, errors=(BadReplyError,)),
    Parser(
        _W + "reply.argument_parts", (b'{"a":[1,12345678,{"b":"c"}]}', b"[" * 900 + b"]" * 900), _arguments, errors=()
    ),
    Parser(_W + "sse.SSEDecoder.feed", (_STREAM,), _events, errors=(BadReplyError,)),
    Parser(_W + "usage.Usage.take", (_REPLY, _STREAM), _usage, errors=()),
)
