from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from phigate.app.witness import MAX_EVIDENCE, WitnessState, build_witness, describe, witness_key
from phigate.errors import LedgerStateError, SettingsError
from phigate.signing import in_memory
from phigate.tlog.cosign import cosignatures
from phigate.tlog.note import KeyType
from phigate.tlog.witness import MAX_REQUEST_BYTES, Answer, check_request, merge_answer
from phigate.tlog.witness import Request as AddCheckpoint
from tests.tlog import naive
from tests.tlog.logs import ORIGIN
from tests.tlog.test_witness import ENTRIES, LOGS, NOW, head, request

SIGNER = in_memory("compliance.hospital.example")


class Client:
    """Speaks to an application in this process, its lifespan included."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            async with self.app.router.lifespan_context(self.app):
                pass

        anyio.run(end)

    def get(self, path: str) -> httpx.Response:
        return anyio.run(self._send, "GET", path, b"")

    def post(self, path: str, *, content: bytes) -> httpx.Response:
        return anyio.run(self._send, "POST", path, content)

    async def _send(self, method: str, path: str, content: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
            return await client.request(method, path, content=content)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "witness.db"


@pytest.fixture
def client(place: Path) -> Iterator[Client]:
    app = build_witness(WitnessState(place), signer=SIGNER, logs=LOGS, now=lambda: NOW)
    with Client(app) as client:
        yield client


def post(client: Client, old: int, new: int, **changes: Any) -> Any:
    return client.post("/add-checkpoint", content=request(old, new, **changes).to_bytes())


def test_a_log_gets_its_cosignature(client: Client) -> None:
    answer = post(client, 0, 20)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    merged = merge_answer(head(20), answer.content, [witness_key(SIGNER)])
    (said,) = cosignatures(merged.note, [witness_key(SIGNER)])
    assert said.at_s == NOW
    assert post(client, 20, 40).status_code == 200


def test_a_log_that_is_behind_is_told_the_size(client: Client) -> None:
    post(client, 0, 20)
    answer = post(client, 0, 40)
    assert (answer.status_code, answer.content) == (409, b"20\n")
    assert answer.headers["content-type"].startswith("text/x.tlog.size")


def test_what_is_refused_is_not_cosigned(client: Client) -> None:
    post(client, 0, 20)
    fork = [b"another", *ENTRIES[1:]]
    for answer, status in (
        (post(client, 20, 40, entries=fork), 422),
        (post(client, 20, 20, entries=fork), 409),
        (post(client, 30, 20), 400),
        (client.post("/add-checkpoint", content=b"rubbish"), 400),
        (client.post("/add-checkpoint", content=b"x" * (MAX_REQUEST_BYTES + 1)), 400),
        (client.get("/add-checkpoint"), 405),
        (client.get("/elsewhere"), 404),
    ):
        assert answer.status_code == status
        assert "—" not in answer.text
    (row,) = client.get("/heads").json()
    assert (row["size"], row["at"]) == (20, NOW)


def test_contradicting_heads_are_kept_as_evidence(client: Client, place: Path) -> None:
    post(client, 0, 20)
    fork = [b"another", *ENTRIES[1:]]
    post(client, 20, 20, entries=fork)
    post(client, 20, 20, entries=fork)
    post(client, 0, 20, entries=fork)
    post(client, 20, 40, entries=fork)
    (row,) = client.get("/heads").json()
    assert sorted(row["contradicted_by"]) == sorted(head(n, entries=fork).note.to_bytes().decode() for n in (20, 40))
    assert row["checkpoint"] == head(20).note.to_bytes().decode()
    state = WitnessState(place)
    assert describe(state).count("\n") == 1
    state.close()


def test_evidence_is_bounded(place: Path) -> None:
    state = WitnessState(place)
    state.answer(request(0, 20), now_s=NOW)
    for number in range(MAX_EVIDENCE + 5):
        fork = [*ENTRIES[:19], b"fork %d" % number]
        assert state.answer(request(20, 20, entries=fork), now_s=NOW).status == 409
    (row,) = state.heads()
    assert len(row.evidence) == MAX_EVIDENCE
    state.close()


def test_a_restarted_witness_remembers(place: Path) -> None:
    for old, new, at_s, status in ((0, 20, NOW, 200), (0, 30, NOW, 409), (20, 30, NOW - 500, 200)):
        with Client(build_witness(WitnessState(place), signer=SIGNER, logs=LOGS, now=partial(int, at_s))) as client:
            answer = post(client, old, new)
            assert answer.status_code == status
    state = WitnessState(place)
    (row,) = state.heads()
    assert (row.known.size, row.known.at_s, row.origin) == (30, NOW, ORIGIN)
    state.close()


def ask(ready: threading.Barrier, answers: list[Answer], state: WitnessState, made: AddCheckpoint) -> None:
    ready.wait()
    answers.append(state.answer(made, now_s=NOW))


def test_of_two_requests_at_once_one_wins_and_the_state_never_shrinks(place: Path) -> None:
    state, other = WitnessState(place), WitnessState(place)  # two processes see the file like this
    state.answer(request(0, 5), now_s=NOW)
    for start in range(5, 50, 5):
        answers: list[Answer] = []
        ready = threading.Barrier(2)

        asked = ((state, request(start, start + 5)), (other, request(start, start + 3)))
        pair = [threading.Thread(target=ask, args=(ready, answers, *each)) for each in asked]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        assert sorted(answer.status for answer in answers) == [200, 409]
        (row,) = state.heads()
        size = row.known.size
        assert size in {start + 3, start + 5}
        assert b"%d\n" % size in {answer.body for answer in answers}
        if size != start + 5:
            state.answer(request(size, start + 5), now_s=NOW)
    state.close()
    other.close()


def test_the_file_itself_refuses_to_go_back(place: Path) -> None:
    state = WitnessState(place)
    state.answer(request(0, 20), now_s=NOW)
    state.close()
    db = sqlite3.connect(place)
    for sql in (
        "UPDATE head SET size = 10",
        "UPDATE head SET root = x'00'",
        "UPDATE head SET at_s = 1",
        "DELETE FROM head",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="a head"):
            db.execute(sql)
    db.close()


def test_a_state_that_cannot_be_written_cosigns_nothing(place: Path) -> None:
    state = WitnessState(place)
    with Client(build_witness(state, signer=SIGNER, logs=LOGS, now=lambda: NOW)) as client:
        post(client, 0, 20)
        state._db.execute("PRAGMA query_only=ON")
        answer = post(client, 20, 30)
        assert (answer.status_code, answer.text) == (503, "the witness cannot store: nothing was cosigned\n")
        assert answer.headers["retry-after"] == "5"
        state._db.execute("PRAGMA query_only=OFF")
        assert post(client, 20, 30).status_code == 200


def test_a_damaged_state_cosigns_nothing(place: Path) -> None:
    state = WitnessState(place)
    state.answer(request(0, 20), now_s=NOW)
    state._db.execute("DROP TRIGGER head_grows")
    state._db.execute("UPDATE head SET root = x'00'")
    with pytest.raises(LedgerStateError, match=r"the stored head of .* is damaged"):
        state.answer(request(20, 30), now_s=NOW)
    with Client(build_witness(state, signer=SIGNER, logs=LOGS)) as client:
        assert post(client, 20, 30).status_code == 503


def test_a_place_that_holds_no_state_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(b"rubbish" * 1000)
    for wrong in (tmp_path, tmp_path / "none" / "x.db", tmp_path / "rubbish"):
        with pytest.raises(SettingsError, match="expected a SQLite file that can be written"):
            WitnessState(wrong)


def test_the_key_of_a_witness_is_no_key_of_a_log(client: Client) -> None:
    key = witness_key(SIGNER)
    assert (key.type, key.public, key.id == SIGNER.key.id) == (KeyType.COSIGNATURE, SIGNER.key.public, False)
    assert client.get("/vkey").text == f"{key.to_text()}\n"


def test_the_time_of_day_is_used_where_none_is_given(place: Path) -> None:
    with Client(build_witness(WitnessState(place), signer=SIGNER, logs=LOGS)) as client:
        post(client, 0, 20)
        (row,) = client.get("/heads").json()
        assert row["at"] > NOW


def test_the_witness_saw_the_tree_that_the_log_has(client: Client) -> None:
    post(client, 0, 20)
    (row,) = client.get("/heads").json()
    assert row["root"] == naive.mth(ENTRIES[:20]).hex()
    checked = check_request(replace(request(0, 20)).to_bytes(), LOGS)
    assert not isinstance(checked, Answer)
