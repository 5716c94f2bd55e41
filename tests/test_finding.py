import itertools

from hypothesis import given
from hypothesis import strategies as st

from phigate.finding import ENTITY_TABLE, EntityType, Finding, Span, union

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)).map(lambda p: Span(p[0], p[0] + p[1])))


def test_every_type_has_exactly_one_row() -> None:
    assert set(ENTITY_TABLE) == set(EntityType)
    assert all(row.entity_type is key for key, row in ENTITY_TABLE.items())


def test_no_presidio_name_is_mapped_twice() -> None:
    names = [name for row in ENTITY_TABLE.values() for name in row.presidio]
    assert len(names) == len(set(names))


@given(SPANS)
def test_union_covers_exactly_the_characters_of_its_spans(spans: list[Span]) -> None:
    covered = {i for s in spans for i in range(s.start, s.end)}
    merged = union(spans)
    assert {i for s in merged for i in range(s.start, s.end)} == covered
    assert all(a.end < b.start for a, b in itertools.pairwise(merged))


def test_union_takes_findings() -> None:
    found = [Finding(0, 4, EntityType.PERSON, 0.5), Finding(2, 9, EntityType.CITY, 0.9)]
    assert union(found) == (Span(0, 9),)
