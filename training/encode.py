"""Documents as arrays: words become indices into a table of feature rows, spans become BIO labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from phigate.analyzers.names.features import GAP, LABELS, WIDTH, rows_of
from phigate.analyzers.names.lexicon import load
from phigate.analyzers.names.tokens import Tokens, tokenize
from phigate.analyzers.names.words import WordReader
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
    _rows: list[list[tuple[int, int]]] = field(default_factory=list)

    def encode(self, document: Document) -> Encoded:
        """Encode a document with its labels."""
        tokens = tokenize(document.text)
        return Encoded(self.words(tokens), gaps_of(tokens), labels_of(tokens, document.spans))

    def words(self, tokens: Tokens) -> Ints:
        """Return the index of each word, new words entered."""
        found = []
        for word in tokens.words:
            index = self._index.get(word)
            if index is None:
                index = self._index[word] = len(self._rows)
                self._rows.append(rows_of(word, *self._reader.look_up(word)))
            found.append(index)
        return np.array(found, dtype=np.int32)

    def tables(self) -> tuple[Ints, npt.NDArray[np.int8]]:
        """Return rows and groups of every word, padded to one width; group -1 is padding."""
        rows = np.zeros((len(self._rows), WIDTH), dtype=np.int32)
        groups = np.full((len(self._rows), WIDTH), -1, dtype=np.int8)
        for index, pairs in enumerate(self._rows):
            for column, (group, row) in enumerate(pairs[:WIDTH]):
                rows[index, column] = row
                groups[index, column] = group
        return rows, groups


def gaps_of(tokens: Tokens) -> Ints:
    """Return the gap row of each token: what stands between it and the one before."""
    text, found, last = tokens.text, [], 0
    for index, start in enumerate(tokens.starts):
        between = text[last:start]
        last = tokens.ends[index]
        found.append(GAP + (2 if index == 0 or "\n" in between else 3 if "\t" in between else 1 if between else 0))
    return np.array(found, dtype=np.int32)


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
