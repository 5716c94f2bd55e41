"""The gazetteers and cue words in memory: what a folded word may be, as one set of bit flags.

The lists lie in ``phigate/analyzers/data`` (origins and licences in SOURCES.md there); `training.lexicon` and
`training.stoplist` write them, cues.txt is written by hand.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Final

from phigate.analyzers.names.tokens import fold

LANGUAGES: Final = ("en", "pt", "es", "de", "fr", "it", "nl")

# What a word may be. The lower bits are stored in names.tsv and places.tsv, the others come from cues.txt.
GIVEN: Final = 1
SURNAME: Final = 2
PLACE_LARGE: Final = 4  # a town of 100,000 people or more
PLACE_SMALL: Final = 8
REGION: Final = 16  # a state or province
NAME: Final = GIVEN | SURNAME
PLACE: Final = PLACE_LARGE | PLACE_SMALL | REGION
PARTICLE: Final = 32
SUFFIX: Final = 64
CALENDAR: Final = 128
EPONYM: Final = 256
BRAND: Final = 512
RARE: Final = 1024  # a name by the lists, but of few people: alone it proves nothing

# What the tagger does not see: its features are the bits below 1 << 12.
NUMBER_LABEL: Final = 1 << 12  # announces a number (MRN, SSN, CPF): nobody
COUNTRY: Final = 1 << 13  # a country or a part of the world
AREA: Final = 1 << 14  # a state, a province, a region

_WORD_SECTIONS: Final = {
    "particle": PARTICLE,
    "suffix": SUFFIX,
    "calendar": CALENDAR,
    "eponym": EPONYM,
    "brand": BRAND,
    "number_label": NUMBER_LABEL,
}

MEDICAL: Final = 2048  # a drug, a germ, a study word: capital or not, nobody

# Endings of drug names in the seven languages, on words of seven letters or more that are in no list of names.
DRUG_ENDING: Final = re.compile(
    r"(?:mab|nib|pril|sartana?|statina?|olol|azole?|zol|cill?ina?|mycin|micina|floxacin[ao]?|parina?|gliptina?|gliflozina?|"
    r"glutida?e?|setrona?|triptano?|oxetine?a?|zepam|zolam|barbital|caina?e?|dipinoa?|dipine?a?|thiazide|tiazida|semide|"
    r"semida|solone|solona|phylline|filina|profeno?|coxib|fenaco?|dronate|dronato|platina?|rubicina?|taxel|trexate|trexato|"
    r"mustine?a?|poetina?|grastim|bactam|penema?|ciclib|lukaste?|afila?|dopa|barbitone|curium|curonium|vudine?a?|fungin)$"
)

# Marks that say where to look further, so that most words cost one test.
ANNOUNCES: Final = 1 << 16  # begins a title, role or label
OPENS_PLACE: Final = 1 << 17  # begins a place of several words
HEADS_BODY: Final = 1 << 18  # begins or ends the name of a hospital or another body
TITLES: Final = 1 << 19  # is a title
GRAMMAR_SHIFT: Final = 8  # in common.tsv: the same language bits again, for words of grammar

Phrase = tuple[str, ...]


def language_bits(lang: str) -> int:
    """Return the bit of a language, or of all seven where it is not known."""
    return 1 << LANGUAGES.index(lang) if lang in LANGUAGES else (1 << len(LANGUAGES)) - 1


@dataclass(slots=True)
class Lexicon:
    """Every list, keyed by folded words. Read once, shared, never written after `load`."""

    flags: dict[str, int]
    common: dict[str, int]  # word -> language bits in which the project's own sentences use it in lower case
    places: dict[str, int]  # places of two words or more
    cues: dict[str, dict[str, list[tuple[Phrase, int]]]] = field(
        default_factory=dict
    )  # section -> first word -> phrases


def _read_tsv(name: str) -> list[tuple[str, int]]:
    text = files("phigate.analyzers").joinpath("data", name).read_text("utf-8")
    return [(word, int(flags, 16)) for word, _, flags in (line.partition("\t") for line in text.splitlines())]


def _read_cues() -> list[tuple[str, int, Phrase]]:
    text = files("phigate.analyzers").joinpath("data", "cues.txt").read_text("utf-8")
    found: list[tuple[str, int, Phrase]] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, words = line.partition(": ")
        section, langs = head.split()
        bits = language_bits("") if langs == "*" else sum(language_bits(lang) for lang in langs.split(","))
        found += [(section, bits, phrase_of(word)) for word in words.split()]
    return found


def _read_medical() -> list[str]:
    text = files("phigate.analyzers").joinpath("data", "medical.txt").read_text("utf-8")
    lines = [line.partition(": ")[2] for line in text.splitlines() if line and not line.startswith("#")]
    return [word for line in lines for word in line.split()]


def phrase_of(cue: str) -> Phrase:
    """Part a cue ("name_of_patient", "dott.ssa") into folded tokens, as the tokenizer parts a text."""
    from phigate.analyzers.names.tokens import tokenize  # noqa: PLC0415 - one use, at load

    return tuple(fold(word) for word in tokenize(cue.replace("_", " ")).words)


def _mark(flags: dict[str, int], cues: dict[str, dict[str, list[tuple[Phrase, int]]]]) -> None:
    """Set the flags that the cue words and the words of medicine give."""
    for section, table in cues.items():
        announces = section.partition("_")[0] in {"title", "role", "label"}
        mark = ANNOUNCES if announces else HEADS_BODY if section.startswith("org_") else 0
        mark |= TITLES if section.startswith("title_") else 0
        for word in table:
            flags[word] = flags.get(word, 0) | mark
    for word in _read_medical():
        # A name that is also a drug (Allegra, Yasmin) stays a name in the lists; the tagger sees both.
        flags[word] = flags.get(word, 0) | MEDICAL


def _read_places(flags: dict[str, int]) -> dict[str, int]:
    """Return the places of several words, and mark those of one, and the first words, in ``flags``."""
    places: dict[str, int] = {}
    for name, flag in (*_read_tsv("places.tsv"), *_read_tsv("countries.tsv")):
        first, _, rest = name.partition(" ")
        flags[first] = flags.get(first, 0) | (OPENS_PLACE if rest else flag)
        if rest:
            places.setdefault(name, flag)
    return places


@lru_cache(maxsize=1)
def load() -> Lexicon:
    """Read every list. About a fifth of a second, once a process."""
    flags: dict[str, int] = dict(_read_tsv("names.tsv"))
    places = _read_places(flags)
    cues: dict[str, dict[str, list[tuple[Phrase, int]]]] = defaultdict(lambda: defaultdict(list))
    for section, bits, phrase in _read_cues():
        if section in _WORD_SECTIONS and len(phrase) == 1:
            flags[phrase[0]] = flags.get(phrase[0], 0) | _WORD_SECTIONS[section]
        elif phrase:
            cues[section][phrase[0]].append((phrase, bits))
    for table in cues.values():
        for phrases in table.values():
            phrases.sort(key=lambda item: -len(item[0]))
    _mark(flags, cues)
    common = dict(_read_tsv("common.tsv"))
    for section in ("role_patient", "role_relative", "title_person", "title_clinician"):
        for word, phrases in cues[section].items():
            # "Grandmother" and "Nurse" name nobody, though lists hold people of that name.
            common[word] = common.get(word, 0) | sum({bits for phrase, bits in phrases if len(phrase) == 1})
    return Lexicon(
        flags=flags,
        common=common,
        places=places,
        cues={section: dict(table) for section, table in cues.items()},
    )
