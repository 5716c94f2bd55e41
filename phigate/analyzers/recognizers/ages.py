"""Ages, told from durations: "45-year-old", "45 yo", "de 45 años", "45-jährige", "im Alter von 45", "niña de 3 meses".

Anything over 89 is the same type with a source of its own, since some regimes treat it apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from phigate.analyzers.context import Surroundings
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.date_words import COMPOUND_NUMBER, NUMBER_WORDS, SMALL_UNITS, YEAR_UNITS
from phigate.finding import EntityType as T
from phigate.finding import Finding

_OLDEST: Final = 125
_ENGLISH: Final = frozenset({"year", "years", "yr", "yrs"})
# Unit words that are ordinary words too: they count in a fixed form alone.
_UNITS: Final = YEAR_UNITS | SMALL_UNITS
_LETTERS: Final = frozenset({"a", "y", "an", "yo"})
_ATTACHED: Final = re.compile(
    r"(?<![\w.,])(\d{1,3})[ -]?(?:y/o|y\.o\.?|yo|yrs?/o|y/?old|-?j\.|jahr\.|j(?=[. ]*(?:alt|[pm]at\b|frau|mann))|yom|yof|ym|yf|yo[mf])(?![a-z])"
)
_TERSE: Final = re.compile(
    r"(?<![\w.,/-])(\d{1,3})[ ]?(?:(?:a|j|y|yr|yrs|m|f|w)(?:[ /,](?:[mfwhv]\b|male|female|masc|fem)|o\b)|(?:aa|jr)\b\.?|a(?=[.,;)])(?<=[,;(]...a)|a(?=[.,;)])(?<=[,;(] ...a))"
)
_NUMBER_BEFORE: Final = re.compile(
    r"(?<![\w.,])(\d{1,3}(?:[.,]\d{1,2})?)(?:\s?(?:-|to|a|e|y|bis|und|or|ou|/)\s?\d{1,3})?[\s-]{0,2}\Z"
)
_OLD_AFTER: Final = re.compile(
    r"[\s-]{0,2}(?:old\b|of age\b|olds\b|de idade\b|de edad\b|de vida\b|d'age\b|d age\b|alt\b|alte[nrsm]?\b|di eta\b|oud\b|oude\b|jong\b)"
)
_SAID_BEFORE: Final = re.compile(
    r"(?:\baged?|\bages|age of|age at|idade de|idade|edad de|edad|\bcom|\bcon|\bde|\bof|age de|agee? de|agees de|alter von|\balter|eta di|\beta|\bvan|leeftijd(?: van)?|"
    r"\baos|\ba los|\ball'eta di|turned|completou|\btem|\btiene|\ba|\bheeft|\bhat|cumplio|aged between|dell'eta di|d'anni|\bdi|\bd'|[:,;(])[\s]{0,2}\Z"
)
_DURATION_BEFORE: Final = re.compile(
    r"(?:\bfor|\bover|\bpast|\blast|within|\bafter|during|every|\bnext|\bsince|\babout|approximately|\bthan|previous|follow-? ?up|\bpack|more than|"
    r"\bha|\bfaz|durante|\bpor|\bapos|ultimos|ultimas|\bnos|cerca de|mais de|depois de|\bcada|\bhace|desde hace|\btras|(?<!\ba )\blos|(?<!\ba )\blas|"
    r"depuis|pendant|il y a|apres|durant|derniers|environ|\bseit|\bvor|\bfur|\bnach|\buber|letzten|innerhalb von|\balle|\bda|\bper|\bdopo|negli ultimi|\bcirca|da circa|"
    r"\bsinds|\bal|gedurende|\bna|\bvoor|afgelopen|laatste|seguimiento de|evolucion de|seguimento de|hist[oó]ria de|historia|history of|duration of|tempo di|survival of|"
    r"\ben|\bdans|\bem|\bin|periodo de|period of|plazo de|durata di)\s{1,2}(?:the |os |las |as |les |a |unos |uns |mais de |mas de |plus de )?\Z"
)
_DURATION_AFTER: Final = re.compile(
    r"[\s-]{0,2}(?:ago|later|earlier|prior|before|after|duration|history|survival|follow|post|of (?!age)|atras|depois|antes|apos|"
    r"de (?:evolu|segui|dura|trat|uso|trabal|exper|hist|anteced|casad|casam|tempo|doenca|enferm|tabaq)|"
    r"despues|tras\b|plus tard|auparavant|avant|apres|spater|zuvor|vorher|lang\b|fa\b|dopo|prima|geleden|daarna|pack|macos|maco|paquete|p\.?a\.?\b)"
)
_SMALL_SAID: Final = re.compile(
    r"(?:\baged?|\bage of|idade|idade de|edad|edad de|\bage de|alter(?: von)?|\beta|eta di|leeftijd(?: van)?|\baos|\ba los)[\s:]{1,2}\Z"
    r"|\b(?:pacientes?|nino|nina|lactante|bebe|menino|menina|infant|baby|boy|girl|child|kind|saugling|bambin[oa]|neonat[oa]|nourrisson|enfant|jongen|meisje|"
    r"varon|mujer|raza \w+|crianca|recem nascid[oa]|rn|patiente?|paziente|hijo|hija|filh[oa]|fils|fille|figli[oa]|sohn|tochter|zoon|dochter|son|daughter)"
    r"[\s,]{1,2}(?:de|of|di|von|van|d'|age de|agee de)\s{0,1}\Z"
)
_TURNED: Final = re.compile(
    r"\b(?:turn(?:s|ed|ing)?|cumpl(?:e|io|ira)|complet(?:a|ou)|(?:i'm|i am|he is|she is|he's|she's|(?:he|she|i) was)(?: now| about| around)?)\s\Z"
)
_TURNED_AFTER: Final = re.compile(
    r"[.,;!?)](?!\d)|\s{1,2}(?:and|when|but|now|today|with|who|last|this|next|years?)\b|\s{0,3}\Z|[ \t]{0,3}\n"
)
_NUMBER: Final = re.compile(r"\d{1,3}(?!\d)")
_BARE: Final = re.compile(r"(?<![\w.,/-])\d{1,3}(?![\w/]|[.,]\d)")
_DECADE: Final = re.compile(
    r"\b(?:(?:early|mid|late)[ -])?(?:(?:his|her|their|the)\s)(?:(?:early|mid|late)[ -])?(?:\d0'?s|twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties)\b"
)
_SEX_AGE: Final = re.compile(
    r"(?<![\w.,/-])(\d{1,3})\s?(?:/\s?)?(?:[mf]|male|female|man|woman|boy|girl|lady|gentleman|masculino|feminino|varon|mujer|homme|femme)\b(?!\s?\d)"
)
_COMPOUND: Final = re.compile(rf"(?:{COMPOUND_NUMBER})\Z")
_GERMAN: Final = re.compile(r"(?<![\w.,])(\d{1,3}|[a-z]{4,26}?)[\s-]{0,2}(?:jahrig|jarig)[a-z]{0,2}\b")
_JOINERS: Final = frozenset({"e", "y", "et", "and", "en", "und"})


def _finding(start: int, end: int, number: str, score: float, rule: str) -> Finding:
    over = number.isdigit() and int(number) > 89
    return Finding(start, end, T.AGE, score, f"ages:{rule}_over89" if over else f"ages:{rule}")


def find_ages(view: View, surroundings: Surroundings) -> list[Finding]:
    """Return ages, in no order; a duration is none."""
    found = [*_by_unit(view), *_by_label(view, surroundings)]
    folded = view.folded
    if view.digit_starts():
        found += _by_form(view)
    if "0s" in folded or "ties" in folded:
        found += [Finding(m.start(), m.end(), T.AGE, 0.5, "ages:decade") for m in _DECADE.finditer(folded)]
    if "jahrig" in folded or "jarig" in folded:
        for match in _GERMAN.finditer(folded):
            number = match.group(1)
            if number.isdigit() or number in NUMBER_WORDS or _COMPOUND.fullmatch(number):
                found.append(_finding(match.start(), match.end(), number, 0.9, "jaehrig"))
    return found


def _by_form(view: View) -> Iterator[Finding]:
    """Yield ages that a fixed form gives away: 45yo, 45F, turned 45."""
    folded = view.folded
    for start in view.digit_starts():
        number = _NUMBER.match(folded, start)
        if number is None or not 0 < int(number.group()) <= _OLDEST:
            continue
        if match := _ATTACHED.match(folded, start):
            yield _finding(start, match.end(), match.group(1), 0.85, "yo")
        if match := _TERSE.match(folded, start):
            yield _finding(start, match.end(), match.group(1), 0.5, "terse")
        if _TURNED_AFTER.match(folded, number.end()) and _TURNED.search(folded, max(0, start - 20), start):
            yield _finding(start, number.end(), number.group(), 0.7, "turned")
        if match := _SEX_AGE.match(folded, start):
            short = (
                not match.group()
                .lower()
                .rstrip()
                .endswith(("male", "man", "boy", "girl", "lady", "ino", "on", "mujer", "mme"))
            )
            attached = folded[match.end(1)].isalpha()  # 52M: the letter is of the same word
            end = match.end() if attached else match.end(1)
            yield _finding(match.start(), end, match.group(1), 0.45 if short else 0.7, "sex")


def _spelled(view: View, n: int) -> int | None:
    """Return the index of the first word of a number in words that ends at word ``n``."""
    first = n
    while first >= 0 and n - first < 4:
        word = view.words[first]
        if word not in NUMBER_WORDS and not _COMPOUND.fullmatch(word) and not (word in _JOINERS and first < n):
            break
        first -= 1
    first += 1
    return first if first <= n and view.words[first] not in _JOINERS else None


def _number_before(view: View, n: int) -> tuple[int, str] | None:
    """Return where the number before unit word ``n`` begins, and its digits ("" where it is spelled)."""
    start = view.starts[n]
    before = _NUMBER_BEFORE.search(view.folded, max(0, start - 14), start)
    if before is not None:
        number = before.group(1)
        return None if number.isdigit() and int(number) > _OLDEST else (before.start(), number)
    if not n or view.words[n] in _LETTERS or start - view.ends[n - 1] > 2:
        return None
    spelled = _spelled(view, n - 1)
    return None if spelled is None else (view.starts[spelled], "")


def _by_unit(view: View) -> list[Finding]:
    found: list[Finding] = []
    for n, word in enumerate(view.words):
        if word not in _UNITS:
            continue
        number = _number_before(view, n)
        if number is not None:
            score = _score(view, number[0], view.ends[n], word, number[1])
            old = _OLD_AFTER.match(view.folded, view.ends[n])
            if score:
                found.append(
                    _finding(number[0], old.end() if old else view.ends[n], number[1], score, "old" if old else "years")
                )
    return found


def _score(view: View, first: int, end: int, word: str, number: str) -> float:
    folded = view.folded
    if _OLD_AFTER.match(folded, end):
        return 0.95
    head = folded[max(0, first - 40) : first]
    if word not in YEAR_UNITS:
        return 0.7 if _SMALL_SAID.search(head) and not _DURATION_AFTER.match(folded, end) else 0.0
    if word in _LETTERS or _DURATION_AFTER.match(folded, end) or _DURATION_BEFORE.search(head):
        return 0.0
    if _SAID_BEFORE.search(head) and not (word in _ENGLISH and head.rstrip().endswith((" a", "of", ","))):
        return 0.8
    if word in _ENGLISH or (number.isdigit() and int(number) < 13):
        return 0.3
    return 0.55


def _by_label(view: View, surroundings: Surroundings) -> list[Finding]:
    found: list[Finding] = []
    for label in surroundings.labels:
        if "age" not in label.kinds:
            continue
        match = _BARE.search(view.shadow, label.end, min(len(view.shadow), label.end + 16))
        if match is None or int(match.group()) > _OLDEST:
            continue
        near = surroundings.near(match.start(), match.end())
        if near.best(frozenset({"age"})) >= 0.9:
            found.append(_finding(match.start(), match.end(), match.group(), 0.85, "label"))
    found += [
        _finding(hint.start, hint.end, view.shadow[hint.start : hint.end].strip(), 0.9, "field")
        for hint in view.hints
        if hint.kind == "age"
    ]
    return found
