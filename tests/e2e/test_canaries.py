"""Planted words in every leaf, in headers, the query, errors, tool calls and streams: in no byte that is kept."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request

from phigate.cli.demo import _OPEN
from tests.e2e.house import House, house
from tests.leaks.test_matrix import leaving
from tests.wire.maximal import leaves, maximal, planted

WORD, NUMBER = "Quirandelowix", 48210377
FORMS = (WORD, str(NUMBER), WORD.lower(), WORD.upper(), quote(f"{WORD} "), WORD.encode().hex())


def post(home: House, body: bytes, path: str = "", **headers: str) -> str:
    """Return all that comes back, headers and all, whatever the status."""
    given = {"authorization": f"Bearer {home.key}", "content-type": "application/json", **headers}
    request = Request(f"{home.url}{path or '/v1/chat/completions'}", data=body, headers=given)
    try:
        with _OPEN(request, timeout=60) as reply:
            return f"{reply.headers}\n{reply.read().decode('utf-8', 'replace')}"
    except HTTPError as error:
        with error:
            return f"{error.headers}\n{error.read().decode('utf-8', 'replace')}"


def found_in(data: bytes) -> list[str]:
    return [form for form in FORMS if form.encode() in data]


def _in_every_leaf(home: House) -> int:
    """Plant them in every leaf of one body and many of another, which leaves; return how many requests that took."""
    number = 0
    for base, step in ((maximal(), 1), (leaving(), 4)):
        for leaf in list(leaves(base))[::step]:
            canary: str | int = NUMBER if leaf.what == "number" else f"{WORD} {NUMBER}"
            post(home, json.dumps(planted(base, leaf, canary)).encode())
            number += 1
    return number


def _at_the_door(home: House) -> None:
    """Plant them where no body is read; nothing of it may come back."""
    plain = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": "What is sepsis?"}]}).encode()
    name = dict.fromkeys(("x-request-id", "user-agent", "x-phigate-mode", "cookie", "referer"), f"{WORD} {NUMBER}")
    answers = [
        post(home, plain, **name),
        post(home, plain, f"/v1/chat/completions?patient={WORD}&mrn={NUMBER}"),
        post(home, plain, f"/v1/{WORD}/{NUMBER}"),
        post(home, plain, authorization=f"Bearer {WORD}{NUMBER}"),
        post(home, plain, authorization=f"{WORD} {NUMBER}"),
        post(home, f'{{"{WORD}": {NUMBER}'.encode()),
        post(home, f"{WORD}{NUMBER}".encode() * 3),
        post(home, json.dumps({"model": WORD * 99, "messages": [], WORD: NUMBER}).encode()),
        post(home, json.dumps({"model": "gpt-5", "messages": [{"role": WORD, WORD: NUMBER}]}).encode()),
        post(home, json.dumps({"model": "gpt-5", "messages": WORD, "n": NUMBER}).encode()),
        post(home, f'{{"model":"m","{WORD}":1,"{WORD}":2,"messages":[]}}'.encode()),
    ]
    for answer in answers:
        assert found_in(answer.encode()) == [], answer


def _in_streams_and_calls(home: House) -> None:
    """Let models say them: streamed, in tool calls, in an error of an outside provider."""
    client = home.client()
    text: Any = [{"role": "user", "content": f"Patient: {WORD} Moreira, MRN {NUMBER}, has a cough. Please advise."}]
    list(client.chat.completions.create(model="gpt-5", messages=text, stream=True, n=2))
    properties = {"name": {"type": "string"}, "mrn": {"type": "integer"}}
    tool: Any = {"type": "function", "function": {"name": "find", "parameters": {"properties": properties}}}
    for stream in (False, True):
        whole: Any = client.chat.completions.create(
            model="gpt-5", messages=text, tools=[tool], tool_choice="required", stream=stream
        )
        list(whole)
    for fault in ("error", "garbage", "close_midway", "error_midway", "none"):
        _OPEN(Request(f"{home.upstreams['external']}/fault", data=fault.encode(), method="PUT"), timeout=10).close()
        asked = {"model": "gpt-5", "messages": text, "stream": fault.endswith("midway")}
        post(home, json.dumps(asked).encode())


def _headers(home: House) -> bytes:
    """Return every header and path that a model was sent: none of them is an app's."""
    rows: list[Any] = []
    for url in home.upstreams.values():
        with _OPEN(f"{url}/received?last=1024", timeout=30) as reply:
            rows += [[row["path"], row["headers"]] for row in json.loads(reply.read())["requests"]]
    assert rows
    return json.dumps(rows).encode()


def _dump(database: Path) -> bytes:
    """Return every cell of a database as text, whatever its pages look like."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as open_database:
        dump = "\n".join(open_database.iterdump())
    open_database.close()
    return dump.encode()


def test_no_canary_is_in_any_byte_that_is_kept(tmp_path: Path) -> None:
    with house(tmp_path / "site") as home:
        number = _in_every_leaf(home)
        assert number > 250
        _at_the_door(home)
        _in_streams_and_calls(home)
        seen = WORD in "".join(home.received("onprem", 1024))
        assert seen, "the canaries went nowhere at all"
        assert str(NUMBER) not in "".join(home.received("external", 1024))
        assert found_in(_headers(home)) == []
        served = (home.get("/metrics") + home.get("/readyz") + home.get("/healthz")).encode()
        alive = home.every_byte()  # with its write-ahead logs, before they are folded in
        bundle = tmp_path / "evidence"
        home.process.terminate()
        home.process.wait(timeout=40)
        made = home.phigate("ledger", "export", "--config", str(home.site), str(bundle))
        assert made.returncode == 0, made.stdout + made.stderr
        exported = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
        databases = b"".join(_dump(path) for path in home.site.parent.rglob("*.db"))
        for name, data in {"served": served, "alive": alive, "at rest": exported, "cells": databases}.items():
            assert data, name
            assert found_in(data) == [], name
        done = home.phigate("ledger", "verify", "--config", str(home.site))
        assert done.returncode == 0, done.stdout + done.stderr
