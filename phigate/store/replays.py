"""Signed contexts already taken, so that none is taken twice: by no worker, and not after a restart.

Holds keyed digests of issuer and id until the context has expired, and nothing else. Contexts that come together are
taken in one transaction, so that the disk's latency is paid once for all of them.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from phigate.errors import UnavailableError
from phigate.store.state import StateDatabase
from phigate.store.tables import TAKEN

MAX_ROWS: Final = 1_000_000
_TOGETHER: Final = 200
_SWEEP_EVERY_S: Final = 60.0
_INSERT: Final = sa.text("INSERT INTO context_taken (digest, until) VALUES (:digest, :until) ON CONFLICT DO NOTHING")
_Asked = tuple[bytes, int, "asyncio.Future[bool]"]


class StoredReplays:
    """The Replays port over a file of its own, or over a database URL. Several processes may share it."""

    def __init__(
        self, place: Path | str, *, key: bytes, now: Callable[[], float] = time.time, max_rows: int = MAX_ROWS
    ) -> None:
        self._database = StateDatabase(place, branch="replay")
        self._key = key
        self._now = now
        self._max_rows = max_rows
        self._swept_at = 0.0
        self._asked: list[_Asked] = []
        self._task: asyncio.Task[None] | None = None

    async def take(self, issuer: str, jti: str, *, until: datetime) -> bool:
        """Remember a context; return False when it was taken before. Durable before it returns.

        Raises `UnavailableError` when it cannot be remembered: such a context is not taken.
        """
        digest = hmac.digest(self._key, f"{issuer}\0{jti}".encode("utf-8", "surrogatepass"), "sha256")
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append((digest, int(until.timestamp()) + 1, future))
        if self._task is None:
            self._task = asyncio.create_task(self._serve(), name="contexts taken")
        return await future

    def close(self) -> None:
        """Give connection and thread back."""
        self._database.close()

    async def _serve(self) -> None:
        """Take what is asked for, all that waits in one transaction, until nothing waits."""
        try:
            while self._asked:
                batch, self._asked = self._asked[:_TOGETHER], self._asked[_TOGETHER:]
                await self._serve_batch(batch)
        finally:
            self._task = None

    async def _serve_batch(self, batch: Sequence[_Asked]) -> None:
        try:
            fresh = await self._database.run(lambda connection: self._take(connection, batch))
        except UnavailableError as error:
            for _, _, future in batch:
                if not future.done():
                    future.set_exception(UnavailableError(str(error), code=error.code))
            return
        for (_, _, future), taken in zip(batch, fresh, strict=True):
            if not future.done():
                future.set_result(taken)

    def _take(self, connection: sa.Connection, batch: Sequence[_Asked]) -> list[bool]:
        self._sweep(connection, len(batch))
        # One statement looks and inserts: of two workers that are given the same context, one takes it.
        return [
            connection.execute(_INSERT, {"digest": digest, "until": until}).rowcount == 1 for digest, until, _ in batch
        ]

    def _sweep(self, connection: sa.Connection, coming: int) -> None:
        """Forget what has expired, once a minute; refuse what would be too much. Nothing alive is ever forgotten."""
        now = self._now()
        if abs(now - self._swept_at) < _SWEEP_EVERY_S:
            return
        connection.execute(sa.delete(TAKEN).where(TAKEN.c.until < int(now)))
        count = connection.execute(sa.select(sa.func.count()).select_from(TAKEN)).scalar_one()
        if count + coming > self._max_rows:
            raise UnavailableError("too many signed contexts are alive; retry in a minute", code="context_window_full")
        self._swept_at = now
