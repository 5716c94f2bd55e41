"""JSON read so that a scanner and a server cannot read two different values, and written back literal by literal.

RFC 8259 as I-JSON (RFC 7493) narrows it: UTF-8 without a byte order mark, no duplicate key, no lone surrogate, no NaN
or Infinity. Numbers stay the text they were (`Number`), so that 1.10, 1e400 and a thirty-digit integer survive.
Errors never hold text of the document, nor do the exceptions hang on to it.
"""

from __future__ import annotations

import json
import math
import re
from json.encoder import encode_basestring
from typing import Any, Final, TypeAlias, final

from phigate.errors import InvalidRequestError, TooLargeError
from phigate.wire.parts import Limits

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | Number | bool | None"

_BOM: Final = b"\xef\xbb\xbf"
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_INTEGER: Final = re.compile(r"-?[0-9]+")
_NODES_PER_PART: Final = 10  # values that are no part (short numbers, booleans) may outnumber parts by this much


@final
class Number:
    """A JSON number as the literal that stood in the body. May be an identifier, so it never prints itself."""

    __slots__ = ("literal",)

    def __init__(self, literal: str) -> None:
        self.literal = literal

    @property
    def integral(self) -> bool:
        """Whether the literal has neither fraction nor exponent."""
        return _INTEGER.fullmatch(self.literal) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and other.literal == self.literal

    def __hash__(self) -> int:
        return hash(self.literal)

    def __repr__(self) -> str:
        return f"<Number of {len(self.literal)} characters>"


class _DuplicateKeyError(ValueError):
    """An object named a key twice."""


class _NotANumberError(ValueError):
    """NaN, Infinity or -Infinity stood where JSON allows a number."""


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateKeyError
    return members


def _constant(_name: str) -> JSON:
    raise _NotANumberError


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_constant, strict=True
)
# Programs write NaN into tool results though JSON has none. Inside a string it is only text, so it is kept as it came.
_NESTED: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=Number, strict=True
)


def load(body: bytes, *, limits: Limits) -> JSON:
    """Read one JSON document. Raises `TooLargeError` over a limit, `InvalidRequestError` for anything but I-JSON."""
    if len(body) > limits.body_bytes:
        raise TooLargeError(
            f"expected a body of at most {limits.body_bytes} bytes, found {len(body)}", code="body_too_large"
        )
    if body.startswith(_BOM):
        raise InvalidRequestError("expected UTF-8 without a byte order mark", code="invalid_utf8")
    _bound(body, depth=limits.depth, nodes=limits.parts * _NODES_PER_PART)
    text = _decode(body)
    value, problem = _parse(text, _DECODER)
    if problem is not None:
        raise problem
    _refuse_lone_surrogates(text, value)
    return value


def load_nested(text: str, *, depth: int, limits: Limits) -> dict[str, JSON] | list[JSON] | None:
    """Read a string that should hold a JSON object or array; None when it is anything else or not I-JSON."""
    if depth < 1 or text.lstrip(" \t\r\n")[:1] not in {"{", "["}:
        return None
    try:
        _bound(text.encode(), depth=depth, nodes=limits.parts * _NODES_PER_PART)
        value, problem = _parse(text, _NESTED)
        _refuse_lone_surrogates(text, value)
    except (InvalidRequestError, TooLargeError, UnicodeEncodeError):  # the last: half of a surrogate pair, unescaped
        return None
    return value if problem is None and isinstance(value, dict | list) else None


def _decode(body: bytes) -> str:
    # Raised outside the handler: UnicodeDecodeError and JSONDecodeError carry the whole body, and an exception keeps
    # the one that was being handled as its context.
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    raise InvalidRequestError(f"expected UTF-8, found a byte that is not at offset {at}", code="invalid_utf8")


def _parse(text: str, decoder: json.JSONDecoder) -> tuple[JSON, InvalidRequestError | None]:
    try:
        return decoder.decode(text), None
    except _DuplicateKeyError:
        return None, InvalidRequestError("expected each key once in an object, found one twice", code="duplicate_key")
    except _NotANumberError:
        return None, InvalidRequestError(
            "expected a number, found NaN or Infinity, which JSON does not have", code="invalid_number"
        )
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
    return None, InvalidRequestError(
        f"expected JSON, found something else at line {line}, column {column}", code="invalid_json"
    )


def _bound(body: bytes, *, depth: int, nodes: int) -> None:
    """Refuse what is deeper or wider than the limits, before any recursive reader sees it."""
    opened = body.count(b"{") + body.count(b"[")
    if opened <= depth and opened + body.count(b",") < nodes:
        return
    # A quote opens a string here exactly when it does for the parser, up to the parser's first error, so no bracket
    # that the parser would descend into is overlooked.
    bare = _STRING.sub(b"", body)
    if 1 + bare.count(b",") + bare.count(b"{") + bare.count(b"[") > nodes:
        raise TooLargeError(f"expected at most {nodes} values in a body, found more", code="too_many_parts")
    level = 0
    for bracket in _BRACKET.findall(bare):
        level += 1 if bracket in b"{[" else -1
        if level > depth:
            raise TooLargeError(f"expected at most {depth} nested levels, found more", code="too_deep")


def _refuse_lone_surrogates(text: str, value: JSON) -> None:
    """Search a document that has escapes for surrogates; decoded bytes hold none, so others need no search."""
    if _SURROGATE.search(text) is None:
        return
    try:
        dump(value).encode("utf-8")
    except UnicodeEncodeError:
        lone = True
    else:
        lone = False
    if lone:
        raise InvalidRequestError("expected Unicode text, found half of a surrogate pair", code="invalid_unicode")


def dump(value: JSON) -> str:
    """Write a document compactly, each number as the literal it came as."""
    if isinstance(value, str):
        return str(encode_basestring(value))
    if isinstance(value, dict):
        return "{" + ",".join([f"{encode_basestring(key)}:{dump(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([dump(item) for item in value]) + "]"
    if isinstance(value, Number):
        return value.literal
    return "null" if value is None else "true" if value else "false"


def thaw(value: JSON) -> Any:  # plain Python values, for callers that take no `Number`
    """Copy a document into plain Python values. Raises `InvalidRequestError` for a number that Python cannot hold."""
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [thaw(item) for item in value]
    if isinstance(value, Number):
        return _python_number(value)
    return value


_LONGEST_INT: Final = 4300  # digits; Python's own limit on converting text to integers


def _python_number(number: Number) -> int | float:
    if number.integral and len(number.literal) <= _LONGEST_INT:
        return int(number.literal)
    held = float(number.literal)
    if number.integral or math.isinf(held):
        raise InvalidRequestError(
            "expected a number that a double can hold, found a larger one; write it as a string",
            code="number_out_of_range",
        )
    return held


def kind_of(value: JSON) -> str:
    """Name the JSON type of a value, with its article, for an error message."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, Number):
        return "a number"
    return "null" if value is None else "a boolean"
