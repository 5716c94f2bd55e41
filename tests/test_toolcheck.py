import json
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.policy.decision import DestinationKind
from phigate.toolcheck import ToolCheck, fits
from phigate.wire.chat import parse
from phigate.wire.parts import Limits

DRAFT7 = "http://json-schema.org/draft-07/schema#"
SCHEMA = {
    "type": "object",
    "properties": {"mrn": {"type": "string", "pattern": "^[0-9]{8}$"}, "name": {"type": "string", "maxLength": 20}},
    "required": ["mrn"],
    "additionalProperties": False,
}


def judged(value: Any, schema: Any, time_s: float = 5.0) -> bool:
    arguments = value if isinstance(value, str) else json.dumps(value)
    return fits(arguments, schema, deadline=time.monotonic() + time_s)


def sent(schema: Any = SCHEMA, *, outside: bool = True, scrubbed: bool = True, tools: bool = True) -> Any:
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    if tools:
        body["tools"] = [{"type": "function", "function": {"name": "find", "parameters": schema}}]
    request = parse(json.dumps(body).encode(), limits=Limits())
    kind = DestinationKind.EXTERNAL if outside else DestinationKind.ONPREM
    outbound = SimpleNamespace(candidate=SimpleNamespace(kind=kind), scrubbed=object() if scrubbed else None)
    return SimpleNamespace(exchange=SimpleNamespace(request=request), outbound=outbound)


def calls(*functions: Any, member: str = "message", choice: int = 0) -> bytes:
    listed = [{"function": function} for function in functions]
    return json.dumps({"choices": [{"index": choice, member: {"tool_calls": listed}}]}).encode()


def call(arguments: Any, name: Any = "find") -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


async def misfits(body: bytes, of: Any = None, *, member: str = "message") -> int:
    check = ToolCheck(sent() if of is None else of)
    check.take(body, member=member)
    return await check.misfits()


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ({"mrn": "20456789"}, True),
        ({"mrn": "20456789", "name": "Ana Conceição"}, True),
        ({"mrn": "[[MRN_1]]"}, False),
        ({"mrn": 20456789}, False),
        ({"name": "Ana"}, False),
        ({"mrn": "20456789", "other": 1}, False),
        ({"mrn": "20456789", "name": "a" * 21}, False),
        ([], False),
        ("", False),
        ("{", False),
        ('{"mrn": NaN}', False),
        ("[" * 100_000, False),
    ],
)
def test_arguments_fit_or_do_not(value: Any, right: bool) -> None:
    assert judged(value, SCHEMA) is right


