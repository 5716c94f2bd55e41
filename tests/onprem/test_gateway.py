"""The whole gateway in front of a real vLLM: `phigate serve` in its own process, the official client before it.

`make test-onprem` starts the server and sets PHIGATE_ONPREM_URL. The models are tiny and say nothing sensible; what is
tested is that everything vLLM can do arrives, that each exchange is recorded, and what the gateway itself costs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from yarl import URL

from tests.bench.__main__ import gateway

SERVER = os.environ.get("PHIGATE_ONPREM_URL", "")
NAME = os.environ.get("PHIGATE_ONPREM_MODEL", "")
MODEL: Any = "local"
NOTE = "Patient John Carter, MRN 4482913, was seen in the ward and sent home with the medication."

pytestmark = pytest.mark.skipif(not SERVER, reason="no vLLM: `make test-onprem` builds a tiny model and serves it")


@dataclass(frozen=True)
class Ward:
    """A served gateway."""

    client: openai.OpenAI
    pid: int
    site: Path

    def say(self, text: str = NOTE, **more: Any) -> Any:
        messages = more.pop("messages", [{"role": "user", "content": text}])
        raw = self.client.chat.completions.with_raw_response.create(
            model=MODEL, messages=messages, **{"max_tokens": 16, "temperature": 0} | more
        )
        assert raw.headers["x-phigate-destination"] == "medgemma"
        return raw.parse()

    def phigate(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "phigate", *words, "--config", str(self.site)]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward") / "site"
    with gateway(folder, upstream_port=URL(SERVER).port or 80, workers=1) as (port, key, pid):
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0, timeout=300)
        yield Ward(client, pid, next(folder.parent.rglob("phigate.yaml")))


def text_of(stream: Any) -> str:
    return "".join(c.choices[0].delta.content or "" for c in stream if c.choices)


# A random model asked for its likeliest words may write nothing that shows; with a seed it writes the same twice.
DRAWN: Any = {"temperature": 1, "seed": 7, "max_tokens": 32}


def test_whole_and_streamed_answers_say_the_same(ward: Ward) -> None:
    whole = ward.say(**DRAWN)
    assert whole.choices[0].message.content
    assert text_of(ward.say(**DRAWN, stream=True)) == whole.choices[0].message.content
    chunks = list(ward.say(**DRAWN, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_several_choices_logprobs_and_stop(ward: Ward) -> None:
    answer = ward.say(n=3, temperature=1, logprobs=True, top_logprobs=2, seed=1)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert all(c.logprobs.content[0].top_logprobs for c in answer.choices)
    streamed = list(ward.say(n=3, temperature=1, seed=1, stream=True))
    assert {c.choices[0].index for c in streamed if c.choices} == {0, 1, 2}
    text = ward.say(**DRAWN).choices[0].message.content
    stopped = ward.say(**DRAWN, stop=[text[4:6]]).choices[0]
    assert stopped.finish_reason == "stop"
    assert text[4:6] not in stopped.message.content


SCHEMA: Any = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


def test_structured_output_holds_to_its_schema(ward: Ward) -> None:
    shape = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}
    choice = ward.say(**DRAWN | {"max_tokens": 200}, response_format=shape).choices[0]
    assert choice.finish_reason == "stop"
    assert set(json.loads(choice.message.content)) == {"ok"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_named_tool_is_called_with_arguments_of_its_schema(ward: Ward, stream: bool) -> None:
    tool = {"type": "function", "function": {"name": "book", "parameters": SCHEMA, "strict": True}}
    chosen = {"type": "function", "function": {"name": "book"}}
    answer = ward.say(**DRAWN | {"max_tokens": 200}, tools=[tool], tool_choice=chosen, stream=stream)
    if not stream:
        assert answer.choices[0].message.tool_calls[0].function.name == "book"
        return
    calls = [call for c in answer if c.choices for call in c.choices[0].delta.tool_calls or ()]
    assert {call.function.name for call in calls if call.function.name} == {"book"}


def test_tools_that_the_model_may_choose_are_taken(ward: Ward) -> None:
    tool = {"type": "function", "function": {"name": "book", "parameters": SCHEMA, "strict": True}}
    assert ward.say(tools=[tool]).choices[0].finish_reason in {"stop", "length", "tool_calls"}


def test_a_long_prompt_passes_and_one_too_long_is_the_apps_mistake(ward: Ward) -> None:
    assert ward.say("the patient was seen in the ward " * 60).usage.prompt_tokens > 400
    with pytest.raises(openai.BadRequestError):
        ward.say("the patient was seen in the ward " * 3000)


def test_a_reader_that_leaves_stops_the_model_and_the_next_is_served(ward: Ward) -> None:
    for _ in range(6):
        stream = ward.say(stream=True, max_tokens=1500, extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
    began = time.monotonic()
    assert ward.say().choices
    assert time.monotonic() - began < 60


def test_more_requests_than_the_server_runs_at_once_all_get_an_answer(ward: Ward) -> None:
    def one(number: int) -> str:
        try:
            return str(ward.say(f"{NOTE} {number}", max_tokens=24).choices[0].index)
        except openai.APIStatusError as error:
            return f"{error.status_code}, again after {error.response.headers.get('retry-after')}"

    with ThreadPoolExecutor(48) as pool:
        answers = Counter(pool.map(one, range(96)))
    assert answers.pop("0") >= 48
    assert all(re.fullmatch(r"(429|503), again after \d+", answer) for answer in answers), answers
    assert ward.say().choices


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_what_the_gateway_itself_costs_is_printed(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    whole, streams, tokens = 40, 8, 256
    began = _cpu_s(ward.pid)
    for number in range(whole):
        ward.say(f"{NOTE} {number}", max_tokens=1)
    a_request = (_cpu_s(ward.pid) - began) / whole
    began = _cpu_s(ward.pid)
    written = 0
    for number in range(streams):
        stream = ward.say(f"{NOTE} again {number}", max_tokens=tokens, stream=True, extra_body={"ignore_eos": True})
        written += sum(1 for c in stream if c.choices)
    a_token = (_cpu_s(ward.pid) - began - streams * a_request) / written
    with capsys.disabled():
        print(
            f"\n{NAME}: the gateway takes {a_request * 1000:.1f} ms of CPU a request (detection and ledger on) and "
            f"{a_token * 1e6:.0f} us a streamed token"
        )
    assert a_request < 0.2
    assert a_token < 0.005


def test_every_exchange_is_in_a_ledger_that_verifies_with_its_tokens(ward: Ward) -> None:
    assert ward.phigate("ledger", "verify").returncode == 0
    done = ward.phigate("cost", "--since", "1d", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["place"] for row in rows} == {"onprem"}
    assert sum(row["prompt_tokens"] for row in rows) > 1000
    kinds = [
        json.loads(line) for line in ward.phigate("ledger", "show", "--count", "9999", "--json").stdout.splitlines()
    ]
    intents = [e for e in kinds if e["kind"] == "intent"]
    outcomes = {(e["rid"], e["attempt"]): e["status"] for e in kinds if e["kind"] == "outcome"}
    assert all((e["rid"], e["attempt"]) in outcomes for e in intents)
    assert list(outcomes.values()).count("client_abort") == 6
