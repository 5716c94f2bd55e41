"""The gateway's on-prem road against a real vLLM. `make test-onprem` starts it and sets PHIGATE_ONPREM_URL."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from phigate.errors import PeerError, UnavailableError
from phigate.upstreams.group import Room
from phigate.upstreams.identify import identify
from phigate.upstreams.onprem import OnPremServers
from phigate.upstreams.place import Place
from phigate.upstreams.reply import Timeouts
from tests.upstreams.calling import CHAT, drop, events_of
from tests.upstreams.serving import onprem

URL = os.environ.get("PHIGATE_ONPREM_URL", "")
MODEL = os.environ.get("PHIGATE_ONPREM_MODEL", "")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not URL, reason="no vLLM: `make test-onprem` builds a tiny model and serves it"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def body_of(text: str = "the patient was seen", **fields: Any) -> bytes:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 16, "temperature": 0}
    return json.dumps(asked | fields).encode()


async def ask(**fields: Any) -> dict[str, Any]:
    servers = OnPremServers(secrets={}, timeouts=Timeouts(3, 120, 60, 300))
    try:
        reply = await servers.send(onprem(URL), CHAT, body_of(**fields), stream=False)
        assert reply.body is not None
        answer: dict[str, Any] = json.loads(reply.body)
        answer["http"] = reply.status
        return answer
    finally:
        await servers.close()


# A random model asked for its likeliest words may write nothing that shows; with a seed it writes the same twice.
DRAWN: dict[str, Any] = {"temperature": 1, "seed": 7}


async def test_server_is_who_it_should_be() -> None:
    found = await identify(Place("ward", URL), names=[MODEL], context=1024)
    assert all(f.good for f in found), found


async def test_whole_and_streamed_say_the_same() -> None:
    whole = await ask(**DRAWN)
    servers = OnPremServers(secrets={}, timeouts=Timeouts(3, 120, 60, 300))
    body = body_of(**DRAWN, stream=True, stream_options={"include_usage": True})
    for _ in range(2):
        events = await events_of(await servers.send(onprem(URL), CHAT, body, stream=True))
        chunks = [json.loads(event) for event in events]
        # How many words come in one chunk is vLLM's choice of the moment: only their sum is the answer.
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
        assert text == whole["choices"][0]["message"]["content"]
        assert chunks[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"] == 16
    await servers.close()


async def test_several_choices_logprobs_and_stop() -> None:
    answer = await ask(n=3, temperature=1, logprobs=True, top_logprobs=2, seed=1)
    assert [c["index"] for c in answer["choices"]] == [0, 1, 2]
    assert all(len(c["logprobs"]["content"]) >= 1 for c in answer["choices"])
    text = (await ask(**DRAWN))["choices"][0]["message"]["content"]
    stopped = await ask(**DRAWN, stop=[text[4:6]])
    assert stopped["choices"][0]["finish_reason"] == "stop"
    assert text[4:6] not in stopped["choices"][0]["message"]["content"]


async def test_structured_output_and_a_named_tool() -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    shape = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": True}}
    answer = await ask(response_format=shape, max_tokens=64)
    assert answer["http"] == 200, answer
    if answer["choices"][0]["finish_reason"] == "stop":
        assert set(json.loads(answer["choices"][0]["message"]["content"])) == {"ok"}
    tool = {"type": "function", "function": {"name": "book", "parameters": schema, "strict": True}}
    named = {"type": "function", "function": {"name": "book"}}
    answer = await ask(tools=[tool], tool_choice=named, max_tokens=200, temperature=1, seed=7)
    assert answer["http"] == 200, answer
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "book"


async def test_long_prompt_passes_and_too_long_a_prompt_is_the_apps_own_mistake() -> None:
    assert (await ask(text="the patient was seen in the ward " * 60))["http"] == 200
    answer = await ask(text="ward " * 20_000)
    assert answer["http"] == 400
    assert answer["error"]["message"]


async def test_remote_media_is_fetched_for_nobody() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}}]
    answer = await ask(messages=[{"role": "user", "content": parts}])
    assert answer["http"] == 400


async def test_wrong_model_is_the_operators_mistake() -> None:
    with pytest.raises(PeerError) as caught:
        await ask(model="gpt-5")
    assert caught.value.code == "upstream_model"


async def test_reader_that_leaves_stops_the_model_and_others_go_on() -> None:
    servers = OnPremServers(secrets={}, timeouts=Timeouts(3, 120, 60, 300))
    there = onprem(URL)
    body = body_of(stream=True, max_tokens=900, ignore_eos=True)
    for _ in range(4):
        reply = await servers.send(there, CHAT, body, stream=True)
        assert reply.events is not None
        await anext(reply.events)
        await drop(reply)
    async with asyncio.timeout(60):
        assert (await servers.send(there, CHAT, body_of(), stream=False)).status == 200
    await servers.close()


async def test_overload_is_queued_refused_in_time_and_forgotten() -> None:
    servers = OnPremServers(secrets={}, timeouts=Timeouts(3, 120, 60, 300), room=Room(each=4, waiting=8, wait_s=60))
    there = onprem(URL)

    async def one() -> str:
        try:
            return str((await servers.send(there, CHAT, body_of(max_tokens=24), stream=False)).status)
        except UnavailableError as error:
            return error.code

    answers = await asyncio.gather(*(one() for _ in range(24)))
    assert answers.count("200") >= 12
    assert answers.count("200") + answers.count("upstream_full") == 24
    assert "upstream_full" in answers
    assert await one() == "200"
    await servers.close()
