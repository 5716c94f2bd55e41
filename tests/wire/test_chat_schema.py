"""The table of chat completions: complete beside OpenAI's own types, and every exemption is narrow."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import pytest
from openai.types import chat as openai_chat
from openai.types.chat.chat_completion_content_part_param import File
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from phigate.errors import InvalidRequestError
from phigate.wire import chat
from phigate.wire.chat_schema import ALWAYS, CHAT, EXTRAS, FIELDS, PASSABLE, SHOWN
from phigate.wire.parts import Attachments, Limits, Need, PartKind
from phigate.wire.spec import Members, Spec, Variants, exemptions
from tests.wire.maximal import PNG, PNG_URI, maximal

LONG = "iVBORw0KGgo" * 40


def parse(**fields: Any) -> chat.ChatRequest:
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], **fields}
    return chat.parse(json.dumps(body).encode(), limits=Limits())


def texts(request: chat.ChatRequest) -> list[str]:
    return [part.text.reveal() for part in request.parts]


def refusal(**fields: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        parse(**fields)
    return caught.value


def user(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


def test_every_parameter_of_openai_is_in_the_table_and_in_the_maximal_body() -> None:
    theirs = set(get_type_hints(CompletionCreateParamsStreaming))
    assert theirs == set(FIELDS)
    assert theirs <= set(maximal())


def _variant(spec: Spec | None, word: str) -> set[str]:
    assert spec is not None
    assert isinstance(spec.object, Variants)
    return set(spec.object.by[word].fields)


@pytest.mark.parametrize("role", ["developer", "system", "user", "assistant", "tool", "function"])
def test_every_member_of_openais_messages_is_in_the_table(role: str) -> None:
    theirs = get_type_hints(getattr(openai_chat, f"ChatCompletion{role.title()}MessageParam"))
    ours = _variant(FIELDS["messages"].array, role)
    assert set(theirs) <= ours
    assert ours - set(theirs) <= {"name"}  # harmless on any role


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("text", openai_chat.ChatCompletionContentPartTextParam),
        ("image_url", openai_chat.ChatCompletionContentPartImageParam),
        ("input_audio", openai_chat.ChatCompletionContentPartInputAudioParam),
        ("refusal", openai_chat.ChatCompletionContentPartRefusalParam),
        ("file", File),
    ],
)
def test_every_member_of_openais_content_parts_is_in_the_table(kind: str, theirs: type) -> None:
    message = FIELDS["messages"].array
    assert message is not None
    assert isinstance(message.object, Variants)
    content = message.object.by["user"].fields["content"].array
    assert _variant(content, kind) == set(get_type_hints(theirs)) | {"prompt_cache_breakpoint"}


def test_what_names_people_or_other_servers_can_never_leave() -> None:
    never = {
        *("user", "metadata", "safety_identifier", "prompt_cache_key"),
        *("base_url", "api_base", "api_key", "fallbacks", "mock_response", "extra_headers", "extra_body", "timeout"),
    }
    assert not never & PASSABLE
    assert ALWAYS <= PASSABLE
    assert never <= SHOWN
    assert EXTRAS <= SHOWN


def test_every_exemption_has_a_reason() -> None:
    def check(spec: Spec, seen: set[int]) -> None:
        if id(spec) in seen:
            return
        seen.add(id(spec))
        if spec.string is not None and (spec.string.words or spec.string.shape):
            assert spec.string.why
        objects = [spec.object] if isinstance(spec.object, Members) else []
        if isinstance(spec.object, Variants):
            objects = [*spec.object.by.values(), spec.object.otherwise]
        for members in objects:
            assert members.why or members.key_shape is None
            for below in (*members.fields.values(), *([members.others] if members.others else [])):
                check(below, seen)
        if spec.array is not None:
            check(spec.array, seen)

    check(CHAT, set())
    assert len(exemptions(CHAT)) > 30


@pytest.mark.parametrize(
    ("call_id", "exempt"),
    [
        ("call_Ab3dEf9hIjKlMnOpQrStUvWx", True),
        ("call_" + "0a" * 16, True),
        ("chatcmpl-tool-" + "0a" * 16, True),
        ("toolu_01AbCdEfGhIj2lMn3pQrStUv", True),
        ("call_MariaSouzaDaSilvaPintoBr", False),
        ("call_11144477735", False),
        ("call_A11144477735bcdefghijklm", False),
        ("call_1", False),
        ("maria.souza", False),
    ],
)
def test_tool_call_ids_are_scanned_unless_a_model_server_makes_such(call_id: str, *, exempt: bool) -> None:
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "ok"},
    ]
    assert texts(parse(messages=messages)).count(call_id) == (0 if exempt else 2)


@pytest.mark.parametrize(
    ("model", "exempt"),
    [
        ("gpt-4o-2024-08-06", True),
        ("claude-3-5-sonnet-20241022", True),
        ("meta-llama/Llama-3.1-8B-Instruct", True),
        ("ft:gpt-4o:hospital::Ab12", True),
        ("maria@hospital.example", False),
        ("Maria Souza", False),
        ("modelo-111444777", False),
        ("модель", False),
    ],
)
def test_a_model_name_is_scanned_unless_it_looks_like_one(model: str, *, exempt: bool) -> None:
    assert (model not in texts(parse(model=model))) is exempt


@pytest.mark.parametrize(
    ("part", "need", "pointer"),
    [
        ({"type": "image_url", "image_url": {"url": PNG_URI}}, Need.VISION, "/image_url/url"),
        ({"type": "image_url", "image_url": PNG_URI}, Need.VISION, "/image_url"),
        ({"type": "video_url", "video_url": {"url": PNG_URI}}, Need.VISION, "/video_url/url"),
        ({"type": "video_url", "video_url": PNG_URI}, Need.VISION, "/video_url"),
        ({"type": "audio_url", "audio_url": {"url": PNG_URI}}, Need.AUDIO, "/audio_url/url"),
        ({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}, Need.AUDIO, "/input_audio/data"),
        ({"type": "file", "file": {"file_data": PNG_URI}}, Need.FILES, "/file/file_data"),
        ({"type": "file", "file": {"file_data": PNG}}, Need.FILES, "/file/file_data"),
    ],
)
@pytest.mark.parametrize(
    "address", ["http://a.example/x", "HTTPS://a.example", " \thttps://a.example", "//a.example/x"]
)
def test_data_makes_the_request_uncleaned_and_an_address_is_refused(
    part: dict[str, Any], need: Need, pointer: str, address: str
) -> None:
    request = parse(messages=user(part))
    assert (request.attachments, request.needs) == (Attachments.UNCLEANED, frozenset({need}))
    assert texts(request) == []

    def aimed(value: Any) -> Any:
        return (
            {k: aimed(v) for k, v in value.items()}
            if isinstance(value, dict)
            else address
            if value in (PNG, PNG_URI)
            else value
        )

    error = refusal(messages=user(aimed(part)))
    assert error.code == "remote_url_refused"
    assert error.param == f"/messages/0/content/0{pointer}"
    assert "a.example" not in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "gs://b/x",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "/etc/passwd",
        "\\\\host\\x",
        "x.png",
        "DATA:,x",
        "\x00http:/x",
    ],
)
def test_the_place_of_an_image_takes_data_alone(url: str) -> None:
    assert refusal(messages=user({"type": "image_url", "image_url": {"url": url}})).code == "remote_url_refused"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "hi", "image_url": {"url": "https://a.example"}},
        {"type": "refusal", "refusal": "no", "x": ["https://a.example"]},
        {"type": "image_url", "image_url": {"url": PNG_URI}, "fallback": "https://a.example"},
        {"type": "image_url", "image_url": {"url": PNG_URI, "source": {"a": "ftp://a.example"}}},
        {"type": "file", "file": {"file_id": "https://a.example/x.pdf"}},
        {"type": "file", "file": {"file_url": "https://a.example/x.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "https://a.example/x"}},
        {"type": "image_embeds", "image_embeds": "https://a.example"},
        {"type": "unheard_of", "deep": [{"er": "https://a.example"}]},
        {"image_url": "https://a.example"},
        {"type": "video_url", "video_url": {"url": PNG_URI, "poster": "https://a.example"}},
    ],
)
@pytest.mark.parametrize("role", ["user", "system", "assistant", "tool", "ipython"])
def test_no_content_part_of_any_role_can_name_an_address(part: dict[str, Any], role: str) -> None:
    assert refusal(messages=[{"role": role, "content": [part]}]).code == "remote_url_refused"
    assert refusal(prediction={"type": "content", "content": [part]}).code == "remote_url_refused"


def test_an_address_in_text_is_only_text() -> None:
    request = parse(messages=user({"type": "text", "text": "https://a.example/x.png"}), user="https://a.example")
    assert texts(request) == ["https://a.example/x.png", "https://a.example"]
    assert request.attachments is Attachments.NONE


@pytest.mark.parametrize(
    "url",
    [
        "data:text/plain,Maria%20Souza",
        "data:image/png;base64,TWFyaWE=",  # shorter than any picture
        f"data:image/maria.souza;base64,{LONG}",
        f"data:image/png;name=Maria;base64,{LONG}",
        f"data:image/png;base64,{LONG}\nMaria",
    ],
)
def test_a_data_uri_that_could_be_text_is_scanned_as_well(url: str) -> None:
    request = parse(messages=user({"type": "image_url", "image_url": {"url": url}}))
    assert texts(request) == [url]
    assert request.attachments is Attachments.UNCLEANED


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "file-Ab1Cd2Ef3Gh4Ij5Kl6Mn7O"}},
        {"type": "unheard_of", "said": ""},
        {"type": "thinking", "thinking": ""},
        {"said": ""},
    ],
)
def test_what_no_recognizer_can_read_is_an_attachment(part: dict[str, Any]) -> None:
    assert parse(messages=user(part)).attachments is Attachments.UNCLEANED


def test_an_answer_in_speech_of_an_earlier_turn_is_an_attachment() -> None:
    request = parse(messages=[{"role": "assistant", "audio": {"id": "audio_" + "a1" * 16}}])
    assert (request.attachments, request.needs, texts(request)) == (Attachments.UNCLEANED, frozenset({Need.AUDIO}), [])


@pytest.mark.parametrize(
    "said",
    [
        f"see ![](data:image/png;base64,{LONG})",
        LONG * 2,
        "\r\n".join([LONG[:76]] * 8),
        "ab" * 300,
        "A scan: " + LONG * 3,
    ],
)
@pytest.mark.parametrize("place", ["content", "user", "documents"])
def test_data_in_a_place_for_text_is_an_attachment_too(said: str, place: str) -> None:
    fields: dict[str, Any] = (
        {"messages": user({"type": "text", "text": said})} if place == "content" else {place: [said]}
    )
    request = parse(**({"user": said} if place == "user" else fields))
    assert request.attachments is Attachments.UNCLEANED
    assert said in texts(request)


@pytest.mark.parametrize(
    "said", ["what does ;base64, mean?", "医" * 600, "word " * 2000, "ab" * 200, f"{LONG} and no more {LONG}"]
)
def test_long_text_is_not_an_attachment(said: str) -> None:
    assert parse(messages=user({"type": "text", "text": said})).attachments is Attachments.NONE


@pytest.mark.parametrize(
    ("fields", "need"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, Need.TOOLS),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, Need.TOOLS),
        ({"functions": [{"name": "f"}]}, Need.TOOLS),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "a"}]}, Need.TOOLS),
        ({"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": ""}}]}, Need.TOOLS),
        ({"modalities": ["text", "audio"]}, Need.AUDIO),
        ({"audio": {"voice": "alloy", "format": "mp3"}}, Need.AUDIO),
        ({"logit_bias": {"12": 1}}, Need.LOGIT_BIAS),
        ({"logprobs": True}, Need.LOGPROBS),
        ({"top_logprobs": 0}, Need.LOGPROBS),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, Need.JSON_SCHEMA),
    ],
)
def test_what_the_model_must_be_able_to_do_is_read_from_the_body(fields: dict[str, Any], need: Need) -> None:
    assert parse(**fields).needs == {need}


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": []},
        {"tools": None},
        {"logit_bias": {}},
        {"logprobs": False},
        {"modalities": ["text"]},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": None, "audio": None, "refusal": None}]},
    ],
)
def test_what_is_not_asked_for_is_not_needed(fields: dict[str, Any]) -> None:
    assert parse(**fields).needs == frozenset()


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"messages": "hi"}, "/messages", "expected an array of messages, found a string"),
        ({"messages": []}, "/messages", "expected an array of messages, found an empty one"),
        ({"messages": [None]}, "M", "expected an object, found null"),
        ({"messages": ["hi"]}, "M", "expected an object, found a string"),
        ({"messages": [{"content": "x"}]}, "M/role", "expected the field role, found none"),
        ({"messages": [{"role": 1}]}, "M/role", "expected a string, found a number"),
        ({"messages": [{"role": "user"}]}, "M/content", "expected the field content, found none"),
        (
            {"messages": [{"role": "user", "content": {}}]},
            "M/content",
            "expected a string or an array, found an object",
        ),
        ({"messages": user("x")}, "M/content/0", "expected an object, found a string"),
        ({"messages": user({"type": "text", "text": 1})}, "M/content/0/text", "expected a string, found a number"),
        ({"messages": user({"type": "text"})}, "M/content/0/text", "expected the field text, found none"),
        (
            {"messages": user({"type": "image_url", "image_url": {}})},
            "M/content/0/image_url/url",
            "expected the field url, found none",
        ),
        ({"model": None}, "/model", "expected the field model, found none"),
        ({"model": 1}, "/model", "expected a string, found a number"),
        ({"stream": "yes"}, "/stream", "expected a boolean, found a string"),
        ({"temperature": "0.2"}, "/temperature", "expected a number, found a string"),
        ({"temperature": True}, "/temperature", "expected a number, found a boolean"),
        ({"max_tokens": 1.5}, "/max_tokens", "expected an integer, found a number with a fraction or an exponent"),
        ({"n": "2"}, "/n", "expected an integer, found a string"),
        ({"stop": {"a": 1}}, "/stop", "expected a string or an array, found an object"),
        ({"tools": {}}, "/tools", "expected an array, found an object"),
        ({"tools": [{"function": {"name": "f"}}]}, "/tools/0/type", "expected the field type, found none"),
        ({"tools": [{"type": "function"}]}, "/tools/0/function", "expected the field function, found none"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "/tools/0/function/name",
            "expected the field name, found none",
        ),
        ({"logit_bias": {"Ana Prado": "1"}}, "/logit_bias/*", "expected a number, found a string"),
        ({"metadata": []}, "/metadata", "expected an object, found an array"),
        ({"response_format": "json"}, "/response_format", "expected an object, found a string"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"arguments": {}}}]}]},
            "M/tool_calls/0/function/arguments",
            "expected a string, found an object",
        ),
    ],
)
def test_a_wrong_type_of_a_known_field_is_refused_by_name(fields: dict[str, Any], param: str, message: str) -> None:
    param = param.replace("M", "/messages/0", 1)
    error = refusal(**fields)
    assert error.code == ("missing_field" if "the field" in message else "invalid_type")
    assert (error.param, str(error)) == (param, message)


def test_names_whose_charset_holds_no_surrogate_are_marked() -> None:
    named = {
        *("/messages/0/name", "/messages/2/name", "/messages/3/tool_calls/0/function/name"),
        *("/messages/3/tool_calls/1/custom/name", "/messages/6/function_call/name", "/messages/7/name"),
        *("/functions/0/name", "/tools/0/function/name", "/tools/1/custom/name", "/function_call/name"),
        *("/response_format/json_schema/name", "/tool_choice/allowed_tools/tools/0/function/name"),
    }
    request = chat.parse(json.dumps(maximal()).encode(), limits=Limits())
    assert named <= {part.pointer for part in request.parts if part.kind is PartKind.NAME}


def test_tokens_of_the_vocabulary_are_structure_and_longer_numbers_are_keys() -> None:
    request = parse(logit_bias={"1234": 1, "123456": 2, "1234567": 3, "Ana": 4})
    assert [(p.text.reveal(), p.kind) for p in request.parts] == [
        ("hi", PartKind.TEXT),
        ("1234567", PartKind.KEY),
        ("Ana", PartKind.KEY),
    ]
