"""Layer L1 for numbers: one pass over runs of digits feeds every family of numbers and the labels of seven languages.

A candidate is a run of letters, digits and inner separators with a digit in it, or such runs joined by spaces in a way
that some family writes. Its score is shape times check digits times context; what a label announces is an identifier
whatever it looks like, and what a unit follows is a measurement.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import Near, Surroundings
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers import br, eu, generic, us
from phigate.analyzers.recognizers.spec import LABELLED, Spec
from phigate.finding import EntityType as T
from phigate.finding import Finding

_FAMILIES: Final = (("br", br.SPECS), ("us", us.SPECS), ("eu", eu.SPECS), ("generic", generic.SPECS))
_BY_LENGTH: Final[dict[int, list[tuple[str, Spec]]]] = {}
for _family, _specs in _FAMILIES:
    for _spec in _specs:
        for _length in _spec.lengths:
            _BY_LENGTH.setdefault(_length, []).append((_family, _spec))

# Which type an identifier has that only its label explains; the first that applies, from precise to vague.
_TYPE_OF_KIND: Final[dict[str, T]] = {
    "cpf": T.BR_CPF, "cnpj": T.BR_CNPJ, "cns": T.BR_CNS, "pis": T.BR_PIS, "titulo": T.BR_TITULO, "cnh": T.BR_CNH,
    "certidao": T.BR_CERTIDAO, "renavam": T.VEHICLE_ID, "brpassport": T.BR_PASSPORT, "crm": T.BR_CRM, "rg": T.BR_RG,
    "npi": T.US_NPI, "ssn": T.US_SSN, "mrn": T.MRN, "plan": T.HEALTH_PLAN_ID, "card": T.CARD, "account": T.ACCOUNT,
    "license": T.LICENSE, "vehicle": T.VEHICLE_ID, "device": T.DEVICE_ID, "case": T.UNIQUE_ID, "id": T.UNIQUE_ID,
    "username": T.USERNAME,
}  # fmt: skip
ID_KINDS: Final = frozenset(_TYPE_OF_KIND)

_DIGIT_RUN: Final = re.compile(r"\d[0-9A-Za-z./_*-]*+")
_PIECE_CHARS: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz./_*-")
_LEAST: Final = 3
_BY_LABEL: Final = 0.9
_SURE: Final = 0.8  # a family's own written form: what is announced before it matters no more
_LEAST_BARE: Final = 5
_EDGE: Final = "./_*-"
# "77-year-old", "12-week", "3-fache": a word hangs on the number.
_WORD_TAIL: Final = re.compile(r"-[a-z]{3,}(?:-[a-z]+)*\Z|(?<=\d)(?:st|nd|rd|th|er|re|e|a|o)\Z")
# A unit grown onto the number, alone or as a range: 28mg, 12-14g/dl, 0.5mg/dl.
_GLUED_UNIT: Final = re.compile(
    r"[<>]?\d[\d.,/-]*(?:x10)?(?:mg|mcg|ug|ng|pg|kg|g|gr|ml|cc|l|dl|ul|mm|cm|m|mmol|mol|meq|ui|iu|u|bpm|hz|kcal|min|sec|s|h|hs|hrs?|d|w|wk|wks|mo|y|yo|yrs?|"
    r"x|k|kb|mb|gb|f|fr|ch|gy|cgy|mhz|ghz|mmhg|cmh2o|ppm|nm|um|kda|bp|c|v|w|kw|a|ma|mv|db|pts?|usd|eur)(?:[/.-].{0,12})?\Z",
    re.IGNORECASE,
)
_YEARS: Final = re.compile(r"(?:19|20)\d\d(?:[-/](?:19|20)?\d\d)+")
_REACH_LEFT: Final = 40
_SEPARATORS: Final = str.maketrans("", "", " .-/_#*()")
# Pieces that families write apart, by their shape: 9 is a digit, A a letter.
_SPACED: Final = re.compile(
    r"999 999 999 99|999[. ]?9999 9999 9999|9999 9999 9999 \d*9{1,7}|9999 999999 99999|999 99 9999|999 999 9999|"
    r"99 9999999\d* 99|99 9{8,10} 99|99 99 99999|9 99 99 (?:99|9A) 999 999(?: 99)?|99 999 999 999|9999 99 999|999 999 999|"
    r"99 999999 A 999|A 999 999 999|AA 99 99 99 A|9999 999999|756 9999 9999 99|99999999 9 AA9|9999 9999 9999|A{3} A{3} 99A99 A999A|"
    r"999999 99 99 9999 9 99999 999 9999999 99"
)
# Those that begin with letters or end with them, apart from the digits.
_LETTERED: Final = re.compile(
    r"(?<!\w)(?:[A-Z]{2} \d\d \d\d \d\d [A-D]|[A-Z]{3} [A-Z]{3} \d\d[A-Z]\d\d [A-Z]\d{3}[A-Z]|[A-Z] \d{3} \d{3} \d{3}|"
    r"\d\d \d{6} [A-Z] \d{3}|\d{8} \d ?[A-Z]{2}\d|[A-Z]{1,3} ?-? ?\d{2,3}\.\d{3}\.\d{3})(?!\w)"
)
# What each of them holds, cheaper to look for.
_LETTERED_HINT: Final = re.compile(r"\d(?: [A-Z](?![a-z])| \d{3} \d|\.\d{3}\.\d)")
_SHAPE: Final = str.maketrans("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "9" * 10 + "A" * 52)
_DECIMAL: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})*[.,]\d+|\d+[.,]\d+|\d{1,3}(?:\.\d{3})+")
_DECIMALS: Final = re.compile(r"\d{1,2}[.,]\d+(?:/\d{1,2}[.,]\d+)+")
_CODED: Final = re.compile(
    r"[A-Z]{1,5}[-_/]?\d{5,12}|[A-Z]{1,3}\d{2}[-:/]\d{4,7}|[A-Z]{1,4}-\d{2,}-\d{2,}[\w-]*|\d{2,4}-\d{2,4}-\d{3,}|\d{3,}-\d{4,}[\d-]*|\d{4,}/\d{4,}[\d/-]*",
    re.IGNORECASE,
)
_INSIDE: Final = re.compile(r"(?<![\d.])\d{7,}(?![\d.])(?<!\A\d{7})")
_TRIAL: Final = re.compile(
    r"(?:NCT|ISRCTN|ACTRN|CHICTR|UMIN|EUCTR|PMC|PMID|CTRI|IRCT|DRKS|RS|NM_|NP_|ENS|GSE|CRD)[-_]?\d", re.IGNORECASE
)
_GENOME: Final = re.compile(r"(?:chr|chromosome )\w{1,2}:(?:\d+-)?\Z")
_AFTER_CHROMOSOME: Final = frozenset(":-")
_LONG_DIGITS: Final = 8
_OCR: Final = str.maketrans("OoQDIlZSsBG", "00001125586")


def _pieces(view: View, taken: bytearray | None) -> list[tuple[int, int]]:
    """Return the stretches without white space that hold a digit, stripped of edge signs, in order."""
    text = view.shadow
    found: list[tuple[int, int]] = []
    last = 0
    for match in _DIGIT_RUN.finditer(text):
        start, end = match.span()
        floor = max(last, start - _REACH_LEFT)
        while start > floor and text[start - 1] in _PIECE_CHARS:
            start -= 1
        last = end
        while start < end and text[start] in _EDGE:
            start += 1
        while text[end - 1] in _EDGE:
            end -= 1
        tail = _WORD_TAIL.search(text, start, end)
        if tail is not None:
            end = tail.start()
        if taken is None or not any(taken[start:end]):
            found.append((start, end))
    return found


def _joined(view: View, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join pieces that one number writes with spaces between; others stay as they are."""
    text = view.shadow
    units: list[tuple[int, int]] = []
    at = 0
    count = len(pieces)
    while at < count:
        start, end = pieces[at]
        best = at
        stop = at
        while (
            stop + 1 < count
            and stop - at < 8
            and pieces[stop + 1][0] == pieces[stop][1] + 1
            and text[pieces[stop][1]] == " "
        ):
            stop += 1
        while stop > at:
            shape = text[start : pieces[stop][1]].translate(_SHAPE)
            if len(shape) <= 48 and _SPACED.fullmatch(shape):
                best = stop
                break
            stop -= 1
        units.append((start, pieces[best][1] if best > at else end))
        at = best + 1
    return units


