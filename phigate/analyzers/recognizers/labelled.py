"""Layer L1 from the label's side: the value that follows a label of identifiers, in whatever groups it is written.

The number layer starts from digits and knows how families write them. Here the label has said what comes, so letters
before the digits ("FN 123456", "A 123 456"), loose groups ("1EG4 TE5 MK73", "529.982.247 - 25"), check letters at the
end ("12345678 Z"), bar codes of devices and logins without a digit belong to the value too.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from phigate.analyzers.context import UNIT, Near, Surroundings
from phigate.analyzers.labels import Label
from phigate.analyzers.layers import View
from phigate.analyzers.names.lexicon import load
from phigate.analyzers.recognizers.numbers import ID_KINDS, judge
from phigate.finding import EntityType as T
from phigate.finding import Finding

# What may stand between a label and its value: signs, the word "number", a verb, and one line break.
_GAP: Final = re.compile(
    r"(?:(?:[ ][a-z']{1,14}){1,3}[ ]?(?=[:=]))?[ \t]{0,40}+(?:(?:[:#=.,>*_\"'()\[\]/-]|\|(?=[ \t]))[ \t]{0,20}){0,8}+(?:\n[ \t|>*_-]{0,8}+)?"
    r"(?:</?(?:td|th|tr|b|strong|span|dt|dd|p|div|br)[^<>]{0,60}>\s{0,4}){0,6}+"
    r"(?:(?:n[o°]?|nr|nro|num|number|numero|nummer|numer|id|is|was|e|es|est|ist|lautet)(?![a-z0-9])[ :#.=°]{1,6}+){0,2}+[#\"'(\[*_]{0,3}+"
)
# A council and its region: CRM/SP, CRP 06/, CREFITO-3/, and the state of a council in lower case.
_REGION: Final = re.compile(r"[ /-]{0,3}(?:[a-z]{2}|\d{1,2})(?:[ ]?[:/.-][ ]?|[ ](?:n[o°]?\.? ?)?)(?=\d)")
_LEADERS: Final = re.compile(r"[ \t]{0,8}[._·…]{3,60}+[ \t]{0,8}")
_SIGN: Final = re.compile(r"[:#=|]|(?<![a-z])(?:n[o°]|nr|num|number|numero|nummer|id)(?![a-z])")
_HEAD: Final = re.compile(
    r"(?:[A-Z]{1,4}[ .-]{1,2}){0,2}(?=[A-Za-z-]{0,8}\d)|[A-Z]{3,6} (?:[A-Z]{3} )?(?=\d)|[A-Za-z]{3}[ -](?=\d[0-9A-Za-z]\d{2}(?!\w))"
)
_PIECE: Final = re.compile(r"[A-Za-z]{0,8}[-_/.#]?[*Xx-]{0,8}\d[0-9A-Za-z]*(?:[-./:_*\\][0-9A-Za-z]+){0,8}")
_MORE: Final = re.compile(
    r"(?:[ ](?:\d{1,9}(?:[-/]\d{1,4})?|[A-Z]{1,3}\d{1,7}[A-Z]{0,2}|\d{1,6}[A-Z]{1,4}\d{0,4}|[A-EG-LN-Z](?=[ ]\d)|[A-Z]{2}\d)"
    r"|[ ]?-[ ]\d{1,2}|[ ]?\.[ ]?\d{3}(?:-\d{1,2})?|[ ]?/[ ]\d{1,6}|[ -][A-Z](?=[ ]?(?:[\n,;.)|<\"']|\Z)))(?![\w%]|[.,:/]\d)"
)
_ISSUER: Final = re.compile(
    r"[ -]{1,3}(?:SSP|SDS|SESP|SJS|SPTC|DETRAN|IFP|PC|MTE|OAB|CREA|CRM)[ /.-]{1,3}[A-Z]{2}(?!\w)"
)
# GS1 (01)…(17)…(21)… and HIBCC +H123…/$$…: 21 CFR 830.
_BAR_CODE: Final = re.compile(
    r"(?:\((?:01|10|11|17|21|240)\)[^\s()]{4,40}){1,6}|\+[A-Z][A-Z0-9]{3}[A-Z0-9$/+.-]{4,120}"
)
_CLOCK: Final = re.compile(r"\d{1,2}[:h]\d{2}(?:[:.]\d{2})?\Z")
_LOGIN: Final = re.compile(r"[A-Za-z][\w.\\-]{1,40}[A-Za-z0-9](?![\w@])")
_CLOSED: Final = re.compile(r"\s{0,2}(?:[,;)\]|\"'<>\n]|\Z)|[ ](?![a-z])")
_MARKED: Final = re.compile(r"[\d_.\\-]")
# "#", "nº", "no.", "number", and the German and Dutch compounds that end in it.
_NUMBERED: Final = re.compile(
    r"(?:#|n(?:umero|um\.|ro\.?|[o°]\.?|\.)(?<![a-z0-9.]n)(?<![a-z0-9.]n.)(?<![a-z0-9]n..)(?<![a-z0-9]numero)(?<![a-z0-9]num.)(?<![a-z0-9]nro.)|n(?:ummer|umber|r))"
    r"\.?[ \t:#=|\"-]{0,6}(?=[a-z]{0,4}[ -]?\d)"
)
_RANGE: Final = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?-\d{1,4}(?:[.,]\d{1,3})?(?:[a-zA-Z/]{1,8})?")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:[., ]\d{3})+(?:[.,]\d+)?|\d+[.,]\d+")
_LONGEST: Final = 48
_MOST_PIECES: Final = 8
_REACH: Final = 70
# These numbers are written like days too ("MRN 12-11-56"); a visit or an order is as often told by its day.
_NEVER_DAYS: Final = frozenset({"mrn", "ssn", "cpf", "cns", "plan", "account", "license", "id"})
_FULL_YEAR: Final = re.compile(r"(?:19|20)\d\d(?!\d)")


def find_labelled(view: View, surroundings: Surroundings, taken: bytearray) -> list[Finding]:
    """Return the values that follow labels of identifiers. ``taken`` marks characters that dates and addresses own."""
    found: list[Finding] = []
    labels = surroundings.labels
    codes = {label.start for label in labels if "not" in label.kinds}
    for n, label in enumerate(labels):
        kinds = _kinds(label.kinds)
        told = n > 0 and "not" in labels[n - 1].kinds and label.start - labels[n - 1].end <= 2
        finding = _behind(view, label, kinds, taken) if kinds and not told else None
        if finding is not None and finding.start not in codes:  # "codice ICD 410.71"
            found.append(finding)
    for sign in _NUMBERED.finditer(view.folded):
        finding = _numbered(view, sign.end(), surroundings.before(sign.start()), taken)
        if finding is not None:
            found.append(finding)
    return found


def _numbered(view: View, start: int, label: Label | None, taken: bytearray) -> Finding | None:
    """Return the value after a number sign, whatever it numbers: "Incident #48213", "Casenummer 7654321"."""
    end = _end(view, start, frozenset())
    value = view.shadow[start:end]
    compact = "".join(c for c in value if c.isalnum())
    if sum(c.isdigit() for c in compact) < (5 if compact.isdigit() else 4) or any(taken[start:end]):
        return None
    told = label is not None and "not" in label.kinds and label.end > label.start + 1
    if told or UNIT.match(view.folded, end) is not None or _THOUSANDS.fullmatch(value) or _RANGE.fullmatch(value):
        return None
    return Finding(start, end, T.UNIQUE_ID, 0.55, "clinical:number_sign")


@functools.cache
def _kinds(kinds: frozenset[str]) -> frozenset[str]:
    return frozenset() if "not" in kinds else kinds & ID_KINDS


def _behind(view: View, label: Label, kinds: frozenset[str], taken: bytearray) -> Finding | None:
    text = view.shadow
    gap = _LEADERS.match(view.folded, label.end) or _GAP.match(view.folded, label.end)
    if "crm" in kinds:
        gap = _REGION.match(view.folded, label.end) or gap
    assert gap is not None  # it may be empty
    start = gap.end()
    explicit = label.end < start and _SIGN.search(view.folded, label.start, start) is not None
    if (label.weak and not explicit) or (start == label.end) or (not explicit and "\n" in gap.group()):
        return None
    bar_code = _BAR_CODE.match(text, start - 1 if text[start - 1] in "(+" else start)
    if bar_code is not None:
        return Finding(bar_code.start(), bar_code.end(), T.DEVICE_ID, 0.95, "clinical:label_device")
    end = _end(view, start, kinds)
    if end == start or "username" in kinds:
        return _login(view, start, explicit=explicit) if "username" in kinds else None
    if _is_day(text, start, end, kinds, taken, explicit=explicit):
        return None
    measured = UNIT.match(view.folded, end) is not None
    if measured and sum(c.isdigit() for c in text[start:end]) < 7:
        return None
    return judge(
        view, start, end, Near(dict.fromkeys(kinds, 1.0), explicit=explicit or "crm" in kinds, measured=measured)
    )


def _end(view: View, start: int, kinds: frozenset[str]) -> int:
    """Return where the value that begins at ``start`` ends; ``start`` where there is none."""
    text = view.shadow
    head = _HEAD.match(text, start)
    piece = _PIECE.match(text, head.end() if head else start)
    if piece is None or _CLOCK.match(piece.group()):
        return start
    end = piece.end()
    for _ in range(_MOST_PIECES):
        more = _MORE.match(text, end)
        if more is None or more.end() - start > _LONGEST or UNIT.match(view.folded, more.end()) is not None:
            break
        end = more.end()
    issuer = _ISSUER.match(text, end) if "rg" in kinds else None
    return issuer.end() if issuer else end


def _is_day(text: str, start: int, end: int, kinds: frozenset[str], taken: bytearray, *, explicit: bool) -> bool:
    if not any(taken[start:end]):
        return False
    return not (explicit and kinds & _NEVER_DAYS) or _FULL_YEAR.search(text, start, end) is not None


def _login(view: View, start: int, *, explicit: bool) -> Finding | None:
    """Return the login at ``start``: one word with a mark inside, or one that no list of ordinary words has."""
    match = _LOGIN.match(view.shadow, start)
    if match is None:
        return None
    word = view.folded[start : match.end()]
    alone = explicit and _CLOSED.match(view.shadow, match.end()) is not None and word not in load().common
    if not alone and _MARKED.search(word) is None:
        return None
    return Finding(start, match.end(), T.USERNAME, 0.7, "clinical:label_username")
