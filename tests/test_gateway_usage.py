"""What an exchange cost stands in its outcome, whoever answered and however the reply came."""

import json
from pathlib import Path
from typing import Any

import pytest

from phigate.audit.record import Kind
from phigate.audit.schema import check
from phigate.policy.bundle import Bundle
from tests.exchange import Script, chunk, demo_bundle, drain

pytestmark = pytest.mark.anyio
NOTE = "Patient Maria Souza has had a cough for three days and asks what to do about it, please advise her today."
USAGE = {"prompt_tokens": 31, "completion_tokens": 7, "total_tokens": 38}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return demo_bundle(tmp_path_factory.mktemp("site"))


@pytest.fixture
def script(bundle: Bundle) -> Script:
    made = Script(bundle)
    made.answers("Rest.")
    return made


def outcome(script: Script) -> dict[str, Any]:
    draft = script.entry(Kind.OUTCOME)
    check(draft)
    return dict(draft.fields)


def with_usage(script: Script) -> None:
    body = json.loads(script.external.reply_body or b"")
    script.onprem.reply_body = script.external.reply_body = json.dumps(body | {"usage": USAGE}).encode()


@pytest.mark.parametrize("outside", [True, False])
async def test_a_whole_reply_leaves_its_tokens_and_model(script: Script, outside: bool) -> None:
    with_usage(script)
    script.external.up = outside
    await script.say(NOTE)
    assert outcome(script)["usage"] == {"prompt": 31, "completion": 7}
    assert outcome(script)["model"] == "m"
    kind = "external" if outside else "onprem"
    assert script.metrics.counts["model_tokens", (("kind", kind), ("of", "prompt"))] == 31
    assert script.metrics.counts["model_tokens", (("kind", kind), ("of", "completion"))] == 7


async def test_a_stream_that_says_its_usage_is_believed(script: Script) -> None:
    script.streams("Re", "st.")
    last = json.dumps({"model": "m", "choices": [], "usage": USAGE}).encode()
    script.external.reply_events = [*(script.external.reply_events or ()), last]
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    await drain(reply.stream)
    assert outcome(script)["usage"] == {"prompt": 31, "completion": 7}


async def test_a_stream_that_says_nothing_is_counted_as_an_estimate(script: Script) -> None:
    script.streams("Re", "st", ".")
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    await drain(reply.stream)
    assert outcome(script)["usage"] == {"completion": 3, "estimated": True}


async def test_a_stream_that_its_reader_left_counts_what_came(script: Script) -> None:
    script.external.reply_events = [chunk({"role": "assistant"}), chunk({"content": "a "}), chunk({"content": "b "})]
    script.external.reply_events += [chunk({"content": "c"})] * 5
    reply = await script.say(NOTE, stream=True)
    assert reply.stream is not None
    for _ in range(3):
        await anext(reply.stream)
    await reply.stream.aclose()  # type: ignore[attr-defined]
    await script.last.returning.close()
    assert outcome(script)["status"] == "client_abort"
    assert outcome(script)["usage"] == {"completion": 2, "estimated": True}


async def test_a_server_that_calls_itself_by_a_patients_name_is_not_quoted(script: Script) -> None:
    body = json.loads(script.external.reply_body or b"") | {"model": "Maria Souza", "usage": USAGE}
    script.external.reply_body = json.dumps(body).encode()
    await script.say(NOTE)
    assert "model" not in outcome(script)
    assert "Souza" not in json.dumps(outcome(script))


async def test_an_upstream_without_usage_leaves_none(script: Script, tmp_path: Path) -> None:
    await script.say(NOTE)
    assert "usage" not in outcome(script)
