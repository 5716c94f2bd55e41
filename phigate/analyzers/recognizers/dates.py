"""Dates in digits and words, whole and partial, ranges and times of day with them; and ages.

Numeric dates are told from ratios, scores and blood pressures by their separators, their ranges and their
neighbours. A bare day and month ("12/05") or month and year ("05/2021") counts where nothing speaks against it.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import Surroundings
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.date_words import (
    AMBIGUOUS_MONTHS,
    DATE_JOINERS,
    DECADE_DAY_WORDS,
    MONTH_PREPOSITIONS,
    MONTHS,
    ORDINAL_DAYS,
    WEEKDAYS,
    YEAR_CUES,
    YEAR_NOUNS,
)
from phigate.finding import EntityType as T
from phigate.finding import Finding

_TIME: Final = r"(?:[T ,]{1,3}(?:at |as |às |um |alle |a las |om )?\d{1,2}[:h]\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?[AaPp]\.?[Mm]\b\.?)?(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
_NUMERIC: Final = re.compile(
    rf"(?<![\w./])(?<![A-Za-z]-)(?<!\d-\d\d-)(?<!\d-\d-)(?:"
    rf"(?P<iso>(?:18|19|20|21)\d\d(?P<s1>[-/.])(?:0?[1-9]|1[0-2])(?P=s1)(?:0?[1-9]|[12]\d|3[01])(?!\d){_TIME})"
    rf"|(?P<dmy>(?:0?[1-9]|[12]\d|3[01])(?P<s2> ?[-/.]{{1,2}} ?|[ ])(?:0?[1-9]|[12]\d|3[01])(?P=s2)[-/.]?(?:(?:18|19|20|21)\d\d|'?\d\d)(?!\d){_TIME})"
    rf"|(?P<mix>(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|1[0-2])[-/.](?:(?:18|19|20|21)\d\d|\d\d)(?!\d))"
    rf"|(?P<my>(?:0?[1-9]|1[0-2])[-/.](?:19|20)\d\d(?![\d/.-]*\d))"
    rf"|(?P<ym>(?:19|20)\d\d[-/](?:0[1-9]|1[0-2])(?![\d/.-]*\d))"
    rf"|(?P<md2>(?:0?[1-9]|1[0-2])/\d\d(?!\d|[/.]\d))"
    rf"|(?P<dm>(?:0?[1-9]|[12]\d|3[01])(?:/(?:0?[1-9]|[12]\d|3[01])|\.(?:0?[1-9]|1[0-2])\.)(?!\d|/\d))"
    rf"|(?P<compact>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4}}(?:\d\d)?)?(?!\w))"
    rf"|(?P<masked>(?:[Xx_*]{{1,2}}|\d{{1,2}})/(?:[Xx_*]{{1,2}}|\d{{1,2}})/(?:19|20)?[\d]{{2}}(?!\d))"
    rf")(?![\w%]|-\d(?!\d?[/.])|\.\d\d(?!\d))"
)
_YEAR: Final = re.compile(r"(?<![\w.,/-])(?:(?:18|19|20)\d\d)(?![\w%]|[.,/-]\d)")
_DAY_BEFORE: Final = re.compile(
    rf"(?:\b(?:(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|er|re|o|a|e|º|ª|\.)?|1°)(?:\s{{0,2}}(?:-|a|al|au|ao|e|y|to|and|bis|et|und|en|tot|t/m|/|,)\s{{0,2}}(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.)?){{0,3}}[\s/.-]{{0,3}}(?:{DATE_JOINERS}\s)?)\Z"
)
_DAY_AFTER: Final = re.compile(
    r"\.?[\s./-]{1,2}(?:the\s)?(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?:\s?(?:-|to|and|through|&)\s?(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?)?(?![\d%/]|[.,:]\d|\s?(?:mg|ml|kg|mm|years?|days?|weeks?|patients)\b)"
)
_YEAR_AFTER: Final = re.compile(
    rf"\.?[\s,./-]{{0,3}}(?:{DATE_JOINERS}\s)?(?:(?:18|19|20|21)\d\d|'\d\d|[./-]\d\d)(?!\d)"
)
_TIME_AFTER: Final = re.compile(_TIME)
_YEAR_RANGE: Final = re.compile(r"\s?(?:-|to|/|a|e|y|bis|and)\s?(?:(?:19|20)\d\d|\d\d)(?![\w%]|[.,]\d)")
_MONTH_JOINERS: Final = frozenset({"y", "e", "and", "et", "und", "to", "bis", "a", "en"})
# Languages that write a day and its month with two full stops: 12.3.
_DOTTED_DAYS: Final = frozenset({"", "de", "nl"})
# "viernes 5", "Monday the 5th": the day of a month; "segunda 2x" and "Monday 9:40" are none.
_WEEKDAY_DAY: Final = re.compile(
    r",? (?:the |den |el |le |il |dia )?(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?![\w%]|[.,:/-]\d| ?(?:mg|ml|h|uhr|am|pm|x|comp|cp|tab|a\.m|p\.m))"
)
_WEEKDAY_GAP: Final = 3
_SHORT_WEEKDAYS: Final = WEEKDAYS | {"mo", "di", "mi", "do", "fr", "sa", "so", "seg", "ter", "qua", "qui", "sex", "sab", "dom", "lun", "mer", "gio", "ven", "jeu", "ma", "wo", "vr", "za", "zo"}  # fmt: skip
_WORD_AFTER: Final = re.compile(r" (?:the )?(?:(?:twenty|thirty)[ -])?([a-z]{4,11})(?![a-z])")
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2099
_BARE_YEAR: Final = 0.4
_ARTICLES: Final = frozenset({"el", "o", "os", "los", "the", "le", "il", "l", "de", "do", "del", "des"})
_WORD_DAY: Final = re.compile(r"([a-z]+)[ -]?([a-z]+)?\s(?:(?:of|de|do|di|del)\s)?\Z")
_BEFORE_CHARS: Final = 26
_BP: Final = re.compile(
    r"(?<![a-z])(?:bp|pa|ta|rr|blood pressure|pressao|tension|pressione|bloeddruk|blutdruck|grade|grau|score|stage|pain|dor|dolor|strength|forca|power|"
    r"glasgow|gcs|apgar|vision|visual acuity|av|reflexes|pulses|kraft|forza|scale|eva|vas|nrs|ratio|vol|gleason|ecog|day|cycle|dia|tag|ciclo|zyklus|grad|murmur|sopro)"
    r"[\s:=(a-z]{0,14}\Z"
)
_AFTER_FRACTION: Final = re.compile(
    r"\s?(?:mm|cm|mg|ml|%|mmhg|strength|bilateral|bilaterally|in all|throughout|pulses|points?|patients?|pacientes|cases|murmur|systolic|on the|pain|power|kraft|hpf|of the|\()"
)


def find_dates(view: View, surroundings: Surroundings) -> list[Finding]:
    """Return dates and dates of birth, in no order."""
    found = [*_numeric(view, surroundings), *_worded(view, surroundings)]
    found += _years(view, found, surroundings)
    return found


def _typed(start: int, end: int, score: float, rule: str, surroundings: Surroundings) -> Finding:
    near = surroundings.near(start, end)
    born = near.best(frozenset({"dob"}))
    if near.best(frozenset({"date"})) or born:
        score = max(score, 0.9)
    return Finding(start, end, T.DOB if born else T.DATE, score, f"dates:{rule}")


_SCORES: Final = {
    "iso": 0.95,
    "dmy": 0.9,
    "mix": 0.85,
    "my": 0.7,
    "ym": 0.6,
    "md2": 0.4,
    "dm": 0.45,
    "compact": 0.3,
    "masked": 0.5,
}


def _numeric(view: View, surroundings: Surroundings) -> list[Finding]:
    found: list[Finding] = []
    text, folded = view.shadow, view.folded
    done = 0
    for at in view.digit_starts():
        match = _NUMERIC.match(text, at) if at >= done else None
        if match is None:
            continue
        done = match.end()
        rule = match.lastgroup or "dmy"
        rule = next((k for k in _SCORES if match.group(k)), rule)
        score = _SCORES[rule]
        start, end = match.span()
        near = surroundings.near(start, end)
        dated = near.best(frozenset({"dob", "date"}))
        if rule == "dmy" and match.group("s2") == " ":
            score = 0.3
        if rule in {"md2", "dm", "masked"} and not dated:
            before = folded[max(0, start - 30) : start]
            if _BP.search(before) or near.other or _AFTER_FRACTION.match(folded, end) or near.measured:
                continue
            left, _, right = match.group().strip(".").replace(".", "/").partition("/")
            if left.isdigit() and right.isdigit() and (int(left) > 31 or (int(left) > 12 and int(right) > 12)):
                continue
            if (
                rule != "masked"
                and match.group().count("/") == 1
                and right.isdigit()
                and left.isdigit()
                and int(right) in {5, 10}
                and int(left) <= int(right)
            ):
                score = 0.25  # "3/5", "7/10": a grade more often than a day
        if rule == "dm" and match.group().endswith(".") and score:
            score = 0.6 if view.lang in _DOTTED_DAYS else 0.25  # elsewhere "8.2." is a decimal that ends a sentence
        found.append(_typed(_after_weekday(view, start), end, score, rule, surroundings))
    return found


def _after_weekday(view: View, start: int) -> int:
    """Return where a date begins with the day of the week before it, if one is there: "Tue 12/2", "Mi., 19.11."."""
    at = view.word_before(start)
    if at < 0 or start - view.ends[at] > _WEEKDAY_GAP or view.words[at] not in _SHORT_WEEKDAYS:
        return start
    return view.starts[at] if not view.shadow[view.ends[at] : start].strip(" .,") else start


def _worded(view: View, surroundings: Surroundings) -> list[Finding]:
    found: list[Finding] = []
    words, starts, ends = view.words, view.starts, view.ends
    for n, word in enumerate(words):
        if word in MONTHS or (word[-1].isdigit() and word.rstrip("0123456789") in MONTHS):
            finding = _around_month(view, n, surroundings)
            if finding is not None:
                found.append(finding)
        elif word in WEEKDAYS and len(word) > 4 and view.shadow[starts[n] : ends[n]][:1] != "_":
            day = _WEEKDAY_DAY.match(view.folded, ends[n])
            score = 0.5 if day else _weekday(view, n)
            found.append(Finding(starts[n], day.end() if day else ends[n], T.DATE, score, "dates:weekday"))
    return found


def _weekday(view: View, n: int) -> float:
    """Score a day of the week: English and German ones carry a capital, elsewhere "segunda" is an ordinal too."""
    capital = view.shadow[view.starts[n]].isupper()
    return 0.4 if capital or view.words[n].endswith(("day", "feira", "tag")) else 0.2


def _around_month(view: View, n: int, surroundings: Surroundings) -> Finding | None:
    folded = view.folded
    word = view.words[n].rstrip("0123456789")
    start, end = view.starts[n], view.starts[n] + len(word)
    first = _day_before(folded, start)
    after = (_DAY_AFTER.match(folded, end) or _spelled_day(folded, end)) if first is None else None
    day = first is not None or after is not None
    start = start if first is None else first
    end = end if after is None else after.end()
    year = _YEAR_AFTER.match(folded, end)
    if year is not None:
        clock = _TIME_AFTER.match(view.shadow, year.end())
        end = clock.end() if clock else year.end()
    elif not day:
        return _bare_month(view, n, word)
    elif word in AMBIGUOUS_MONTHS and len(word) <= 3 and not view.shadow[view.starts[n]].isupper():
        return None
    return _typed(_before_month(view, n, start), end, 0.95 if year and day else 0.85, "words", surroundings)


def _spelled_day(folded: str, end: int) -> re.Match[str] | None:
    """Return the day spelled after a month, as people dictate it: "november third", "april twenty ninth"."""
    spelled = _WORD_AFTER.match(folded, end)
    return spelled if spelled is not None and spelled.group(1) in ORDINAL_DAYS else None


def _day_before(folded: str, start: int) -> int | None:
    """Return where the day in front of a month begins, in digits or spelled."""
    window = max(0, start - _BEFORE_CHARS)
    before = _DAY_BEFORE.search(folded, window, start)
    if before is not None:
        first = before.start()
        return first if first == 0 or not (folded[first - 1].isalnum() or folded[first - 1] in ".,/-") else None
    spelled = _WORD_DAY.search(folded, window, start)
    if spelled is None or (spelled.group(2) or spelled.group(1)) not in DECADE_DAY_WORDS:
        return None
    return spelled.start(2) if spelled.group(2) else spelled.start(1)


def _bare_month(view: View, n: int, word: str) -> Finding | None:
    """Return a month without day and year where a preposition of time precedes: "since March", "em maio"."""
    previous = view.words[n - 1] if n else ""
    if previous not in MONTH_PREPOSITIONS:
        return None
    start = view.starts[n]
    if word in AMBIGUOUS_MONTHS and (
        len(word) < 5 or not view.shadow[start].isupper() or previous in {"de", "di", "of", "a", "this", "no"}
    ):
        return None
    if previous in {"last", "next", "this", "ultimo", "proximo", "letzten", "vorigen", "dernier"}:
        start = view.starts[n - 1]
    return Finding(start, view.ends[n], T.DATE, 0.5, "dates:month")


def _before_month(view: View, n: int, start: int) -> int:
    """Reach back over another month ("febrero y abril de 2002") and a day of the week."""
    other = n - 2 if n > 1 and view.words[n - 1] in _MONTH_JOINERS else n - 1
    if other >= 0 and view.words[other] in MONTHS and start == view.starts[n] and start - view.ends[other] <= 5:
        start = view.starts[other]
    if n and view.words[n - 1] in WEEKDAYS and start - view.ends[n - 1] <= 3:
        start = view.starts[n - 1]
    return start


def _years(view: View, found: list[Finding], surroundings: Surroundings) -> list[Finding]:
    years: list[Finding] = []
    covered = bytearray(len(view.shadow))
    for f in found:
        covered[f.start : f.end] = b"\1" * (f.end - f.start)
    for at in view.digit_starts():
        match = None if covered[at] else _YEAR.match(view.shadow, at)
        if match is not None and _FIRST_YEAR <= int(match.group()) <= _LAST_YEAR:
            year = _year(view, match, surroundings)
            if year is not None:
                years.append(year)
    return years


def _year(view: View, match: re.Match[str], surroundings: Surroundings) -> Finding | None:
    """Judge four digits in the range of years by the word before and what is measured after."""
    start, end = match.span()
    near = surroundings.near(start, end)
    if near.measured or near.other:
        return None
    at = view.word_before(start)
    while at >= 0 and view.words[at] in _ARTICLES and start - view.ends[at] <= 6:
        at -= 1
    previous = view.words[at] if at >= 0 and start - view.ends[at] <= 6 else ""
    score = _BARE_YEAR
    if previous in YEAR_CUES or previous in MONTHS:
        score = 0.6
    elif view.shadow[start - 1 : start] == "(" and view.shadow[end : end + 1] == ")":
        score = 0.5
    elif previous.isalpha() and near.best(frozenset({"date", "dob"})):
        score = 0.7
    if previous in YEAR_NOUNS:
        start = view.starts[at]
    span = _YEAR_RANGE.match(view.folded, end)
    return Finding(start, span.end() if span else end, T.DATE, score, "dates:year")
