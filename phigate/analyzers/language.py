"""Which of the seven languages a part is in, or whether it is surely none of them.

Function words are counted over the words of the view, stretch by stretch; scripts by their letters. A text is
*foreign* when 40 letters or more stand in stretches that surely are outside the seven languages: another script, or
function words of another language without a match among ours (decisions 6). Not being sure is no reason: layers then
work for all languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from phigate.analyzers.language_words import FOREIGN_WORDS, OWN_WORDS
from phigate.analyzers.layers import View

LANGUAGES: Final = ("en", "pt", "es", "fr", "de", "it", "nl")
FOREIGN_LETTERS: Final = 40
_STRETCH_WORDS: Final = 40
_SURE_HITS: Final = 3
_NON_LATIN: Final = re.compile(r"[^\W\d_a-zA-Z\u00aa-\u024f\u1e00-\u1eff\u02b0-\u02ff]{2,}")
_OWN: Final[dict[str, tuple[str, ...]]] = {}
for _lang, _words in OWN_WORDS.items():
    for _word in _words.split():
        _OWN[_word] = (*_OWN.get(_word, ()), _lang)
_FOREIGN: Final[dict[str, tuple[str, ...]]] = {}
for _lang, _words in FOREIGN_WORDS.items():
    for _word in _words.split():
        if _word not in _OWN:
            _FOREIGN[_word] = (*_FOREIGN.get(_word, ()), _lang)


def language_of(view: View) -> tuple[str, bool]:
    """Return the language of a view ("" where nothing is sure), and whether enough of it is surely foreign."""
    totals = dict.fromkeys(LANGUAGES, 0.0)
    foreign = _other_scripts(view)
    words, starts, ends = view.words, view.starts, view.ends
    for first in range(0, len(words), _STRETCH_WORDS):
        own: dict[str, float] = {}
        other: dict[str, int] = {}
        hits = 0
        stretch = words[first : first + _STRETCH_WORDS]
        for word in stretch:
            langs = _OWN.get(word)
            if langs is not None:
                hits += 1
                for lang in langs:
                    own[lang] = own.get(lang, 0.0) + 1.0 / len(langs)
            elif word in _FOREIGN:
                for lang in _FOREIGN[word]:
                    other[lang] = other.get(lang, 0) + 1
        for lang, score in own.items():
            totals[lang] += score
        best = max(other.values(), default=0)
        # One language of ours must not explain even a third of what another explains.
        if best >= _SURE_HITS and best >= 3 * max(own.values(), default=0.0) and best * 12 >= len(stretch):
            last = min(first + _STRETCH_WORDS, len(words)) - 1
            foreign += sum(c.isalpha() for c in view.shadow[starts[first] : ends[last]])
    ranked = sorted(totals.items(), key=lambda item: -item[1])
    (lang, score), (_, second) = ranked[0], ranked[1]
    sure = score >= 2.0 and score >= 1.3 * second
    return (lang if sure else ""), foreign >= FOREIGN_LETTERS


def _other_scripts(view: View) -> int:
    """Count letters of scripts that are not Latin, in words of two and more; single Greek letters are symbols."""
    if view.shadow.isascii():
        return 0
    return sum(
        sum(unicodedata.category(c)[0] == "L" for c in match.group()) for match in _NON_LATIN.finditer(view.shadow)
    )


def settle_languages(views: Sequence[View], hints: Sequence[str]) -> list[str]:
    """Give short and unsure parts the language of their neighbours: the one before, else the one after."""
    langs = list(hints)
    for n, lang in enumerate(langs):
        if not lang and n and langs[n - 1] and len(views[n].shadow) < 4 * FOREIGN_LETTERS:
            langs[n] = langs[n - 1]
    for n in range(len(langs) - 2, -1, -1):
        if not langs[n] and langs[n + 1] and len(views[n].shadow) < 4 * FOREIGN_LETTERS:
            langs[n] = langs[n + 1]
    return langs
