"""One random MAC key per day, wrapped under a key that lives elsewhere, in files of mode 0600.

The wrapping key stands in the folder of ledger keys, the wrapped keys beside the database: a copy of either alone
tells nothing. Destroying the file of a day makes that day's MACs noise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phigate.audit.mac import BodyMAC, body_mac
from phigate.errors import SettingsError
from phigate.signing import read_secret, write_secret

WRAPPING: Final = "mac-wrapping.key"
_NONCE_BYTES: Final = 12


class DayKeys:
    """The MAC key of today, made on first use; several processes of one host agree on it."""

    def __init__(self, folder: Path, *, wrapping_folder: Path, now: Callable[[], float]) -> None:
        self._folder = folder
        self._wrapping_folder = wrapping_folder
        self._now = now
        self._today = -1
        self._key = b""

    def key(self) -> bytes:
        """Return the key of the current UTC day, 32 bytes. Raises `SettingsError` where its file cannot be used."""
        today = int(self._now() // 86400)
        if today != self._today:
            self._key, self._today = self.key_of(today), today
        return self._key

    def key_of(self, day: int) -> bytes:
        """Return the key of a day, counted from 1970-01-01; a missing one is made."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._wrapping_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wrapping = AESGCM(_read_or_make(self._wrapping_folder / WRAPPING, lambda: os.urandom(32)))
        name = f"{datetime.fromtimestamp(day * 86400, UTC):%Y-%m-%d}.mackey"

        def fresh() -> bytes:
            nonce = os.urandom(_NONCE_BYTES)
            return nonce + wrapping.encrypt(nonce, os.urandom(32), name.encode())

        sealed = _read_or_make(self._folder / name, fresh)
        try:
            return wrapping.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise SettingsError(f"expected {name} wrapped under {WRAPPING}, found it wrapped otherwise") from error

    def mac(self, body: bytes) -> tuple[int, bytes]:
        """Return size and MAC of a body under today's key."""
        return body_mac(self.key(), body)

    def running(self) -> BodyMAC:
        """Return a MAC over a body that comes in pieces, under today's key."""
        return BodyMAC(self.key())


def _read_or_make(path: Path, fresh: Callable[[], bytes]) -> bytes:
    """Read a secret file, or create it; of two processes that create it, one wins and both read that one."""
    if not path.exists():
        try:
            write_secret(path, fresh())
        except SettingsError:
            if not path.exists():
                raise
    return read_secret(path)
