"""Memory of what was once kept at home (decisions 12): keyed digests of parts, for 24 hours, and no text.

The caller keys the digests. Bounded: the oldest rows go first; a failure to remember is an error, never silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from phigate.policy.decision import Hold
from phigate.store.state import StateDatabase
from phigate.store.tables import HELD

REMEMBER_S: Final = 24 * 3600
MAX_ROWS: Final = 1_000_000
_CHUNK: Final = 500  # digests per statement
_FEW: Final = 64  # digests that are looked up in place
_READ: Final = "SELECT DISTINCT holds FROM held_part WHERE app = ? AND digest IN ({}) AND until > ?"
_SWEEP_EVERY_S: Final = 60.0


class StoredHeldParts:
    """The HeldParts port over a file of its own, or over a database URL. Several processes may share it."""

    def __init__(self, place: Path | str, *, now: Callable[[], float] = time.time, max_rows: int = MAX_ROWS) -> None:
        self._database = StateDatabase(place)
        self._now = now
        self._max_rows = max_rows
        self._swept_at = 0.0

    async def limits(self, app: str, digests: Sequence[bytes]) -> frozenset[Hold]:
        """Return the reasons for which any of these parts was held back in the last 24 hours."""
        if not digests:
            return frozenset()
        distinct = sorted(set(digests))
        if len(distinct) <= _FEW:
            values = (app, *distinct, int(self._now()))
            seen = self._database.peek(_READ.format(",".join("?" * len(distinct))), values)
            if seen is not None:
                return frozenset(hold for (word,) in seen for hold in _holds(word))
        return await self._database.run(lambda connection: self._limits(connection, app, distinct))

    async def hold(self, app: str, digests: Sequence[bytes], holds: frozenset[Hold]) -> None:
        """Remember that these parts were held back, for 24 hours from now. Durable before it returns."""
        if not digests or not holds:
            return
        distinct = sorted(set(digests))
        await self._database.run(lambda connection: self._hold(connection, app, distinct, holds))

    def close(self) -> None:
        """Give connection and thread back."""
        self._database.close()

    def _limits(self, connection: sa.Connection, app: str, digests: list[bytes]) -> frozenset[Hold]:
        found: set[Hold] = set()
        for row in self._rows(connection, app, digests):
            found.update(_holds(row.holds))
        return frozenset(found)

    def _rows(self, connection: sa.Connection, app: str, digests: list[bytes]) -> list[sa.Row[tuple[bytes, str]]]:
        rows: list[sa.Row[tuple[bytes, str]]] = []
        for at in range(0, len(digests), _CHUNK):
            query = sa.select(HELD.c.digest, HELD.c.holds).where(
                HELD.c.app == app, HELD.c.digest.in_(digests[at : at + _CHUNK]), HELD.c.until > int(self._now())
            )
            rows.extend(connection.execute(query))
        return rows

    def _hold(self, connection: sa.Connection, app: str, digests: list[bytes], holds: frozenset[Hold]) -> None:
        self._sweep(connection)
        now, known = int(self._now()), dict.fromkeys(digests, holds)
        for at in range(0, len(digests), _CHUNK):
            chunk = digests[at : at + _CHUNK]
            # Deleting returns what stood, under the write lock: no reason of another worker is lost between.
            delete = sa.delete(HELD).where(HELD.c.app == app, HELD.c.digest.in_(chunk))
            for row in connection.execute(delete.returning(HELD.c.digest, HELD.c.holds, HELD.c.until)):
                if row.until > now:
                    known[bytes(row.digest)] |= _holds(row.holds)
        until = now + REMEMBER_S
        rows = [{"app": app, "digest": d, "holds": _word(known[d]), "until": until} for d in digests]
        connection.execute(sa.insert(HELD), rows)

    def _sweep(self, connection: sa.Connection) -> None:
        """Forget what is over a day old, and the oldest where there is too much, once a minute."""
        now = self._now()
        if abs(now - self._swept_at) < _SWEEP_EVERY_S:
            return
        self._swept_at = now
        connection.execute(sa.delete(HELD).where(HELD.c.until <= int(now)))
        count = connection.execute(sa.select(sa.func.count()).select_from(HELD)).scalar_one()
        if count > self._max_rows:
            oldest = sa.select(HELD.c.until).order_by(HELD.c.until).offset(count - self._max_rows).limit(1)
            connection.execute(sa.delete(HELD).where(HELD.c.until < oldest.scalar_subquery()))


def _word(holds: frozenset[Hold]) -> str:
    return ",".join(sorted(hold.value for hold in holds))


def _holds(word: str) -> frozenset[Hold]:
    return frozenset(Hold(each) for each in word.split(","))
