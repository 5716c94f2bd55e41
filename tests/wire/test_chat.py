"""Chat requests: every leaf is a part, refused or structural for a reason; both copies say what was sent."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.errors import InvalidRequestError, TooLargeError
from phigate.wire import chat
from phigate.wire.chat_schema import CHAT
from phigate.wire.parts import Attachments, Limits, Need, PartKind
from phigate.wire.spec import exemptions
from phigate.wire.strict import Number
from tests.wire.bodies import chat_bodies, free, words
from tests.wire.maximal import JSON, Leaf, leaves, maximal, planted
from tests.wire.test_strict import literals

LIMITS = Limits()
ALLOW_ALL = frozenset(maximal()) | {"stream"}
COVERS_ALL = frozenset(
    {"store", "prompt_cache_retention", "prompt_cache_options", "web_search_options", "hosted_tools", "mcp"}
)
CANARY = "zeferina.quixaba@canary.example"
CANARY_NUMBER = 987654321012

_MAXIMAL = maximal(hosted=True)
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


@given(chat_bodies, words)
def test_on_prem_gets_every_body_as_sent_but_for_the_model(body: dict[str, Any], model: str) -> None:
    sent = json.dumps(body)
    got = chat.render_onprem(parse(sent.encode()), model=model)
    assert literals(got) == literals(json.dumps({**body, "model": model}))


def _resolve(value: Any, pointer: str) -> tuple[Any, str]:
    """Return what an RFC 6901 pointer names, and the last key on the way; `#` goes on inside a string of JSON."""
    last = ""
    for segment in pointer.split("/")[1:]:
        name = segment.removesuffix("#").replace("~1", "/").replace("~0", "~")
        value, last = value[int(name) if isinstance(value, list) else name], name
        if segment.endswith("#"):
            value = json.loads(value, parse_int=Number, parse_float=Number, parse_constant=Number)
    return value, last


@given(chat_bodies)
def test_a_pointer_names_the_string_key_or_number_of_its_part(body: dict[str, Any]) -> None:
    sent = json.dumps(body)
    tree = json.loads(sent, parse_int=Number, parse_float=Number)
    for part in parse(sent.encode()).parts:
        value, key = _resolve(tree, part.pointer)
        there = key if part.kind is PartKind.KEY else value.literal if part.kind is PartKind.NUMBER else value
        if part.kind is PartKind.NAME and part.pointer.split("/")[-2] in {"properties", "dependentRequired"}:
            there = key
        text = part.text.reveal()
        assert text == there or (part.kind is PartKind.NUMBER and Decimal(text) == Decimal(str(there)))


@given(chat_bodies, st.data())
def test_edits_land_at_their_part_and_nowhere_else(body: dict[str, Any], data: st.DataObject) -> None:
    request = parse(body)
    chosen = data.draw(
        st.sets(st.sampled_from([part.index for part in request.parts])) if request.parts else st.just(set())
    )
    edits = {index: f"[[T_{index}]]" for index in chosen}
    allow = frozenset(body)
    made = chat.render_scrubbed(request, edits, model="m", allow=allow)
    expected = [part.text.reveal() for part in chat.outgoing_parts(request, edits, allow=allow)]
    assert [part.text.reveal() for part in parse(made.body).parts] == expected
    assert json.loads(made.body) == made.fields


@given(chat_bodies)
def test_a_copy_without_edits_is_the_body_without_what_may_not_leave(body: dict[str, Any]) -> None:
    for key in [key for key in body.get("logit_bias", ()) if not re.fullmatch("[0-9]{1,6}", key)]:
        del body["logit_bias"][key]  # no token's number
    made = chat.render_scrubbed(parse(body), {}, model="m", allow=frozenset(body), exact=True)
    kept = {name: value for name, value in body.items() if name not in {"metadata", "user", "documents"}}
    assert made.fields == {**kept, "model": "m"}
    assert set(made.dropped) == {f"/{name}" for name in body if name not in kept}


def test_what_is_asked_for_is_read() -> None:
    request = parse(_MAXIMAL)
    assert (request.model, request.stream, request.choices) == ("gpt-5", False, 2)
    assert request.needs == frozenset(Need)
    assert request.attachments is Attachments.UNCLEANED
    assert parse(maximal(attachments=False)).attachments is Attachments.NONE


def _minimal(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], **fields}


@pytest.mark.parametrize(("asked", "choices"), [({}, 1), ({"n": None}, 1), ({"n": 1}, 1), ({"n": 128}, 128)])
def test_one_choice_is_meant_where_none_is_said(asked: dict[str, Any], choices: int) -> None:
    assert parse(_minimal(**asked)).choices == choices


@pytest.mark.parametrize("asked", [0, -1, 129, 10**12])
def test_more_choices_than_the_limit_are_refused(asked: int) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(_minimal(n=asked))
    error = caught.value
    assert (error.code, error.param, str(error)) == (
        "invalid_value",
        "/n",
        "expected 1 to 128 choices, found another number",
    )


@pytest.mark.parametrize("model", ["", "x" * 257, "Zeferina " * 7282])
def test_a_model_name_has_a_length(model: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(_minimal(model=model))
    error = caught.value
    assert (error.code, error.param) == ("invalid_model", "/model")
    assert str(error) == f"expected a model name of 1 to 256 characters, found {len(model)}"


@pytest.mark.parametrize(
    ("body", "found"), [(b"[]", "an array"), (b'"x"', "a string"), (b"1", "a number"), (b"null", "null")]
)
def test_a_body_is_an_object(body: bytes, found: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"expected a JSON object, found {found}"):
        parse(body)


def test_streams_are_asked_for_by_true_alone() -> None:
    assert parse(_minimal(stream=True)).stream is True
    assert parse(_minimal(stream=None)).stream is False
    assert parse(_minimal()).stream is False


def test_nothing_of_a_request_shows_in_its_repr() -> None:
    request = parse(_minimal(model="Zeferina", metadata={"Zeferina": "Zeferina", "n": 987654321012}))
    assert "Zeferina" not in repr(request)
    assert "987654321012" not in repr(request)
    assert request == parse(_minimal(model="Zeferina", metadata={"Zeferina": "Zeferina", "n": 987654321012}))


@given(st.sampled_from(_LEAVES), free)
def test_whatever_stands_anywhere_is_read_or_refused(leaf: Leaf, value: Any) -> None:
    anything = str(value) if leaf.what == "key" else value
    body = json.dumps(planted(_MAXIMAL, leaf, anything))
    try:
        request = parse(body.encode())
    except InvalidRequestError:
        return
    edits = {part.index: "[[T_1]]" for part in request.parts}
    covers = frozenset(chat.uncovered(request, frozenset()))
    made = chat.render_scrubbed(request, edits, model="m", allow=ALLOW_ALL, covers=covers)
    assert json.loads(made.body) == made.fields
    assert literals(chat.render_onprem(request, model=request.model)) == literals(body)
    chat.schemas(request)
    chat.outgoing_parts(request, edits, allow=ALLOW_ALL)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse(body)
