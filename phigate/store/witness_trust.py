"""Which witnesses count, and how many: a new version of the keyring, signed by the root key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from phigate.errors import SettingsError
from phigate.store.key_folder import KEYRING, VALID, keyring_lock, read_keyring, root_signer, write_keyring
from phigate.tlog.errors import TlogError
from phigate.tlog.keyring import Keyring, ListedKey, Role
from phigate.tlog.note import VerifierKey


def trust_witness(folder: Path, vkey: str, *, quorum: int | None, now: float) -> Keyring:
    """List a witness in a new keyring. ``quorum`` is how many must cosign a head; None leaves it, but asks for one.

    Raises `SettingsError` when the key is no witness's, stands there already, or the root key is not here.
    """
    try:
        key = VerifierKey.from_text(vkey)
        added = ListedKey(key, Role.WITNESS)
    except TlogError as error:
        raise SettingsError(f"expected the verifier key that `phigate witness vkey` prints: {error}") from error
    with _locked(folder) as before:
        if any(each.key.name == key.name for each in before.listed(Role.WITNESS)):
            raise SettingsError(f"expected a witness of a new name, found {key.name} in the keyring already")
        keys = (*before.keys, added)
        return _succeed(folder, before, keys, max(1, before.quorum) if quorum is None else quorum, now)


def distrust_witness(folder: Path, name: str, *, quorum: int | None, now: float) -> Keyring:
    """Take a witness out of the keyring; what it cosigned counts no more. Raises `SettingsError`."""
    with _locked(folder) as before:
        keys = tuple(each for each in before.keys if each.role is not Role.WITNESS or each.key.name != name)
        if len(keys) == len(before.keys):
            raise SettingsError(f"expected a witness of the keyring, found none of the name {name}")
        left = sum(each.role is Role.WITNESS for each in keys)
        return _succeed(folder, before, keys, min(before.quorum, left) if quorum is None else quorum, now)


@contextmanager
def _locked(folder: Path) -> Iterator[Keyring]:
    """Hold the keyring of a folder, so that no other process writes a successor meanwhile."""
    if not (folder / KEYRING).exists():
        raise SettingsError(f"expected a keyring in {folder}, found none: start the gateway once, it makes one")
    with keyring_lock(folder):
        found = read_keyring(folder)
        assert found is not None  # keyrings are replaced and never removed
        yield found[0]


def _succeed(folder: Path, before: Keyring, keys: tuple[ListedKey, ...], quorum: int, now: float) -> Keyring:
    issued = datetime.fromtimestamp(now, UTC)
    try:
        keyring = replace(
            before,
            version=before.version + 1,
            issued=f"{issued:%Y-%m-%dT%H:%M:%S.%f}Z",
            expires=f"{issued + VALID:%Y-%m-%dT%H:%M:%S.%f}Z",
            keys=keys,
            quorum=quorum,
        )
    except TlogError as error:
        raise SettingsError(str(error)) from error
    write_keyring(folder, keyring, root_signer(folder, name=before.roots[0].name))
    return keyring
