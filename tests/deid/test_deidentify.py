import time
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analysis import Analysis, PartAnalysis
from phigate.deid.deidentify import UNCHANGED, Scrubbed, deidentify
from phigate.deid.fold import fold
from phigate.deid.generalise import Params
from phigate.finding import EntityType, Finding, Span
from phigate.policy.decision import Operator
from phigate.wire.parts import Part, PartKind
from tests.deid.exchanges import analysis_of, decision, part, parts_of

T, Op = EntityType, Operator
TODAY = Params(today=date(2026, 11, 23))
HIPAA = {
    T.DATE: Op.YEAR,
    T.AGE: Op.AGE90,
    T.ZIP: Op.POSTAL3,
    T.CITY: Op.STATE,
    T.CLINICIAN_NAME: Op.KEEP,
    T.DIAGNOSIS: Op.KEEP,
}


def _scrub(
    texts: Sequence[str | Part],
    words: dict[str, EntityType],
    operators: dict[EntityType, Operator] | None = None,
    *,
    most: int = 3,
    reserved: tuple[str, ...] = (),
) -> tuple[list[str], Scrubbed]:
    parts = tuple(t if isinstance(t, Part) else part(t, n) for n, t in enumerate(texts))
    scrubbed = deidentify(
        parts, analysis_of(parts, words), decision(operators, most=most), reserved=reserved, params=TODAY
    )
    return [scrubbed.edits.get(p.index, p.text.reveal()) for p in parts], scrubbed


def test_one_value_gets_one_token_in_all_parts() -> None:
    texts, scrubbed = _scrub(("Maria Souza came.", "Ask Maria Souza again."), {"Maria Souza": T.PERSON})
    assert texts == ["[[PERSON_1]] came.", "Ask [[PERSON_1]] again."]
    assert scrubbed.counts == {T.PERSON: {Op.TOKEN: 2}}
    assert [v.reveal() for v in scrubbed.values] == ["Maria Souza"]
    assert scrubbed.written == {0: (Span(0, 12),), 1: (Span(4, 16),)}


def test_each_type_is_changed_by_its_operator() -> None:
    texts, scrubbed = _scrub(
        ("Ana, 93, of Boston, MA 10001, seen on 2024-05-17 by Rui Dias for Crohn disease.",),
        {
            "Ana": T.PERSON,
            "93": T.AGE,
            "Boston, MA": T.CITY,
            "10001": T.ZIP,
            "2024-05-17": T.DATE,
            "Rui Dias": T.CLINICIAN_NAME,
            "Crohn disease": T.DIAGNOSIS,
        },
        HIPAA,
    )
    assert texts == ["[[PERSON_1]], 90+, of MA 100, seen on 2024 by Rui Dias for Crohn disease."]
    kept = scrubbed.kept[0]
    assert [texts[0][span.start : span.end] for span in kept] == ["Rui Dias", "Crohn disease"]
    assert [texts[0][s.start : s.end] for s in scrubbed.written[0]] == ["[[PERSON_1]]", "90+", "MA", "100", "2024"]
    assert scrubbed.types_left == (T.AGE, T.CITY, T.DATE, T.ZIP)
    assert scrubbed.counts[T.ZIP] == {Op.POSTAL3: 1}


def test_a_value_found_in_one_part_is_changed_where_it_stands_unfound() -> None:
    parts = parts_of("Maria Souza, CPF 529.982.247-25", "note for MARIA\n SOUZA 52998224725.", "Mariana Souza; banana")
    found = analysis_of(parts[:1], {"Maria Souza": T.PERSON, "529.982.247-25": T.BR_CPF}).parts
    analysis = Analysis((*found, PartAnalysis((), "pt"), PartAnalysis((), "pt")), "test@1")
    scrubbed = deidentify(parts, analysis, decision())
    assert scrubbed.edits == {0: "[[PERSON_1]], CPF [[BR_CPF_1]]", 1: "note for [[PERSON_1]] [[BR_CPF_1]]."}
    assert scrubbed.counts == {T.PERSON: {Op.TOKEN: 2}, T.BR_CPF: {Op.TOKEN: 2}}


