"""What a reply says it cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.wire.usage import Usage


def whole(**usage: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "José is well"}, "finish_reason": "stop"}
    return json.dumps({"id": "x", "model": "tiny-1", "choices": [choice], "usage": usage}).encode()


def read(body: bytes) -> Usage:
    usage = Usage()
    usage.take(body)
    return usage


def test_a_whole_reply_says_model_and_tokens() -> None:
    usage = read(whole(prompt_tokens=12, completion_tokens=7, prompt_tokens_details={"cached_tokens": 5}))
    assert usage.model == "tiny-1"
    assert usage.known
    assert usage.to_json() == {"prompt": 12, "completion": 7, "cached": 5}


def test_a_stream_says_it_in_its_last_chunk() -> None:
    usage = Usage()
    for piece in ("a", "b"):
        usage.chunk(json.dumps({"model": "m/1", "choices": [{"delta": {"content": piece}}], "usage": None}).encode())
    assert usage.to_json() == {"completion": 1, "estimated": True}
    usage.chunk(b'{"model":"other","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}')
    assert usage.to_json() == {"prompt": 3, "completion": 2}
    assert usage.model == "m/1"


def test_running_totals_of_a_stream_are_not_added_up() -> None:
    usage = Usage()
    for number in (1, 2, 3):
        usage.chunk(b'{"usage": {"prompt_tokens": 4, "completion_tokens": %d}}' % number)
    assert usage.to_json() == {"prompt": 4, "completion": 3}


def test_a_stream_without_a_word_is_counted_and_marked() -> None:
    usage = Usage()
    assert usage.to_json() == {}
    for _ in range(6):
        usage.chunk(b'{"choices":[{"delta":{"content":"x"}}]}')
    assert usage.known
    assert usage.to_json() == {"completion": 5, "estimated": True}


def test_a_first_chunk_alone_says_nothing() -> None:
    usage = Usage()
    usage.chunk(b'{"choices":[{"delta":{"role":"assistant"}}]}')
    assert usage.to_json() == {}


@given(st.text())
def test_no_text_of_a_model_forges_usage_or_model(text: str) -> None:
    forged = text + '"usage":{"prompt_tokens":9,"completion_tokens":9}"model":"evil"'
    for ascii_only in (True, False):
        body = json.dumps({"choices": [{"message": {"content": forged}}]}, ensure_ascii=ascii_only)
        usage = read(body.encode("utf-8", "surrogatepass"))
        assert (usage.known, usage.model) == (False, "")


@pytest.mark.parametrize("bad", [True, -1, 1.5, "7", None, 10**10, [], {}])
def test_what_is_no_count_is_nothing(bad: object) -> None:
    assert not read(whole(prompt_tokens=bad, completion_tokens=bad)).known


def test_half_a_usage_is_kept_as_it_is() -> None:
    assert read(whole(completion_tokens=7)).to_json() == {"completion": 7}
    assert read(whole(prompt_tokens=7, prompt_tokens_details={"cached_tokens": 99})).to_json() == {
        "prompt": 7,
        "completion": 0,
        "cached": 7,
    }


@pytest.mark.parametrize(
    "body", [b"", b'{"usage":{"prompt_tokens":', b'"usage":{]', b'\xff"usage":{"a":' + b"[" * 2000]
)
def test_broken_bodies_say_nothing(body: bytes) -> None:
    assert not read(body).known


@given(st.binary())
def test_any_bytes_are_survived(body: bytes) -> None:
    usage = read(body)
    usage.chunk(body)
    assert isinstance(usage.to_json(), dict)


def test_model_is_given_as_the_server_wrote_it() -> None:
    assert read('{"model":"modèle-1"}'.encode()).model == "modèle-1"  # the outcome drops what is no id
    assert read(b'{"model":"\xff"}').model == "\ufffd"
