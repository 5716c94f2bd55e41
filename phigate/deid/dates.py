"""Dates as clinical text writes them, in seven languages: digits and month names, whole or in part.

`parse` reads one value that a recognizer already called a date. It never guesses a missing piece: a date without a
year has none, and a two-digit year has a century only where the caller says what today is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

_MONTH_WORDS: Final = (
    "january jan janeiro enero ene janvier janv januar jaenner jänner gennaio gen januari",
    "february feb fevereiro fev febrero février fevrier févr fevr februar febbraio febbr februari febr",
    "march mar março marco marzo mars märz maerz mrz mär maart mrt",
    "april apr abril abr avril avr aprile",
    "may maio mai mayo maggio mag mei",
    "june jun junho junio juin juni giugno giu",
    "july jul julho julio juillet juil juli luglio lug",
    "august aug agosto ago août aout augustus",
    "september sep sept setembro set septiembre setiembre septembre settembre sett",
    "october oct outubro out octubre octobre oktober okt ottobre ott",
    "november nov novembro noviembre novembre",
    "december dec dezembro dez diciembre dic décembre decembre déc dezember dicembre desember",
)
MONTHS: Final = {word: number for number, row in enumerate(_MONTH_WORDS, 1) for word in row.split()}

_NUMERIC: Final = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})")
_ISO: Final = re.compile(r"(\d{4})([/.\-])(\d{1,2})\2(\d{1,2})")
_COMPACT: Final = re.compile(r"(?<!\d)((?:18|19|20|21)\d\d)(\d\d)(\d\d)(?!\d)")
_IN_TEXT_NUMERIC: Final = re.compile(r"(?<![\d/.\-])" + _NUMERIC.pattern + r"(?!\d|[/.\-]\d)")
_IN_TEXT_ISO: Final = re.compile(r"(?<![\d/.\-])(\d{4})([/.\-])(\d{1,2})\2(\d{1,2})(?!\d)")
_WORD: Final = re.compile(r"[^\W\d_]+")
_YEAR: Final = re.compile(r"(?<![\d.,])(?:18|19|20|21)\d\d(?![\d]|[.,]\d)")
_SHORT_YEAR: Final = re.compile(r"(?:['\u2019]|(?<=[/.\-]))(\d\d)(?!\d)")
_TIME: Final = re.compile(
    r"(?<!\d)(?:t|\s|,)*\d{1,2}\s?(?:[:h]\s?\d{2}){1,2}(?:[.,]\d+)?\s?(?:am|pm|z\b|uhr|h\b|[+-]\d\d:?\d\d)?"
)
_OLDEST_AGE: Final = 89  # 45 CFR 164.514(b)(2)(i)(C): no element may indicate an age over 89
_SAFE_SINCE: Final = 1960  # without a clock: years since then indicate no age over 89 until 2049
_AHEAD_YEARS: Final = 5  # appointments and prescriptions reach a little into the future


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one date value says. ``short`` marks a two-digit year, whose century is then a guess from ``today``."""

    year: int | None
    month: int | None = None
    day: int | None = None
    short: bool = False

    @property
    def whole(self) -> date | None:
        """Return the calendar day, or None when a piece is missing or there is no such day."""
        if self.year is None or self.month is None or self.day is None:
            return None
        return _day(self.year, self.month, self.day)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def is_numeric_date(text: str) -> bool:
    """Return whether the whole of ``text`` is a date in digits with separators that carry meaning."""
    text = text.strip()
    if match := _NUMERIC.fullmatch(text):
        one, two = int(match[1]), int(match[3])
        return 1 <= min(one, two) <= 12 and 1 <= max(one, two) <= 31
    if match := _ISO.fullmatch(text):
        return 1 <= int(match[3]) <= 12 and 1 <= int(match[4]) <= 31
    return False


def parse(text: str, *, lang: str = "", today: date | None = None) -> Parsed | None:
    """Read the one date that ``text`` is. None when it holds no year and no day, or more than one date.

    ``lang`` settles 03/04/2021: month first in English, day first elsewhere and with dots. A two-digit year gets the
    latest century that does not lie beyond today; without ``today`` it stays unknown.
    """
    text = _TIME.sub(" ", text.casefold())
    found = _in_digits(text, lang, today)
    if len(found) > 1:
        return None
    if found:
        return found[0]
    months = [m for m in _WORD.finditer(text) if m.group() in MONTHS]
    if len(months) > 1:
        return None
    if months:
        return _in_words(text, months[0], today)
    return _in_part(text)


