import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analysis import PartAnalysis
from phigate.deid.regions import Region, family, informs, merge, moved, operator_of, regions, stricter
from phigate.finding import EntityType, Family, Finding, Span
from phigate.policy.decision import Operator, Thresholds
from tests.deid.exchanges import decision

T, Op = EntityType, Operator
CLAIMS = st.lists(
    st.builds(
        lambda start, size, kind, op: Region(start, start + size, kind, op),
        st.integers(0, 30),
        st.integers(1, 10),
        st.sampled_from([T.PERSON, T.CITY, T.DATE, T.AGE, T.CLINICIAN_NAME]),
        st.sampled_from([Op.TOKEN, Op.REDACT, Op.YEAR, Op.STATE, Op.AGE90]),
    ),
    max_size=8,
)


def _regions(text: str, *findings: Finding, keep: tuple[EntityType, ...] = ()) -> tuple[list[Region], list[Region]]:
    return regions(text, PartAnalysis(findings, "en"), decision(dict.fromkeys(keep, Op.KEEP)))


@given(CLAIMS)
def test_regions_cover_every_claim_and_nothing_more(claims: list[Region]) -> None:
    merged = merge(claims)
    assert {i for r in merged for i in range(r.start, r.end)} == {i for c in claims for i in range(c.start, c.end)}
    assert all(one.end <= other.start for one, other in itertools.pairwise(merged))
    for region in merged:
        inside = [c for c in claims if region.start <= c.start and c.end <= region.end]
        assert (Op.REDACT in {c.operator for c in inside}) <= (region.operator is Op.REDACT)


@pytest.mark.parametrize(
    ("one", "other", "wins"),
    [
        ((Op.TOKEN, T.PERSON), (Op.YEAR, T.DATE), (Op.TOKEN, T.PERSON)),
        ((Op.TOKEN, T.PERSON), (Op.REDACT, T.CITY), (Op.REDACT, T.CITY)),
        ((Op.TOKEN, T.PERSON), (Op.TOKEN, T.CITY), (Op.TOKEN, T.PERSON)),
        ((Op.POSTAL3, T.ZIP), (Op.STATE, T.STREET), (Op.STATE, T.STREET)),
        ((Op.YEAR, T.DATE), (Op.AGE90, T.AGE), (Op.REDACT, T.DATE)),
        ((Op.HASH_KEYED, T.MRN), (Op.YEAR, T.DATE), (Op.HASH_KEYED, T.MRN)),
    ],
)
def test_the_stricter_of_two_claims_wins(
    one: tuple[Operator, EntityType], other: tuple[Operator, EntityType], wins: tuple[Operator, EntityType]
) -> None:
    assert stricter(one, other) == stricter(other, one) == wins


def test_an_unknown_type_is_the_strictest_and_takes_the_operator_for_the_unknown() -> None:
    new = EntityType.__str__(T.PERSON) + "_NEW"
    assert operator_of(new, decision()) is Op.REDACT  # type: ignore[arg-type]
    assert stricter((Op.TOKEN, new), (Op.TOKEN, T.PERSON)) == (Op.TOKEN, new)  # type: ignore[arg-type]
    assert family(new) is Family.ID  # type: ignore[arg-type]


def test_only_quasi_identifiers_of_which_something_stays_inform() -> None:
    assert informs(Op.AGE90, T.AGE)
    assert informs(Op.KEEP, T.CITY)
    assert not informs(Op.TOKEN, T.CITY)
    assert not informs(Op.KEEP, T.CLINICIAN_NAME)


def test_findings_below_their_threshold_do_not_exist() -> None:
    table = Thresholds({(T.PERSON, "pt"): 0.5}, 0.3)
    found = (Finding(0, 5, T.PERSON, 0.45), Finding(6, 9, T.CITY, 0.31))
    changed, _ = regions("Maria Rio", PartAnalysis(found, "pt"), decision(thresholds=table))
    assert changed == [Region(6, 9, T.CITY, Op.TOKEN)]


def test_overlapping_findings_become_their_union_and_touching_ones_do_not() -> None:
    text = "Maria Souza Street"
    changed, _ = _regions(text, Finding(0, 11, T.PERSON, 0.9), Finding(6, 18, T.STREET, 0.9))
    assert changed == [Region(0, 18, T.PERSON, Op.TOKEN)]
    changed, _ = _regions(text, Finding(0, 5, T.PERSON, 0.9), Finding(5, 11, T.CITY, 0.9))
    assert [(r.start, r.end) for r in changed] == [(0, 5), (6, 11)]


def test_kept_findings_demand_nothing_of_others() -> None:
    changed, kept = _regions(
        "Parkinson disease", Finding(0, 17, T.DIAGNOSIS, 0.9), Finding(0, 9, T.PERSON, 0.9), keep=(T.DIAGNOSIS,)
    )
    assert changed == [Region(0, 9, T.PERSON, Op.TOKEN)]
    assert kept == [Region(0, 17, T.DIAGNOSIS, Op.KEEP)]


def test_outer_spaces_are_left_and_findings_of_nothing_else_do_not_exist() -> None:
    changed, _ = _regions(" Maria\n ", Finding(0, 8, T.PERSON, 0.9), Finding(6, 8, T.CITY, 0.9))
    assert changed == [Region(1, 6, T.PERSON, Op.TOKEN)]


@pytest.mark.parametrize(("start", "end"), [(5, 9), (9, 3), (-4, 0), (3, 3)])
@pytest.mark.parametrize("kind", [T.PERSON, T.DIAGNOSIS])
def test_a_finding_outside_its_text_redacts_all_of_it(start: int, end: int, kind: EntityType) -> None:
    changed, kept = _regions("Maria", Finding(start, end, kind, 0.9), keep=(T.DIAGNOSIS,))
    assert changed == [Region(0, 5, kind, Op.REDACT)]
    assert kept == []


def test_a_finding_that_reaches_beyond_its_text_is_cut() -> None:
    assert _regions("Maria", Finding(-3, 50, T.PERSON, 0.9))[0] == [Region(0, 5, T.PERSON, Op.TOKEN)]


def test_a_finding_in_a_number_claims_the_whole_number() -> None:
    changed, _ = regions("12345678", PartAnalysis((Finding(2, 5, T.MRN, 0.9),), ""), decision(), whole=True)
    assert changed == [Region(0, 8, T.MRN, Op.TOKEN)]


@given(CLAIMS, CLAIMS, st.lists(st.integers(0, 15), min_size=8, max_size=8))
def test_what_is_kept_is_found_again_in_the_new_text(
    claims: list[Region], kept: list[Region], sizes: list[int]
) -> None:
    changed = merge(claims)
    text = [f"{n}" for n in range(45)]  # one unit a character, so that each can be told from all others
    spans: list[Span] = []
    new: list[str] = []
    at = 0
    for region, size in zip(changed, sizes, strict=False):
        new += text[at : region.start]
        spans.append(Span(len(new), len(new) + size))
        new += ["x"] * size
        at = region.end
    new += text[at:]
    left = {new[i] for span in moved(kept, changed, spans) for i in range(span.start, span.end)}
    gone = {f"{i}" for r in changed for i in range(r.start, r.end)}
    assert left - {"x"} == {f"{i}" for k in kept for i in range(k.start, k.end)} - gone
