"""litellm costs seconds and opens connections of its own: it comes in with the first call, and calls nobody.

Each claim is checked in a process of its own, where nothing was imported before and every socket is seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.upstreams.serving import Wire, closed_port, read_request, scripted

_WATCH = """
import sys
seen = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
        seen.append((event, str(args[-1])))
sys.addaudithook(watch)
"""


def _run(code: str, **environment: str) -> str:
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WATCH + code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root, **environment},
        timeout=120,
        check=False,
        cwd=environment.get("CWD", root),
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stderr == ""
    return ran.stdout


def test_importing_the_module_imports_no_litellm_and_opens_no_socket() -> None:
    assert (
        _run("""
import phigate.upstreams.external
assert not [m for m in sys.modules if m.split(".")[0] in ("litellm", "openai")]
assert not seen, seen
print("ok")
""")
        == "ok\n"
    )


def test_loading_litellm_opens_no_socket_reads_no_dotenv_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PHIGATE_CANARY=1\nOPENAI_BASE_URL=http://127.0.0.1:1\n")
    assert (
        _run(
            """
import os, threading
before = threading.active_count()
from phigate.upstreams.external import _load
litellm = _load()
assert not seen, seen
assert "PHIGATE_CANARY" not in os.environ
assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
assert "LITELLM_LOG" not in os.environ
for name in ("callbacks", "input_callback", "success_callback", "failure_callback", "service_callback"):
    assert getattr(litellm, name) == [], name
assert litellm.telemetry is False and litellm.num_retries == 0 and litellm.cache is None
assert threading.active_count() == before
print("ok")
""",
            CWD=str(tmp_path),
            LITELLM_LOG="DEBUG",
            LITELLM_MODE="DEV",
            LITELLM_LOCAL_MODEL_COST_MAP="False",
            LITELLM_MODEL_COST_MAP_URL="http://127.0.0.1:1/prices.json",
        )
        == "ok\n"
    )


_CALL = """
import asyncio, os
from phigate.deid.release import scrubbed_release
from phigate.policy.bundle import Destination, Model
from phigate.policy.decision import DestinationKind
from phigate.upstreams.external import ExternalModels
async def main():
    to = Destination(id="eu", kind=DestinationKind.EXTERNAL, endpoint=os.environ["URL"] + "/v1", provider="openai",
                     models=(Model("gpt-5-pro"),), country="SE", secret="key")
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    fields = {"model": "gpt-5-pro", "messages": [{"role": "user", "content": "a"}], "tools": [tool],
              "reasoning_effort": "high"}
    made = ExternalModels({"key": "sk-1"}, lambda body: b"mac")
    reply = await made.send(to, scrubbed_release(fields, dropped=(), forbidden=()), stream=False)
    assert reply.status == 200
    await asyncio.sleep(0.3)  # whatever litellm does afterwards
    await made.close()
asyncio.run(main())
connects = [where for event, where in seen if event == "socket.connect"]
lookups = [where for event, where in seen if event != "socket.connect"]
port = os.environ["URL"].rpartition(":")[2]
assert connects == [f"('127.0.0.1', {port})"], connects
assert all("127.0.0.1" in where or where in ("0", "6") for where in lookups) or not lookups, lookups
print("ok")
"""


def test_a_call_connects_to_its_endpoint_and_nowhere_else() -> None:
    content = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}'

    def serve(connection: object, wire: Wire) -> None:
        while read_request(connection, wire):  # type: ignore[arg-type]
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content)
            connection.sendall(head + content)  # type: ignore[attr-defined]

    elsewhere = f"http://127.0.0.1:{closed_port()}"
    with scripted(serve) as wire:
        names = (
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "OPENAI_BASE_URL",
            "OPENAI_API_BASE",
            "LITELLM_PROXY_API_BASE",
        )
        assert _run(_CALL, URL=wire.url, **dict.fromkeys(names, elsewhere)) == "ok\n"
        assert wire.requests[0].startswith(b"POST /v1/chat/completions HTTP/1.1")
        assert len(wire.requests) == 1


_OWN = """
import asyncio, os
from phigate.upstreams.external import _load
litellm = _load()
async def main():
    for provider in ("openai", "anthropic", "gemini", "groq", "hosted_vllm"):
        for stream in (False, True):
            try:
                reply = await litellm.acompletion(model="m", messages=[{"role": "user", "content": "a"}], api_key="k",
                    api_base=os.environ["URL"], custom_llm_provider=provider, num_retries=0, max_retries=0,
                    stream=stream)
                async for _ in reply: pass
            except Exception: pass
    try:
        litellm.completion(model="m", messages=[{"role": "user", "content": "a"}], api_key="k",
            api_base=os.environ["URL"], custom_llm_provider="anthropic", num_retries=0, max_retries=0)
    except Exception: pass
asyncio.run(main())
assert not [where for event, where in seen if event == "socket.connect"], seen
print("ok")
"""


@pytest.mark.parametrize("proxied", [False, True])
def test_litellm_has_no_network_of_its_own(*, proxied: bool) -> None:
    called = threading.Event()

    def serve(_: object, __: Wire) -> None:
        called.set()

    with scripted(serve) as wire:
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), wire.url) if proxied else {}
        assert _run(_OWN, URL=wire.url, **proxies).endswith("ok\n")
        assert not called.is_set()
