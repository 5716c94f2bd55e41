"""The copy that leaves: edits land where they belong, fields obey the list, nothing else gets out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.errors import InvalidRequestError
from phigate.wire import chat
from phigate.wire.outgoing import COVERABLE, fitting
from phigate.wire.parts import Limits, PartKind
from tests.wire.maximal import maximal

EVERYTHING = frozenset({*maximal(), "stream"})


def parse(body: dict[str, Any] | None = None, **fields: Any) -> chat.ChatRequest:
    whole = body or {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], **fields}
    return chat.parse(json.dumps(whole).encode(), limits=Limits())


def editing(request: chat.ChatRequest, change: Callable[[str], str]) -> dict[int, str]:
    new = {part.index: change(part.text.reveal()) for part in request.parts}
    return {index: text for index, text in new.items() if text != request.parts[index].text.reveal()}


def swap(**values: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        for old, new in values.items():
            text = text.replace(old, new)
        return text

    return change


def send(
    request: chat.ChatRequest, change: Callable[[str], str] = str, allow: frozenset[str] = EVERYTHING
) -> chat.Outgoing:
    made = chat.render_scrubbed(request, editing(request, change), model="m", allow=allow, covers=COVERABLE)
    assert json.loads(made.body) == made.fields
    return made


def said(made: chat.Outgoing) -> list[Any]:
    return [message.get("content") for message in made.fields["messages"]]


def test_text_is_replaced_where_it_stood() -> None:
    messages = [{"role": "user", "content": "Lima"}, {"role": "user", "content": [{"type": "text", "text": "Lima!"}]}]
    made = send(parse(messages=messages), swap(Lima="[[P]]"))
    assert said(made) == ["[[P]]", [{"type": "text", "text": "[[P]]!"}]]


def test_an_edited_number_becomes_a_quoted_string() -> None:
    arguments = '{"mrn": 20456789, "age": 93, "dose": 1.50}'
    message = {"role": "assistant", "function_call": {"name": "f", "arguments": arguments}}
    request = parse(messages=[message])
    made = send(request, lambda text: {"20456789": "[[MRN_1]]", "93": "90+"}.get(text, text))
    assert made.fields["messages"][0]["function_call"]["arguments"] == '{"mrn":"[[MRN_1]]","age":"90+","dose":1.50}'


def test_documents_without_edits_keep_every_blank() -> None:
    content = ' { "a" : "x", "n": 1.50 } '
    made = send(parse(messages=[{"role": "tool", "content": content}]), swap(hi="ho"))
    assert said(made) == [content]


def test_documents_inside_documents_are_written_back() -> None:
    content = json.dumps({"rows": json.dumps([{"Lima": "Lima", "n": 11144477735}]), "quote": 'say "é"'})
    made = send(
        parse(messages=[{"role": "tool", "content": content}]), swap(Lima='[["P"]]', **{"11144477735": "[[C]]"})
    )
    outer = json.loads(said(made)[0])
    assert outer["quote"] == 'say "é"'
    assert json.loads(outer["rows"]) == [{'[["P"]]': '[["P"]]', "n": "[[C]]"}]


def test_a_renamed_key_keeps_its_place_and_value() -> None:
    content = json.dumps({"a": 1, "Lima": {"x": "y"}, "z": 2})
    made = send(parse(messages=[{"role": "tool", "content": content}]), swap(Lima="[[P]]", y="n"))
    assert said(made) == ['{"a":1,"[[P]]":{"x":"n"},"z":2}']


def test_keys_that_become_one_lose_no_value() -> None:
    content = json.dumps({"[[P]]": 0, "Lima": 1, "LIMA": 2, "lima": 3})
    made = send(parse(messages=[{"role": "tool", "content": content}]), lambda t: "[[P]]" if t.lower() == "lima" else t)
    assert json.loads(said(made)[0]) == {"[[P]]": 0, "[[P]]~2": 1, "[[P]]~3": 2, "[[P]]~4": 3}


def test_property_names_are_renamed_in_schemas() -> None:
    schema = {"type": "object", "properties": {"Lima": {"type": "string"}}, "required": ["Lima"]}
    request = parse(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    made = send(request, swap(Lima="[[P]]"))
    assert made.fields["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {"[[P]]": {"type": "string"}},
        "required": ["[[P]]"],
    }


def test_schemas_make_room_only_when_something_was_edited() -> None:
    schema = {"type": "object", "properties": {"mrn": {"type": "string", "pattern": "^[0-9]+$"}}}
    fields: dict[str, Any] = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
        "functions": [{"name": "g", "parameters": schema}, {"name": "h"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}},
    }
    request = parse(**fields)
    untouched = send(request).fields
    assert {name: untouched[name] for name in fields} == fields
    relaxed = json.loads(json.dumps(fields).replace(', "pattern": "^[0-9]+$"', ""))
    changed = send(request, swap(hi="ho")).fields
    assert {name: changed[name] for name in fields} == relaxed
    assert chat.schemas(request) == ({"f": schema, "g": schema, "h": None}, schema)
    assert chat.schemas(parse()) == ({}, None)


def test_fields_that_are_not_allowed_are_dropped_and_named() -> None:
    request = parse(temperature=0.5, user="Lima", ward="Lima", top_k=3, stream=True)
    made = send(request, allow=frozenset({"temperature"}))
    assert set(made.fields) == {"model", "messages", "stream", "temperature"}
    assert made.dropped == ("/user", "/*", "/top_k")
    assert send(request, allow=frozenset({"top_k"})).fields["top_k"] == 3


@pytest.mark.parametrize(
    "name",
    [
        "user",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
        "base_url",
        "api_base",
        "api_key",
        "api_version",
        "fallbacks",
        "mock_response",
        "extra_headers",
        "extra_body",
        "extra_query",
        "headers",
        "custom_llm_provider",
        "organization",
        "timeout",
        "num_retries",
        "litellm_params",
        "aws_secret_access_key",
        "vertex_project",
        "callbacks",
        "guardrails",
        "proxy",
        "model_list",
        "chat_template",
        "kv_transfer_params",
    ],
)
def test_some_fields_never_leave_even_if_allowed(name: str) -> None:
    value: Any = {"a": "b"} if name == "metadata" else "x"
    made = send(parse(**{name: value}), allow=frozenset({name}))
    assert set(made.fields) == {"model", "messages"}
    assert made.dropped in {(f"/{name}",), ("/*",)}


def test_the_model_is_the_one_that_was_decided() -> None:
    made = chat.render_scrubbed(parse(model="maria@x"), {0: "[[E]]"}, model="other", allow=frozenset())
    assert made.fields["model"] == "other"


def test_what_openai_does_not_know_inside_messages_and_tools_is_dropped_and_named() -> None:
    request = parse(
        messages=[
            {"role": "user", "content": "a", "mood": "calm", "reasoning_content": "b"},
            {"role": "ipython", "content": "c"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "d", "cache_control": {"type": "x"}},
                    {"type": "thinking", "thinking": "e"},
                    {"type": "text", "text": "f"},
                ],
            },
        ],
        tools=[{"type": "function", "function": {"name": "g", "x-y": 1}, "cache_control": {}}],
        stream_options={"include_usage": True, "continuous_usage_stats": True},
    )
    made = send(request, swap(e="E", f="F"))
    assert made.fields["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "d"}, {"type": "text", "text": "F"}]},
    ]
    assert made.fields["tools"] == [{"type": "function", "function": {"name": "g"}}]
    assert made.fields["stream_options"] == {"include_usage": True}
    assert made.dropped == (
        "/messages/0/*",
        "/messages/0/reasoning_content",
        "/messages/1",
        "/messages/2/content/0/cache_control",
        "/messages/2/content/1",
        "/tools/0/function/*",
        "/tools/0/cache_control",
        "/stream_options/continuous_usage_stats",
    )


def test_many_dropped_places_are_named_together() -> None:
    messages = [{"role": "user", "content": "x", "annotations": []} for _ in range(300)]
    assert send(parse(messages=messages)).dropped == ("/messages/*/annotations",)


def test_an_edited_number_where_the_api_takes_only_numbers_is_left_out() -> None:
    made = send(parse(seed=20456789, logit_bias={"12": 12345678, "13": 1}), lambda t: "[[N]]" if t.isdigit() else t)
    assert "seed" not in made.fields
    assert made.fields["logit_bias"] == {"13": 1}
    assert made.dropped == ("/seed", "/logit_bias/12")


@pytest.mark.parametrize(
    ("literal", "leaves_as"),
    [
        ("0.7", "0.7"),
        ("0.482103", "0.482103"),
        ("0.30000000000000004", "0.3"),
        ("0.48210377", "0.4821"),
        ("-1.48210377", "-1.482"),
        ("4821.0377", "4821"),
        ("48210377e-8", "0.4821"),
        ("4.8210377e7", "4.821e+07"),
        ("0.00000001", "0.00000001"),
        ("4096", "4096"),
        ("100000000", "100000000"),
        ("48210377", None),
        ("-48210377", None),
        ("123456789", None),
        ("2147483647", "2147483647"),
        ("4294967296", "4294967296"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1" * 400, None),
    ],
)
def test_a_number_of_the_api_leaves_with_no_digits_that_tell_anything(literal: str, leaves_as: str | None) -> None:
    assert fitting(literal) == leaves_as


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_no_number_of_the_api_leaves_with_seven_telling_digits(literal: str) -> None:
    fit = fitting(literal)
    if fit is None or (fit == literal and literal.lstrip("-").isdigit()):
        return
    assert float(fit) == pytest.approx(float(literal), rel=1e-3, abs=1e-300)
    assert len(fit.lower().partition("e")[0].replace(".", "").strip("-0")) < 7


def test_settings_are_rounded_or_left_out_by_name() -> None:
    body = json.dumps(
        {
            "model": "m",
            "messages": [{"role": "user", "content": "x"}],
            "temperature": 0.48210377,
            "seed": 20456789,
            "max_tokens": 4096,
            "logit_bias": {"12": 1.23456789, "20456789": 1, "Lima": 1, "13": 20456789},
            "min_p": 0.20456789,
            "top_k": 20456789,
        }
    )
    request = chat.parse(body.encode(), limits=Limits())
    made = send(request, allow=EVERYTHING | {"min_p"})
    assert made.fields["temperature"] == 0.4821
    assert made.fields["max_tokens"] == 4096
    assert made.fields["logit_bias"] == {"12": 1.235}
    assert made.fields["min_p"] == 0.2046
    assert not {"seed", "top_k"} & set(made.fields)
    assert made.dropped == ("/seed", "/logit_bias/13", "/top_k", "/logit_bias/*")
    exact = chat.render_scrubbed(request, {}, model="m", allow=EVERYTHING, exact=True)
    assert (exact.fields["temperature"], exact.fields["seed"]) == (0.48210377, 20456789)
    assert json.loads(chat.render_onprem(request, model="m")) == json.loads(body)


def test_bounds_of_a_schema_that_tell_something_are_left_out() -> None:
    bounds = {"type": "integer", "minimum": 20456789, "maximum": 2147483647, "multipleOf": 0.20456789}
    made = send(parse(tools=[{"type": "function", "function": {"name": "f", "parameters": bounds}}]))
    assert made.fields["tools"][0]["function"]["parameters"] == {
        "type": "integer",
        "maximum": 2147483647,
        "multipleOf": 0.2046,
    }


def test_ids_of_calls_that_no_server_made_are_made_anew() -> None:
    def call(name: str) -> dict[str, Any]:
        return {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}

    made_by_server = "call_Ab3dEf9hIjKlMnOpQrStUvWx"
    messages = [
        {"role": "assistant", "tool_calls": [call("patient_20456789"), call(made_by_server), call("Ana Prado")]},
        {"role": "tool", "tool_call_id": "Ana Prado", "content": "a"},
        {"role": "tool", "tool_call_id": "patient_20456789", "content": "b"},
        {"role": "tool", "tool_call_id": made_by_server, "content": "c"},
    ]
    request = parse(messages=messages)
    for change in (str, swap(Prado="[[P]]")):
        made = send(request, change).fields["messages"]
        first, second, third = (c["id"] for c in made[0]["tool_calls"])
        assert second == made_by_server
        assert [m["tool_call_id"] for m in made[1:]] == [third, first, second]
        assert first != third
        assert parse(messages=made).parts[0].text.reveal() == "f"
        assert "Prado" not in json.dumps(made)
    exact = chat.render_scrubbed(request, {}, model="m", allow=EVERYTHING, exact=True)
    assert exact.fields["messages"] == messages
    many = [call(f"patient {n}") for n in range(300)]
    ids = [
        c["id"]
        for c in send(parse(messages=[{"role": "assistant", "tool_calls": many}])).fields["messages"][0]["tool_calls"]
    ]
    assert len(set(ids)) == 300


def test_a_number_that_no_double_holds_does_not_leave() -> None:
    request = chat.parse(
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":1,"top_p":1e999}', limits=Limits()
    )
    with pytest.raises(InvalidRequestError) as caught:
        chat.render_scrubbed(request, {}, model="m", allow=EVERYTHING)
    assert caught.value.code == "number_out_of_range"
    assert chat.render_scrubbed(request, {}, model="m", allow=frozenset()).dropped == ("/seed", "/top_p")


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"store": True}, ("store",)),
        ({"store": False}, ()),
        ({"store": None}, ()),
        ({"prompt_cache_retention": "24h"}, ("prompt_cache_retention",)),
        ({"prompt_cache_options": {"ttl": "30m"}}, ("prompt_cache_options",)),
        ({"web_search_options": {}}, ("web_search_options",)),
        ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, ("mcp",)),
        ({"tools": [{"type": "web_search"}, {"type": "unheard of"}]}, ("hosted_tools",)),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, ()),
        ({"tools": None}, ()),
    ],
)
def test_what_makes_a_provider_keep_or_pass_on_data_needs_cover(fields: dict[str, Any], asked: tuple[str, ...]) -> None:
    request = parse(**fields)
    assert chat.uncovered(request, frozenset()) == asked
    assert chat.uncovered(request, COVERABLE) == ()
    if not asked:
        chat.render_scrubbed(request, {}, model="m", allow=EVERYTHING)
        return
    with pytest.raises(InvalidRequestError) as caught:
        chat.render_scrubbed(request, {}, model="m", allow=EVERYTHING)
    assert caught.value.code == "not_covered"
    assert caught.value.param == f"/{next(iter(fields))}"
    assert str(caught.value).startswith(
        f"expected only what the contract with the outside provider covers, found {', '.join(asked)}; leave it out, or"
    )
    made = chat.render_scrubbed(request, {}, model="m", allow=EVERYTHING, covers=frozenset(asked))
    assert made.fields[next(iter(fields))] == next(iter(fields.values()))


def test_a_covered_tool_of_the_provider_leaves_scanned_and_whole() -> None:
    request = parse(tools=[{"type": "mcp", "server_url": "https://x", "headers": {"patient": "Lima"}}])
    assert chat.schemas(parse(tools=[{"type": "mcp", "function": {}}])) == ({}, None)
    made = send(request, swap(Lima="[[P]]"))
    assert made.fields["tools"] == [{"type": "mcp", "server_url": "https://x", "headers": {"patient": "[[P]]"}}]


def test_the_parts_of_the_copy_are_those_that_leave_with_their_new_text() -> None:
    request = parse(
        model="maria@x", user="u", ward="w", seed=20456789, messages=[{"role": "user", "content": "Lima", "mood": "m"}]
    )
    edits = editing(request, swap(Lima="[[P]]", **{"20456789": "[[N]]"}))
    every = chat.outgoing_parts(request, edits)
    assert [part.index for part in every] == [part.index for part in request.parts]
    assert [part.text.reveal() for part in every] == ["maria@x", "[[P]]", "mood", "m", "u", "ward", "w", "[[N]]"]
    leaving = chat.outgoing_parts(request, edits, allow=EVERYTHING)
    assert [(p.index, p.pointer, p.text.reveal(), p.kind) for p in leaving] == [
        (1, "/messages/0/content", "[[P]]", PartKind.TEXT)
    ]
    bound = parse(seed=2147483647, temperature=0.48210377, messages=[{"role": "user", "content": ""}])
    assert [p.text.reveal() for p in chat.outgoing_parts(bound, {}, allow=EVERYTHING)] == ["2147483647"]


def test_neither_view_of_the_copy_shows_text() -> None:
    made = send(parse())
    assert repr(made) == "Outgoing(dropped=())"


def test_the_request_itself_is_not_changed() -> None:
    body = maximal()
    request = parse(body)
    before = chat.render_onprem(request, model="m")
    send(request, lambda text: f"[[{len(text)}]]")
    assert chat.render_onprem(request, model="m") == before
