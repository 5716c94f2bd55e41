"""JSON that two readers could read differently is refused; what is read is written back literal by literal."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.errors import CallerError, InvalidRequestError, TooLargeError
from phigate.wire.parts import Limits
from phigate.wire.strict import JSON, Number, dump, kind_of, load, load_nested, thaw

LIMITS = Limits()
SECRET = "Zeferina Quixabá"


def refused(body: bytes, limits: Limits = LIMITS) -> CallerError:
    with pytest.raises(CallerError) as caught:
        load(body, limits=limits)
    error = caught.value
    assert SECRET not in f"{error} {error.param} {error.__context__!r} {error.__cause__!r}"
    assert error.__context__ is None  # a JSONDecodeError or UnicodeDecodeError would carry the body
    return error


def literals(text: str | bytes) -> Any:
    """Read JSON with every number as the text it was and every object as its pairs in order."""
    return json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=lambda pairs: ("object", pairs))


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"", "invalid_json", "expected JSON, found something else at line 1, column 1"),
        (b"{", "invalid_json", "expected JSON, found something else at line 1, column 2"),
        (b'{"a":1} x', "invalid_json", "expected JSON, found something else at line 1, column 9"),
        (b"{'a':1}", "invalid_json", "expected JSON, found something else at line 1, column 2"),
        (b'{"a":"x\ty"}', "invalid_json", "expected JSON, found something else at line 1, column 8"),
        (b'{"a":01}', "invalid_json", "expected JSON, found something else at line 1, column 7"),
        (b'{"a":"\\x41"}', "invalid_json", "expected JSON, found something else at line 1, column 7"),
        (b'{"a":1}\x00', "invalid_json", "expected JSON, found something else at line 1, column 8"),
        (
            '{"a":"Zeferina Quixabá"'.encode(),
            "invalid_json",
            "expected JSON, found something else at line 1, column 24",
        ),
        (b"\xef\xbb\xbf{}", "invalid_utf8", "expected UTF-8 without a byte order mark"),
        (b'{"a":"\xff"}', "invalid_utf8", "expected UTF-8, found a byte that is not at offset 6"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8", "expected UTF-8, found a byte that is not at offset 6"),
        (b'{"a":"\xc0\xaf"}', "invalid_utf8", "expected UTF-8, found a byte that is not at offset 6"),
        ("{}".encode("utf-16"), "invalid_utf8", "expected UTF-8, found a byte that is not at offset 0"),
        (
            '{"Zeferina Quixabá":1,"Zeferina Quixabá":2}'.encode(),
            "duplicate_key",
            "expected each key once in an object",
        ),
        (b'{"a":{"b":1,"\\u0062":2}}', "duplicate_key", "expected each key once in an object, found one twice"),
        (b'{"a":NaN}', "invalid_number", "expected a number, found NaN or Infinity, which JSON does not have"),
        (b'{"a":-Infinity}', "invalid_number", "expected a number, found NaN or Infinity"),
        (b'{"a":"\\ud83d"}', "invalid_unicode", "expected Unicode text, found half of a surrogate pair"),
        (b'{"a":"\\ude00\\ud83d"}', "invalid_unicode", "expected Unicode text, found half of a surrogate pair"),
        (b'{"\\uDC00":1}', "invalid_unicode", "expected Unicode text, found half of a surrogate pair"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(body: bytes, code: str, message: str) -> None:
    error = refused(body)
    assert isinstance(error, InvalidRequestError)
    assert error.code == code
    assert str(error).startswith(message)


@pytest.mark.parametrize("bomb", [b"[" * 1_000_000, b'{"a":' * 1_000_000, b'{"a":[' * 40 + b"]}" * 40])
def test_depth_is_checked_before_anything_recurses(bomb: bytes) -> None:
    error = refused(bomb)
    assert isinstance(error, TooLargeError)
    assert error.code in {"too_deep", "too_many_parts"}


def test_depth_counts_levels_and_not_brackets_in_strings() -> None:
    deep = b"[" * 64 + b"]" * 64
    assert load(deep, limits=LIMITS) is not None
    assert str(refused(b"[" + deep + b"]")) == "expected at most 64 nested levels, found more"
    assert load(json.dumps({"a": "[{" * 500 + '"' * 99 + "\\" * 7}).encode(), limits=LIMITS) is not None
    assert load(b"[" + b",".join([b"[]"] * 500) + b"]", limits=LIMITS) is not None


def test_brackets_after_a_quoted_quote_count() -> None:
    assert refused(b'["\\"",' + b"[" * 80 + b"]" * 80 + b"]").code == "too_deep"
    assert refused(b'["\\\\",' + b"[" * 80 + b"]" * 80 + b"]").code == "too_deep"


def test_size_and_number_of_values_are_bounded() -> None:
    error = refused(b'{"a":1}', Limits(body_bytes=6))
    assert isinstance(error, TooLargeError)
    assert (error.code, str(error)) == ("body_too_large", "expected a body of at most 6 bytes, found 7")
    few = Limits(parts=2)
    assert load(b"[" + b"0," * 17 + b"0]", limits=few) is not None
    error = refused(b"[" + b"0," * 19 + b"0]", few)
    assert (error.code, str(error)) == ("too_many_parts", "expected at most 20 values in a body, found more")
    assert load(json.dumps(["," * 100]).encode(), limits=few) is not None


@pytest.mark.parametrize(
    "literal",
    [
        "0",
        "-0",
        "1.10",
        "1e400",
        "-1E-9",
        "1.0",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231",
        "9" * 9999,
    ],
)
def test_a_number_stays_the_literal_it_was(literal: str) -> None:
    body = f'{{"a":[{literal}]}}'
    assert dump(load(body.encode(), limits=LIMITS)) == body


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(_json, st.booleans())
def test_reading_and_writing_changes_nothing_but_blanks_and_escapes(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only)
    read = load(body.encode(), limits=LIMITS)
    assert literals(dump(read)) == literals(body)
    assert thaw(read) == json.loads(body)


def test_emoji_written_as_escapes_are_read() -> None:
    assert load(b'"\\ud83d\\ude00"', limits=LIMITS) == "😀"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": Number("1")}),
        (" \n[true]", [True]),
        ('{"a": NaN, "b": -Infinity}', {"a": Number("NaN"), "b": Number("-Infinity")}),
        ("7", None),
        ('"a"', None),
        ("", None),
        ("[", None),
        ("{a}", None),
        ('{"a":1,"a":2}', None),
        ('["\\ud800"]', None),
        ("[[[[]]]]", None),
        ('[{"a":{"b":{}}}]', None),
    ],
)
def test_a_string_holds_a_document_only_when_it_is_strictly_one(text: str, value: JSON) -> None:
    assert load_nested(text, depth=3, limits=LIMITS) == value


def test_a_document_has_no_room_below_the_last_level() -> None:
    assert load_nested("[]", depth=1, limits=LIMITS) == []
    assert load_nested("[]", depth=0, limits=LIMITS) is None


def test_a_number_compares_by_its_literal_and_never_shows_it() -> None:
    number = Number("11144477735")
    assert number == Number("11144477735")
    assert number != Number("11144477735.0")
    assert number != 11144477735
    assert hash(number) == hash(Number("11144477735"))
    assert repr(number) == "<Number of 11 characters>"
    assert number.integral
    assert not Number("1e3").integral


def test_plain_values_hold_any_integer_and_any_double() -> None:
    assert thaw([Number("9" * 4300), Number("-0"), Number("1.5e3"), None, True, {"a": "b"}]) == [
        int("9" * 4300), 0, 1500.0, None, True, {"a": "b"},
    ]  # fmt: skip


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "9" * 4301, "-" + "9" * 4300])
def test_a_number_that_python_cannot_hold_is_refused_when_it_must(literal: str) -> None:
    with pytest.raises(
        InvalidRequestError, match="expected a number that a double can hold, found a larger one"
    ) as caught:
        thaw({"a": Number(literal)})
    assert caught.value.code == "number_out_of_range"
    assert not math.isfinite(float(literal))


def test_types_are_named_with_their_article() -> None:
    values: list[JSON] = ["", {}, [], Number("1"), None, False]
    assert [kind_of(value) for value in values] == [
        "a string", "an object", "an array", "a number", "null", "a boolean",
    ]  # fmt: skip
