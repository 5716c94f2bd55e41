from collections import Counter

import pytest

from phigate.analysis import Analysis
from phigate.deid.answers import invented_identifiers, proven_misses
from phigate.deid.deidentify import UNCHANGED, Scrubbed, deidentify
from phigate.deid.residual import outgoing
from phigate.finding import EntityType
from phigate.phi import PHIText
from phigate.policy.decision import Operator
from phigate.wire.parts import Part, PartKind
from tests.deid.exchanges import T, analysis_of, decision, found_in, parts_of

RULES = decision({T.CLINICIAN_NAME: Operator.KEEP})
RAW = parts_of("Maria Souza, seen by Rui Dias, tel 555-0102-77, and Olga Petrova")
FOUND = {"Maria Souza": T.PERSON, "Rui Dias": T.CLINICIAN_NAME, "555-0102-77": T.PHONE}
SCRUBBED = deidentify(RAW, analysis_of(RAW, FOUND), RULES)
SEEN = {
    "Maria Souza": T.PERSON,
    "maria  souza": T.PERSON,
    "Rui Dias": T.CLINICIAN_NAME,
    "Olga Petrova": T.PERSON,
    "OLGA PETROVA": T.PERSON,
    "Ivan Kovac": T.PERSON,
    "999-0000-11": T.PHONE,
    "[[PERSON_1]]": T.PERSON,
    "PERSON_9": T.PERSON,
    "Lisbon": T.CITY,
}


def _texts(*texts: str, role: str = "tool") -> tuple[Part, ...]:
    return tuple(
        Part(n, f"/choices/0/message/x{n}", PHIText(text), PartKind.TEXT, role) for n, text in enumerate(texts)
    )


def _analysis(texts: tuple[Part, ...], score: float = 0.9) -> Analysis:
    return Analysis(tuple(found_in(p.text.reveal(), SEEN, score=score) for p in texts), "x")


def _invented(
    *texts: str, role: str = "tool", scrubbed: Scrubbed = SCRUBBED, score: float = 0.9
) -> Counter[EntityType]:
    parts = _texts(*texts, role=role)
    sent = outgoing(RAW, scrubbed)
    return invented_identifiers(parts, _analysis(parts, score), scrubbed, decision=RULES, sent=sent)


def _missed(*texts: str, scrubbed: Scrubbed = SCRUBBED) -> Counter[EntityType]:
    parts = _texts(*texts, role="assistant")
    return proven_misses(parts, _analysis(parts), scrubbed, decision=RULES, raw=RAW)


def test_an_identifier_that_nobody_gave_is_invented() -> None:
    assert _invented("Ivan Kovac", "999-0000-11", "nothing") == {T.PERSON: 1, T.PHONE: 1}


@pytest.mark.parametrize(
    "text",
    [
        "[[PERSON_1]]",  # a token of the map
        "maria  souza",  # a value of the map: not from here, but no invention either
        "Rui Dias",  # kept by policy and sent
        "Olga Petrova",  # missed and sent: that is for the other count
        "Lisbon",  # no direct identifier
        "",
    ],
)
def test_what_came_from_the_exchange_or_names_nobody_is_not_invented(text: str) -> None:
    assert _invented(text) == {}


def test_only_the_input_of_tools_is_looked_at_for_inventions() -> None:
    assert _invented("Ivan Kovac", role="assistant") == {}
    assert _invented("Ivan Kovac", score=0.3) == {}


def test_a_token_that_was_never_issued_names_somebody_invented() -> None:
    assert _invented("[[PERSON_9]]") == {T.PERSON: 1}


def test_an_identifier_of_the_request_that_was_not_taken_out_is_a_proven_miss() -> None:
    assert _missed("I think OLGA PETROVA", "and Olga Petrova again") == {T.PERSON: 1}


@pytest.mark.parametrize("text", ["Maria Souza", "[[PERSON_1]]", "Rui Dias", "Ivan Kovac", "Lisbon", "nothing"])
def test_what_was_taken_out_kept_or_never_there_was_not_missed(text: str) -> None:
    assert _missed(text) == {}


def test_what_left_raw_was_given_and_neither_invented_nor_taken_out() -> None:
    assert _invented("Olga Petrova", scrubbed=UNCHANGED) == {}
    assert _invented("Ivan Kovac", scrubbed=UNCHANGED) == {T.PERSON: 1}


def test_an_analysis_of_other_texts_is_an_error() -> None:
    parts = _texts("a")
    with pytest.raises(ValueError, match="shorter"):
        proven_misses(parts, Analysis((), "x"), SCRUBBED, decision=RULES, raw=RAW)
