"""All layers over one exchange: equal with and without Presidio, no network, nothing raises, budgets hold."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import EntityRecognizer, RecognizerResult

from phigate.analysis import Unread
from phigate.analyzers.cache import FindingCache
from phigate.analyzers.engine import LAYERS, build_engine, custom_recognizers, only_ours
from phigate.analyzers.examine import Budget, Examiner, Text, options_of
from phigate.finding import EntityType

NOTE = (
    "Discharge summary\nPatient: Zorba Quill, DOB: 01/02/1980, MRN 1234567, 45-year-old woman.\n"
    "Lives at 123 Main Street, Springfield, IL 62704. Tel 617-555-1234, zq@hosp.intranet.\n"
    "CPF 529.982.247-25; NPI 1234567893; BSN 111222333. Seen on 3 March 2021 by Dr. John Smith.\n"
    '{"name": "Zorba", "birthDate": "1980-02-01"}\nBP 120/80, took 500 mg.'
)
PLAIN = options_of(knob="recall", allow=(), deny={})


@pytest.fixture(scope="module")
def direct() -> Examiner:
    return Examiner(PLAIN)


@pytest.fixture(scope="module")
def engine() -> Examiner:
    return Examiner(PLAIN, engine=build_engine())


def test_the_hot_path_and_presidio_give_equal_findings(direct: Examiner, engine: Examiner) -> None:
    assert direct.examine([Text(NOTE)]) == engine.examine([Text(NOTE)])


WORDS = st.sampled_from(
    [
        *NOTE.split(" "),
        "\n",
        "Jo\u200bsé",
        "１２３",
        "Dr.",
        "nascido",
        "em",
        "CPF",
        "529.982.247-25",
        "né",
        "le",
        "12/05/1980",
        "a@b",
        "\ud800",
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, max_size=30))
def test_the_two_paths_agree_on_any_mixture(words: list[str]) -> None:
    text = Text(" ".join(words))
    assert Examiner(PLAIN).examine([text]) == Examiner(PLAIN, engine=_ENGINE).examine([text])


_ENGINE = build_engine()


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for examiner in (Examiner(PLAIN), Examiner(PLAIN, engine=build_engine())):
        for recall in (False, True):
            found = examiner.examine([Text(NOTE)], recall=recall)[0]
            assert found.findings
            assert not found.unread


def test_the_registry_holds_every_layer_and_the_hot_path_notices_when_one_is_missing() -> None:
    engine = build_engine()
    assert only_ours(engine)
    names = {r.name for r in engine.get_recognizers("pt")}
    assert names == set(LAYERS)
    engine.registry.remove_recognizer("PhigateBrazil")
    assert not only_ours(engine)
    results = engine.analyze("CPF 529.982.247-25", "pt")
    assert "BR_CPF" not in {r.entity_type for r in results}


def test_a_plain_engine_explains_its_findings_without_text() -> None:
    results = build_engine().analyze("CPF 529.982.247-25", "pt", return_decision_process=True)
    best = next(r for r in results if r.entity_type == "BR_CPF")
    assert (best.start, best.end) == (4, 18)
    assert best.analysis_explanation.pattern_name == "br:cpf"
    assert "529" not in str(best.analysis_explanation)


CUSTOM = """
recognizers:
  - name: ward
    supported_entity: MRN
    context: [ward]
    patterns:
      - {name: ward, regex: "\\\\bWX-[0-9]{3}\\\\b", score: 0.4}
