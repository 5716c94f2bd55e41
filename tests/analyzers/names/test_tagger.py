"""The tagger's arithmetic against a slow reading of the same network, with weights made here."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest

from phigate.analyzers.names.decode import BALANCED, RECALL, tagged
from phigate.analyzers.names.features import LABELS, OUTPUTS, PLACE, ROWS, places_of, rows_of
from phigate.analyzers.names.lexicon import load
from phigate.analyzers.names.tagger import Tagger
from phigate.analyzers.names.words import WordReader
from phigate.finding import EntityType

_READER = WordReader(load())
_EMBEDDING, _HIDDEN, _DILATIONS = 8, 6, (1, 2, 4, 1)
Arrays = dict[str, npt.NDArray[np.float16]]


def _weights() -> Arrays:
    rng = np.random.default_rng(7)
    shapes = {"rows_weight": (ROWS, _EMBEDDING), "project_weight": (_HIDDEN, _EMBEDDING), "project_bias": (_HIDDEN,)}
    for k in range(len(_DILATIONS)):
        shapes |= {f"convolutions_{k}_weight": (_HIDDEN, _HIDDEN, 3), f"convolutions_{k}_bias": (_HIDDEN,)}
    shapes |= {"output_weight": (OUTPUTS, _HIDDEN), "output_bias": (OUTPUTS,)}
    return {name: rng.normal(0, 0.4, shape).astype(np.float16) for name, shape in shapes.items()}


def _packed(arrays: Arrays) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _slow(arrays: Arrays, text: str) -> npt.NDArray[np.float64]:
    weights = {name: value.astype(np.float64) for name, value in arrays.items()}
    words = _READER.read(text, lang="")
    places = places_of(np.array(words.tokens.starts), np.array(words.tokens.ends), np.array(words.cases), text)
    state = []
    for k in range(len(words)):
        facts = (words.folded[k], words.flags[k], words.cases[k], words.common[k])
        rows = [*rows_of(words.tokens.words[k], *facts)[1], PLACE + int(places[k])]
        summed = weights["rows_weight"][rows].sum(axis=0)
        state.append(np.maximum(weights["project_weight"] @ summed + weights["project_bias"], 0))
    for number, dilation in enumerate(_DILATIONS):
        taps, bias = weights[f"convolutions_{number}_weight"], weights[f"convolutions_{number}_bias"]
        change = []
        for k in range(len(state)):
            total = bias.copy()
            for tap, shift in enumerate((-dilation, 0, dilation)):
                if 0 <= k + shift < len(state):
                    total += taps[:, :, tap] @ state[k + shift]
            change.append(np.maximum(total, 0))
        state = [old + new for old, new in zip(state, change, strict=True)]
    scores = np.array([weights["output_weight"] @ row + weights["output_bias"] for row in state])
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    return np.concatenate([scores[:, :1], scores[:, 1::2] + scores[:, 2::2]], axis=1)


@pytest.mark.parametrize("text", ["Vista hoje.", "Maria Souza, 45 anos\nrefere dor\te febre. " * 60])
def test_blocks_give_what_one_slow_pass_over_the_whole_text_gives(text: str) -> None:
    arrays = _weights()
    found = Tagger(_packed(arrays)).chances(_READER.read(text, lang=""))
    assert np.allclose(found, _slow(arrays, text), atol=2e-3)


def test_words_seen_before_and_words_forgotten_change_nothing() -> None:
    tagger = Tagger(_packed(_weights()))
    words = _READER.read("Retorna com exames a Sra. Alba Nunes.", lang="pt")
    first = tagger.chances(words)
    tagger.chances(_READER.read(" ".join(f"w{chr(97 + k % 26)}{chr(97 + k // 26 % 26)}" for k in range(900)), lang=""))
    tagger.forget()
    assert np.array_equal(first, tagger.chances(words))


def test_no_tokens_give_no_rows() -> None:
    assert Tagger(_packed(_weights())).chances(_READER.read(" \n ", lang="")).shape == (0, 1 + len(LABELS))


def _chances(size: int, **rows: dict[int, float]) -> npt.NDArray[np.float32]:
    table = np.zeros((size, 1 + len(LABELS)), dtype=np.float32)
    for label, values in rows.items():
        for index, value in values.items():
            table[index, 1 + LABELS.index(label)] = value
    table[:, 0] = 1 - table[:, 1:].sum(axis=1)
    return table


def test_a_span_opens_where_sure_and_reaches_over_less_sure_neighbours() -> None:
    words = _READER.read("vi Zorana Pexlin hoje", lang="pt")
    (span,) = tagged(words, _chances(4, PERSON={1: 0.4, 2: 0.8}), BALANCED)
    assert (span.first, span.last, span.entity_type) == (1, 2, EntityType.PERSON)


def test_digits_signs_and_grammar_open_no_name() -> None:
    words = _READER.read("the 12345 . of", lang="en")
    assert list(tagged(words, _chances(4, PERSON=dict.fromkeys(range(4), 0.8)), BALANCED)) == []


def test_a_date_or_a_number_without_a_digit_is_none() -> None:
    words = _READER.read("abc def", lang="en")
    assert list(tagged(words, _chances(2, PHONE={0: 0.99}, ID={1: 0.99}), BALANCED)) == []


def test_the_recall_bars_open_what_the_balanced_do_not() -> None:
    words = _READER.read("vi Zorana hoje", lang="pt")
    chances = _chances(3, PERSON={1: 0.25})
    assert list(tagged(words, chances, BALANCED)) == []
    assert len(list(tagged(words, chances, RECALL))) == 1


@pytest.mark.parametrize(("chance", "first"), [(0.95, 1), (0.6, 3)])
def test_a_particle_before_a_surname_belongs_to_it_where_the_tagger_is_all_but_sure(chance: float, first: int) -> None:
    words = _READER.read("belde van den Pexlin gisteren. Zij komt morgen.", lang="nl")
    (span,) = tagged(words, _chances(len(words), PERSON={1: chance, 2: chance, 3: 0.97}), BALANCED)
    assert (span.first, span.last) == (first, 3)
