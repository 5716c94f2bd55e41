"""The folder of ledger keys: a root key, one checkpoint and one enrolment key per origin, and the keyring over them.

    root.key                 signs keyrings; take it offline once the keyring stands, nothing here needs it after
    keyring.note             the newest keyring; verifiers pin its fingerprint
    checkpoint-….key         one per origin, for the life of that origin
    anchor-….note            the last signed checkpoint of an origin: see `anchor`
    enrolment-….key          introduces the record key of each boot, signs the first entry of its origin

Whoever reads this folder can sign false entries; it belongs to the gateway's user alone, and not into the database's
backup.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from phigate.errors import SettingsError
from phigate.signing import Signer, create_key_file, open_signer, sync_folder, write_secret
from phigate.store.anchor import AnchorFile
from phigate.tlog.errors import TlogError
from phigate.tlog.keyring import Keyring, ListedKey, Role, open_keyring, sign_keyring
from phigate.tlog.note import VerifierKey

KEYRING: Final = "keyring.note"
ROOT: Final = "root.key"
VALID: Final = timedelta(days=3653)  # keys end by size of a log; the expiry only forces a look once in ten years


@dataclass(frozen=True, slots=True)
class LedgerKeys:
    """What one origin is signed with, and the keyring that says so."""

    checkpoint: Signer
    enrolment: Signer
    keyring: Keyring
    note: bytes
    anchor: AnchorFile


def ledger_keys(folder: Path, *, origin: str, now: float) -> LedgerKeys:
    """Return the keys of an origin; what does not exist yet is created and listed in a new keyring version.

    Raises `SettingsError` when a key is not the one that the keyring lists, or when a new keyring is needed and the
    root key is not here.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with keyring_lock(folder):
        keyring = read_keyring(folder)
        if keyring is None or not keyring[0].listed(Role.CHECKPOINT, origin):
            keyring = _list_origin(folder, origin, keyring[0] if keyring else None, now)
        signers = {role: _signer(folder, origin, role) for role in (Role.CHECKPOINT, Role.ENROLMENT)}
    for role, signer in signers.items():
        if signer.key not in [listed.key for listed in keyring[0].listed(role, origin)]:
            raise SettingsError(f"expected the {role} key of {origin} that {KEYRING} lists, found another in {folder}")
    checkpoint = signers[Role.CHECKPOINT]
    anchor = AnchorFile(anchor_path(folder, origin), origin=origin, key=checkpoint.key)
    return LedgerKeys(checkpoint, signers[Role.ENROLMENT], *keyring, anchor)


def read_keyring(folder: Path) -> tuple[Keyring, bytes] | None:
    """Return the keyring of a folder and its bytes, or None. Raises `SettingsError` when it does not check."""
    path = folder / KEYRING
    try:
        note = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return open_keyring(note), note
    except TlogError as error:
        raise SettingsError(f"expected a signed keyring in {path}: {error}") from error


def write_keyring(folder: Path, keyring: Keyring, root: Signer) -> bytes:
    """Sign a keyring and put it in the place of the one before, which is kept under its version."""
    note = sign_keyring(keyring, [(root.key, root.sign)])
    write_secret(folder / f"keyring-{keyring.version}.note", note)
    part = folder / f".{KEYRING}.new"
    part.unlink(missing_ok=True)
    part.hardlink_to(folder / f"keyring-{keyring.version}.note")
    part.replace(folder / KEYRING)
    sync_folder(folder)
    return note


def revoke(folder: Path, *, vkey: str, origin: str, until: int, now: datetime) -> Keyring:
    """List a key as ended at a size of its log, in a new version of the keyring. Needs the root key.

    A record key, which no keyring lists while it is good, is listed only to end it. Raises `SettingsError` for a key
    that is no key, or whose end would move up again.
    """
    with keyring_lock(folder):
        found = read_keyring(folder)
        if found is None:
            raise SettingsError(f"expected a keyring in {folder}, found none")
        before = found[0]
        try:
            key = VerifierKey.from_text(vkey)
            mine = [each for each in before.keys if each.key == key and each.origin == origin]
            if any(each.end is not None and each.end < until for each in mine):
                raise SettingsError("expected an end below the one that is listed: a revocation is never taken back")
            ended = [replace(each, end=until) for each in mine] or [ListedKey(key, Role.RECORD, origin, 0, until)]
            keys = tuple(each for each in before.keys if each not in mine) + tuple(ended)
            keyring = replace(before, version=before.version + 1, issued=_time(now), keys=keys)
        except TlogError as error:
            raise SettingsError(f"expected a key and a size that a keyring can list: {error}") from error
        write_keyring(folder, keyring, root_signer(folder, name=before.roots[0].name))
        return keyring


def root_signer(folder: Path, *, name: str) -> Signer:
    """Return the root key in this folder. Raises `SettingsError` when it was taken offline."""
    return open_signer(f"file:{folder / ROOT}", name=name)


def root_name(origin: str) -> str:
    """Return the name under which the root signs: the host of the origin and ``root``."""
    return f"{origin.split('/', 1)[0]}/root"


def _list_origin(folder: Path, origin: str, before: Keyring | None, now: float) -> tuple[Keyring, bytes]:
    """Create the keys of an origin and a keyring that lists them."""
    if before is None and not (folder / ROOT).exists():
        create_key_file(folder / ROOT)
    root = root_signer(folder, name=before.roots[0].name if before else root_name(origin))
    added = []
    for role in (Role.CHECKPOINT, Role.ENROLMENT):
        path = _path(folder, origin, role)
        if not path.exists():
            create_key_file(path)
        added.append(ListedKey(_signer(folder, origin, role).key, role, origin))
    if not anchor_path(folder, origin).exists():
        AnchorFile.create(anchor_path(folder, origin))
    issued = datetime.fromtimestamp(now, UTC)
    keyring = Keyring(
        version=before.version + 1 if before else 1,
        issued=_time(issued),
        expires=_time(issued + VALID),
        threshold=before.threshold if before else 1,
        roots=before.roots if before else (root.key,),
        keys=(*(before.keys if before else ()), *added),
        quorum=before.quorum if before else 0,
    )
    return keyring, write_keyring(folder, keyring, root)


def _signer(folder: Path, origin: str, role: Role) -> Signer:
    name = origin if role is Role.CHECKPOINT else f"{origin}/{role.value}"
    return open_signer(f"file:{_path(folder, origin, role)}", name=name)


def _path(folder: Path, origin: str, role: Role) -> Path:
    return folder / f"{role.value}-{_word(origin)}.key"


def anchor_path(folder: Path, origin: str) -> Path:
    """Return where the anchor of an origin lies."""
    return folder / f"anchor-{_word(origin)}.note"


def _word(origin: str) -> str:
    """Return an origin as part of a file name: readable, and no two origins the same."""
    word = re.sub(r"[^a-z0-9]+", "-", origin.lower()).strip("-")[:80]
    return f"{word}-{sha256(origin.encode()).hexdigest()[:8]}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextlib.contextmanager
def keyring_lock(folder: Path) -> Iterator[None]:
    """Keep two starting processes from creating keys at once."""
    handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
