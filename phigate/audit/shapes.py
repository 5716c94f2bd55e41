"""The shapes that a value in an entry can have: number, code, id, digest, time, and lists and tables of these.

None of them is free text. A code is a word of a closed style; an id is a name that the signed bundle or the gateway
gave: it holds a letter and no run of nine digits, so that a bare national, phone or record number is no id. A text
that came from an app never becomes a value here, and if it did by mistake, a space, an accent or an at-sign in it
would refuse the entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

SAFE_INTEGER: Final = 2**53 - 1  # RFC 8785 section 3.2.2.3: beyond it, readers of JSON disagree
MAX_ITEMS: Final = 256  # of one list or table
MAX_ID: Final = 128

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+\-]{0,127}", re.ASCII)
# Names of layers, each with a version or digest: presidio@2.2.366,layers@1 - an e-mail address is none.
_LAYER: Final = r"[a-z][a-z._\-]{0,40}[0-9]{0,4}(@v?(?:[0-9][0-9A-Za-z.\-]{0,40}|[0-9a-f]{8,64}))?"
_DETECTOR: Final = re.compile(rf"{_LAYER}(?:[,+]{_LAYER}){{0,15}}", re.ASCII)
_PROVIDER_ID: Final = re.compile(r"(?=[0-9_.:\-]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}", re.ASCII)
_LONG_NUMBER: Final = re.compile(r"[0-9]{9}", re.ASCII)
_LETTER: Final = re.compile(r"[A-Za-z]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value must be: ``says`` completes "expected …", ``holds`` decides."""

    says: str
    holds: Callable[[object], bool]


def is_id(value: object) -> bool:
    """Return whether the value is a name: letters, digits and ``._:/+-``, at least one letter, no long number."""
    return isinstance(value, str) and _is_id(value)


@lru_cache(maxsize=4096)  # the ids of a bundle come back with every exchange
def _is_id(value: str) -> bool:
    return _ID.fullmatch(value) is not None and _LETTER.search(value) is not None and _LONG_NUMBER.search(value) is None


def is_provider_id(value: object) -> bool:
    """Return whether an id that a provider gave may be recorded: random letters and digits, never digits alone."""
    return isinstance(value, str) and _PROVIDER_ID.fullmatch(value) is not None


def number(low: int = 0, high: int = SAFE_INTEGER) -> Shape:
    """Accept an integer of a range; a bool is not a number."""

    def holds(value: object) -> bool:
        return type(value) is int and low <= value <= high

    return Shape(f"an integer from {low} to {high}", holds)


def pattern(says: str, expression: str) -> Shape:
    """Accept an ASCII string that matches the whole expression."""
    compiled = re.compile(expression, re.ASCII)
    return Shape(says, lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None)


def one_of(words: Iterable[str]) -> Shape:
    """Accept a word of a closed list."""
    closed = frozenset(words)
    return Shape("a word of a closed list", lambda value: isinstance(value, str) and value in closed)


def list_of(item: Shape, *, limit: int = MAX_ITEMS) -> Shape:
    """Accept a list of bounded length whose items all have the shape."""
    item_holds = item.holds

    def holds(value: object) -> bool:
        return isinstance(value, list) and len(value) <= limit and False not in map(item_holds, value)

    return Shape(f"a list of at most {limit} items, each {item.says}", holds)


def row(*items: Shape) -> Shape:
    """Accept a list of exactly these shapes, in order."""

    def holds(value: object) -> bool:
        return (
            isinstance(value, list)
            and len(value) == len(items)
            and all(shape.holds(each) for shape, each in zip(items, value, strict=True))
        )

    return Shape(f"a list of {len(items)}: {'; '.join(item.says for item in items)}", holds)


def table(key: Shape, value_shape: Shape) -> Shape:
    """Accept a table of bounded size with keys and values of these shapes."""

    def holds(value: object) -> bool:
        return (
            isinstance(value, dict)
            and len(value) <= MAX_ITEMS
            and False not in map(key.holds, value)
            and False not in map(value_shape.holds, value.values())
        )

    return Shape(f"a table of {key.says} to {value_shape.says}", holds)


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """Accept a table with every required name and no other than the optional ones."""
    known = {name: shape.holds for name, shape in {**required, **(optional or {})}.items()}

    def holds(value: object) -> bool:
        return (
            isinstance(value, dict)
            and required.keys() <= value.keys()
            and value.keys() <= known.keys()
            and False not in (known[name](each) for name, each in value.items())
        )

    return Shape(f"a table with {', '.join(sorted(required))}", holds)


FLAG: Final = Shape("true or false", lambda value: isinstance(value, bool))
CODE: Final = Shape(
    "a code: lower-case letters, digits and underscores",
    lambda value: isinstance(value, str) and _CODE.fullmatch(value) is not None,
)
ID: Final = Shape("an id: ASCII letters, digits and ._:/+-, with a letter, without a run of nine digits", is_id)
DETECTOR: Final = Shape(
    "the name of a detector build", lambda value: isinstance(value, str) and _DETECTOR.fullmatch(value) is not None
)
PROVIDER_ID: Final = Shape("an id of a provider", is_provider_id)
LANG: Final = pattern("a language code", r"[a-z]{2,3}")
COUNTRY: Final = pattern("a country code", r"[A-Z]{2}")
DAY: Final = pattern("a date", r"[0-9]{4}-[01][0-9]-[0-3][0-9]")
TIME: Final = pattern(
    "an RFC 3339 UTC time", r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z"
)
DIGEST: Final = pattern("sha256: and 64 hexadecimal digits", r"sha256:[0-9a-f]{64}")
HASH: Final = pattern("64 hexadecimal digits", r"[0-9a-f]{64}")
SIGNATURE: Final = pattern("128 hexadecimal digits", r"[0-9a-f]{128}")
TAG: Final = pattern("32 hexadecimal digits", r"[0-9a-f]{32}")
UUID: Final = pattern("a UUID", r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ORIGIN: Final = pattern("an origin: a schemeless URL", r"[a-z0-9][a-z0-9.\-]{0,99}(/[a-z0-9][a-z0-9._\-]{0,99}){0,6}")
VKEY: Final = pattern("a verifier key", r"[A-Za-z0-9._/\-]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{20,120}={0,2}")
_SHORT_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{1,64}", re.ASCII)
PAPER: Final = Shape(
    "a digest or an id",
    lambda value: is_id(value) or (isinstance(value, str) and _SHORT_DIGEST.fullmatch(value) is not None),
)
_VERSION: Final = re.compile(r"[0-9]{1,8}(\.[0-9]{1,4}){0,3}", re.ASCII)
VERSION: Final = Shape(
    "a version", lambda value: is_id(value) or (isinstance(value, str) and _VERSION.fullmatch(value) is not None)
)
COUNT: Final = number()
BODY: Final = record({"n": COUNT, "mac": HASH})
