from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from phigate.tlog.canonical import JSON, MAX_DEPTH, SAFE_INTEGER, encode, parse
from phigate.tlog.errors import FormatError

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
VALUES = st.recursive(
    st.booleans() | st.integers(-SAFE_INTEGER, SAFE_INTEGER) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)


@given(OBJECTS)
@example({"a": '\u2028 \x7f \x00 \x1f \b\t\n\f\r " \\ / é 😀 ﬁ'})
def test_the_encoding_is_that_of_rfc_8785(value: dict[str, JSON]) -> None:
    line = encode(value)
    assert line == rfc8785.dumps(value)
    assert parse(line) == value
    assert b"\n" not in line


@given(OBJECTS, st.data())
def test_no_other_spelling_of_the_same_object_is_read(value: dict[str, JSON], data: st.DataObject) -> None:
    line = encode(value)
    for other in (
        json.dumps(value, sort_keys=True).encode(),
        json.dumps(value, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps(dict(reversed(value.items())), separators=(",", ":"), ensure_ascii=False).encode(),
        b" " + line,
        line + b"\n",
    ):
        if other != line:
            with pytest.raises(FormatError):
                parse(other)


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]":,\\u0019aeE+-.ntf '), max_size=20).map(str.encode))
def test_what_is_read_is_what_would_be_written(data: bytes) -> None:
    try:
        value = parse(data)
    except FormatError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a":1,"a":2}', "sorted unique keys"),
        (b'{"b":1,"a":2}', "sorted unique keys"),
        (b'{"a":1.0}', "integers only"),
        (b'{"a":1e3}', "integers only"),
        (b'{"a":NaN}', "integers only"),
        (b'{"a":-Infinity}', "integers only"),
        (b'{"a":-0}', "sorted unique keys"),
        (b'{"a":01}', "one line of canonical JSON"),
        (b'{"a":null}', "object, array, string, bool or integer"),
        (b'{"a":[null]}', "object, array, string, bool or integer"),
        (b'{"a":9007199254740992}', "integers within"),
        (b'{"a":-9007199254740992}', "integers within"),
        (b'{"a":' + b"9" * 4000 + b"}", "integers within"),
        (b'{"a":' + b"9" * 5000 + b"}", "integers within"),
        ('{"é":1}'.encode(), "ASCII keys"),
        (b'{"\\u00e9":1}', "ASCII keys"),
        (b'{"a":"\\u00e9"}', "shortest escapes"),
        (b'{"a":"\\/"}', "shortest escapes"),
        (b'{"a":"\\ud800"}', "half of a surrogate pair"),
        (b'{"a":"\xff"}', "one line of canonical JSON"),
        (b'{"a":"\xed\xa0\x80"}', "one line of canonical JSON"),
        (b'\xef\xbb\xbf{"a":1}', "one line of canonical JSON"),
        (b'{"a":"\t"}', "one line of canonical JSON"),
        (b"[]", "a JSON object"),
        (b"7", "a JSON object"),
        (b"", "one line of canonical JSON"),
        (b"{}{}", "one line of canonical JSON"),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "at most 32 levels"),
        (b"[" * 200_000, "one line of canonical JSON"),
    ],
)
def test_what_readers_could_disagree_on_is_refused(line: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse(line)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": None}, "object, array"),
        ({"a": 0.5}, "object, array"),
        ({"a": b"x"}, "object, array"),
        ({"a": ("x",)}, "object, array"),
        ({"a": SAFE_INTEGER + 1}, "integers within"),
        ({"é": 1}, "ASCII keys"),
        ({1: 1}, "ASCII keys"),
        ({"a": "\ud800"}, "surrogate"),
    ],
)
def test_what_could_not_be_read_is_not_written(value: dict[str, JSON], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        encode(value)


def test_the_deepest_and_the_largest_are_accepted() -> None:
    line = b'{"a":' + b"[" * (MAX_DEPTH - 2) + b"9007199254740991" + b"]" * (MAX_DEPTH - 2) + b"}"
    assert encode(parse(line)) == line
    wide: dict[str, JSON] = {f"k{i:03}": [] for i in range(100)}
    assert parse(encode(wide)) == wide
