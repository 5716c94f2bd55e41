"""Keys of apps and of auditors: made here, shown once, stored as SHA-256 alone.

An app's key asks models, an auditor's reads the ledger; neither opens the other's doors. A key is ``pg_`` (an
auditor's ``pgaudit_``) and 256 random bits, so a fast hash is right: there is nothing to guess, and a slow hash would
only slow the gateway. Looking a key up compares its hash in an index, which tells an attacker about hashes and not
keys; the last comparison takes the same time for every key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from phigate.errors import SettingsError
from phigate.store.state import StateDatabase
from phigate.store.tables import APP_KEY

CACHE_S: Final = 5.0  # so long may a revoked key still work
CACHED: Final = 10_000
APP, AUDITOR = "app", "auditor"
_PREFIXES: Final = {APP: "pg_", AUDITOR: "pgaudit_"}
_KEYS: Final = {kind: re.compile(f"{prefix}[A-Za-z0-9_-]{{43}}", re.ASCII) for kind, prefix in _PREFIXES.items()}
_NOBODY: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class AppKey:
    """One key as the list shows it: never the key."""

    key_id: str
    app: str
    created_at: int
    revoked_at: int | None
    kind: str = APP


class StoredAppKeys:
    """The AppKeys port, with a cache of hashes that lives for seconds."""

    def __init__(self, place: Path | str, *, mono: Callable[[], float] = time.monotonic) -> None:
        self._database = StateDatabase(place)
        self._mono = mono
        self._cache: dict[tuple[str, bytes], tuple[str | None, float]] = {}

    async def app_of(self, key: str) -> str | None:
        """Return the app that owns this key, or None; an unknown key costs what a known one does."""
        return await self._owner(APP, key)

    async def auditor_of(self, key: str) -> str | None:
        """Return the auditor who owns this key, or None."""
        return await self._owner(AUDITOR, key)

    async def _owner(self, kind: str, key: str) -> str | None:
        digest = _digest(key)
        known = self._cache.get((kind, digest))
        if known is not None and known[1] > self._mono():
            return known[0]
        name = await self._database.run(lambda connection: _owner_of(connection, kind, digest))
        if _KEYS[kind].fullmatch(key) is None:
            name = None
        if len(self._cache) >= CACHED:
            self._cache.clear()
        self._cache[kind, digest] = (name, self._mono() + CACHE_S)
        return name

    def close(self) -> None:
        """Give connection and thread back."""
        self._database.close()


def create_key(database: StateDatabase, name: str, *, now: float, kind: str = APP) -> tuple[str, str]:
    """Make a key for an app or an auditor. Returns its id and the key itself, which is nowhere else."""
    key, key_id = f"{_PREFIXES[kind]}{secrets.token_urlsafe(32)}", secrets.token_hex(4)
    row = {"key_id": key_id, "app": name, "hash": _digest(key), "created_at": int(now), "kind": kind}
    database.do(lambda connection: connection.execute(sa.insert(APP_KEY), [row]).close())
    return key_id, key


def list_keys(database: StateDatabase) -> list[AppKey]:
    """Return every key, the newest last."""
    query = sa.select(APP_KEY.c.key_id, APP_KEY.c.app, APP_KEY.c.created_at, APP_KEY.c.revoked_at, APP_KEY.c.kind)
    query = query.order_by(APP_KEY.c.created_at, APP_KEY.c.key_id)
    return database.do(lambda connection: [AppKey(*row) for row in connection.execute(query)])


def revoke_key(database: StateDatabase, key_id: str, *, now: float) -> None:
    """End a key; workers follow within seconds. Raises `SettingsError` for an id that no living key has."""
    update = sa.update(APP_KEY).where(APP_KEY.c.key_id == key_id, APP_KEY.c.revoked_at.is_(None))
    changed = database.do(lambda connection: connection.execute(update.values(revoked_at=int(now))).rowcount)
    if changed != 1:
        raise SettingsError(f"expected the id of a key that is not revoked, found {key_id!r}: see phigate keys list")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _owner_of(connection: sa.Connection, kind: str, digest: bytes) -> str | None:
    query = sa.select(APP_KEY.c.hash, APP_KEY.c.app).where(
        APP_KEY.c.hash == digest, APP_KEY.c.kind == kind, APP_KEY.c.revoked_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    stored, name = (bytes(row.hash), row.app) if row is not None else (_NOBODY, None)
    return name if hmac.compare_digest(stored, digest) else None
