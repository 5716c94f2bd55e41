"""Chat requests: every leaf is a part, refused or structural for a reason; both copies say what was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phigate.errors import InvalidRequestError, TooLargeError
from phigate.wire import chat
from phigate.wire.chat_schema import CHAT
from phigate.wire.parts import Attachments, Limits, Need, PartKind
from phigate.wire.spec import exemptions
from tests.wire.maximal import JSON, Leaf, leaves, maximal, planted

LIMITS = Limits()
ALLOW_ALL = frozenset(maximal()) | {"stream"}
COVERS_ALL = frozenset(
    {"store", "prompt_cache_retention", "prompt_cache_options", "web_search_options", "hosted_tools"}
)
CANARY = "zeferina.quixaba@canary.example"
CANARY_NUMBER = 987654321012

_MAXIMAL = maximal()
_LEAVES = list(leaves(_MAXIMAL))


def parse(body: Any, limits: Limits = LIMITS) -> chat.ChatRequest:
    return chat.parse(body if isinstance(body, bytes) else json.dumps(body).encode(), limits=limits)


def _texts(request: chat.ChatRequest) -> list[str]:
    return [part.text.reveal() for part in request.parts]


def _name(leaf: Leaf) -> str:
    return f"{leaf.what}:" + "/".join("#" if step is JSON else str(step) for step in leaf.steps)


@pytest.mark.parametrize("leaf", _LEAVES, ids=_name)
def test_no_leaf_can_hide_a_value(leaf: Leaf) -> None:
    canary = CANARY_NUMBER if leaf.what == "number" else CANARY
    body = planted(_MAXIMAL, leaf, canary)
    try:
        request = parse(body)
    except (InvalidRequestError, TooLargeError) as error:
        refusal = f"{error!r} {error.param} {error.__context__!r}"
    else:
        refusal = ""
    if refusal:
        assert str(canary) not in refusal
        return
    found = [part for part in request.parts if str(canary) in part.text.reveal()]
    assert found, "the value is in no part"
    edits = {part.index: part.text.reveal().replace(str(canary), "[[T_1]]") for part in found}
    outgoing = chat.render_scrubbed(request, edits, model="m", allow=ALLOW_ALL, covers=COVERS_ALL)
    assert str(canary) not in outgoing.body.decode()
    assert str(canary) not in json.dumps(outgoing.dropped)
    assert str(canary) not in repr(request) + repr(outgoing)


@pytest.mark.parametrize("leaf", [leaf for leaf in _LEAVES if leaf.what == "string"], ids=_name)
def test_a_string_that_is_no_part_is_exempt_for_a_reason(leaf: Leaf) -> None:
    pointer = "".join("#" if step is JSON else f"/{step}" for step in leaf.steps)
    parts = {part.pointer for part in parse(_MAXIMAL).parts if part.kind is not PartKind.KEY}
    if pointer in parts or any(p.startswith(f"{pointer}#") for p in parts):
        return
    names = [step for step in leaf.steps if isinstance(step, str)]
    assert {why for name, why in exemptions(CHAT) if name == names[-1]}


def test_on_prem_gets_the_body_as_sent() -> None:
    body = b'{"n":1,"model":"a","messages":[{"role":"user","content":"\\u00e9\\ud83d\\ude00 \\/"}],"x":[1.10,1e400,-0]}'
    request = parse(body)
    assert chat.render_onprem(request, model="b\u00e9") == (
        '{"n":1,"model":"bé","messages":[{"role":"user","content":"é😀 /"}],"x":[1.10,1e400,-0]}'.encode()
    )


def test_what_is_asked_for_is_read() -> None:
    request = parse(_MAXIMAL)
    assert (request.model, request.stream, request.choices) == ("gpt-5", False, 2)
    assert request.needs == frozenset(Need)
    assert request.attachments is Attachments.UNCLEANED
