"""RFC 8785 (JCS) for the JSON that entries and keyrings use: object, array, string, bool, integer; ASCII keys.

No float and no null: in this subset the canonical form is what sorted, compact JSON gives, so that two hundred lines
of number formatting are not needed, and `phigate-verify` needs no package. INVARIANT: `parse` accepts exactly the
bytes that `encode` makes, which rules out a duplicate key, a second spelling and a number that readers disagree on.
"""

from __future__ import annotations

import json
from typing import Final, NoReturn

from phigate.tlog.errors import FormatError

JSON = bool | int | str | list["JSON"] | dict[str, "JSON"]

SAFE_INTEGER: Final = 2**53 - 1  # RFC 8785 section 3.2.2.3: beyond it, readers of JSON disagree
MAX_DEPTH: Final = 32

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _refuse_number(text: str) -> NoReturn:
    del text
    raise FormatError("expected integers only, found another number")


def _integer(text: str) -> int:
    value = int(text) if len(text) < 18 else SAFE_INTEGER + 1
    if not -SAFE_INTEGER <= value <= SAFE_INTEGER:
        raise FormatError(f"expected integers within {SAFE_INTEGER}")
    return value


_DECODER: Final = json.JSONDecoder(parse_int=_integer, parse_float=_refuse_number, parse_constant=_refuse_number)


def encode(value: dict[str, JSON]) -> bytes:
    """Return the one encoding of an object. Raises `FormatError` for a value outside the subset."""
    _check(value, MAX_DEPTH)
    return _encode(value)


def parse(line: bytes) -> dict[str, JSON]:
    """Read an object from its one encoding. Raises `FormatError` for any other bytes."""
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):  # both kinds of decoding error are ValueErrors
        raise FormatError("expected one line of canonical JSON") from None
    if not isinstance(value, dict):
        raise FormatError("expected a JSON object")
    # Where none of this stands in the line there is nothing for `_check` to find: it runs for few entries of a log.
    suspicious = not line.isascii() or b"\\" in line or b"null" in line
    if suspicious or line.count(b"{") + line.count(b"[") > MAX_DEPTH:
        _check(value, MAX_DEPTH)
    if _encode(value) != line:
        raise FormatError("expected canonical JSON: sorted unique keys, no space, shortest escapes")
    return value


def _encode(value: dict[str, JSON]) -> bytes:
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise FormatError("expected Unicode text, found half of a surrogate pair") from None


def _check(value: object, depth: int) -> None:
    if depth == 0:
        raise FormatError(f"expected at most {MAX_DEPTH} levels of JSON")
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise FormatError("expected ASCII keys")
            _check(member, depth - 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth - 1)
    elif isinstance(value, int):  # bool as well
        if not -SAFE_INTEGER <= value <= SAFE_INTEGER:
            raise FormatError(f"expected integers within {SAFE_INTEGER}")
    elif not isinstance(value, str):
        raise FormatError("expected object, array, string, bool or integer")
