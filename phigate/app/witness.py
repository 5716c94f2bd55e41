"""The witness: a server for the compliance department's own host, which vouches for the heads of logs (tlog-witness).

POST /add-checkpoint. Also GET /vkey, and GET /heads, the newest head of each log and what contradicted it. The state is
one SQLite file; a head is durable before it is cosigned, so that a crash forgets a cosignature and never a head.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from phigate.errors import LedgerStateError, SettingsError
from phigate.signing import Signer
from phigate.tlog.errors import TlogError
from phigate.tlog.note import KeyType, VerifierKey
from phigate.tlog.witness import (
    MAX_REQUEST_BYTES,
    Answer,
    Known,
    Logs,
    check_request,
    cosigned,
    decide,
    read_state,
)
from phigate.tlog.witness import Request as AddCheckpoint

MAX_EVIDENCE: Final = 100  # contradicting heads kept of one log; the first are the ones that matter
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS head (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, at_s INTEGER NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS evidence (
    origin TEXT NOT NULL, note BLOB NOT NULL, at_s INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (origin, note)
) STRICT;
CREATE TRIGGER IF NOT EXISTS head_grows BEFORE UPDATE ON head
    WHEN NEW.size < OLD.size OR NEW.at_s < OLD.at_s OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
    BEGIN SELECT RAISE(ABORT, 'a head only grows'); END;
CREATE TRIGGER IF NOT EXISTS head_stays BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'a head stays'); END;
"""


@dataclass(frozen=True, slots=True)
class WitnessHead:
    """The newest head of one log that was cosigned, its note, and the heads that contradicted it."""

    origin: str
    known: Known
    note: bytes
    evidence: tuple[bytes, ...]


