"""Signers by key URI, and the files that hold private keys: created once with mode 0600, never overwritten.

A URI names where a key lives: ``file:/etc/phigate/keys/checkpoint.key`` today; a scheme for a PKCS#11 token or a key
service joins `OPENERS` later and changes nothing else. Which public keys count, and for what, the keyring says.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.errors import SettingsError
from phigate.tlog.note import KeyType, VerifierKey


class Signer(Protocol):
    """A private key that can be used and not be read."""

    @property
    def key(self) -> VerifierKey:
        """The public half, under the name that signatures carry."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature. May take as long as the device behind it takes."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """A key in this process's memory."""

    key: VerifierKey
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Return 64 bytes of Ed25519."""
        return self.private.sign(message)

    def __repr__(self) -> str:
        return f"<Ed25519Signer {self.key.name}+{self.key.id.hex()}>"


def in_memory(name: str, private: Ed25519PrivateKey | None = None) -> Ed25519Signer:
    """Return a signer over a fresh key, which dies with the process: one per boot signs records."""
    private = private or Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return Ed25519Signer(VerifierKey(name, KeyType.ED25519, public), private)


def open_signer(uri: str, *, name: str) -> Signer:
    """Return the signer behind a key URI. Raises `SettingsError` with how to mend it."""
    scheme, colon, rest = uri.partition(":")
    opener = OPENERS.get(scheme) if colon else None
    if opener is None:
        raise SettingsError(f"expected a key URI that begins with one of {', '.join(sorted(OPENERS))}: found {scheme}")
    return opener(rest, name)


def create_key_file(path: Path) -> None:
    """Create an Ed25519 key in a file of mode 0600, durable when this returns. Raises if the file exists."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(path, pem)


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 and make file and name durable. Raises `SettingsError` if it exists."""
    part = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        try:
            os.write(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        # A link fails where a rename would replace: of two processes that start at once, one wins and both read it.
        path.hardlink_to(part)
    except FileExistsError as error:
        raise SettingsError(f"expected no file {path.name}, found one: a key is never overwritten") from error
    finally:
        part.unlink()
    sync_folder(path.parent)


def read_secret(path: Path) -> bytes:
    """Return the bytes of a secret file. Raises `SettingsError` when it is missing or others may read it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise SettingsError(f"expected a readable key file {path}: {error.strerror}") from error
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & 0o077:
            raise SettingsError(f"expected mode 0600 on {path}, found {mode:04o}: chmod 600 it, and consider a new key")
        return os.read(handle, 64 * 1024)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_private(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 key in a file of mode 0600. Raises `SettingsError` when it is none."""
    try:
        private = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"expected an unencrypted Ed25519 key in PEM in {path}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError(f"expected an Ed25519 key in {path}, found another algorithm")
    return private


def _open_file(place: str, name: str) -> Signer:
    return in_memory(name, read_private(Path(place)))


OPENERS: Final[dict[str, Callable[[str, str], Signer]]] = {"file": _open_file}