def years(text: str, *, lang: str = "", today: date | None = None) -> tuple[int, ...] | None:
    """Return the years that ``text`` names, in order, or None when a piece of it has a year that cannot be told."""
    parsed = parse(text, lang=lang, today=today)
    if parsed is not None:
        return None if parsed.year is None else (parsed.year,)
    text = _TIME.sub(" ", text.casefold())
    if any(p.year is None for p in _in_digits(text, lang, today)):
        return None
    named = {p.year for p in _in_digits(text, lang, today) if p.year is not None}
    named |= {int(m.group()) for m in _YEAR.finditer(text)}
    return tuple(sorted(named)) or None


def oldest_year(today: date | None) -> int:
    """Return the earliest year that indicates no age over 89."""
    return _SAFE_SINCE if today is None else today.year - _OLDEST_AGE


def _in_digits(text: str, lang: str, today: date | None) -> list[Parsed]:
    found: list[Parsed] = []
    rest = text
    for pattern in (_IN_TEXT_ISO, _IN_TEXT_NUMERIC, _COMPACT):
        for match in pattern.finditer(rest):
            parsed = _from_digits(match, pattern, lang, today)
            if parsed is not None:
                found.append(parsed)
        rest = pattern.sub(" ", rest)
    return found


def _from_digits(match: re.Match[str], pattern: re.Pattern[str], lang: str, today: date | None) -> Parsed | None:
    if pattern is _COMPACT:
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    elif pattern is _IN_TEXT_ISO:
        year, month, day = int(match[1]), int(match[3]), int(match[4])
    else:
        one, two = int(match[1]), int(match[3])
        month_first = two > 12 or (one <= 12 and lang == "en" and match[2] != ".")
        month, day = (one, two) if month_first else (two, one)
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        if len(match[4]) == 2:
            return Parsed(_century(int(match[4]), today), month, day, short=True)
        year = int(match[4])
    return Parsed(year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _century(short: int, today: date | None) -> int | None:
    if today is None:
        return None
    year = today.year - today.year % 100 + short
    return year - 100 if year > today.year + _AHEAD_YEARS else year


def _in_words(text: str, month: re.Match[str], today: date | None) -> Parsed:
    before, after = text[: month.start()], text[month.end() :]
    year_match = _YEAR.search(text)
    year, short = (int(year_match.group()), False) if year_match else (None, False)
    day_match = _DAY_BEFORE.search(before) or _DAY_AFTER.match(after)
    if year is None and (short_match := _SHORT_AFTER.search(after if day_match and day_match.string is before else "")):
        year, short = _century(int(short_match[1]), today), True
    elif year is None and (quoted := _QUOTED_YEAR.search(after)):
        year, short = _century(int(quoted[1]), today), True
    day = int(day_match[1]) if day_match else None
    return Parsed(year, MONTHS[month.group()], day if day is not None and 1 <= day <= 31 else None, short=short)


def _in_part(text: str) -> Parsed | None:
    """Read 05/2024, 2024-05 or a bare year."""
    if match := _MONTH_YEAR.search(text):
        return Parsed(int(match[2]), int(match[1]))
    if match := _YEAR_MONTH.search(text):
        return Parsed(int(match[1]), int(match[2]))
    found = {int(m.group()) for m in _YEAR.finditer(text)}
    return Parsed(found.pop()) if len(found) == 1 else None


_DAY_BEFORE: Final = re.compile(r"(?<!\d)(\d{1,2})\s?(?:st|nd|rd|th|er|e|º|ª|°|o)?\.?[\s\-/]*(?:de |of |d')?\s*$")
_DAY_AFTER: Final = re.compile(r"\.?[\s\-/]*(\d{1,2})(?:st|nd|rd|th)?(?!\d)")
_SHORT_AFTER: Final = re.compile(r"^\.?[\s\-/]*(?:de |del |,)?\s*['\u2019]?(\d\d)(?!\d)")
_QUOTED_YEAR: Final = re.compile(r"['\u2019](\d\d)(?!\d)|,\s*(\d\d)(?!\d)")
_MONTH_YEAR: Final = re.compile(r"(?<![\d/.\-])(0?[1-9]|1[0-2])\s?[/.\-]\s?((?:18|19|20|21)\d\d)(?![\d/.\-]\d|\d)")
_YEAR_MONTH: Final = re.compile(r"(?<![\d/.\-])((?:18|19|20|21)\d\d)[/.\-](0?[1-9]|1[0-2])(?![\d/.\-]\d|\d)")
