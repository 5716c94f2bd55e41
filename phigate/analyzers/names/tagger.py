"""Layer L3: the trained tagger, run in NumPy. Weights lie in data/tagger.npz (docs/model-card.md)."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt

from phigate.analyzers.names.features import LABELS, PLACE, PLACES, places_of, rows_of
from phigate.analyzers.names.words import Words

Floats = npt.NDArray[np.float32]

_CACHE_WORDS: Final = 32_768  # 16 MB; a ward writes more different words than half of this in an hour
_BLOCK: Final = 768  # tokens worked out at once; neighbours within sight are worked out with them
_DILATIONS: Final = (1, 2, 4, 1)
_SIGHT: Final = sum(_DILATIONS)


class Tagger:
    """Gives every token the chance of each label. Keeps no text; remembers single words, and forgets them when full."""

    def __init__(self, weights: bytes) -> None:
        with np.load(BytesIO(weights)) as arrays:
            stored = {name: arrays[name].astype(np.float32) for name in arrays.files if name != "rows_weight"}
            self._rows: npt.NDArray[np.float16] = arrays["rows_weight"]
        self._project = np.ascontiguousarray(stored["project_weight"].T)
        self._bias = stored["project_bias"]
        # A convolution is one product: the three taps side by side, (3 * hidden, hidden).
        self._taps = [
            np.ascontiguousarray(np.concatenate([stored[f"convolutions_{k}_weight"][:, :, tap].T for tap in range(3)]))
            for k in range(len(_DILATIONS))
        ]
        self._tap_biases = [stored[f"convolutions_{k}_bias"] for k in range(len(_DILATIONS))]
        self._output = np.ascontiguousarray(stored["output_weight"].T)
        self._output_bias = stored["output_bias"]
        self._places: Floats = self._rows[PLACE : PLACE + PLACES].astype(np.float32) @ self._project
        self._known: dict[str, int] = {}
        self._vectors: Floats = np.empty((_CACHE_WORDS, self._project.shape[1]), dtype=np.float32)

    def chances(self, words: Words) -> Floats:
        """Return (tokens, 1 + labels): the chance of nothing, then of each of `LABELS`."""
        size = len(words)
        if not size:
            return np.empty((0, 1 + len(LABELS)), dtype=np.float32)
        tokens = words.tokens
        places = places_of(np.array(tokens.starts), np.array(tokens.ends), np.array(words.cases), tokens.text)
        parts = []
        for start in range(0, size, _BLOCK):
            left, right = max(0, start - _SIGHT), min(size, start + _BLOCK + _SIGHT)
            block = self._run(self._inputs(words, left, right) + self._places[places[left:right]])
            parts.append(block[start - left : start - left + _BLOCK])
        return np.concatenate(parts)

    def forget(self) -> None:
        """Drop every word remembered."""
        self._known.clear()

    def _inputs(self, words: Words, left: int, right: int) -> Floats:
        surfaces = words.tokens.words[left:right]
        known = self._known
        new = set(surfaces).difference(known)
        if new:
            if len(known) + len(new) > _CACHE_WORDS:
                self.forget()
                new = set(surfaces)
            self._learn(words, left, right, new)
        return self._vectors[[known[word] for word in surfaces]]

    def _learn(self, words: Words, left: int, right: int, new: set[str]) -> None:
        """Work out the vectors of words not seen before."""
        at = {words.tokens.words[index]: index for index in range(left, right)}
        rows: list[int] = []
        firsts: list[int] = []
        place = len(self._known)
        for word in new:
            index = at[word]
            firsts.append(len(rows))
            rows += rows_of(word, words.folded[index], words.flags[index], words.cases[index], words.common[index])[1]
            self._known[word] = place + len(firsts) - 1
        summed = np.add.reduceat(self._rows[rows].astype(np.float32), firsts, axis=0)
        self._vectors[place : place + len(firsts)] = summed @ self._project + self._bias

    def _run(self, state: Floats) -> Floats:
        size, hidden = state.shape
        np.maximum(state, 0.0, out=state)
        pad = max(_DILATIONS)
        padded = np.zeros((size + 2 * pad, hidden), dtype=np.float32)
        window = np.empty((size, 3 * hidden), dtype=np.float32)
        change = np.empty((size, hidden), dtype=np.float32)
        for dilation, taps, bias in zip(_DILATIONS, self._taps, self._tap_biases, strict=True):
            padded[pad : pad + size] = state
            for tap, shift in enumerate((-dilation, 0, dilation)):
                window[:, tap * hidden : (tap + 1) * hidden] = padded[pad + shift : pad + shift + size]
            np.dot(window, taps, out=change)
            change += bias
            state += np.maximum(change, 0.0, out=change)
        return _softmax(state @ self._output + self._output_bias)


def _softmax(scores: Floats) -> Floats:
    """Return chances, B and I of a label added."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    joined = np.empty((scores.shape[0], 1 + len(LABELS)), dtype=np.float32)
    joined[:, 0] = scores[:, 0]
    joined[:, 1:] = scores[:, 1::2] + scores[:, 2::2]
    return joined