class NumberLayer:
    """Judges every candidate of a view. Stateless; the families are data."""

    def find(self, view: View, surroundings: Surroundings, taken: bytearray | None) -> list[Finding]:
        """Return the identifiers of a view. ``taken`` marks characters that dates and addresses own."""
        found: list[Finding] = []
        pieces = _pieces(view, taken)
        if not pieces:
            return found
        done = -1
        hinted = _LETTERED_HINT.search(view.shadow) is not None
        lettered = [m.span() for m in _LETTERED.finditer(view.shadow)] if hinted else []
        for start, stop in sorted([*lettered, *_joined(view, pieces)], key=lambda span: (span[0], -span[1])):
            if start < done or (stop - start < _LEAST and not surroundings.announced(start)):
                continue
            near = surroundings.near(start, stop)
            finding = judge(view, start, stop, near)
            if finding is not None:
                found.append(finding)
                done = finding.end
        return found


def judge(view: View, start: int, end: int, near: Near) -> Finding | None:
    """Return the identifier that a candidate is by shape, check digits and what stands near; None where it is none."""
    raw = view.shadow[start:end]
    compact = raw.translate(_SEPARATORS).upper()
    if len(compact) < _LEAST_BARE and not near.kinds and compact.isdigit():
        return None  # no family and no shape makes anything of so few figures without a label
    digits = sum(c.isdigit() for c in compact)
    glued = _GLUED_UNIT.match(raw) is not None
    if view.shadow[start - 1 : start] in _AFTER_CHROMOSOME and _GENOME.search(view.folded, max(0, start - 8), start):
        return None  # chr7:140753336 is a place in the genome
    if glued and digits < 7 and not (near.explicit and near.best(ID_KINDS) == 1.0 and not near.other):
        return None
    best = _by_spec(raw, compact, near)
    if best is None and not compact.isdigit() and near.kinds:
        best = _by_spec(raw, compact.translate(_OCR), near) if digits * 2 >= len(compact) else None
    score, entity_type, source = best or (0.0, T.UNIQUE_ID, "")
    labelled = _by_label(compact, digits, near)
    if labelled is not None and labelled[0] > score:
        score, entity_type, source = labelled
    if score < 0.5:
        bare = _bare(raw, compact, digits)
        if bare > score:
            score, entity_type, source = bare, T.UNIQUE_ID, "clinical:bare"
    if (score < _SURE or source.startswith("clinical:label")) and (near.other or near.best(ID_KINDS) < 1.0):
        score *= _doubt(raw, near)
    if score < 0.1:
        return None
    return Finding(start, end, entity_type, round(min(score, 0.99), 3), source)


