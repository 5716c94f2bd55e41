"""Which key may sign which entry: the rules of `genesis` and `key` entries over the keyring (docs/ledger-format.md).

The enrolment key of the keyring signs entry 0, the genesis, and introduces the record key of each boot; a record key
signs the entries of its own boot and replica, from its introduction to its retirement, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.keyring import Keyring, Role
from phigate.tlog.note import VerifierKey, verify_signature
from phigate.tlog.record import Record

SignerID = tuple[str, bytes]  # key name and key id, as a signature line has them

GENESIS: Final = "genesis"
KEY: Final = "key"


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A record key and the entries that it may sign: of one boot of one replica, from ``start`` to before ``end``."""

    key: VerifierKey
    rep: str
    boot: str
    start: int
    end: int | None = None

    def holds(self, index: int) -> bool:
        """Return whether it was in force at this index."""
        return self.start <= index and (self.end is None or index < self.end)


def check_record(record: Record, *, index: int, keys: Mapping[SignerID, RecordKey]) -> None:
    """Check the one signature of an entry that is neither genesis nor key. Raises `CheckError`."""
    if len(record.note.signatures) != 1:
        raise CheckError(f"expected one signature, found {len(record.note.signatures)}")
    line = record.note.signatures[0]
    known = keys.get((line.name, line.key_id))
    if known is None:
        raise CheckError(f"signed by {line.name}+{line.key_id.hex()}, which no key entry before it introduced")
    _check_in_force(known, record, index)
    verify_signature(known.key, line.value, record.note.text)


class Signers:
    """The keys that a log introduces as it grows. Feed it each genesis and key entry, in order."""

    def __init__(self, keyring: Keyring, origin: str) -> None:
        self._enrolment = keyring.listed(Role.ENROLMENT, origin)
        # Emergency: a record key that the keyring lists ends at that size, whatever the log says.
        self._limits = {each.key: each for each in keyring.listed(Role.RECORD, origin)}
        self._known: dict[SignerID, RecordKey] = {}
        # A key is introduced once, and never one that introduces others: each of the two lines must be its own.
        self._publics = {listed.key.public for listed in self._enrolment}
        self._boots: set[str] = set()

    def active(self, start: int, end: int) -> dict[SignerID, RecordKey]:
        """Return the keys that may sign some entry of [start, end)."""
        return {
            signer: known
            for signer, known in self._known.items()
            if known.start < end and (known.end is None or known.end > start)
        }

    def learn(self, index: int, record: Record) -> None:
        """Check a genesis or key entry, signatures included, and take in what it says. Raises `TlogError`."""
        if record.kind == GENESIS:
            self._check_genesis(index, record)
            return
        op, role, vkey = (record.fields.get(name) for name in ("op", "role", "vkey"))
        if not isinstance(op, str) or op not in {"add", "retire"} or not isinstance(vkey, str):
            raise FormatError("expected op add or retire and a vkey in a key entry")
        key = VerifierKey.from_text(vkey)
        signer = (key.name, key.id)
        if len(record.note.signatures) != 2:
            raise CheckError(f"expected two signatures on a key entry, found {len(record.note.signatures)}")
        self._check_enrolment(index, record)
        if role != "record":
            self._check_known_signer(index, record)
        elif op == "add":
            self._add(signer, key, index, record)
        else:
            self._check_known_signer(index, record)
            self._retire(signer, key, index)

    def _check_genesis(self, index: int, record: Record) -> None:
        if index != 0:
            raise CheckError("expected a genesis at index 0 alone")
        if len(record.note.signatures) != 1:
            raise CheckError(f"expected one signature on the genesis, found {len(record.note.signatures)}")
        self._check_enrolment(index, record)

    def _check_enrolment(self, index: int, record: Record) -> None:
        for listed in self._enrolment:
            line = record.note.signature_of(listed.key)
            if line is not None and listed.holds_index(index):
                verify_signature(listed.key, line.value, record.note.text)
                return
        raise CheckError("expected the signature of an enrolment key that the keyring lists, found none")

    def _check_known_signer(self, index: int, record: Record) -> None:
        """One of the two signatures must be that of a record key in force, of the boot that speaks."""
        for line in record.note.signatures:
            known = self._known.get((line.name, line.key_id))
            if known is not None:
                _check_in_force(known, record, index)
                verify_signature(known.key, line.value, record.note.text)
                return
        raise CheckError("expected the signature of the record key of this boot, found none")

    def _add(self, signer: SignerID, key: VerifierKey, index: int, record: Record) -> None:
        line = record.note.signature_of(key)
        if line is None:
            raise CheckError("expected the signature of the key that is introduced, found none")
        verify_signature(key, line.value, record.note.text)
        if signer in self._known or key.public in self._publics or record.boot in self._boots:
            raise CheckError("expected a new key for a new boot, found one that is known")
        limit = self._limits.get(key)
        self._known[signer] = RecordKey(key, record.rep, record.boot, index + 1, limit.end if limit else None)
        self._publics.add(key.public)
        self._boots.add(record.boot)

    def _retire(self, signer: SignerID, key: VerifierKey, index: int) -> None:
        known = self._known.get(signer)
        if known is None or known.key != key or not known.holds(index):
            raise CheckError("expected to retire a key in force, found another")
        self._known[signer] = replace(known, end=index)


def _check_in_force(known: RecordKey, record: Record, index: int) -> None:
    if not known.holds(index):
        raise CheckError(f"signed by {_name(known.key)}, which was not in force at this index")
    if known.boot != record.boot or known.rep != record.rep:
        raise CheckError(f"signed by {_name(known.key)}, the key of another boot or replica")


def _name(key: VerifierKey) -> str:
    return f"{key.name}+{key.id.hex()}"
