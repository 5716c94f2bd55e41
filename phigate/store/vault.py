"""The vault: one random key a patient, so that destroying it makes all of that patient's tags noise (crypto-shredding).

A database of its own, with backups of its own and short-lived. A row is found by the keyed digest of a patient's
number; the key in it is wrapped under a key of the key folder, which belongs to an epoch. An erasure deletes the row
and begins a new epoch: every other key is wrapped anew and the old wrapping key is destroyed, so that a backup of the
vault from before opens nothing. The ledger itself is never touched, and every proof stays what it was.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phigate.deid.subjects import Lookups, Reference, capped, tag
from phigate.errors import SettingsError, UnavailableError
from phigate.signing import read_secret, sync_folder, write_secret
from phigate.store.state import StateDatabase
from phigate.store.tables import EPOCH, ERASURE, SUBJECT, SUBJECT_EXCHANGE

LOOKUP: Final = "vault-lookup.key"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_TOGETHER: Final = 200  # exchanges of one transaction
# Of the hot path, ready to run: putting a statement together costs more than these few rows do. Written with ``?``.
_EPOCH: Final = "UPDATE vault_epoch SET epoch = epoch RETURNING epoch"
_KEYS: Final = "SELECT lookup, wrapped, epoch FROM vault_subject WHERE lookup IN ({})"
_NEW_KEY: Final = "INSERT INTO vault_subject (lookup, wrapped, epoch) VALUES (?,?,?)"
_NOTE: Final = "INSERT INTO vault_exchange (lookup, rid) VALUES (?,?) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, and the id of the entry that says so. Names nobody."""

    eid: str
    request: str
    article: str
    count: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One exchange that waits for its tags."""

    rid: str
    references: Sequence[Reference]
    tags: asyncio.Future[tuple[tuple[str, str], ...]]


class Vault:
    """Keys of patients. ``keys`` is the folder of the lookup key and the wrapping keys."""

    def __init__(self, place: Path | str, *, keys: Path) -> None:
        self._database = StateDatabase(place, branch="vault")
        self._keys = keys
        self._keks: dict[int, AESGCM] = {}  # by epoch; the key of an epoch never changes once something stands under it
        self._waiting: list[_Wanted] = []
        self._committing: asyncio.Task[None] | None = None
        self.lookups = Lookups(_made(keys / LOOKUP))

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()

    # -- the port ----------------------------------------------------------------------------------------------

    async def tags(self, rid: str, references: Sequence[Reference]) -> tuple[tuple[str, str], ...]:
        """Return source and tag of each patient in an exchange; see `Subjects.tags`.

        Exchanges that wait at the same time share one transaction.
        """
        references = capped(references)
        if not references:
            return ()
        wanted = _Wanted(rid, references, asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        if self._committing is None:
            self._committing = asyncio.get_running_loop().create_task(self._commit())
        return await wanted.tags

    async def _commit(self) -> None:
        """Serve all that wait, "commit when free": whoever comes while a batch is written shares the next."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
                if not await self._served(batch) and len(batch) > 1:
                    for each in batch:  # what is wrong with one patient's row stops that exchange alone
                        await self._served([each])
        finally:  # whatever ended this, the next exchange begins another
            self._committing = None

    async def _served(self, batch: Sequence[_Wanted]) -> bool:
        try:
            found = await self._database.run(lambda connection: self._tags(connection, batch))
        except (UnavailableError, SettingsError) as error:
            if len(batch) == 1 and not batch[0].tags.done():
                problem = UnavailableError("the vault of patients' keys cannot be used", code="vault_unavailable")
                problem.__cause__ = error
                batch[0].tags.set_exception(problem)
            return False
        for each, tags in zip(batch, found, strict=True):
            if not each.tags.done():  # its caller may have left
                each.tags.set_result(tags)
        return True

    def _tags(self, connection: sa.Connection, batch: Sequence[_Wanted]) -> list[tuple[tuple[str, str], ...]]:
        """Return the tags of each exchange; keys are made on first use, and the exchange is noted beside them."""
        epoch = self._epoch(connection)
        if epoch not in self._keks:  # of an epoch in force, whose key nobody makes again
            self._keks = {epoch: AESGCM(_made(self._kek(epoch)))}
        known = self._known(connection, {each.lookup for wanted in batch for each in wanted.references}, epoch)
        notes = [(each.lookup, wanted.rid) for wanted in batch for each in wanted.references]
        _run(connection, _NOTE, notes)
        return [tuple((e.source, tag(known[e.lookup], wanted.rid)) for e in wanted.references) for wanted in batch]

    def _known(self, connection: sa.Connection, lookups: set[bytes], epoch: int) -> dict[bytes, bytes]:
        asked = tuple(lookups)
        rows = _run(connection, _KEYS.format(",".join("?" * len(asked))), asked)
        known = {bytes(n): self._unwrap(bytes(wrapped), bytes(n), under) for n, wrapped, under in rows}
        new = {lookup: os.urandom(_KEY_BYTES) for lookup in asked if lookup not in known}
        if new:
            _run(connection, _NEW_KEY, [(n, self._wrap(key, n, epoch), epoch) for n, key in new.items()])
        return {**known, **new}

    # -- accounting and erasure, for commands ------------------------------------------------------------------

    def exchanges(self, lookups: Sequence[bytes]) -> dict[str, set[str]]:
        """Return the exchanges of patients, with the tags that their entries must carry."""

        def work(connection: sa.Connection) -> dict[str, set[str]]:
            found: dict[str, set[str]] = {}
            for row in connection.execute(sa.select(SUBJECT).where(SUBJECT.c.lookup.in_(lookups))).all():
                key = self._unwrap(bytes(row.wrapped), bytes(row.lookup), row.epoch)
                of = SUBJECT_EXCHANGE.c.lookup == row.lookup
                for (rid,) in connection.execute(sa.select(SUBJECT_EXCHANGE.c.rid).where(of)):
                    found.setdefault(rid, set()).add(tag(key, rid))
            return found

        return self._database.do(work)

    def erase(self, lookups: Sequence[bytes], *, eid: str, request: str, article: str) -> Erasure:
        """Destroy the keys of patients and what is kept of their exchanges. Durable when this returns.

        The entry is still to be written: `pending` gives it until `written` was called, whatever happens between.
        """

        def work(connection: sa.Connection) -> Erasure:
            mine = SUBJECT_EXCHANGE.c.lookup.in_(lookups)
            count = sa.select(sa.func.count(sa.distinct(SUBJECT_EXCHANGE.c.rid))).where(mine)
            done = Erasure(eid, request, article, connection.execute(count).scalar_one())
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete=ON").fetchall()
            connection.execute(sa.delete(SUBJECT_EXCHANGE).where(mine))
            connection.execute(sa.delete(SUBJECT).where(SUBJECT.c.lookup.in_(lookups)))
            row = {"eid": eid, "request": request, "article": article, "exchanges": done.count}
            connection.execute(sa.insert(ERASURE).values(row))
            return done

        return self._database.do(work)

    def pending(self) -> list[Erasure]:
        """Return erasures that were carried out and whose entry may be missing."""
        rows = self._database.do(lambda connection: connection.execute(sa.select(ERASURE)).all())
        return [Erasure(row.eid, row.request, row.article, row.exchanges) for row in rows]

    def written(self, eid: str) -> None:
        """Forget an erasure whose entry is durable."""
        self._database.do(lambda connection: connection.execute(sa.delete(ERASURE).where(ERASURE.c.eid == eid)))

    def rekey(self) -> int:
        """Begin a new epoch: wrap every key anew and destroy the old wrapping key. Returns the number of keys.

        A crash before the database commits leaves a wrapping key too many, one after it an old one: both go with the
        next call.
        """
        count, epoch = self._database.do(self._rewrap)
        for path in self._keys.glob("vault-kek-*.key"):
            if path != self._kek(epoch):
                path.unlink()
        sync_folder(self._keys)
        return count

    def _rewrap(self, connection: sa.Connection) -> tuple[int, int]:
        epoch = self._epoch(connection) + 1
        self._kek(epoch).unlink(missing_ok=True)  # left by a crash, and wrapped nothing that stands
        rows = connection.execute(sa.select(SUBJECT)).all()
        for row in rows:
            lookup = bytes(row.lookup)
            wrapped = self._wrap(self._unwrap(bytes(row.wrapped), lookup, row.epoch), lookup, epoch)
            changed = sa.update(SUBJECT).where(SUBJECT.c.lookup == lookup).values(wrapped=wrapped, epoch=epoch)
            connection.execute(changed)
        connection.execute(sa.update(EPOCH).values(epoch=epoch))
        return len(rows), epoch

    # -- keys --------------------------------------------------------------------------------------------------

    def _epoch(self, connection: sa.Connection) -> int:
        """Return the epoch in force; nobody begins another, or uses this one, until we commit."""
        # A write, though nothing changes: it takes the lock on both databases, where a read would not.
        rows = _run(connection, _EPOCH)
        if not rows:
            connection.execute(sa.insert(EPOCH).values(one=1, epoch=1))
            return 1
        return int(rows[0][0])

    def _kek(self, epoch: int) -> Path:
        return self._keys / f"vault-kek-{epoch}.key"

    def _wrap(self, key: bytes, lookup: bytes, epoch: int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        kek = self._keks.get(epoch)
        if kek is None:
            kek = AESGCM(_made(self._kek(epoch)))
        return nonce + kek.encrypt(nonce, key, lookup)

    def _unwrap(self, wrapped: bytes, lookup: bytes, epoch: int) -> bytes:
        try:
            kek = self._keks.get(epoch)
            if kek is None:
                kek = AESGCM(read_secret(self._kek(epoch)))
            return kek.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], lookup)
        except InvalidTag as error:
            raise SettingsError(f"expected keys wrapped under {self._kek(epoch).name}, found another") from error


def _run(connection: sa.Connection, sql: str, parameters: Any = ()) -> list[Any]:
    """Run one statement, or one for each of a list of rows, as the driver of this database wants it written."""
    text = sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")
    result = connection.exec_driver_sql(text, parameters)
    return list(result) if result.returns_rows else []


def _made(path: Path) -> bytes:
    """Read a key file, or make it; of two processes that make it, one wins and both read that one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        try:
            write_secret(path, os.urandom(_KEY_BYTES))
        except SettingsError:
            if not path.exists():
                raise
    return read_secret(path)
