"""Every reply of the door, errors too, has a name that the ledger knows; and says what to ask for instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Router

from phigate.app.limits import Admission
from phigate.app.refusals import RefusalTally
from phigate.app.routes import Doors, Guard, Routes
from phigate.audit.record import Kind
from phigate.metrics import PrometheusMetrics
from phigate.policy.bundle import Bundle
from tests.exchange import Script, demo_bundle

pytestmark = pytest.mark.anyio

_BODY = {"model": "gpt-5", "messages": [{"role": "user", "content": "What is a normal potassium?"}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Keys:
    async def app_of(self, key: str) -> str | None:
        return "demo" if key == "good" else None


class Fixed:
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def current(self) -> Bundle:
        return self._bundle


def a_door(script: Script, gateway: Any = None) -> httpx.AsyncClient:
    numbers = iter(range(1000))
    doors = Doors(
        gateway=gateway or script.gateway(),
        bundles=Fixed(script.bundle),
        app_keys=Keys(),
        admission=Admission(capacity=8, workers=1),
        tally=RefusalTally(script.ledger, script.metrics),
        metrics=PrometheusMetrics(),
        readiness=None,  # type: ignore[arg-type]
        body_bytes=1 << 20,
        new_rid=lambda: f"0197a2b4-0000-7000-9000-{next(numbers):012x}",
        models=lambda app, bundle: [],
    )
    app = Guard(Router(Routes(doors).table()), tally=doors.tally)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://gw", headers={"authorization": "Bearer good"})


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(demo_bundle(tmp_path))


async def test_an_answer_and_its_entries_have_one_name(script: Script) -> None:
    async with a_door(script) as door:
        reply = await door.post("/v1/chat/completions", json=_BODY)
    assert reply.status_code == 200
    assert reply.headers["x-request-id"] == "0197a2b4-0000-7000-9000-000000000000"
    assert script.entry(Kind.INTENT).rid == reply.headers["x-request-id"]


async def test_a_refusal_and_its_entry_have_one_name(script: Script) -> None:
    async with a_door(script) as door:
        await door.get("/v1/models")
        reply = await door.post("/v1/chat/completions", json={**_BODY, "store": True})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "not_covered")
    assert script.entry(Kind.REFUSAL).rid == reply.headers["x-request-id"]


@pytest.mark.parametrize(("key", "body", "status"), [("bad", "{}", 401), ("good", "{", 400)])
async def test_what_is_only_counted_has_a_name_too(script: Script, key: str, body: str, status: int) -> None:
    async with a_door(script) as door:
        reply = await door.post("/v1/chat/completions", content=body, headers={"authorization": f"Bearer {key}"})
    assert reply.status_code == status
    assert reply.headers["x-request-id"].startswith("0197a2b4-")
    assert not script.kinds


class Broken:
    """A gateway that fails in code without a file, which names itself <string>."""

    async def chat(self, *_: Any, **__: Any) -> None:
        exec(compile("raise ValueError('Maria Souza')", "<José's string>", "exec"))


async def test_a_failure_nobody_foresaw_is_a_500_whose_place_and_name_are_logged(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_door(script, Broken()) as door:
        reply = await door.post("/v1/chat/completions", json=_BODY)
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "internal_error"
    (record,) = caplog.records
    line = json.loads(record.getMessage())
    assert line["rid"] == reply.headers["x-request-id"]
    ours, _, theirs = line["where"].partition("+")
    assert ours.startswith("routes.py:")
    assert theirs == "Jossstring:1"
    assert "Souza" not in caplog.text + reply.text


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/chat/completions", "expected POST /v1/chat/completions, found another method"),
        ("DELETE", "/v1/models", "expected GET /v1/models, found another method"),
        ("POST", "/metrics", "expected GET /metrics, found another method"),
    ],
)
async def test_another_method_is_told_the_right_one(script: Script, method: str, path: str, expected: str) -> None:
    async with a_door(script) as door:
        reply = await door.request(method, path)
    assert reply.status_code == 404
    assert reply.json()["error"] == {
        "message": expected,
        "type": "not_found_error",
        "param": None,
        "code": "unknown_method",
    }


async def test_a_compressed_body_is_refused_by_its_name(script: Script) -> None:
    async with a_door(script) as door:
        headers = {"content-encoding": "gzip"}
        reply = await door.post("/v1/chat/completions", content=b"\x1f\x8b\x08", headers=headers)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == (
        "expected a body that is not compressed, found a content-encoding; send plain JSON"
    )
    assert not script.kinds