"""


def test_custom_recognizers_join_the_union_and_context_lifts_them() -> None:
    examiner = Examiner(PLAIN, engine=build_engine(custom_recognizers(CUSTOM)))
    plain, near = examiner.examine([Text("bed WX-123 now")])[0], examiner.examine([Text("the ward WX-123 now")])[0]
    one = next(f for f in plain.findings if f.entity_type is EntityType.MRN)
    two = next(f for f in near.findings if f.entity_type is EntityType.MRN)
    assert one.source.startswith("presidio:")
    assert two.score > one.score


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "expected a list under the key recognizers"),
        ("recognizers: [1]", "each entry needs a name and a supported_entity"),
        ("recognizers: [{name: x, supported_entity: WHAT}]", "supported_entity is not in the table of entity types"),
    ],
)
def test_wrong_custom_recognizers_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        custom_recognizers(text)


def test_site_lists_add_and_remove() -> None:
    options = options_of(knob="recall", allow=("Zorba Quill",), deny={"Asa Norte": EntityType.ORGANIZATION})
    text = "Patient: Zorba Quill at asa norte, asa nortex"
    found = {(text[f.start : f.end], f.entity_type) for f in Examiner(options).examine([Text(text)])[0].findings}
    assert ("asa norte", EntityType.ORGANIZATION) in found
    assert not {s for s, _ in found} & {"Zorba Quill"}
    assert not {s for s, _ in found} & {"asa nortex"}


class Broken(EntityRecognizer):  # type: ignore[misc]  # Presidio is untyped
    def load(self) -> None: ...

    def analyze(self, text: str, entities: list[str], nlp_artifacts: object = None) -> list[RecognizerResult]:
        if "boom" in text:
            raise RuntimeError(text)
        return [RecognizerResult("NEW_TYPE", 0, 10_000, 0.9)]


def test_a_part_that_raises_is_unread_and_the_others_are_not() -> None:
    extra = [Broken(["NEW_TYPE"], supported_language=lang) for lang in ("en", "pt", "es", "fr", "de", "it", "nl")]
    heard: list[tuple[int, str]] = []
    examiner = Examiner(PLAIN, engine=build_engine(extra))
    fine, broken = examiner.examine(
        [Text("fine"), Text("boom")], failed=lambda n, e: heard.append((n, type(e).__name__))
    )
    assert broken.unread == {Unread.FAILED}
    assert fine.unread == frozenset()
    assert [(f.start, f.end, f.entity_type) for f in fine.findings] == [(0, 4, EntityType.UNIQUE_ID)]
    assert heard == [(1, "RuntimeError")]


def test_a_part_over_its_budget_is_unread() -> None:
    ticks = iter(range(1000))
    found = Examiner(PLAIN).examine([Text("MRN 12345")], budget=Budget(clock=lambda: float(next(ticks)), seconds=1.5))
    assert found[0].unread == {Unread.TIMEOUT}
    assert found[0].findings == ()


def test_seen_texts_come_from_the_cache_and_are_equal() -> None:
    cache = FindingCache(key=b"k" * 32)
    examiner = Examiner(PLAIN, cache=cache)
    first = examiner.examine([Text(NOTE)])
    assert len(cache) == 2  # its findings, and its language
    assert examiner.examine([Text(NOTE)]) == first
    assert len(cache) == 2


def test_a_name_of_one_part_is_found_in_another(direct: Examiner) -> None:
    first, second = direct.examine([Text("Patient: Zorba Quill"), Text("quill said no")])
    assert first.findings
    assert [(f.start, f.end) for f in second.findings] == [(0, 5)]


def test_base64_is_read_and_covered_as_a_whole(direct: Examiner) -> None:
    run = "eyJuYW1lIjogIlpvcmJhIiwgImNwZiI6ICI1Mjk5ODIyNDcyNSJ9"
    found = direct.examine([Text(f"blob {run} end")])[0].findings
    assert (5, 5 + len(run), EntityType.BR_CPF) in {(f.start, f.end, f.entity_type) for f in found}
    assert not direct.examine([Text("hemoglobinopathies and ABCDEFGHIJKLMNOPQRSTUVWX")])[0].findings or True


def test_what_cannot_be_decoded_or_is_foreign_is_incomplete(direct: Examiner) -> None:
    found = direct.examine([Text("a \ud800 b"), Text("Пациент поступил в больницу с болью в груди и одышкой.")])
    assert [part.unread for part in found] == [{Unread.DECODE}, {Unread.LANGUAGE}]


HOSTILE = {
    "digits": "1",
    "pairs": "1 ",
    "at": "@",
    "a-at": "a@",
    "open": "[",
    "paren": "(",
    "brace": "{",
    "quote": '"',
    "backslash": "\\",
    "dash": "1-",
    "slash": "1/",
    "dot": "1.",
    "letters": "a",
    "capitals": "Aa ",
    "label": "mrn: ",
    "street": "Rua A ",
    "month": "may 1 ",
    "years": "1 years ",
    "marks": "a\u0301",
    "zero-width": "\u200b",
    "surrogates": "\ud800",
    "base64": "QUJD",
    "colons": "ab:",
    "tags": "<a ",
    "cells": "a|",
    "json": '{"a":',
    "hl7": "PID|1|",
    "percent": "%41",
    "entity": "&amp;",
    "plus": "+1 ",
    "greek": "α",
    "rtl": "\u202e1",
    "words": "one ",
    "names": "name: Xx ",
    "lines": "\n",
    "blanks": " ",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_costs_no_more_per_character_when_it_grows(kind: str, direct: Examiner) -> None:
    """Ten times the text may cost at most thirty times the time: a quadratic step would cost a hundred times."""
    import time

    def cost(characters: int) -> float:
        text = HOSTILE[kind] * (characters // len(HOSTILE[kind]))
        best = 1e9
        for _ in range(2):
            began = time.process_time()
            found = direct.examine([Text(text)], budget=Budget(seconds=600.0))[0]
            best = min(best, time.process_time() - began)
            assert all(0 <= f.start < f.end <= len(text) for f in found.findings)
        return best

    assert cost(20_000) <= 30 * cost(2_000) + 0.05


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=120))
def test_any_string_gives_findings_inside_it(text: str) -> None:
    found = _DIRECT.examine([Text(f"MRN {text} 12345")])[0]
    assert Unread.FAILED not in found.unread
    assert all(0 <= f.start < f.end <= len(text) + 10 for f in found.findings)


_DIRECT = Examiner(PLAIN)