def _doubt(raw: str, near: Near) -> float:
    """Return the factor by which a number loses that looks like something else."""
    if near.measured or near.other or _TRIAL.match(raw):
        return 0.2
    if _DECIMALS.fullmatch(raw):
        return 0.2  # 0.967/0.947/0.925
    return 0.3 if _DECIMAL.fullmatch(raw) else 1.0


def _by_spec(raw: str, compact: str, near: Near) -> tuple[float, T, str] | None:
    best: tuple[float, T, str] | None = None
    for family, spec in _BY_LENGTH.get(len(compact), ()):
        if spec.compact.fullmatch(compact) is None:
            continue
        written = (
            spec.written is not None and len(raw) > len(compact) and spec.written.fullmatch(raw.upper()) is not None
        )
        if spec.written is not None and spec.written.fullmatch(raw) is not None:
            written = True
        score = spec.formatted if written else spec.plain
        if not written and len(raw) > len(compact):
            score *= 0.6  # separators that this family does not use
        if spec.check is not None and not spec.check(compact):
            score *= spec.wrong
        strength = near.best(spec.labels)
        if strength:
            score = max(score, LABELLED * strength + 0.04 * (score > 0.5))
            first = next(iter(spec.labels & near.kinds.keys()))
            if first == spec.name:
                score += 0.01
        if best is None or score > best[0]:
            best = (score, spec.entity_type, f"{family}:{spec.name}")
    return best


def _by_label(compact: str, digits: int, near: Near) -> tuple[float, T, str] | None:
    """Return what a label alone makes of a value."""
    if not near.kinds:
        return None
    for kind, entity_type in _TYPE_OF_KIND.items():
        strength = near.kinds.get(kind, 0.0)
        if not strength:
            continue
        enough = digits >= 5 or (digits >= 3 and len(compact) >= 6)
        if near.explicit and strength == 1.0:
            enough = digits >= 3 or (digits >= 1 and len(compact) >= 4)
        if enough:
            return _BY_LABEL * strength, entity_type, f"clinical:label_{kind}"
    return None


def _bare(raw: str, compact: str, digits: int) -> float:
    """Return what shape alone is worth, with no label and no family."""
    if _YEARS.fullmatch(raw) or (compact.isdigit() and "." in raw):
        return 0.0
    if compact.isdigit() and digits >= _LONG_DIGITS and "/" not in raw:
        return 0.45
    if _CODED.fullmatch(raw) and digits >= 5:
        return 0.5 if digits >= 6 else 0.4
    # "patient_48210377", "48210377-log": the number of somebody inside the name of a file, a key or a variable.
    return 0.5 if _INSIDE.search(raw) and not _TRIAL.match(raw) else 0.0
