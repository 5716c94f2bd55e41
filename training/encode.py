"""Documents as arrays: words become indices into a table of feature rows, spans become BIO labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from phigate.analyzers.names.features import LABELS, PLACE, WIDTH, places_of, rows_of
from phigate.analyzers.names.lexicon import load
from phigate.analyzers.names.tokens import Tokens
from phigate.analyzers.names.words import WordReader, Words
from training.documents import Document

Ints = npt.NDArray[np.int32]


@dataclass(slots=True)
class Encoded:
    """One document: word indices, gap rows and labels, a token each."""

    words: Ints
    gaps: Ints
    labels: Ints


@dataclass(slots=True)
class Encoder:
    """Collects every distinct word once."""

    _reader: WordReader = field(default_factory=lambda: WordReader(load()))
    _index: dict[str, int] = field(default_factory=dict)
    _rows: list[tuple[list[int], list[int]]] = field(default_factory=list)

    def encode(self, document: Document) -> Encoded:
        """Encode a document with its labels."""
        words = self._reader.read(document.text, lang="")
        tokens = words.tokens
        places = places_of(np.array(tokens.starts), np.array(tokens.ends), np.array(words.cases), document.text)
        return Encoded(self.words(words), (PLACE + places).astype(np.int32), labels_of(tokens, document.spans))

    def words(self, words: Words) -> Ints:
        """Return the index of each word, new words entered."""
        found = []
        for at, word in enumerate(words.tokens.words):
            index = self._index.get(word)
            if index is None:
                index = self._index[word] = len(self._rows)
                facts = (words.folded[at], words.flags[at], words.cases[at], words.common[at])
                self._rows.append(rows_of(word, *facts))
            found.append(index)
        return np.array(found, dtype=np.int32)

    def tables(self) -> tuple[Ints, npt.NDArray[np.int8]]:
        """Return rows and groups of every word, padded to one width; group -1 is padding."""
        rows = np.zeros((len(self._rows), WIDTH), dtype=np.int32)
        groups = np.full((len(self._rows), WIDTH), -1, dtype=np.int8)
        for index, (kinds, numbers) in enumerate(self._rows):
            rows[index, : len(numbers)] = numbers
            groups[index, : len(kinds)] = kinds
        return rows, groups


def labels_of(tokens: Tokens, spans: list[tuple[int, int, str]]) -> Ints:
    """Return BIO labels: a token that a span touches belongs to it."""
    labels = np.zeros(len(tokens), dtype=np.int32)
    position = 0
    for start, end, label in sorted(spans):
        code = 1 + 2 * LABELS.index(label)
        opened = False
        while position < len(tokens) and tokens.ends[position] <= start:
            position += 1
        while position < len(tokens) and tokens.starts[position] < end:
            labels[position] = code + 1 if opened else code
            opened = True
            position += 1
    return labels
