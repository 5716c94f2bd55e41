"""What is escaped twice, or in ways that texts seldom have, is found where it stands."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analyzers.escapes import find_escaped
from phigate.analyzers.shadow import view_of
from phigate.finding import EntityType as T


def found(text: str) -> set[tuple[str, T]]:
    view = view_of(text)
    return {(text[slice(*view.original(f.start, f.end))], f.entity_type) for f in find_escaped(view)}


@pytest.mark.parametrize(
    ("text", "value", "entity_type"),
    [
        ("SSN 123=2D45=2D6789", "123=2D45=2D6789", T.US_SSN),
        ("Patient: Helena Brand=C3=A3o, 54", "Helena Brand=C3=A3o", T.PERSON),
        (r"SSN 123\x2d45\x2d6789", r"123\x2d45\x2d6789", T.US_SSN),
        ("SSN 123%252D45%252D6789", "123%252D45%252D6789", T.US_SSN),
        ("é SSN 123&amp;#45;45&amp;#45;6789", "123&amp;#45;45&amp;#45;6789", T.US_SSN),
    ],
)
def test_what_stands_behind_escapes_is_found_where_it_stands(text: str, value: str, entity_type: T) -> None:
    assert (value, entity_type) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "x=12 and y=FF, 100% of 20%",
        "a=C3=28 b",
        "&nbsp; &amp; &lt;",
        "SSN 123-45-6789",
        "",
    ],
)
def test_signs_that_escape_nothing_are_left_alone(text: str) -> None:
    assert found(text) == set()


@given(st.text(alphabet="aB1 -.=C3A%x\\&;#ü,", max_size=60))
def test_any_text_is_read_with_offsets_inside_it(text: str) -> None:
    view = view_of(text)
    for finding in find_escaped(view):
        assert 0 <= finding.start < finding.end <= len(view.shadow)


def test_long_rows_cost_little() -> None:
    for text in ("=2D" * 30_000, "%41 " * 30_000, "&" * 90_000, "\\x" * 40_000):
        view = view_of(text)
        began = time.process_time()
        find_escaped(view)
        assert time.process_time() - began < 5
