"""What bad input gets: an error that says what was expected, an entry or a tally, and no call to any model."""

import json
import socket
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from phigate.cli.demo import _OPEN
from tests.e2e.house import House

CANARY = "Ondina Tavarez"


def post(home: House, body: bytes, key: str | None = None) -> tuple[int, dict[str, Any]]:
    request = Request(
        f"{home.url}/v1/chat/completions",
        data=body,
        headers={"authorization": f"Bearer {key or home.key}", "content-type": "application/json"},
    )
    try:
        with _OPEN(request, timeout=60) as reply:
            return int(reply.status), json.loads(reply.read())
    except HTTPError as error:
        return int(error.code), json.loads(error.read())


def chat(**more: Any) -> bytes:
    return json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": CANARY}], **more}).encode()


CASES: dict[str, tuple[bytes, int]] = {
    "not JSON": (b"{" + CANARY.encode(), 400),
    "not UTF-8": (b'{"model":"m","messages":[{"role":"user","content":"\xff\xfe"}]}', 400),
    "a wrong type": (chat(messages=CANARY), 400),
    "a lone surrogate": (b'{"model":"m","messages":[{"role":"user","content":"Ondina \\ud800"}]}', 400),
    "a duplicate key": (b'{"model":"m","model":"m","messages":[{"role":"user","content":"x"}]}', 400),
    "a depth bomb": (b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b',"messages":[]}', 413),
    "a 64 KiB model name": (chat(model="m" * 65536), 400),
    "a number that is none": (b'{"model":"m","temperature":NaN,"messages":[{"role":"user","content":"x"}]}', 400),
    "no messages": (b'{"model":"m"}', 400),
    "an empty body": (b"", 400),
    "many choices": (chat(n=10_000), 400),
    "a body of 17 MiB": (chat(x="y" * (17 << 20)), 413),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_a_clear_error_and_reaches_no_model(home: House, name: str) -> None:
    body, status = CASES[name]
    before = home.total("onprem") + home.total("external")
    found, answer = post(home, body)
    error = answer["error"]
    assert found in {status, 400, 413}, error
    assert error["code"]
    assert error["message"]
    for word in CANARY.split():
        assert word not in json.dumps(answer)
    assert home.total("onprem") + home.total("external") == before


@pytest.mark.parametrize("key", ["nonsense", "pg_" + "x" * 43, "\xff"])
def test_a_wrong_key_is_401_whatever_it_is(home: House, key: str) -> None:
    found, answer = post(home, chat(), key)
    assert found == 401
    assert answer["error"]["type"] == "authentication_error"


def test_no_header_or_field_switches_protection_off(home: House) -> None:
    before = home.total("external")
    body = chat(
        messages=[{"role": "user", "content": f"Patient: {CANARY}, MRN 5512903, has a cough."}],
        phigate={"mode": "send_raw"},
        guardrails=[],
        metadata={"policy": "none", "purpose": "none"},
        base_url="http://127.0.0.1:9/",
        api_base="http://127.0.0.1:9/",
        mock_response="hello",
        extra_headers={"x-phigate-mode": "send_raw"},
        extra_body={"messages": [{"role": "user", "content": CANARY}]},
        fallbacks=["gpt-4"],
    )
    request = Request(
        f"{home.url}/v1/chat/completions",
        data=body,
        headers={
            "authorization": f"Bearer {home.key}",
            "x-phigate-mode": "send_raw",
            "x-phigate-policy": "none",
            "x-phigate-skip": "1",
            "x-forwarded-for": "127.0.0.1",
        },
    )
    with _OPEN(request, timeout=60) as reply:
        assert reply.headers["x-phigate-mode"] != "send_raw"
        assert reply.headers["x-phigate-record"]
    outside = "".join(home.since("external", before))
    for word in (*CANARY.split(), "5512903", "mock_response", "extra_body", "127.0.0.1:9"):
        assert word not in outside


def test_a_client_that_hangs_up_in_mid_stream_has_an_outcome(home: House) -> None:
    text = "Patient: " + CANARY + ". " + " ".join(f"Finding number {n} is stable." for n in range(400))
    body = json.dumps({"model": "gpt-5", "stream": True, "messages": [{"role": "user", "content": text}]}).encode()
    with socket.create_connection(("127.0.0.1", home.port)) as raw:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {home.key}\r\n"
        raw.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        first = raw.recv(4096)
        assert b"200" in first
    record = next(line for line in first.decode().splitlines() if line.startswith("x-phigate-record"))
    index = int(record.rpartition("#")[2])
    for _ in range(100):
        outcomes = [e for e in home.entries() if e["kind"] == "outcome" and e["intent"]["idx"] == index]
        if outcomes:
            break
        time.sleep(0.1)
    assert outcomes[0]["status"] in {"client_abort", "ok"}


def test_refusals_that_anybody_can_cause_do_not_fill_the_ledger(home: House) -> None:
    before = len(home.entries())
    for _ in range(50):
        post(home, b"{", "pg_nobody")
    assert len(home.entries()) - before <= 2
