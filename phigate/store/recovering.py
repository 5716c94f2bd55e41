"""After a restore: declare in a new log what the old one lost. The old log stays as it is, for whoever asks.

An index is never given twice at one origin: a log that signed 900 entries and holds 800 goes on under another name,
and the first entry of that one says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phigate.audit.record import JSON, Draft, Kind
from phigate.audit.shapes import ORIGIN, is_id
from phigate.errors import LedgerStateError, SettingsError
from phigate.store.anchor import AnchorFile
from phigate.store.key_folder import anchor_path, read_keyring
from phigate.store.open import open_ledger
from phigate.store.source import DatabaseSource
from phigate.tlog.errors import TlogError
from phigate.tlog.keyring import Role


@dataclass(frozen=True, slots=True)
class Loss:
    """What an old log signed, and what is left of it."""

    origin: str
    signed: int
    root: bytes
    restored: int

    @property
    def lost(self) -> int:
        """Return how many signed entries are gone."""
        return max(0, self.signed - self.restored)


def lost_of(url: str, *, keys: Path, origin: str) -> Loss:
    """Compare a log with its anchor. Raises `LedgerStateError` when nothing was ever signed."""
    keyring = read_keyring(keys)
    listed = keyring[0].listed(Role.CHECKPOINT, origin) if keyring else ()
    if not listed:
        raise SettingsError(f"expected a checkpoint key of {origin} in {keys}, found none")
    known = AnchorFile(anchor_path(keys, origin), origin=origin, key=listed[0].key).read()
    if known is None:
        raise LedgerStateError(f"{origin} never signed a checkpoint: there is nothing to recover")
    try:
        with DatabaseSource(url, origin=origin) as source:
            restored = source.size
    except (SettingsError, TlogError):
        restored = 0
    return Loss(origin, known.size, known.root, restored)


async def declare_loss(loss: Loss, url: str, *, keys: Path, origin: str, actor: str) -> str:
    """Open the new log and write the declaration. Returns the name of its entry."""
    if not ORIGIN.holds(origin) or origin == loss.origin:
        raise SettingsError("expected a new origin such as audit.hospital.example/phigate/2026h2-r1, found another")
    if not is_id(actor):
        raise SettingsError("expected an id as actor: ASCII letters, digits and ._:/+-")
    seen: dict[str, JSON] = {"origin": loss.origin, "size": loss.signed, "root": loss.root.hex()}
    previous: dict[str, JSON] = {**seen, "restored": loss.restored, "lost": loss.lost}
    async with open_ledger(url, keys_folder=keys, origin=origin, previous=previous) as ledger:
        if ledger.size() > 2:
            raise SettingsError(f"expected an empty log {origin}, found {ledger.size()} entries")
        fields: dict[str, JSON] = {**seen, "restored": loss.restored, "lost": loss.lost, "actor": actor}
        return (await ledger.append(Draft(Kind.RESTORE, fields))).record_id