class WitnessState:
    """What was cosigned, in one SQLite file. Safe to call from several threads and processes."""

    def __init__(self, place: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(place, isolation_level=None, timeout=5.0, check_same_thread=False)
            # FULL: a COMMIT that returned survives power loss; without it a restarted witness could sign a fork.
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "recursive_triggers=ON", "trusted_schema=OFF"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise SettingsError(f"expected a SQLite file that can be written at {place}: {error}") from error

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            self._db.close()

    def answer(self, request: AddCheckpoint, *, now_s: int) -> Answer:
        """Decide about a request and store the head, in one transaction. Durable when this returns.

        Raises `sqlite3.Error` when the state cannot be read or written; nothing may be signed then.
        """
        head = request.checkpoint.head
        with self._lock, self._transaction():
            known = self._known(head.origin)
            answer = decide(request, known, now_s=now_s)
            if answer.store is not None:
                row = (head.origin, head.size, head.root, answer.store.at_s, request.checkpoint.note.to_bytes())
                self._db.execute(
                    "INSERT INTO head VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
                    " SET size = excluded.size, root = excluded.root, at_s = excluded.at_s, note = excluded.note",
                    row,
                )
            elif known is not None and _contradicts(request, known, answer):
                self._keep_evidence(request, now_s, answer)
        return answer

    def heads(self) -> list[WitnessHead]:
        """Return every log that was cosigned."""
        with self._lock:
            rows = self._db.execute("SELECT origin, size, root, at_s, note FROM head ORDER BY origin").fetchall()
            return [
                WitnessHead(row[0], read_state(row[1], row[2], row[3]), row[4], self._evidence(row[0])) for row in rows
            ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE takes the write lock before the head is read: check and store are one step for every process.
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # whatever kept it from its COMMIT
                self._db.execute("ROLLBACK")

    def _known(self, origin: str) -> Known | None:
        row = self._db.execute("SELECT size, root, at_s FROM head WHERE origin = ?", (origin,)).fetchone()
        try:
            return read_state(*row) if row else None
        except TlogError as error:
            raise LedgerStateError(f"the stored head of {origin} is damaged: {error}") from error

    def _keep_evidence(self, request: AddCheckpoint, now_s: int, answer: Answer) -> None:
        origin, note = request.checkpoint.head.origin, request.checkpoint.note.to_bytes()
        (kept,) = self._db.execute("SELECT COUNT(*) FROM evidence WHERE origin = ?", (origin,)).fetchone()
        if kept < MAX_EVIDENCE:
            why = f"answered {answer.status}"
            self._db.execute("INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)", (origin, note, now_s, why))

    def _evidence(self, origin: str) -> tuple[bytes, ...]:
        rows = self._db.execute("SELECT note FROM evidence WHERE origin = ? ORDER BY at_s, note", (origin,))
        return tuple(row[0] for row in rows.fetchall())


def _contradicts(request: AddCheckpoint, known: Known, answer: Answer) -> bool:
    """Return whether a signed head cannot stand beside the known one: same size, other root, or a proof that fails.

    A proof that fails may be the sender's mistake; the head is kept all the same, for a person to look at.
    """
    head = request.checkpoint.head
    return answer.status == 422 or (head.size == known.size and head.root != known.root)


def witness_key(signer: Signer) -> VerifierKey:
    """Return the key under which a signer cosigns: type 0x04, so that no cosignature passes for a signature."""
    return VerifierKey(signer.key.name, KeyType.COSIGNATURE, signer.key.public)


@dataclass(frozen=True, slots=True)
class _Doors:
    state: WitnessState
    key: VerifierKey
    signer: Signer
    logs: Logs
    now: Callable[[], float]

    async def add_checkpoint(self, request: Request) -> Response:
        """Answer a log."""
        try:
            data = await _body(request)
        except ClientDisconnect:
            return PlainTextResponse("", status_code=400)
        if data is None:
            return PlainTextResponse(f"expected a request of at most {MAX_REQUEST_BYTES} bytes\n", status_code=400)
        try:
            answer = await run_in_threadpool(self._add, data)
        except (sqlite3.Error, LedgerStateError):
            text = "the witness cannot store: nothing was cosigned\n"
            return PlainTextResponse(text, status_code=503, headers={"retry-after": "5"})
        return Response(answer.body, answer.status, media_type=answer.media_type)

    def _add(self, data: bytes) -> Answer:
        request = check_request(data, self.logs)
        if isinstance(request, Answer):
            return request
        answer = self.state.answer(request, now_s=int(self.now()))
        if answer.store is None:
            return answer
        # A crash here: the head is stored and nobody holds the cosignature; the log asks again from that size.
        return cosigned(request, answer.store, key=self.key, sign=self.signer.sign)

    async def vkey(self, _: Request) -> Response:
        """Say who vouches."""
        return PlainTextResponse(f"{self.key.to_text()}\n")

    async def heads(self, _: Request) -> Response:
        """Show what was vouched for. A head holds counts and hashes, nothing of a request."""
        found = await run_in_threadpool(self.state.heads)
        return JSONResponse([_head(each) for each in found])


def build_witness(
    state: WitnessState, *, signer: Signer, logs: Logs, now: Callable[[], float] = time.time
) -> Starlette:
    """Return the server, which closes the state when it ends."""
    doors = _Doors(state, witness_key(signer), signer, logs, now)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            state.close()

    return Starlette(
        routes=[
            Route("/add-checkpoint", doors.add_checkpoint, methods=["POST"]),
            Route("/vkey", doors.vkey),
            Route("/heads", doors.heads),
        ],
        lifespan=lifespan,
    )


def _head(head: WitnessHead) -> dict[str, object]:
    return {
        "origin": head.origin,
        "size": head.known.size,
        "root": head.known.root.hex(),
        "at": head.known.at_s,
        "checkpoint": head.note.decode(),
        "contradicted_by": [note.decode() for note in head.evidence],
    }


async def _body(request: Request) -> bytes | None:
    """Return the body, None where it is larger than any request can be."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_REQUEST_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def describe(state: WitnessState) -> str:
    """Return the state as a person reads it."""
    return "".join(json.dumps(_head(each), ensure_ascii=False) + "\n" for each in state.heads())
