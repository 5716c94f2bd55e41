"""Natural prose and word lists from Debian packages and PyPI, where this machine has them. Read, never committed.

Training runs without any of it; `present` says for the log what was there.
"""

from __future__ import annotations

import gzip
import html
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

_HANDBOOK: Final = {
    "en": "en-US", "pt": "pt-BR", "es": "es-ES", "de": "de-DE", "fr": "fr-FR", "it": "it-IT", "nl": "nl-NL",
}  # fmt: skip
_REFERENCE: Final = {"pt": "pt-br", "es": "es", "de": "de", "fr": "fr", "it": "it"}
_HUNSPELL: Final = {
    "en": "en_US", "pt": "pt_BR", "es": "es_ES", "de": "de_DE", "fr": "fr", "it": "it_IT", "nl": "nl",
}  # fmt: skip
_PARAGRAPH: Final = re.compile(r"<(?:p|div class=\"para\")[^>]*>(.*?)</(?:p|div)>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]+>")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-Ý¿¡«])")


def _paragraphs(source: str) -> list[str]:
    found = []
    for match in _PARAGRAPH.finditer(source):
        if "<code" in match[1] or "<pre" in match[1]:
            continue
        text = " ".join(html.unescape(_TAG.sub("", match[1])).split())
        if 40 < len(text) < 1500:
            found.append(text)
    return found


@lru_cache(maxsize=8)
def prose(lang: str) -> tuple[str, ...]:
    """Return sentences of running prose in a language, or nothing."""
    files = sorted(Path(f"/usr/share/doc/debian-handbook/html/{_HANDBOOK[lang]}").glob("*.html"))
    if lang in _REFERENCE:
        files += sorted(Path("/usr/share/debian-reference").glob(f"ch*.{_REFERENCE[lang]}.html"))
    sentences: list[str] = []
    for file in files:
        for paragraph in _paragraphs(file.read_text("utf-8", errors="replace")):
            sentences += [sentence for sentence in _SENTENCE.split(paragraph) if 20 < len(sentence) < 400]
    if lang == "nl" and len(sentences) < 2000:
        sentences += _man_pages("nl")
    return tuple(dict.fromkeys(sentences))


def _man_pages(folder: str) -> list[str]:
    found = []
    for file in sorted(Path(f"/usr/share/man/{folder}").glob("man[1578]/*.gz")):
        text = gzip.decompress(file.read_bytes()).decode("utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line and line[0] not in ".'" and "\\" not in line]
        found += [line for line in lines if 30 < len(line) < 400]
    return found


@lru_cache(maxsize=8)
def common_words(lang: str) -> tuple[str, ...]:
    """Return ordinary words of a language that a spelling dictionary has in lower case, the frequent ones."""
    path = Path(f"/usr/share/hunspell/{_HUNSPELL[lang]}.dic")
    if not path.exists():
        return ()
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("iso-8859-15")
    words = {line.split("/")[0].strip().split("\t")[0] for line in text.splitlines()[1:]}
    if lang == "de":  # nouns have capitals: keep them where a frequency list knows them as words
        kept = {word for word in words if word.isalpha() and len(word) > 2}
    else:
        kept = {word for word in words if word.isalpha() and word.islower() and len(word) > 2}
    try:
        from wordfreq import top_n_list
    except ImportError:
        return tuple(sorted(kept)[::5])
    frequent = set(top_n_list(lang, 60_000))
    return tuple(sorted(word for word in kept if word.lower() in frequent))


def present() -> dict[str, tuple[int, int]]:
    """Return sentences and words found by language."""
    return {lang: (len(prose(lang)), len(common_words(lang))) for lang in _HANDBOOK}
