"""Ages, told from durations: "45-year-old", "45 yo", "de 45 años", "45 anos", "45-jährige", "im Alter von 45", "dans sa 45e".

Anything over 89 is the same type with a source of its own, since some regimes treat it apart.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import Surroundings
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.date_words import COMPOUND_NUMBER, NUMBER_WORDS, SMALL_UNITS, YEAR_UNITS
from phigate.finding import EntityType as T
from phigate.finding import Finding

_ATTACHED: Final = re.compile(
    r"(?<![\w.,])(\d{1,3})(?:yo|y|yr|yrs|a|j|jr|jahrige?[nrsm]?|jarige?|m|f|w|h)?[/-]?(?:yo|y/o|y\.o\.|o)\b"
)
_NUMBER_BEFORE: Final = re.compile(
    r"(\d{1,3}(?:[.,]\d{1,2})?)(?:\s?(?:-|to|a|e|y|bis|und|or|ou|/)\s?\d{1,3})?[\s-]{0,2}\Z"
)
_OLD_AFTER: Final = re.compile(
    r"[\s-]{0,2}(?:old|of age|olds|-old|de idade|de edad|de vida|d'age|d age|alt\b|alte[nrsm]?\b|di eta|oud\b|oude\b)"
)
_OLD_BEFORE: Final = re.compile(
    r"(?:aged|age|ages|age of|the age of|idade de|idade|edad de|edad|com|con|de|of|age de|agee de|agees de|alter von|alter|eta di|eta|van|"
    r"leeftijd van|leeftijd|aos|a los|im alter von|all'eta di|turned|faz|completou|tem|tiene|a|ha|is|was|heeft|hat|cumplio|aged between|entre|dell'eta di|d'anni|[:,;(])\s{0,2}\Z"
)
_DURATION_BEFORE: Final = re.compile(
    r"(?:for|over|past|last|within|after|during|every|next|since|about|approximately|x|than|previous|in|of follow up|pack|"
    r"ha|faz|durante|por|apos|ultimos|ultimas|nos|cerca de|mais de|depois de|a cada|cada|hace|desde hace|tras|ultimos|los|"
    r"depuis|pendant|il y a|apres|durant|derniers|environ|seit|vor|fur|nach|uber|letzten|innerhalb von|alle|da|per|dopo|negli ultimi|circa|da circa|"
    r"sinds|al|gedurende|na|voor|afgelopen|laatste|seguimiento de|evolucion de|seguimento de|historia de|history of|duration of|tempo di|survival of|em|en|dans)\s{1,2}(?:the |os |los |as |les |a )?\Z"
)
_AGO_AFTER: Final = re.compile(
    r"[\s-]{0,2}(?:ago|later|earlier|prior|before|after|duration|history|survival|follow|post|of (?!age)|atras|depois|antes|apos|de (?:evolu|segui|dura|trat|uso|trabal|exper|hist|anteced|casad|casam)|"
    r"despues|tras|plus tard|auparavant|avant|apres|spater|zuvor|vorher|lang|fa\b|dopo|prima|geleden|later|daarna|pack|macos|maco|paquete|pa\b|p\b)"
)
_LABELLED: Final = frozenset({"age"})
_BARE: Final = re.compile(r"(?<![\w.,/-])\d{1,3}(?![\w/]|[.,]\d)")
_DECADE: Final = re.compile(
    r"\b(?:(?:early|mid|late)[ -])?(?:\d0s|twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties)\b"
)
_SEX_AGE: Final = re.compile(
    r"(?<![\w.,/-])(\d{1,3})\s?(?:/\s?)?(?:[mf]|male|female|man|woman|boy|girl|lady|gentleman|masculino|feminino|varon|mujer|homme|femme)\b(?!\s?\d)"
)
_COMPOUND: Final = re.compile(rf"(?:{COMPOUND_NUMBER})\Z")
_GERMAN: Final = re.compile(r"(\d{1,3}|[a-z]{4,26}?)[\s-]{0,2}(?:jahrig|jarig)[a-z]{0,2}\b")


def _finding(start: int, end: int, number: str, score: float, rule: str) -> Finding:
    over = number.isdigit() and int(number) > 89
    return Finding(start, end, T.AGE, score, f"ages:{rule}_over89" if over else f"ages:{rule}")


def find_ages(view: View, surroundings: Surroundings) -> list[Finding]:
    """Return ages, in no order; a duration is none."""
    found = [*_by_unit(view), *_by_label(view, surroundings)]
    folded = view.folded
    if any(c.isdigit() for c in folded):
        for match in _ATTACHED.finditer(folded):
            if int(match.group(1)) <= 125:
                found.append(_finding(match.start(), match.end(), match.group(1), 0.85, "yo"))
        for match in _SEX_AGE.finditer(folded):
            if 0 < int(match.group(1)) <= 120:
                short = len(match.group().split()[-1]) == 1
                found.append(_finding(match.start(), match.end(1), match.group(1), 0.45 if short else 0.7, "sex"))
    if "0s" in folded or "ties" in folded:
        found += [Finding(m.start(), m.end(), T.AGE, 0.5, "ages:decade") for m in _DECADE.finditer(folded)]
    if "jahrig" in folded or "jarig" in folded:
        for match in _GERMAN.finditer(folded):
            number = match.group(1)
            if number.isdigit() or number in NUMBER_WORDS or _COMPOUND.fullmatch(number):
                found.append(_finding(match.start(), match.end(), number, 0.9, "jaehrig"))
    return found


def _spelled(view: View, n: int) -> int | None:
    """Return the index of the first word of a number in words that ends at word ``n``."""
    first = n
    while first >= 0 and n - first < 4:
        word = view.words[first]
        if (
            word in NUMBER_WORDS
            or _COMPOUND.fullmatch(word)
            or (word in {"e", "y", "et", "and", "en", "und"} and first < n)
        ):
            first -= 1
        else:
            break
    first += 1
    return first if first <= n and view.words[first] not in {"e", "y", "et", "and", "en", "und"} else None


def _by_unit(view: View) -> list[Finding]:
    found: list[Finding] = []
    folded = view.folded
    for n, word in enumerate(view.words):
        years = word in YEAR_UNITS
        if not years and word not in SMALL_UNITS:
            continue
        start, end = view.starts[n], view.ends[n]
        before = _NUMBER_BEFORE.search(folded, max(0, start - 14), start)
        number = ""
        if before is not None:
            first, number = before.start(), before.group(1)
            if number.isdigit() and int(number) > 125:
                continue
        elif n:
            spelled = _spelled(view, n - 1)
            if spelled is None or start - view.ends[n - 1] > 2 or word in {"a", "y", "an"}:
                continue
            first = view.starts[spelled]
        else:
            continue
        old = _OLD_AFTER.match(folded, end)
        head = folded[max(0, first - 30) : first]
        if old is not None:
            found.append(_finding(first, old.end(), number, 0.95, "old"))
        elif word == "yo":
            found.append(_finding(first, end, number, 0.9, "yo"))
        elif not years:
            if re.search(
                r"(?:aged|age|idade|edad|age de|alter|eta|leeftijd)(?: (?:de|von|van|di|of))?[\s:]{1,2}\Z", head
            ):
                found.append(_finding(first, end, number, 0.8, "young"))
        elif _AGO_AFTER.match(folded, end) is None and _DURATION_BEFORE.search(head) is None and word not in {"a", "y"}:
            said = _OLD_BEFORE.search(head) is not None
            young = number.isdigit() and int(number) < 13 and not said
            found.append(_finding(first, end, number, 0.8 if said else 0.35 if young else 0.55, "years"))
    return found


def _by_label(view: View, surroundings: Surroundings) -> list[Finding]:
    found: list[Finding] = []
    for label in surroundings.labels:
        if "age" not in label.kinds:
            continue
        match = _BARE.search(view.shadow, label.end, min(len(view.shadow), label.end + 16))
        if match is None or int(match.group()) > 125:
            continue
        near = surroundings.near(match.start(), match.end())
        if near.best(_LABELLED) >= 0.9:
            found.append(_finding(match.start(), match.end(), match.group(), 0.85, "label"))
    for hint in view.hints:
        if hint.kind == "age":
            found.append(_finding(hint.start, hint.end, view.shadow[hint.start : hint.end].strip(), 0.9, "field"))
    return found
