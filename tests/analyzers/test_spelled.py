"""Names and numbers that stand in no one piece are read as a person would read them. Everybody here is invented."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analyzers.examine import Examiner, Text, options_of
from phigate.analyzers.shadow import view_of
from phigate.analyzers.spelled import find_spelled

EXAMINER = Examiner(options_of(knob="recall", allow=(), deny={}))


def found(text: str) -> set[tuple[str, str]]:
    part = EXAMINER.examine([Text(text)])[0]
    assert part.unread == frozenset()
    return {(text[f.start : f.end], f.entity_type.value) for f in part.findings if f.score >= 0.5}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The patient M A R I A  S I L V A came in.", "M A R I A  S I L V A"),
        ("seen today: M A R I A S I L V A", "M A R I A S I L V A"),
        ("M-A-R-I-A S-I-L-V-A was here", "M-A-R-I-A S-I-L-V-A"),
        ("z o r b q is my last name", "z o r b q"),
        ("record of mariaSilva, export", "mariaSilva"),
        ("Patient: Sm1th, waiting", "Sm1th"),
    ],
)
def test_a_name_in_pieces_is_a_person(text: str, name: str) -> None:
    assert (name, "PERSON") in found(text)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("MRN four eight two one zero three seven seven", "four eight two one zero three seven seven", "MRN"),
        ("SSN one two three, four five, six seven two one", "one two three, four five, six seven two one", "US_SSN"),
        ("ssn 1 2 3 - 4 5 - 6 7 8 9", "1 2 3 - 4 5 - 6 7 8 9", "US_SSN"),
        ("CPF 5 2 9 . 9 8 2 . 2 4 7 - 2 5", "5 2 9 . 9 8 2 . 2 4 7 - 2 5", "BR_CPF"),
        ("prontuário quatro oito dois um zero três sete", "quatro oito dois um zero três sete", "MRN"),
        ("call 617 five five five 0142", "617 five five five 0142", "PHONE"),
        ("phone double five five zero one four two", "double five five zero one four two", "PHONE"),
        ("téléphone zéro six, douze, trente-quatre, dix", "zéro six, douze, trente-quatre, dix", "PHONE"),
        ("it was 4 8 2 1 0 3 7 then", "4 8 2 1 0 3 7", "UNIQUE_ID"),
        ("patient_48210377", "patient_48210377", "UNIQUE_ID"),
        ("see 48210377_ecg.pdf", "48210377_ecg.pdf", "UNIQUE_ID"),
        ("maria dot zorba at hospital dot org", "maria dot zorba at hospital dot org", "EMAIL"),
    ],
)  # fmt: skip
def test_a_number_in_pieces_is_what_its_label_says(text: str, value: str, kind: str) -> None:
    assert (value, kind) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "scores 0 1 2 3 4 5 6 7 in this scale",
        "count one two three four five six seven with me",
        "table 0 1 0 0 1 1 0 2",
        "Take one or two tablets in three or four days.",
        "D I A G N O S I S : pneumonia",
        "vitamins A, C, D, E and K; z. B. d. h. u. a.",
        "the fields firstName and markDown, the virus H1n1x",
    ],
)
def test_lists_headings_and_code_are_nobody(text: str) -> None:
    assert not {kind for _, kind in found(text)} & {"PERSON", "UNIQUE_ID", "PHONE", "MRN"}


@given(st.text(alphabet="abMRIS 0123456789.-,_\nonetwodoublefive", max_size=120))
def test_any_text_gives_findings_inside_it(text: str) -> None:
    for finding in find_spelled(view_of(text)):
        assert 0 <= finding.start < finding.end <= len(text)


@pytest.mark.parametrize("piece", ["a ", "1 ", "one ", "aB", "S1a ", "m-", "twenty five "])
def test_hostile_runs_cost_in_proportion_to_their_length(piece: str) -> None:
    def spent(size: int) -> float:
        view = view_of(piece * size)
        began = time.process_time()
        find_spelled(view)
        return time.process_time() - began

    small, large = spent(2_000), spent(16_000)
    assert large < max(small, 0.002) * 8 * 4
