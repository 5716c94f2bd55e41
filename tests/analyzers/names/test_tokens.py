"""Words and their offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phigate.analyzers.names.tokens import fold, tokenize


def test_words_numbers_and_signs_are_parted() -> None:
    assert tokenize("Anne-Marie d'Ávila, 45a (Dr.)").words == [
        "Anne", "-", "Marie", "d", "'", "Ávila", ",", "45", "a", "(", "Dr", ".", ")",
    ]  # fmt: skip


def test_combining_marks_stay_with_their_letter() -> None:
    assert tokenize("Jose\u0301 veio").words == ["Jose\u0301", "veio"]


@given(st.text(max_size=300))
def test_offsets_give_every_word_back_in_order_and_leave_white_space_alone(text: str) -> None:
    tokens = tokenize(text)
    last = 0
    for word, start, end in zip(tokens.words, tokens.starts, tokens.ends, strict=True):
        assert text[start:end] == word
        assert text[last:start].strip() == ""
        assert word
        last = end
    assert text[last:].strip() == ""


def test_folding_drops_case_and_accents_and_spells_whole_letters_out() -> None:
    assert [fold(word) for word in ("JOÃO", "Müller", "Weiß", "Łukasz", "Bjørn", "Ño")] == [
        "joao", "muller", "weiss", "lukasz", "bjorn", "no",
    ]  # fmt: skip


def test_a_mark_that_stands_alone_is_not_folded_away() -> None:
    assert fold("\ua953") == "\ua953"
    assert fold("É") == "e"
