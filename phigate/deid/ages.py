"""Ages as text writes them, made coarser: 90+ as one class (45 CFR 164.514(b)(2)(i)(C)), or bands of five years.

A value that is no single age, or that these rules cannot read, gives None: the caller then redacts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from phigate.deid import numerals

_OLDEST: Final = 89
_TOP: Final = "90+"
_LONGEST_LIFE: Final = 130
_AGE: Final = re.compile(r"(?<![\d.,])(\d{1,4})(?:[.,]\d+)?(?!\d)")
_UNIT: Final = re.compile(
    r"[\s\-\u2010-\u2015]*(?:(?P<months>month|mo\b|mos\b|m[eê]s|mois|monat|maand)"
    r"|(?P<weeks>week|wk|semana|semaine|woche|settiman|weken)"
    r"|(?P<days>day|d[ií]a|jour|tag|giorn|dag|hour|hora|heure|stunde|or[ae]\b|uur))",
    re.IGNORECASE,
)
_DECADE: Final = re.compile(r"(\d0)['\u2019]?s\b|\b(?:anos|años|jahren?) (\d0)\b", re.IGNORECASE)
_BAND: Final = re.compile(r"\s*(\d{1,2})\s*-\s*(\d{1,2})(?!\d)")
_UNITS_A_YEAR: Final = {"months": 12, "weeks": 52, "days": 365}


@dataclass(frozen=True, slots=True)
class _Age:
    start: int
    end: int
    years: int
    in_years: bool


def _ages(text: str) -> list[_Age]:
    ages: list[_Age] = []
    for match in _AGE.finditer(text):
        unit = _UNIT.match(text, match.end())
        years = int(match[1]) // _UNITS_A_YEAR.get((unit and unit.lastgroup) or "", 1)
        ages.append(_Age(match.start(), match.end(), years, unit is None))
    return ages or _spelled(text)


def _spelled(text: str) -> list[_Age]:
    """Read an age in words. Where it stands in the text is not told: it is replaced whole or not at all."""
    number = None if any(char.isdigit() for char in text) else numerals.read(text)
    if number is None:
        return []
    unit = _UNIT.search(text)
    return [_Age(0, len(text), number // _UNITS_A_YEAR.get((unit and unit.lastgroup) or "", 1), unit is None)]


def age90(text: str) -> str | None:
    """Return ``text`` with an age over 89 as 90+, unchanged where no age in it is over 89."""
    if decade := _DECADE.search(text):
        return text if int(decade[1] or decade[2]) < _OLDEST else _TOP
    ages = _ages(text)
    if not ages or any(age.years > _LONGEST_LIFE for age in ages):
        return None
    if all(age.years <= _OLDEST for age in ages):
        return text
    if len(ages) > 1 or not ages[0].in_years:
        return _TOP  # 93 years and 4 months: the rest would say more than the class
    return text[: ages[0].start] + _TOP + text[ages[0].end :]


def band5(text: str) -> str | None:
    """Return ``text`` with its age as a band of five years, unchanged where it is such a band or a decade already."""
    if _DECADE.search(text):
        return age90(text)
    if (match := _BAND.match(text)) and len(_ages(text)) == 2:
        low, high = int(match[1]), int(match[2])
        return text if low % 5 == 0 and high == low + 4 <= _OLDEST else None
    ages = _ages(text)
    years = [age for age in ages if age.in_years]
    if not ages or len(years) > 1 or any(age.years > _LONGEST_LIFE for age in ages):
        return None
    if len(ages) == 1 and years:
        return text[: ages[0].start] + _band(ages[0].years) + text[ages[0].end :]
    return _band(max(age.years for age in ages))


def _band(years: int) -> str:
    if years > _OLDEST:
        return _TOP
    low = years - years % 5
    return f"{low}-{low + 4}"
