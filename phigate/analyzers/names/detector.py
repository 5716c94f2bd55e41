"""Layers L2 and L3 together: one call a part, findings with the rule that made each."""

from __future__ import annotations

from phigate.analyzers.layers import View
from phigate.analyzers.names.gazetteer import find_listed
from phigate.analyzers.names.lexicon import load
from phigate.analyzers.names.merge import merge
from phigate.analyzers.names.titles import find_titled
from phigate.analyzers.names.words import WordReader
from phigate.finding import Finding


class NameDetector:
    """Finds names of people, places and organisations in seven languages. Keeps no text between calls."""

    def __init__(self) -> None:
        self._lexicon = load()
        self._reader = WordReader(self._lexicon)

    def find(self, view: View) -> list[Finding]:
        """Return findings with offsets into ``view.shadow``, in order; never raises on any text."""
        return self.find_text(view.shadow, lang=view.lang, recall=view.recall)

    def find_text(self, text: str, *, lang: str, recall: bool = False) -> list[Finding]:
        """Return findings for a text that needs no shadow. ``lang`` "" means any of the seven."""
        words = self._reader.read(text, lang=lang)
        if not len(words):
            return []
        spans = [*find_titled(words, self._lexicon), *find_listed(words, self._lexicon)]
        return merge(words, spans, recall=recall)
