"""Dates as clinical text writes them, in seven languages: digits and month names, whole or in part.

Reads values that a recognizer already called a date. It never guesses a missing piece: a date without a year has none,
and a two-digit year has a century only where the caller says what today is. Words for numbers are not read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

_MONTH_WORDS: Final = (
    "january jan janeiro enero ene janvier janv januar jaenner janner gennaio gen januari",
    "february feb fevereiro fev febrero fevrier fevr februar febbraio febbr februari febr",
    "march mar marco marzo mars marz maerz mrz maart mrt",
    "april apr abril abr avril avr aprile",
    "may maio mai mayo maggio mag mei",
    "june jun junho junio juin juni giugno giu",
    "july jul julho julio juillet juil juli luglio lug",
    "august aug agosto ago aout augustus",
    "september sep sept setembro set septiembre setiembre septembre settembre sett",
    "october oct outubro out octubre octobre oktober okt ottobre ott",
    "november nov novembro noviembre novembre",
    "december dec dezembro dez diciembre dic decembre dezember dicembre desember",
)
_MONTHS: Final = {word: number for number, row in enumerate(_MONTH_WORDS, 1) for word in row.split()}
_CENTURIES: Final = r"(?:18|19|20|21)\d\d"

_NUMERIC: Final = re.compile(r"(?<![\d/.\-])(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?!\d|[/.\-]\d)")
_ISO: Final = re.compile(r"(?<![\d/.\-])(\d{4})([/.\-])(\d{1,2})\2(\d{1,2})(?!\d|[/.\-]\d)")
_COMPACT: Final = re.compile(rf"(?<!\d)({_CENTURIES})(\d\d)(\d\d)(?!\d)")
_MONTH_YEAR: Final = re.compile(rf"(?<![\d/.\-])(0?[1-9]|1[0-2])[/.\-]({_CENTURIES})(?!\d|[/.\-]\d)")
_YEAR_MONTH: Final = re.compile(rf"(?<![\d/.\-])({_CENTURIES})[/.\-](0?[1-9]|1[0-2])(?!\d|[/.\-]\d)")
_MONTH_SHORT_YEAR: Final = re.compile(r"(?<![\d/.\-])(0?[1-9]|1[0-2])/(3[2-9]|[4-9]\d)(?!\d|[/.\-]\d)")
_YEAR: Final = re.compile(rf"(?<!\d)(?<!\d[.,])({_CENTURIES})(?!\d|[.,]\d)")
_WORD: Final = re.compile(r"[^\W\d_]+")
_TIME: Final = re.compile(
    r"(?<![\d/.\-])(?:(?<=\d)t)?\d{1,2}\s?(?:[:h]\s?\d{2}(?::\d{2}(?:[.,]\d+)?)?\s?(?:[ap]\.?m\b\.?|uhr|h\b|z\b|[+\-]\d\d:?\d\d)?"
    r"|[ap]\.?m\b\.?|uhr\b|h\b)"
)
_ISO_T: Final = re.compile(r"(?<=\d)t(?=\d\d:?\d\d)")
_DAY_BEFORE: Final = re.compile(
    r"(?<!\d)(\d{1,2})\s?(?:st|nd|rd|th|er|e|o|a|\u00ba|\u00aa|\u00b0)?[\s.\-/]*(?:de |of |d')?\s*\Z"
)
_DAY_AFTER: Final = re.compile(r"[\s.\-/]*(?:the )?(\d{1,2})(?:st|nd|rd|th)?(?!\d)")
_SHORT_AFTER: Final = re.compile(r"[\s.,\-/]*(?:de |del |of )?['\u2019]?(\d\d)()(?!\d)")
_SHORT_QUOTED: Final = re.compile(r"['\u2019](\d\d)(?!\d)|,\s*(\d\d)(?!\d)")
_LONGEST: Final = 100  # characters: no date is longer

_OLDEST_AGE: Final = 89  # 45 CFR 164.514(b)(2)(i)(C): no element may indicate an age over 89
_OLDEST_PERSON: Final = 115
_SAFE_SINCE: Final = 1960  # without a clock: years since then indicate no age over 89 until 2049
_AHEAD_YEARS: Final = 5  # appointments and prescriptions reach a little into the future


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one date says."""

    year: int | None
    month: int | None = None
    day: int | None = None
    untold: bool = False  # a year is written, in two digits, and its century cannot be told

    @property
    def whole(self) -> date | None:
        """Return the calendar day, or None when a piece is missing or there is no such day."""
        if self.year is None or self.month is None or self.day is None:
            return None
        try:
            return date(self.year, self.month, self.day)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read what is ambiguous: the language of the text, what today is, whether the date is one of birth."""

    lang: str = ""
    today: date | None = None
    birth: bool = False

    def century(self, short: int) -> int | None:
        """Return the year that two digits mean, or None where it cannot be told."""
        if self.today is None:
            return None
        this = self.today.year
        year = this - this % 100 + short
        if year > this + (0 if self.birth else _AHEAD_YEARS):
            year -= 100
        # A birth in 26 may be of a newborn or of somebody a hundred years old.
        ambiguous = self.birth and year - 100 >= this - _OLDEST_PERSON
        return None if ambiguous else year


PLAIN: Final = Reading()


def is_numeric_date(text: str) -> bool:
    """Return whether the whole of ``text`` is a date in digits with separators that carry meaning."""
    text = text.strip()
    if match := _NUMERIC.fullmatch(text):
        one, two = int(match[1]), int(match[3])
        return 1 <= min(one, two) <= 12 and 1 <= max(one, two) <= 31
    match = _ISO.fullmatch(text)
    return match is not None and _is_day(int(match[3]), int(match[4]))


def parse(text: str, reading: Reading = PLAIN) -> Parsed | None:
    """Return the one date that ``text`` is, or None where it is none, or more than one.

    03/04/2021 is month first in English and day first elsewhere and with dots; 13 and above settle it anyway.
    """
    dates = _dates(text, reading)
    return dates[0] if len(dates) == 1 else None


def years(text: str, reading: Reading = PLAIN) -> tuple[int, ...] | None:
    """Return the years that ``text`` names, in order, or None where one of them cannot be told or there is none."""
    dates = _dates(text, reading)
    named = {parsed.year for parsed in dates if parsed.year is not None}
    untold = any(parsed.untold for parsed in dates)
    return None if untold or not named else tuple(sorted(named))


def oldest_year(today: date | None) -> int:
    """Return the earliest year that indicates no age over 89."""
    return _SAFE_SINCE if today is None else today.year - _OLDEST_AGE


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def _plain(text: str) -> str:
    """Fold case and accents of letters, and nothing else: ordinals and quotes keep their meaning."""
    folded = "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(c))
    return _TIME.sub(" ", _ISO_T.sub(" ", folded))


def _dates(text: str, reading: Reading) -> list[Parsed]:
    if len(text) > _LONGEST:
        return []
    rest = _plain(text)
    found: list[tuple[int, Parsed]] = []
    for pattern, read in _IN_DIGITS:
        for match in pattern.finditer(rest):
            parsed = read(match, reading)
            if parsed is not None:
                found.append((match.start(), parsed))
                rest = _blank(rest, match.start(), match.end())
    months = [match for match in _WORD.finditer(rest) if match[0] in _MONTHS]
    for place, match in enumerate(months):
        begin = months[place - 1].end() if place else 0
        end = months[place + 1].start() if place + 1 < len(months) else len(rest)
        parsed, rest = _in_words(rest, match, (begin, end), reading)
        found.append((match.start(), parsed))
    found += [(match.start(), Parsed(int(match[1]))) for match in _YEAR.finditer(rest)]
    return [parsed for _, parsed in sorted(found, key=lambda item: item[0])]


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + " " * (end - start) + text[end:]


def _iso(match: re.Match[str], _reading: Reading) -> Parsed | None:
    year, month, day = int(match[1]), int(match[3]), int(match[4])
    return Parsed(year, month, day) if _is_day(month, day) else None


def _compact(match: re.Match[str], _reading: Reading) -> Parsed | None:
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    return Parsed(year, month, day) if _is_day(month, day) else None


def _numeric(match: re.Match[str], reading: Reading) -> Parsed | None:
    one, two = int(match[1]), int(match[3])
    month_first = two > 12 or (one <= 12 and reading.lang == "en" and match[2] != ".")
    month, day = (one, two) if month_first else (two, one)
    if not _is_day(month, day):
        return None
    if len(match[4]) == 4:
        return Parsed(int(match[4]), month, day)
    year = reading.century(int(match[4]))
    return Parsed(year, month, day, untold=year is None)


def _month_year(match: re.Match[str], _reading: Reading) -> Parsed:
    return Parsed(int(match[2]), int(match[1]))


def _month_short_year(match: re.Match[str], reading: Reading) -> Parsed:
    """Read 12/63, which can be no day of a month."""
    year = reading.century(int(match[2]))
    return Parsed(year, int(match[1]), untold=year is None)


def _year_month(match: re.Match[str], _reading: Reading) -> Parsed:
    return Parsed(int(match[1]), int(match[2]))


_IN_DIGITS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Reading], Parsed | None]], ...]] = (
    (_ISO, _iso),
    (_NUMERIC, _numeric),
    (_COMPACT, _compact),
    (_MONTH_YEAR, _month_year),
    (_YEAR_MONTH, _year_month),
    (_MONTH_SHORT_YEAR, _month_short_year),
)


def _in_words(text: str, month: re.Match[str], reach: tuple[int, int], reading: Reading) -> tuple[Parsed, str]:
    """Read the day and year around a month's name, within ``reach``; return the text without that year."""
    begin, end = reach
    number = _MONTHS[month[0]]
    before = _DAY_BEFORE.search(text[begin : month.start()])
    after = None if before else _DAY_AFTER.match(text, month.end(), end)
    day = int((before or after or ("", "0"))[1])
    written = _YEAR.search(text, month.end(), end) or _YEAR.search(text, begin, month.start())
    if written:
        return Parsed(int(written[1]), number, day or None), _blank(text, written.start(), written.end())
    short = _SHORT_AFTER.match(text, month.end(), end) if before else _SHORT_QUOTED.search(text, month.end(), end)
    if short:
        year = reading.century(int(short[1] or short[2]))
        return Parsed(year, number, day or None, untold=year is None), text
    return Parsed(None, number, day or None), text
