"""No bytes make a parser do anything but return a value or raise what it documents, and one value has one encoding."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import phigate.audit
import phigate.tlog
import phigate.wire
from tests.fuzz.mutations import bent, noise
from tests.fuzz.parsers import LIMITS, TABLE, Parser

_NAMED = re.compile(r"(parse|from|decode|read|open|load|split|known_logs|merge_answer|see)(_|$)")
_MESSAGE = re.compile(r"[^\n]{1,600}")
rows = pytest.mark.parametrize("parser", TABLE, ids=[row.name for row in TABLE])


def parsers() -> Iterator[str]:
    """Yield the public functions and class methods that are named as parsers are."""
    for package in (phigate.tlog, phigate.audit, phigate.wire):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if getattr(value, "__module__", "") != found.name:
                    continue
                if inspect.isfunction(value) and _NAMED.match(name):
                    yield f"{found.name}.{name}"
                if inspect.isclass(value):
                    methods = [each for each, held in vars(value).items() if isinstance(held, classmethod)]
                    yield from (f"{found.name}.{name}.{each}" for each in methods if _NAMED.match(each))


def test_every_parser_has_a_row() -> None:
    assert set(parsers()) - {row.name for row in TABLE} == set()


@rows
def test_valid_input_is_read_and_written_back(parser: Parser) -> None:
    for seed in parser.seeds:
        value = parser.read(seed)
        if parser.write is not None:
            assert parser.write(value) == seed


@rows
@given(data=st.data())
def test_hostile_input_is_refused_or_has_one_encoding(parser: Parser, data: st.DataObject) -> None:
    drawn = data.draw(bent(parser.seeds) | noise(parser.seeds))
    try:
        value = parser.read(drawn)
    except parser.errors as error:
        message = str(error)
        assert _MESSAGE.fullmatch(message)
        assert message[0].islower() or message.startswith("JSON"), message
        return
    if parser.write is not None:
        assert parser.write(value) == drawn


@rows
@pytest.mark.parametrize(
    "piece", [b"\x00", b"\n", b"[", b'{"a":', b"9", b" ", b"A", b"data:a\n", b"\xe2\x80\x94 a\n", b"\xff"]
)
def test_a_megabyte_of_one_thing_costs_no_more_than_its_reading(parser: Parser, piece: bytes) -> None:
    long = piece * (LIMITS.body_bytes * 4 // len(piece))
    for drawn in (long, parser.seeds[0] + long, parser.seeds[0][:-1] + long + parser.seeds[0][-1:]):
        try:
            value = parser.read(drawn)
        except parser.errors:
            continue
        assert parser.write is None or parser.write(value) == drawn
