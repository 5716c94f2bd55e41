import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.fold import fold, read
from phigate.deid.search import ValueIndex, escaped, holds_value, in_serialised, searchable, unescaped
from phigate.phi import PHIText


def _hits(values: list[str], text: str, *, inside: bool = False) -> list[str]:
    index = ValueIndex(map(read, values), inside=inside)
    spans = index.spans(text)
    if spans:
        assert index.present(fold(text))
    return [text[span.start : span.end] for span, _ in spans]


@pytest.mark.parametrize(
    ("value", "text", "hits"),
    [
        ("Maria Souza", "Hoje MARIA\n SOUZA veio.", ["MARIA\n SOUZA"]),
        ("José", "jose e José e Jose\u0301.", ["jose", "José", "Jose\u0301"]),
        ("Ana", "banana Ana", ["Ana"]),
        ("529.982.247-25", "CPF 52998224725, ou 529 982 247 25.", ["52998224725", "529 982 247 25"]),
        ("52998224725", "CPF 529.982.247-25", ["529.982.247-25"]),
        ("12345", "MRN 123456 and 12345", ["12345"]),
        ("(11) 98765-4321", "tel (11) 98765-4321.", ["(11) 98765-4321", "11) 98765-4321"]),
        ("120", "BP 120/80", []),
        ("J", "vitamin J", []),
        ("--", "a -- b", []),
        ("Maria", "", []),
    ],
)
def test_a_value_is_found_at_word_boundaries(value: str, text: str, hits: list[str]) -> None:
    assert _hits([value], text) == hits


def test_values_of_five_characters_are_found_inside_words_where_asked() -> None:
    assert _hits(["Souza"], "file dr_souza1.pdf drsouza", inside=True) == ["souza", "souza"]
    assert _hits(["Souza"], "drsouza") == []
    assert _hits(["Lima"], "climate Lima2 Lima", inside=True) == ["Lima"]
    assert _hits(["1234567"], "id 00123-45671", inside=True) == ["123-4567"]


def test_an_index_without_values_is_empty() -> None:
    assert not ValueIndex(map(read, ["J", "12"]), inside=True)
    assert not ValueIndex([], inside=False).present("anything")


@pytest.mark.parametrize(
    ("folded", "yes"),
    [("ana", True), ("jo", True), ("j", False), ("j.", False), ("120", False), ("2019", True), ("", False)],
)
def test_what_says_too_little_is_not_searched_for(folded: str, yes: bool) -> None:
    assert searchable(folded) is yes


@given(st.text(max_size=30))
def test_one_level_of_json_escapes_is_undone(text: str) -> None:
    assert unescaped(json.dumps(text))[1:-1] == text
    assert unescaped(json.dumps(text, ensure_ascii=False)) == f'"{text}"'


def test_short_escapes_and_pairs_are_undone() -> None:
    assert unescaped(r"a\nb\tc\/d\ud83d\ude00\u00e9") == "a\nb\tc/d😀é"
    assert unescaped(r"\ud83d") == "�"


@given(st.text(max_size=30))
def test_an_escaped_text_is_what_stands_in_a_json_string(text: str) -> None:
    assert json.loads('"' + escaped(text) + '"') == text


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    "value", ["José Núñez", 'Maria "Zé" Souza', "529.982.247-25", "line\nbreak", "C:\\Users\\maria"]
)
def test_a_value_is_found_in_a_body_in_plain_escaped_and_nested_form(value: str, ascii_only: bool) -> None:
    plain = {"messages": [{"content": f"x {value} y"}]}
    nested = {"arguments": json.dumps({"name": value}, ensure_ascii=ascii_only)}
    for body in (plain, nested):
        data = json.dumps(body, ensure_ascii=ascii_only).encode()
        assert holds_value(data, [PHIText(value)])
        assert in_serialised(data.decode(), ValueIndex([read(value)], inside=True)) == {read(value).key}
    assert not holds_value(b'{"messages":[{"content":"nothing here"}]}', [PHIText(value)])
    assert not holds_value(b'{"a":"b"}', [])


def test_bytes_that_are_no_utf8_are_searched_too() -> None:
    assert holds_value(b"\xff Maria Souza \xfe", [PHIText("maria souza")])


def test_nesting_is_followed_a_few_levels_and_then_given_up() -> None:
    body = 'say "José Núñez"'
    depth = 0
    found = []
    while depth < 7:
        body, depth = json.dumps({"a": body}), depth + 1
        found.append(bool(in_serialised(body, ValueIndex([read('"José Núñez"')], inside=True))))
    assert found == [True, True, True, False, False, False, False]
