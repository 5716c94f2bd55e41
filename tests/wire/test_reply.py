import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.errors import BadReplyError
from phigate.wire import reply
from phigate.wire.parts import PartKind
from phigate.wire.reply import Channel


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"\xff", b"<html>", b"[" * 100_000])
def test_a_body_that_is_no_object_cannot_be_passed_on(body: bytes) -> None:
    with pytest.raises(
        BadReplyError, match=r"expected a JSON object from the upstream, found something else"
    ) as caught:
        reply.parse(body)
    assert caught.value.code == "bad_reply"


def test_the_error_holds_nothing_of_the_body() -> None:
    with pytest.raises(BadReplyError) as caught:
        reply.parse(b'["Maria Souza"')
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "Maria" not in str(caught.value)


MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": "text",
    "refusal": None,
    "reasoning_content": "thought",
    "reasoning": "thought too",
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}},
        {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "free"}},
    ],
    "function_call": {"name": "find", "arguments": '{"a":1}'},
    "audio": {"id": "a", "data": "QUJD", "transcript": "spoken", "expires_at": 1},
    "annotations": [{"type": "url_citation", "url_citation": {"title": "page", "url": "https://x.org"}}],
}


def test_every_string_that_an_app_would_show_is_a_channel() -> None:
    found = {slot.channel.path: slot.text for slot in reply.slots(0, {"message": MESSAGE}, member="message")}
    assert found == {
        ("content",): "text",
        ("reasoning_content",): "thought",
        ("reasoning",): "thought too",
        ("tool_calls", 0, "function", "arguments"): "{}",
        ("tool_calls", 1, "custom", "input"): "free",
        ("function_call", "arguments"): '{"a":1}',
        ("audio", "transcript"): "spoken",
        ("annotations", 0, "url_citation", "title"): "page",
        ("annotations", 0, "url_citation", "url"): "https://x.org",
    }


def test_content_in_parts_is_found_part_by_part() -> None:
    choice = {"message": {"content": [{"type": "text", "text": "one"}, "two", ["three"]]}}
    assert [slot.text for slot in reply.slots(0, choice, member="message")] == ["one", "two", "three"]


def test_tool_calls_of_a_stream_are_told_apart_by_the_index_they_name() -> None:
    delta = {
        "tool_calls": [{"index": 3, "function": {"arguments": "x"}}, {"index": "odd", "function": {"arguments": "y"}}]
    }
    paths = [slot.channel.path for slot in reply.slots(0, {"delta": delta}, member="delta")]
    assert paths == [("tool_calls", 3, "function", "arguments"), ("tool_calls", 1, "function", "arguments")]


@pytest.mark.parametrize("choice", [{}, {"message": None}, {"message": "text"}, {"message": {"content": 5}}])
def test_a_choice_without_strings_has_no_channels(choice: dict[str, Any]) -> None:
    assert reply.slots(0, choice, member="message") == []


def test_a_message_nested_too_deep_is_refused() -> None:
    node: Any = "x"
    for _ in range(70):
        node = {"a": node}
    with pytest.raises(BadReplyError, match="nested too deep"):
        reply.slots(0, {"message": node}, member="message")


def test_choices_go_by_the_index_they_name() -> None:
    data = {"choices": [{"index": 4}, {"index": "x"}, "no object", {}]}
    assert [index for index, _ in reply.choices(data)] == [4, 1, 3]
    assert list(reply.choices({"choices": {}})) == []
    assert list(reply.choices({})) == []


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        (("content",), False),
        (("tool_calls", 0, "function", "arguments"), True),
        (("function_call", "arguments"), True),
        (("tool_calls", 0, "custom", "input"), True),
        (("input",), False),
    ],
)
def test_input_of_tools_is_known(path: tuple[str | int, ...], arguments: bool) -> None:
    assert Channel(0, path).arguments is arguments


def test_a_pointer_names_the_string_in_a_whole_reply() -> None:
    assert Channel(2, ("a/b", 0, "c~d")).pointer == "/choices/2/message/a~1b/0/c~0d"


PATHS = st.lists(st.one_of(st.text(min_size=1, max_size=5), st.integers(0, 9)), max_size=5).map(tuple)
NAMES = st.sampled_from(["content", "tool_calls", "reasoning_details", "x"])


@given(NAMES, PATHS, st.text(min_size=1))
def test_a_delta_made_for_a_channel_has_that_channel(first: str, rest: tuple[str | int, ...], text: str) -> None:
    path = (first, *[step for step in rest if step not in reply._STRUCTURE])
    found = reply.slots(1, {"delta": reply.delta_of(path, text)}, member="delta")
    assert [slot.text for slot in found] == [text]
    if not any(isinstance(a, int) and not isinstance(b, str) for a, b in zip(path, (*path[1:], 0), strict=True)):
        assert found[0].channel == Channel(1, path)


def test_a_string_put_in_place_is_written() -> None:
    data = reply.parse(json.dumps({"choices": [{"message": MESSAGE}]}).encode())
    for index, choice in reply.choices(data):
        for slot in reply.slots(index, choice, member="message"):
            slot.put(slot.text.upper())
    message = json.loads(reply.serialise(data))["choices"][0]["message"]
    assert message["content"] == "TEXT"
    assert message["tool_calls"][1]["custom"]["input"] == "FREE"
    assert message["role"] == "assistant"


def test_a_slot_never_shows_its_text() -> None:
    slots = reply.slots(0, {"message": {"content": "Maria Souza"}}, member="message")
    assert "Maria" not in repr(slots)


def test_what_utf8_cannot_hold_stays_an_escape() -> None:
    assert reply.serialise({"a": "é\ud800"}) == b'{"a":"\\u00e9\\ud800"}'
    assert reply.serialise({"a": "é"}) == '{"a":"é"}'.encode()


CHANNEL = Channel(0, ("function_call", "arguments"))


def test_arguments_are_read_leaf_by_leaf() -> None:
    text = '{"name":"Ana","n":[12345678,7,1.5,true,null],"a/b":{"c":"x"}}'
    parts = reply.argument_parts(CHANNEL, text, 5)
    base = "/choices/0/message/function_call/arguments#"
    assert [(p.index, p.pointer.removeprefix(base), p.text.reveal(), p.kind) for p in parts] == [
        (5, "", "name", PartKind.KEY),
        (6, "/name", "Ana", PartKind.TEXT),
        (7, "", "n", PartKind.KEY),
        (8, "/n/0", "12345678", PartKind.NUMBER),
        (9, "", "a/b", PartKind.KEY),
        (10, "/a~1b", "c", PartKind.KEY),
        (11, "/a~1b/c", "x", PartKind.TEXT),
    ]
    assert {p.role for p in parts} == {"tool"}


@pytest.mark.parametrize("text", ['{"a":', "plain", '"Ana"', "12345678", "[" * 100_000])
def test_arguments_that_are_no_object_or_list_are_one_text(text: str) -> None:
    parts = reply.argument_parts(CHANNEL, text, 0)
    assert [(p.text.reveal(), p.kind, p.pointer) for p in parts] == [(text, PartKind.TEXT, CHANNEL.pointer)]