@pytest.mark.parametrize(
    ("value", "schema", "right"),
    [
        (["1949-02-11"], {"items": {"format": "date"}}, True),
        (["11/02/1949"], {"items": {"format": "date"}}, False),
        (["("], {"items": {"format": "regex"}}, True),
        ([1, 2], {"uniqueItems": True}, True),
        ([1, 1], {"uniqueItems": True}, False),
        ([1, 1], {"uniqueItems": False}, True),
        ({}, {"uniqueItems": True}, True),
        ([1], {"items": {"pattern": "x"}}, True),
        ({"x_a": 1}, {"patternProperties": {"^x_": {"type": "string"}}}, False),
        ({"y_a": 1}, {"patternProperties": {"^x_": {"type": "string"}}}, True),
        ([1], {"patternProperties": {"^x_": {"type": "string"}}, "additionalProperties": False}, True),
        ({"x_a": 1}, {"patternProperties": {"^x_": {}}, "additionalProperties": False}, True),
        ({"z": 1}, {"patternProperties": {"^x_": {}}, "additionalProperties": False}, False),
        ({"z": 1}, {"additionalProperties": {"type": "string"}}, False),
        ({"z": 1}, {"unevaluatedProperties": False}, True),
        ([1], {"unevaluatedItems": False}, True),
        ({"a": 1}, {"$defs": {"s": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/s"}}}, False),
        ([1], {"$schema": DRAFT7, "items": [{"type": "string"}]}, False),
        ({"$schema": 1}, {"properties": {"$schema": {"type": "string"}}}, False),
    ],
)
def test_keywords_mean_what_json_schema_says(value: Any, schema: Any, right: bool) -> None:
    assert judged(value, schema) is right


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        False,
        {"type": "string", "description": "x" * 70_000},
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://schemas.example/secret.json"},
        {"$ref": "file:///etc/hostname"},
        {"$dynamicRef": "https://schemas.example/secret.json"},
        {"$id": "https://schemas.example/a", "$ref": "b"},
        {"$schema": [1], "type": "string"},
        {"allOf": [{"$schema": DRAFT7, "type": "string"}]},
        {"type": "patient"},
        {"properties": 5},
        {"required": 5},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"pattern": "a" * 1001}}},
        {"properties": {"a": {"pattern": 5}}},
        {"properties": {"a": {"pattern": "(?:a{1,99}){1,99}(?:a*)*(?:a*)*$x"}}},
        {"patternProperties": {"(.*)*(.*)*(.*)*(.*)*x$": False}, "additionalProperties": 1},
    ],
)
def test_a_schema_that_cannot_be_evaluated_says_nothing(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("expected no network and no file")

    judged({}, {})  # imports what it needs
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    assert judged({"a": "a" * 3000, "a" * 3000: 1}, schema, 0.1)


def test_references_that_double_at_each_step_end_in_time() -> None:
    doubling: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    started = time.monotonic()
    assert judged({}, {"$defs": {**doubling, "d60": {}}, "$ref": "#/$defs/d0"}, 0.1)
    assert time.monotonic() - started < 2


def test_many_items_are_not_compared_each_with_each() -> None:
    started = time.monotonic()
    assert judged([{"a": n} for n in range(15_000)], {"uniqueItems": True})
    assert time.monotonic() - started < 2


def test_arguments_too_long_are_not_looked_at() -> None:
    assert judged("x" * 300_000, SCHEMA)


def test_no_time_left_says_nothing() -> None:
    assert judged({}, {"required": ["a"]}, -1.0)


KEYWORDS = (
    "type properties items required enum const pattern patternProperties additionalProperties $ref $id $anchor $defs"
    " $schema $dynamicRef $dynamicAnchor allOf anyOf oneOf not if then else contains minContains maxContains"
    " uniqueItems multipleOf minimum maximum minLength maxLength minItems format dependentRequired"
    " dependentSchemas propertyNames prefixItems dependencies definitions id divisibleBy extends disallow a"
)
_keywords = st.sampled_from(KEYWORDS.split())
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["#", "string", "(", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keywords, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    schema=st.dictionaries(_keywords, _json, max_size=6), value=_json, dialect=st.sampled_from([None, "03", "04", "07"])
)
def test_no_schema_and_no_value_raises(schema: dict[str, Any], value: Any, dialect: str | None) -> None:
    if dialect:
        schema = {**schema, "$schema": f"http://json-schema.org/draft-{dialect}/schema#"}
    assert judged(value, schema, 0.2) in (True, False)


@pytest.mark.anyio
async def test_each_call_of_each_choice_is_counted() -> None:
    good, bad = call('{"mrn":"20456789"}'), call('{"mrn":"x"}')
    assert await misfits(calls(good, bad, bad)) == 2
    assert await misfits(calls(good)) == 0
    check = ToolCheck(sent())
    check.take(calls(bad), member="message")
    check.take(calls(bad, choice=1), member="message")
    assert await check.misfits() == 2


@pytest.mark.anyio
async def test_the_pieces_of_a_stream_are_joined_by_choice_and_index() -> None:
    check = ToolCheck(sent())

    def piece(index: int, function: dict[str, Any]) -> None:
        delta = {"tool_calls": [{"index": index, "function": function}]}
        check.take(json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode())

    piece(0, call(""))
    piece(3, call('{"mrn":'))
    piece(0, {"arguments": '{"mrn":"2045'})
    piece(3, {"name": None, "arguments": "1}"})
    piece(0, {"arguments": '6789"}'})
    assert await check.misfits() == 1


@pytest.mark.anyio
async def test_the_older_single_call_is_read() -> None:
    message = {"function_call": call("{}"), "tool_calls": None}
    assert await misfits(json.dumps({"choices": [{"message": message}]}).encode()) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        b'{"function',
        b'["function"]',
        b'{"choices":[{"message":null}],"a":"function","function":1}',
        calls(call("{}", name="other")),
        calls(call("{}", name=5)),
        calls(5, "x"),
        b'{"choices":[{"message":{"tool_calls":[5,{"function":null}],"function_call":5}}]}',
        b'{"choices":[{"message":{"content":"hello"}}]}',
    ],
)
async def test_what_is_no_call_of_a_known_function_is_passed_over(body: bytes) -> None:
    assert await misfits(body) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("which", ["outside", "scrubbed", "tools"])
async def test_only_scrubbed_requests_with_tools_that_went_outside_are_checked(which: str) -> None:
    assert await misfits(calls(call("{}")), sent(**{which: False})) == 0


@pytest.mark.anyio
async def test_arguments_that_are_no_text_are_no_json() -> None:
    assert await misfits(calls(call({"mrn": "20456789"}))) == 1


@pytest.mark.anyio
async def test_what_is_gathered_does_not_print() -> None:
    check = ToolCheck(sent())
    check.take(calls(call('{"name":"Maria Souza"}')), member="message")
    assert "Souza" not in repr(check) + repr(vars(check))
