"""Layers L2 and L3 together: one call a part, findings with the rule that made each."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from phigate.analyzers.layers import View
from phigate.analyzers.names.decode import BALANCED, RECALL, tagged
from phigate.analyzers.names.doubts import is_measured, is_nobody
from phigate.analyzers.names.gazetteer import find_listed, is_eponym
from phigate.analyzers.names.lexicon import load
from phigate.analyzers.names.merge import merge
from phigate.analyzers.names.tagger import Tagger
from phigate.analyzers.names.titles import NameSpan, find_titled
from phigate.analyzers.names.words import WordReader, Words
from phigate.finding import EntityType, Finding

_NUMBERS: Final = frozenset({EntityType.PHONE, EntityType.UNIQUE_ID})
_SURE_OF_PEOPLE: Final = 0.9


class NameDetector:
    """Finds names of people, places and organisations in seven languages. Keeps no text between calls.

    Without weights (``weights=None``) the lists and the rules work alone.
    """

    def __init__(self, weights: bytes | None) -> None:
        self._lexicon = load()
        self._reader = WordReader(self._lexicon)
        self._tagger = Tagger(weights) if weights is not None else None

    def find(self, view: View) -> list[Finding]:
        """Return findings with offsets into ``view.shadow``, in order; never raises on any text."""
        return self.find_text(view.shadow, lang=view.lang, recall=view.recall)

    def find_text(self, text: str, *, lang: str, recall: bool = False) -> list[Finding]:
        """Return findings for a text that needs no shadow. ``lang`` "" means any of the seven."""
        words = self._reader.read(text, lang=lang)
        if not len(words):
            return []
        listed = find_listed(words, self._lexicon)
        spans = [*find_titled(words, self._lexicon), *(span for span in listed if not self._is_nobody(words, span))]
        chances = self._tagger.chances(words) if self._tagger else None
        if chances is not None:
            found = tagged(words, chances, RECALL if recall else BALANCED)
            spans += [s for s in found if not (self._is_eponym(words, s) or self._is_nobody(words, s))]
        return merge(words, spans, chances, recall=recall)

    def _is_nobody(self, words: Words, span: NameSpan) -> bool:
        if span.entity_type in _NUMBERS:
            return is_measured(words, span.first, span.last)
        return span.entity_type is EntityType.PERSON and is_nobody(words, self._lexicon, span.first, span.last)

    def _is_eponym(self, words: Words, span: NameSpan) -> bool:
        if span.entity_type is not EntityType.PERSON:
            return False
        return is_eponym(words, self._lexicon, span.first, span.last, sure=span.score >= _SURE_OF_PEOPLE)


def shipped_weights() -> bytes | None:
    """Return the weights that ship with this build, or None where the file is missing."""
    path = files("phigate.analyzers").joinpath("data", "tagger.npz")
    return path.read_bytes() if path.is_file() else None
