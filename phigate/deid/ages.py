"""Ages as text writes them, made coarser: 90+ as one class (45 CFR 164.514(b)(2)(i)(C)), or bands of five years.

A value that is no single age, or that these rules cannot read, gives None: the caller then redacts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_OLDEST: Final = 89
_TOP: Final = "90+"
_LONGEST_LIFE: Final = 130
_AGE: Final = re.compile(
    r"(?<![\d.,])(\d{1,4})(?:[.,]\d+)?(?![\d])"
    r"(?:[\s\-]*(?:(?P<months>month|mo\b|mos\b|m[eê]s|mois|monat|maand)|(?P<weeks>week|wk|semana|semaine|woche|settiman|weken)"
    r"|(?P<days>day|dia|d[ií]a|jour|tag|giorn|dag|hour|hora|heure|stunde|or[ae]\b|uur)))?",
    re.IGNORECASE,
)
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
        unit = match.lastgroup or ""
        years = int(match[1]) // _UNITS_A_YEAR.get(unit, 1)
        number_end = match.end() if not unit else match.end(1)
        ages.append(_Age(match.start(1), number_end, years, not unit))
    return ages


def age90(text: str) -> str | None:
    """Return ``text`` with an age over 89 as 90+, unchanged where no age in it is over 89."""
    ages = _ages(text)
    if not ages or any(age.years > _LONGEST_LIFE for age in ages):
        return None
    if all(age.years <= _OLDEST for age in ages):
        return text
    if len(ages) > 1 or not ages[0].in_years:
        return _TOP  # 93 years and 4 months: the rest would say more than the class
    return text[: ages[0].start] + _TOP + text[ages[0].end :]


def band5(text: str) -> str | None:
    """Return ``text`` with its age as a band of five years, unchanged where it is such a band already."""
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
