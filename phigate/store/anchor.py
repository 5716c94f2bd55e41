"""The anchor: the last signed checkpoint, kept on another disk or host than the database and in no backup of it.

Compare-and-swap: it moves only to a checkpoint that extends it. A database that was restored from a backup is then
behind its anchor, and one that was rewritten does not lead to it; either stops the start. The file is made together
with the keys of its origin and never again: one that is missing later is a question for people, not for code.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from phigate.errors import LedgerStateError
from phigate.signing import sync_folder, write_secret
from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint
from phigate.tlog.errors import TlogError
from phigate.tlog.note import VerifierKey


class AnchorFile:
    """One origin's anchor. Several processes of a host may share it."""

    def __init__(self, path: Path, *, origin: str, key: VerifierKey) -> None:
        self.path = path
        self._origin = origin
        self._key = key

    @staticmethod
    def create(path: Path) -> None:
        """Make the anchor of a log that has no entry yet. Raises `SettingsError` where one stands."""
        write_secret(path, b"")

    def read(self) -> Checkpoint | None:
        """Return the checkpoint, None for a log that never signed one. Raises `LedgerStateError`."""
        try:
            note = self.path.read_bytes()
        except OSError as error:
            raise LedgerStateError(
                f"expected the anchor {self.path}, found none: without it a restored backup would go unseen; "
                "put it back, or declare the loss with phigate ledger recover"
            ) from error
        if not note:
            return None
        try:
            signed = SignedCheckpoint.from_bytes(note)
            signed.verify(origin=self._origin, keys=[self._key])
        except TlogError as error:
            raise LedgerStateError(
                f"the anchor {self.path.name} is no checkpoint of {self._origin}: {error}"
            ) from error
        return signed.head

    def advance(self, note: bytes, head: Checkpoint, *, root_at: Callable[[int], bytes | None]) -> None:
        """Move to a newer checkpoint. ``root_at`` gives the database's root at an earlier size.

        Returns without a change when another replica was quicker. Raises `LedgerStateError` when the two contradict.
        """
        with self._locked():
            known = self.read()
            if known is not None:
                if known.size > head.size:
                    return
                if (head.root if known.size == head.size else root_at(known.size)) != known.root:
                    raise LedgerStateError(f"{self._origin} does not extend its anchor of {known.size} entries: forked")
                if known.size == head.size:
                    return
            part = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
            part.unlink(missing_ok=True)
            write_secret(part, note)
            part.replace(self.path)
            sync_folder(self.path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