def test_a_value_carried_over_a_kept_finding_takes_its_strictest_type() -> None:
    parts = parts_of("Patient Ana Souza", "seen by Ana Souza")
    analysis = Analysis(
        (
            PartAnalysis((Finding(8, 17, T.PERSON, 0.9),), "en"),
            PartAnalysis((Finding(8, 17, T.CLINICIAN_NAME, 0.9),), "en"),
        ),
        "test@1",
    )
    scrubbed = deidentify(parts, analysis, decision({T.CLINICIAN_NAME: Op.KEEP}))
    assert scrubbed.edits[1] == "seen by [[PERSON_1]]"
    assert scrubbed.kept == {0: (), 1: ()}


def test_values_that_meet_when_carried_are_covered_together() -> None:
    parts = parts_of("Ana Maria", "Maria Souza", "Ana Maria Souza")
    found = [PartAnalysis((Finding(0, len(p.text), T.PERSON, 0.9),), "en") for p in parts[:2]]
    scrubbed = deidentify(parts, Analysis((*found, PartAnalysis((), "en")), "test@1"), decision())
    # Each is now part of the longer name that the third part holds.
    assert scrubbed.edits == {0: "[[PERSON_1.1]]", 1: "[[PERSON_1.2]]", 2: "[[PERSON_1]]"}


def test_values_that_operators_leave_as_they_are_are_carried_nowhere() -> None:
    texts, scrubbed = _scrub(("in 2019, aged 55", "2019 and 55"), {"aged 55": T.AGE}, HIPAA)
    assert texts == ["in 2019, aged 55", "2019 and 55"]
    assert scrubbed.edits == {}
    assert scrubbed.written == {0: (Span(9, 16),)}


def test_literals_of_the_request_are_never_issued() -> None:
    texts, scrubbed = _scrub(
        ("[[PERSON_1]] and \\[\\[person 2\\]\\] met Ana and Rui",),
        {"Ana": T.PERSON, "Rui": T.PERSON},
        reserved=("[PERSON_4]",),
    )
    assert texts == ["[[PERSON_1]] and \\[\\[person 2\\]\\] met [[PERSON_3]] and [[PERSON_5]]"]
    assert ("PERSON", 1) in scrubbed.surrogates.reserved


def test_a_finding_where_no_token_fits_keeps_the_request_at_home() -> None:
    name = part("maria", 0, kind=PartKind.NAME, pointer="/messages/0/name")
    _, scrubbed = _scrub((name, part("Ask Maria", 1)), {"maria": T.PERSON, "Maria": T.PERSON})
    assert scrubbed.unfit == (0,)
    assert scrubbed.edits == {1: "Ask [[PERSON_1]]"}
    carried = deidentify(
        (name, part("Ask Maria", 1)),
        Analysis((PartAnalysis((), ""), PartAnalysis((Finding(4, 9, T.PERSON, 0.9),), "en")), "test@1"),
        decision(),
    )
    assert carried.unfit == (0,)


def test_a_name_that_its_operator_leaves_alone_fits() -> None:
    name = part("age_55", 0, kind=PartKind.NAME)
    _, scrubbed = _scrub((name,), {"55": T.AGE}, HIPAA)
    assert scrubbed.unfit == ()


def test_a_number_becomes_one_token_and_is_remembered_as_a_number() -> None:
    number = part("12345678", 0, kind=PartKind.NUMBER, pointer="/messages/0/tool_calls/0/function/arguments#/mrn")
    texts, scrubbed = _scrub((number, part("MRN 1234-5678", 1)), {"345": T.MRN, "1234-5678": T.MRN})
    assert texts == ["[[MRN_1]]", "MRN [[MRN_1]]"]
    issued = scrubbed.surrogates.issued[0]
    assert issued.number is not None
    assert issued.number.reveal() == "12345678"
    leaf = part("12345678", 2, pointer="/messages/0/tool_calls/0/function/arguments#/other")
    _, scrubbed = _scrub((number, part("x", 1), leaf), {"12345678": T.MRN})
    assert scrubbed.surrogates.issued[0].number is None


