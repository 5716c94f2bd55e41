"""An auditor reads the log as tlog-tiles; nobody else does; who read what stands in the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Router

from phigate.app.ledger_routes import AccessBook, LedgerRoutes, Shelf
from phigate.app.problems import problem
from phigate.audit.record import Kind
from phigate.errors import PhigateError, UnavailableError
from phigate.store.duties import Rhythm
from phigate.store.ledger import StoreLedger
from phigate.store.open import open_ledger
from phigate.store.source import DatabaseSource
from phigate.tlog.export import ExportSource
from phigate.tlog.keyring import open_keyring
from phigate.tlog.proof import Proof
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.report import Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import ORIGIN, an_intent

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Keys:
    async def auditor_of(self, key: str) -> str | None:
        return {"good": "inspector-1", "other": "inspector-2"}.get(key)


@dataclass
class Site:
    folder: Path
    ledger: StoreLedger
    book: AccessBook
    client: httpx.AsyncClient
    clock: list[float] = field(default_factory=lambda: [0.0])

    async def get(self, path: str, key: str = "good") -> httpx.Response:
        return await self.client.get(f"/ledger/{path}", headers={"authorization": f"Bearer {key}"} if key else {})

    def records(self, kind: Kind) -> list[Record]:
        with DatabaseSource(f"sqlite:///{self.folder}/ledger.db") as source:
            found = [parse_entry(bytes(row.entry)) for row in source.rows(0, source.size)]
        return [record for record in found if record.kind == kind]


@asynccontextmanager
async def a_site(folder: Path, entries: int = 5) -> AsyncIterator[Site]:
    url = f"sqlite:///{folder}/ledger.db"
    ledger = open_ledger(
        url,
        keys_folder=folder / "keys",
        origin=ORIGIN,
        replica="gw",
        min_free_bytes=0,
        rhythm=Rhythm(checkpoint_s=0.02),
    )
    async with ledger:
        await asyncio.gather(*(ledger.append(an_intent()) for _ in range(entries)))
        clock = [0.0]
        book = AccessBook(ledger, mono=lambda: clock[0])
        routes = LedgerRoutes(Keys(), Shelf(url, lambda: ORIGIN), book)
        router = Router(routes.table())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                await router(scope, receive, send)
            except PhigateError as error:
                reply = problem(error)
                await httpx_answer(send, reply.status, reply.body)

        await routes.start()
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            site = Site(folder, ledger, book, client, clock)
            await signed(site, entries + 2)
            yield site
        await routes.close()


async def httpx_answer(send: Any, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def signed(site: Site, size: int) -> None:
    for _ in range(500):
        with DatabaseSource(f"sqlite:///{site.folder}/ledger.db") as source:
            if source.signed_size >= size:
                return
        await asyncio.sleep(0.01)
    raise AssertionError("expected a checkpoint")


async def test_the_served_log_verifies_as_an_export_does(tmp_path: Path) -> None:
    async with a_site(tmp_path, 600) as site:
        known: dict[str, bytes | None] = {}

        async def fetch(path: str) -> bytes | None:
            answer = await site.get(path)
            return answer.content if answer.status_code == 200 else None

        # The verifier is synchronous: what it asks for is fetched first, round by round.
        for _ in range(8000):
            missing: list[str] = []

            def read(path: str, missing: list[str] = missing) -> bytes | None:
                if path not in known:
                    missing.append(path)
                return known.get(path)

            try:
                report = verify(ExportSource(read), Demand())
            except PhigateError:
                report = None
            except Exception:
                if not missing:
                    raise
                report = None
            if not missing:
                break
            for path in missing:
                known[path] = await fetch(path)
        assert report is not None
        assert report.verdict is Verdict.VERIFIED, report.to_text()
        assert report.size >= 602


async def test_paths_and_headers_are_those_of_tlog_tiles(tmp_path: Path) -> None:
    async with a_site(tmp_path, 300) as site:
        head = await site.get("checkpoint")
        assert head.headers["content-type"] == "text/plain; charset=utf-8"
        assert head.headers["cache-control"] == "private, max-age=5"
        assert head.content.startswith(ORIGIN.encode() + b"\n")
        assert (await site.get("checkpoint/newest")).status_code == 200
        for path, size in (("tile/0/000", 8192), ("tile/0/001.p/7", 7 * 32), ("tile/1/000.p/1", 32)):
            tile = await site.get(path)
            assert (tile.status_code, len(tile.content)) == (200, size), path
            assert tile.headers["content-type"] == "application/octet-stream"
            assert tile.headers["cache-control"] == "private, max-age=31536000, immutable"
            assert tile.headers["x-content-type-options"] == "nosniff"
        bundle = await site.get("tile/entries/001.p/3")
        assert bundle.content == (await site.get("entries/001.p/3")).content
        keyring = await site.get("keyring.note")
        assert open_keyring(keyring.content).quorum == 0
        assert f"log {ORIGIN}+".encode() in (await site.get("policy")).content
        empty = await site.client.head("/ledger/checkpoint", headers={"authorization": "Bearer good"})
        assert (empty.status_code, empty.content) == (200, b"")


async def test_a_proof_is_served_for_an_entry(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        proof = Proof.from_bytes((await site.get("proof/3")).content)
        assert proof.index == 3
        for path in ("proof/03", "proof/-1", "proof/99999", "proof/x", "proof/", "proof/" + "9" * 30, "proof/²"):
            assert (await site.get(path)).status_code == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/1",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/8/000",
        "tile/0/001",
        "tile/0/000.p/200",
        "tile/0/x999/999",
        "tile/entries/000.p/200",
        "tile/entries/../../keys/root.key",
        "../keys/root.key",
        "keys/root.key",
        "manifest.json",
        "checkpoint/",
    ],
)
async def test_what_is_not_in_the_log_is_not_found(tmp_path: Path, path: str) -> None:
    async with a_site(tmp_path) as site:
        assert (await site.get(path)).status_code == 404


async def test_nobody_reads_without_an_auditors_key(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        for key in ("", "bad", "pg_app-key"):
            answer = await site.get("checkpoint", key)
            assert answer.status_code == 401
            assert b"auditor" in answer.content
        assert (await site.client.post("/ledger/checkpoint")).status_code == 405
        assert site.records(Kind.ACCESS) == []


async def test_who_read_what_stands_in_the_log_once_a_minute(tmp_path: Path) -> None:
    async with a_site(tmp_path, 300) as site:
        await asyncio.gather(*(site.get("checkpoint") for _ in range(5)))
        await site.get("tile/entries/000")
        await site.get("tile/entries/001.p/5")
        await site.get("checkpoint", "other")
        assert [r.fields["actor"] for r in site.records(Kind.ACCESS)] == ["inspector-1", "inspector-2"]
        await site.book.flush()
        await site.book.flush()
        await site.get("checkpoint", "other")
        fields = [
            {k: r.fields[k] for k in ("actor", "what", "from", "to") if k in r.fields}
            for r in site.records(Kind.ACCESS)
        ]
        assert fields[2:] == [
            {"actor": "inspector-1", "what": "entries", "from": 0, "to": 260},
            {"actor": "inspector-2", "what": "ledger"},  # a new visit
        ]


async def test_nothing_is_shown_that_cannot_be_recorded_but_for_a_fork(tmp_path: Path) -> None:
    from phigate.errors import LedgerStateError

    async with a_site(tmp_path) as site:
        trouble: list[str | None] = ["no room"]

        async def refuse(draft: object) -> Any:
            raise UnavailableError("no room", code="ledger_full")

        site.ledger.append = refuse  # type: ignore[method-assign]
        site.ledger.ready = lambda: trouble[0]  # type: ignore[method-assign]
        answer = await site.get("checkpoint")
        assert answer.status_code == 503
        assert ORIGIN.encode() not in answer.content
        trouble[0] = f"fork suspected: {LedgerStateError('forked')}"
        assert (await site.get("checkpoint")).status_code == 200


async def test_a_database_that_cannot_be_read_is_503_and_passes(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        await site.get("checkpoint")
        shelf = Shelf(f"sqlite:///{tmp_path}/nowhere.db", lambda: ORIGIN)
        with pytest.raises(UnavailableError, match="verify its database"):
            await shelf.page("checkpoint")
        await shelf.close()
        shelf = Shelf(f"sqlite:///{tmp_path}/ledger.db", lambda: "audit.test/another")
        with pytest.raises(UnavailableError, match="cannot be read now"):
            await shelf.page("checkpoint")
        await shelf.close()


async def test_no_worker_shows_an_older_head_than_another_did(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        other = Shelf(f"sqlite:///{tmp_path}/ledger.db", lambda: ORIGIN)
        assert (await other.page("checkpoint")).body == (await site.get("checkpoint")).content
        receipt = await site.ledger.append(an_intent())
        await signed(site, receipt.index + 1)
        path = f"tile/entries/000.p/{receipt.index + 1}"
        assert (await site.get(path)).content == (await other.page(path)).body
        newest = (await site.get("checkpoint")).content
        assert int(newest.split(b"\n")[1]) > receipt.index
        assert (await other.page("checkpoint")).body == newest
        await other.close()
