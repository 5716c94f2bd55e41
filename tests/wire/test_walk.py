"""Parts: in document order, addressed by pointer, with their role and kind; nothing of a request in a message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phigate.errors import InvalidRequestError, TooLargeError
from phigate.wire import chat
from phigate.wire.chat_schema import SHOWN
from phigate.wire.parts import Attachments, Limits, Need, Part, PartKind
from phigate.wire.spec import INTEGER, Leaf, Members, Remote, Spec, fields, known_names, shape, word
from phigate.wire.strict import load
from phigate.wire.walk import Walker, escape, shown


def parts_of(limits: Limits | None = None, **asked: Any) -> tuple[Part, ...]:
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], **asked}
    return chat.parse(json.dumps(body).encode(), limits=limits or Limits()).parts


def seen(**asked: Any) -> list[tuple[str, str]]:
    return [(part.pointer, part.text.reveal()) for part in parts_of(**asked)][1:]


def arguments(text: str) -> list[tuple[str, str, PartKind]]:
    call = {"type": "function", "function": {"name": "", "arguments": text}}
    found = parts_of(messages=[{"role": "assistant", "tool_calls": [call]}])
    start = "/messages/0/tool_calls/0/function/arguments"
    return [(part.pointer.removeprefix(start), part.text.reveal(), part.kind) for part in found]


def test_parts_come_in_document_order_with_their_place_and_role() -> None:
    messages = [
        {"role": role, "content": role, **({"tool_call_id": "t"} if role == "tool" else {})}
        for role in ("developer", "system", "user", "assistant", "tool", "function", "ipython")
    ]
    found = parts_of(messages=messages, user="u")
    assert [part.index for part in found] == list(range(len(found)))
    assert [(part.text.reveal(), part.role) for part in found] == [
        ("developer", "system"),
        ("system", "system"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("tool", "tool"),
        ("t", "tool"),
        ("function", "tool"),
        ("ipython", ""),
        ("ipython", ""),
        ("u", ""),
    ]


def test_a_pointer_is_never_in_the_repr_of_a_part() -> None:
    part = parts_of(metadata={"Ana Prado": "stable"})[1]
    assert part.pointer == "/metadata/Ana Prado"
    assert "Prado" not in repr(part)


def test_keys_of_free_json_are_parts_of_their_own() -> None:
    assert seen(metadata={"a/b~c": "x", "": 1}, ward={"bed": [{"n": "y"}]}) == [
        ("/metadata/a~1b~0c", "a/b~c"),
        ("/metadata/a~1b~0c", "x"),
        ("/ward", "ward"),
        ("/ward/bed", "bed"),
        ("/ward/bed/0/n", "n"),
        ("/ward/bed/0/n", "y"),
    ]
    assert escape("plain") == "plain"


def test_names_of_known_extensions_are_structure_and_their_values_are_not() -> None:
    assert seen(top_k=5, guided_choice=["Ana"], documents=[{"text": "Lima"}]) == [
        ("/guided_choice/0", "Ana"),
        ("/documents/0/text", "text"),
        ("/documents/0/text", "Lima"),
    ]


@pytest.mark.parametrize(
    ("literal", "found"),
    [
        ("1234567", True),
        ("-1234567", True),
        ("12345.67", True),
        ("1.234567e3", True),
        ("123456", False),
        ("-12345.6", False),
        ("1e100", False),
    ],
)
def test_numbers_of_seven_digits_or_more_are_parts(literal: str, *, found: bool) -> None:
    body = '{"model":"m","messages":[{"role":"user","content":""}],"seed":1,"x":[%s]}'
    request = chat.parse((body % literal).encode(), limits=Limits())
    numbers = [(p.pointer, p.text.reveal()) for p in request.parts if p.kind is PartKind.NUMBER]
    assert numbers == ([("/x/0", literal)] if found else [])


@pytest.mark.parametrize(
    ("key", "telling"),
    [
        ("age", True), ("patient_age", True), ("ageYears", True), ("patientAge", True), ("zip", True), ("ZIP", True),
        ("cep", True), ("âge", True), ("birth_year", True), ("ssn_last4", True), ("idade", True),
        ("patientMRN", True), ("mrns", True), ("AGES", True),
        ("average", False), ("page", False), ("dosage", False), ("count", False), ("storage", False), ("", False),
    ],
)  # fmt: skip
def test_a_short_number_is_a_part_when_its_key_describes_a_person_or_place(key: str, *, telling: bool) -> None:
    numbers = [p.text.reveal() for p in parts_of(x={key: 93}) if p.kind is PartKind.NUMBER]
    assert numbers == (["93"] if telling else [])
    listed = [p.text.reveal() for p in parts_of(x={key: [[93, 94], [7]], "n": [95]}) if p.kind is PartKind.NUMBER]
    assert listed == (["93", "94", "7"] if telling else [])
    schema = {"properties": {key: {"const": 93, "enum": [94], "examples": [95], "minLength": 9, "title": "x"}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    numbers = [p.text.reveal() for p in parts_of(tools=[tool]) if p.kind is PartKind.NUMBER]
    assert numbers == (["93", "94", "95"] if telling else [])


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("48210377.0", "48210377"),
        ("48210377.000", "48210377"),
        ("-48210377.0", "-48210377"),
        ("4.8210377e7", "48210377"),
        ("4.8210377E+7", "48210377"),
        ("4.82103775e7", "4.82103775e7"),
        ("48210377e0", "48210377"),
        ("4.8210377e999", "4.8210377e999"),
        ("0.48210377", "0.48210377"),
        ("48210377.5", "48210377.5"),
    ],
)
def test_a_number_is_read_as_the_integer_that_it_is(literal: str, text: str) -> None:
    body = f'{{"model":"m","messages":[{{"role":"user","content":""}}],"x":{literal}}}'
    request = chat.parse(body.encode(), limits=Limits())
    read = [p.text.reveal() for p in request.parts if p.kind is PartKind.NUMBER]
    assert read == [text]
    assert chat.render_onprem(request, model="m").decode().endswith(f'"x":{literal}}}')


@pytest.mark.parametrize(
    ("text", "attachments"),
    [
        ("help " + "".join(chr(0xE0000 + ord(c)) for c in "Ana Prado"), Attachments.UNCLEANED),
        ("smile \U0001f600\U000e0131\U000e0151", Attachments.UNCLEANED),
        ("a\ufe00\ufe01\ufe02", Attachments.UNCLEANED),
        ("a" + "\u200b\u200c" * 4, Attachments.UNCLEANED),
        ("\u2801\u281d\u2801 \u280f\u2817\u2801\u2819", Attachments.UNCLEANED),
        ("\U0001f170\U0001f17d\U0001f170 \U0001f17f", Attachments.UNCLEANED),
        ("from Wales \U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", Attachments.NONE),
        ("heart \u2764\ufe0f and blood \U0001f170\ufe0f", Attachments.NONE),
        ("Ana\u200bPrado \u280b wait", Attachments.NONE),
        ("Ol\u00e1, \u00e9 a Ana", Attachments.NONE),
    ],
)
def test_text_that_no_recognizer_reads_is_an_attachment(text: str, attachments: Attachments) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})
    assert chat.parse(body.encode(), limits=Limits()).attachments is attachments


def test_a_key_that_is_no_number_of_a_token_is_a_part_and_does_not_leave() -> None:
    request = chat.parse(
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"logit_bias":{"50256":1,"20456789":1}}',
        limits=Limits(),
    )
    assert [(p.text.reveal(), p.kind) for p in request.parts][1:] == [("20456789", PartKind.KEY)]
    assert [stray.shown for stray in request.origin.strays] == ["/logit_bias/*"]


def test_tool_arguments_are_read_leaf_by_leaf() -> None:
    assert arguments('{"patient": {"name": "Jos\\u00e9", "mrn": 20456789}, "x": [1, true, null, "y"]}') == [
        ("#/patient", "patient", PartKind.KEY),
        ("#/patient/name", "name", PartKind.KEY),
        ("#/patient/name", "José", PartKind.TEXT),
        ("#/patient/mrn", "mrn", PartKind.KEY),
        ("#/patient/mrn", "20456789", PartKind.NUMBER),
        ("#/x", "x", PartKind.KEY),
        ("#/x/3", "y", PartKind.TEXT),
    ]


def test_documents_inside_documents_are_read_too() -> None:
    inner = json.dumps({"q": json.dumps(["deep"])})
    assert arguments(json.dumps([inner])) == [
        ("#/0#/q", "q", PartKind.KEY),
        ("#/0#/q#/0", "deep", PartKind.TEXT),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Jos\\u00e9',
        '{"a":1,"a":"x"}',
        '"Jos\\u00e9"',
        "name=Lima",
        "[1,]",
        "{'a': 1}",
        '["\\ud800"]',
        "12345678",
    ],
)
def test_arguments_that_are_no_document_are_text(text: str) -> None:
    assert arguments(text) == [("", text.replace("\\u00e9", "é"), PartKind.TEXT)]


def test_nothing_is_lost_below_the_deepest_level() -> None:
    text = '"Lima"'
    for _ in range(40):
        text = f"[{text}]"
    shallow = Limits(depth=44)
    call = {"type": "function", "function": {"name": "f", "arguments": text}}
    found = parts_of(shallow, messages=[{"role": "assistant", "tool_calls": [call]}])
    assert found[-1].text.reveal() == text


@pytest.mark.parametrize("role", ["tool", "function", "ipython"])
@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: [{"type": "text", "text": s}]])
def test_results_of_tools_are_read_leaf_by_leaf(role: str, wrap: Any) -> None:
    texts = [p.text.reveal() for p in parts_of(messages=[{"role": role, "content": wrap('{"a": ["Lima"]}')}])]
    assert texts[-2:] == ["a", "Lima"]


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_what_people_and_models_say_stays_whole(role: str) -> None:
    assert [p.text.reveal() for p in parts_of(messages=[{"role": role, "content": '{"a": "Lima"}'}])] == [
        '{"a": "Lima"}'
    ]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Jos\\u00e9 \\u00C1vila", "José Ávila"),
        ("\\ud83d\\ude00", "😀"),
        ("\\ud83d", "\\ud83d"),
        ("\\ude00\\ud83d", "\\ude00\\ud83d"),
        ("\\u0000\\u000a\\u007f\\u009F", "\\u0000\\u000a\\u007f\\u009F"),
        ("\\u00e", "\\u00e"),
        ("C:\\users\\new", "C:\\users\\new"),
    ],
)
def test_escapes_quoted_in_prose_are_read_as_letters(sent: str, read: str) -> None:
    assert parts_of(messages=[{"role": "user", "content": sent}])[0].text.reveal() == read


def test_too_many_parts_are_refused() -> None:
    stop = {"stop": [str(n) for n in range(9)]}
    assert len(parts_of(Limits(parts=10), **stop)) == 10
    with pytest.raises(TooLargeError, match="expected at most 9 strings and long numbers, found more") as caught:
        parts_of(Limits(parts=9), **stop)
    assert caught.value.code == "too_many_parts"


@pytest.mark.parametrize(
    ("pointer", "safe"),
    [
        ("/messages/12/content/0/text", "/messages/12/content/0/text"),
        ("/metadata/Ana Prado", "/metadata/*"),
        ("/metadata/11144477735/x", "/metadata/*/*"),
        ("/messages/0/function_call/arguments#/Ana~1Prado/0", "/messages/0/function_call/arguments/*/0"),
        ("", ""),
    ],
)
def test_a_pointer_is_shown_without_free_keys(pointer: str, safe: str) -> None:
    assert shown(pointer, SHOWN) == safe


PAIR = fields(
    kind=word("a b", "closed"),
    data=Spec(string=Leaf(shape=shape("ok-[0-9]+"), why="opaque", remote=Remote.DATA_ONLY)),
    near=Spec(string=Leaf(remote=Remote.REFUSED)),
    flag=Spec(boolean=True),
    count=INTEGER,
    items=Spec(array=Spec(number=INTEGER.number)),
    loose=Spec(string=Leaf(words=frozenset({"x"}), why="closed"), lenient=True),
    seen=Spec(object=Members(attachment=True, need=Need.VISION)),
)


def walked(**value: Any) -> Walker:
    walker = Walker(limits=Limits(), known=known_names(PAIR) | {"pair"})
    tree = load(json.dumps({"pair": value}).encode(), limits=Limits())
    assert isinstance(tree, dict)
    walker.body(tree, Spec(object=Members({"pair": PAIR})))
    return walker


def said(walker: Walker) -> list[str]:
    return [part.text.reveal() for part in walker.parts]


def test_a_value_is_structural_only_from_the_closed_set_or_of_the_shape() -> None:
    assert said(walked(kind="a", data="ok-1", near="", flag=True, count=3, items=[1], loose="x")) == []
    assert said(walked(kind="c", data="data:ok", loose="y")) == ["c", "data:ok", "y"]


def test_an_unforeseen_type_is_free_where_the_table_is_lenient_and_refused_elsewhere() -> None:
    assert said(walked(loose={"k": ["v", 12345678]})) == ["k", "v", "12345678"]
    for place, value, message in (
        ("kind", 1, "expected a string, found a number"),
        ("kind", True, "expected a string, found a boolean"),
        ("flag", 1, "expected a boolean, found a number"),
        ("count", 1.5, "expected an integer, found a number with a fraction or an exponent"),
        ("count", False, "expected an integer, found a boolean"),
        ("items", [None], "expected an integer, found null"),
        ("items", {}, "expected an array, found an object"),
    ):
        with pytest.raises(InvalidRequestError, match=message) as caught:
            walked(**{place: value})
        assert caught.value.param == f"/pair/{place}" + ("/0" if value == [None] else "")


@pytest.mark.parametrize(
    ("place", "value"),
    [("data", "x"), ("data", "https://a.example"), ("near", "https://a.example"), ("near", "//a.example")],
)
def test_an_address_where_an_attachment_belongs_is_refused(place: str, value: str) -> None:
    with pytest.raises(InvalidRequestError, match="expected a data: URI, found an address") as caught:
        walked(**{place: value})
    assert (caught.value.code, caught.value.param) == ("remote_url_refused", f"/pair/{place}")


def test_objects_can_need_something_and_count_as_attachments() -> None:
    walker = walked(seen={})
    assert (walker.needs, walker.attachments) == ({Need.VISION}, Attachments.UNCLEANED)
    assert walked(kind="a").attachments is Attachments.NONE


def test_strays_are_told_once_at_the_top_of_what_is_foreign() -> None:
    walker = walked(kind="a", mood={"x": {"y": "z"}}, flag=True)
    assert [(stray.key, stray.top, stray.shown) for stray in walker.strays] == [("mood", "pair", "/pair/*")]
    assert [site.foreign for site in walker.sites] == [True] * 4


def test_required_messages_are_an_array_of_some() -> None:
    nothing: tuple[Any, ...] = ("", [])
    for value in nothing:
        with pytest.raises(InvalidRequestError, match="expected an array of messages, found a"):
            parts_of(messages=value)
    with pytest.raises(InvalidRequestError, match="expected the field role, found none"):
        parts_of(messages=[{"role": None}])
    assert parts_of(messages=[{"role": "user", "content": "", "name": None}], user=None, top_k=None) == ()


@pytest.mark.parametrize("said", ["data:;base64," + "Ab1/" * 16, "Ab1+" * 200])
def test_data_where_text_belongs_makes_the_request_uncleaned(said: str) -> None:
    assert walked(near=said).attachments is Attachments.UNCLEANED


def test_a_stray_object_is_one_stray_with_all_that_is_in_it() -> None:
    inner = Members({"a": word("x", "closed")}, stray=True, foreign=True)
    spec = Spec(object=Members({"outer": Spec(array=Spec(object=inner)), "free": Spec(object=Members(foreign=False))}))
    walker = Walker(limits=Limits(), known=frozenset({"outer"}))
    tree = load(b'{"outer":[{"a":"x","b":{"c":1}}],"free":{"d":"e"}}', limits=Limits())
    assert isinstance(tree, dict)
    walker.body(tree, spec)
    assert [stray.shown for stray in walker.strays] == ["/outer/0"]
    assert [(p.text.reveal(), site.foreign) for p, site in zip(walker.parts, walker.sites, strict=True)] == [
        ("b", True),
        ("c", True),
        ("d", False),
        ("e", False),
    ]


def test_vocabulary_keys_are_structure() -> None:
    assert [p.text.reveal() for p in parts_of(logit_bias={"12": 1, "x": 1})] == ["hi", "x"]
