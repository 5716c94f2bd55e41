"""A file that keeps room on the ledger's disk for the ends of exchanges that run when the disk is full.

It is given back when a write meets the full disk, so that outcomes still fit; new intents are refused until the disk
has room to hold it again.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 16 * 1024 * 1024  # hundreds of outcomes one by one, thousands in batches
AGAIN: Final = 4  # times its size must be free before it is taken again


class Reserve:
    """One preallocated file. ``size_bytes`` of 0 is no reserve. Owned by the ledger's thread."""

    def __init__(self, path: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._held = False
        self._released = False

    def hold(self) -> bool:
        """Allocate the file where it is not held. Returns whether the reserve is whole."""
        if self._held or not self._size_bytes:
            return True
        if self._released and self._free_bytes() < AGAIN * self._size_bytes:
            return False  # the room that was just given back is for the ends of exchanges
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size_bytes)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            self._path.unlink(missing_ok=True)
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}:
                raise
            return False
        self._held, self._released = True, False
        return True

    def _free_bytes(self) -> int:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def release(self) -> bool:
        """Give the room back. Returns whether there was any."""
        if not self._held:
            return False
        self._held, self._released = False, True
        self._path.unlink(missing_ok=True)
        return True

    def missing(self) -> str | None:
        """Return None when the reserve is whole, else what to say to who wants to begin an exchange."""
        if self._held or not self._size_bytes:
            return None
        return f"the disk was full: expected room for the reserve of {self._size_bytes >> 20} MiB"
