"""Numbers from 0 to 129 as words of seven languages, so that "sixty-two" and "tres meses" are ages like any other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from phigate.deid.fold import fold

# Zero to the last number with a word of its own, then the tens from twenty on. Folded; variants are split by a stroke.
_EN: Final = (
    (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen"
    ),
    "twenty thirty forty|fourty fifty sixty seventy eighty ninety",
)
_PT: Final = (
    (
        "zero um|uma dois|duas tres quatro cinco seis sete oito nove dez onze doze treze quatorze|catorze quinze "
        "dezesseis|dezasseis dezessete|dezassete dezoito dezenove|dezanove"
    ),
    "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
)
_ES: Final = (
    (
        "cero uno|un|una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis "
        "diecisiete dieciocho diecinueve"
    ),
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
)
_FR: Final = (
    (
        "zero un|une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix_sept "
        "dix_huit dix_neuf"
    ),
    "vingt trente quarante cinquante soixante septante huitante|octante nonante",
)
_DE: Final = (
    (
        "null ein|eins|eine zwei|zwo drei vier funf|fuenf sechs sieben acht neun zehn elf zwolf|zwoelf dreizehn "
        "vierzehn funfzehn|fuenfzehn sechzehn siebzehn achtzehn neunzehn"
    ),
    "zwanzig dreissig vierzig funfzig|fuenfzig sechzig siebzig achtzig neunzig",
)
_IT: Final = (
    (
        "zero uno|un|una due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici "
        "sedici diciassette diciotto diciannove"
    ),
    "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
)
_NL: Final = (
    (
        "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien "
        "achttien negentien"
    ),
    "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
)
# The first number to claim a spelling keeps it: veinti- stands for twenty alone, and twenty comes first.
_COMPOUNDS: Final = {
    "en": ("{ten} {unit}",),
    "pt": ("{ten} e {unit}",),
    "es": ("{ten} y {unit}", "veinti{unit}"),
    "fr": ("{ten} {unit}", "{ten} et {unit}"),
    "de": ("{unit}und{ten}",),
    "it": ("{ten}{unit}", "{stem}{unit}"),
    "nl": ("{unit}en{ten}",),
}
_HUNDREDS: Final = {
    "en": ("one hundred {}", "a hundred {}", "one hundred and {}", "a hundred and {}", "hundred {}"),
    "pt": ("cento e {}", "cem {}"),
    "es": ("ciento {}", "cien {}"),
    "fr": ("cent {}",),
    "de": ("hundert{}", "einhundert{}", "hundertund{}"),
    "it": ("cento{}", "cento {}"),
    "nl": ("honderd{}", "honderd en {}"),
}
_WORD: Final = re.compile(r"[a-z]+")
# Five-year-old is one word in German and Dutch, and a seventy-year-old one in Italian.
_AGED: Final = re.compile(r"(?:jahrig|jarig)[a-z]*\Z")
_MOST_WORDS: Final = 5


def _variants(row: str) -> list[list[str]]:
    return [[word.replace("_", " ") for word in words.split("|")] for words in row.split()]


def _below_hundred(lang: str, small: list[list[str]], tens: list[list[str]]) -> Iterator[tuple[int, str]]:
    for number, words in enumerate(small):
        yield from ((number, word) for word in words)
    for ten, names in enumerate(tens, 2):
        for name in names:
            yield ten * 10, name
            for unit in range(1, 10):
                for word in small[unit]:
                    for pattern in _COMPOUNDS[lang]:
                        yield ten * 10 + unit, pattern.format(ten=name, stem=name[:-1], unit=word)
    if lang == "fr":
        yield from _french(small)


def _french(small: list[list[str]]) -> Iterator[tuple[int, str]]:
    """Seventy to ninety-nine as France counts them."""
    yield from ((80, "quatre vingts"), (80, "quatre vingt"))
    for value in range(1, 20):
        for word in small[value]:
            yield 80 + value, f"quatre vingt {word}"
            if value >= 10:
                yield 60 + value, f"soixante {word}"
    yield 71, "soixante et onze"


@lru_cache(maxsize=1)
def _numbers() -> dict[str, int]:
    found: dict[str, int] = {}
    rows = {"en": _EN, "pt": _PT, "es": _ES, "fr": _FR, "de": _DE, "it": _IT, "nl": _NL}
    for lang, (small, tens) in rows.items():
        below = list(_below_hundred(lang, _variants(small), _variants(tens)))
        for number, word in below:
            found.setdefault(word, number)
            if lang == "it" and number > 10:
                found.setdefault(word[:-1] + "enne", number)
        for pattern in _HUNDREDS[lang]:
            found.setdefault(
                pattern.format("").removesuffix(" e ").removesuffix(" and ").removesuffix(" en ").strip(), 100
            )
            for number, word in below:
                if 1 <= number < 30:
                    found.setdefault(pattern.format(word), 100 + number)
    return found


def read(text: str) -> int | None:
    """Return the one number that ``text`` spells, or None where it spells none, or more than one."""
    numbers = _numbers()
    words = [_AGED.sub("", word) for word in _WORD.findall(fold(text))]
    found: list[int] = []
    at = 0
    while at < len(words):
        for size in range(min(_MOST_WORDS, len(words) - at), 0, -1):
            number = numbers.get(" ".join(words[at : at + size]))
            if number is not None:
                found.append(number)
                at += size
                break
        else:
            at += 1
    return found[0] if len(found) == 1 else None