@pytest.mark.parametrize(
    ("most", "out"),
    [
        (3, "93, MA, 2024"),
        (2, "93, [REDACTED], 2024"),
        (1, "93, [REDACTED], [REDACTED]"),
        (0, "[REDACTED], [REDACTED], [REDACTED]"),
    ],
)
def test_families_beyond_the_limit_are_redacted_places_first(most: int, out: str) -> None:
    operators = {**HIPAA, T.AGE: Op.KEEP}
    texts, scrubbed = _scrub(
        ("93, Boston, MA, May 2024",), {"93": T.AGE, "Boston, MA": T.CITY, "May 2024": T.DATE}, operators, most=most
    )
    assert texts == [out]
    assert len(scrubbed.types_left) == most


def test_what_its_operator_cannot_read_is_redacted_and_searched_for() -> None:
    texts, scrubbed = _scrub(("seen on Tuesday", "Tuesday again"), {"on Tuesday": T.DATE}, HIPAA)
    assert texts == ["seen [REDACTED]", "Tuesday again"]
    assert scrubbed.counts == {T.DATE: {Op.REDACT: 1}}
    assert [v.reveal() for v in scrubbed.values] == ["on Tuesday"]
    assert scrubbed.types_left == ()


def test_an_analysis_of_other_parts_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        deidentify(parts_of("a", "b"), analysis_of(parts_of("a"), {}), decision())


def test_an_exchange_without_findings_is_left_as_it_is() -> None:
    _, scrubbed = _scrub(("nothing here", "nor here"), {})
    assert scrubbed == UNCHANGED
    assert len(scrubbed.surrogates) == 0


def test_no_text_of_the_request_is_shown() -> None:
    _, scrubbed = _scrub(
        ("Maria Souza 529.982.247-25 and more",), {"Maria Souza": T.PERSON, "529.982.247-25": T.BR_CPF}
    )
    assert not any(secret in repr(scrubbed) for secret in ("Maria", "529", "247", "more"))


WORDS = st.sampled_from(
    ["Maria", "Souza", "maria souza", "José", "JOSE", "529.982.247-25", "52998224725", "and", "the", "[[PERSON_1]]"]
)


@given(st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=5), st.data())
def test_no_found_value_is_left_and_all_else_is(texts: list[str], data: st.DataObject) -> None:
    parts = parts_of(*texts)
    names = ["Maria", "Souza", "José", "529.982.247-25"]
    found = dict.fromkeys(data.draw(st.sets(st.sampled_from(names))), T.PERSON)
    scrubbed = deidentify(parts, analysis_of(parts, found), decision())
    stood = {fold(name) for name in found if any(name in text for text in texts)}
    for p in parts:
        new = scrubbed.edits.get(p.index, p.text.reveal())
        assert not stood & set(fold(new).split())
        outside = new
        for span in reversed(scrubbed.written.get(p.index, ())):
            assert outside[span.start : span.end].startswith("[[PERSON_")
            outside = outside[: span.start] + outside[span.end :]
        assert set(outside.split()) <= set(p.text.reveal().split())


def test_ten_thousand_findings_take_linear_time() -> None:
    names = [f"Patient{n:05d} Family{n:05d}" for n in range(2_000)]
    text = ". ".join(names * 5)
    findings, at = [], 0
    for name in names * 5:
        findings.append(Finding(at, at + len(name), T.PERSON, 0.9))
        at += len(name) + 2
    began = time.process_time()
    scrubbed = deidentify(parts_of(text), Analysis((PartAnalysis(tuple(findings), "en"),), "test@1"), decision())
    assert time.process_time() - began < 5
    assert len(scrubbed.surrogates) == 2_000
    assert "Family" not in scrubbed.edits[0]
