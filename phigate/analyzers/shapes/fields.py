"""What hints and "label: value" lines say by themselves: the whole value is a finding of the kind that its place names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from phigate.analyzers.context import Surroundings
from phigate.analyzers.labels import Label
from phigate.analyzers.layers import Hint, View
from phigate.finding import EntityType as T
from phigate.finding import Finding

_TYPES: Final[dict[str, T]] = {
    "person": T.PERSON, "relative": T.RELATIVE_NAME, "clinician": T.CLINICIAN_NAME, "org": T.ORGANIZATION, "street": T.STREET,
    "city": T.CITY, "county": T.COUNTY, "location": T.LOCATION, "zip": T.ZIP, "dob": T.DOB, "date": T.DATE, "phone": T.PHONE,
    "fax": T.FAX, "email": T.EMAIL, "username": T.USERNAME, "ip": T.IP_ADDRESS, "mac": T.MAC, "mrn": T.MRN, "plan": T.HEALTH_PLAN_ID,
    "account": T.ACCOUNT, "card": T.CARD, "license": T.LICENSE, "npi": T.US_NPI, "ssn": T.US_SSN, "vehicle": T.VEHICLE_ID,
    "device": T.DEVICE_ID, "case": T.UNIQUE_ID, "id": T.UNIQUE_ID, "reference": T.UNIQUE_ID, "cpf": T.BR_CPF, "cnpj": T.BR_CNPJ,
    "rg": T.BR_RG, "cns": T.BR_CNS, "pis": T.BR_PIS, "titulo": T.BR_TITULO, "cnh": T.BR_CNH, "certidao": T.BR_CERTIDAO, "crm": T.BR_CRM,
    "renavam": T.VEHICLE_ID, "brpassport": T.BR_PASSPORT, "url": T.URL,
}  # fmt: skip
_NEEDS_DIGIT: Final = frozenset(_TYPES) - {
    "person",
    "relative",
    "clinician",
    "org",
    "street",
    "city",
    "county",
    "location",
    "email",
    "username",
    "url",
}
_NAMES: Final = frozenset({"person", "relative", "clinician"})
_PLACES: Final = ("street", "city", "county", "location")
_LONGEST_STREET: Final = 16  # words
_LONGEST_PLACE: Final = 6
_MARKUP: Final = re.compile(r"[<{\[]")
_COLON: Final = re.compile(r"\s{0,2}[\])]?\s{0,2}(?:/[ ]?[^\W\d_]{3,20}\s{0,2})?[:=]\s{0,3}")
_VALUE: Final = re.compile(r"[^\n:;|\t]{2,120}+")
_STOP: Final = re.compile(
    r"\.(?:\s|\Z)| {2,}|\s[-–—]\s|,\s*(?=(?:tel|fone|cep|phone|zip|nasc|dob|cpf|rg)\b)", re.IGNORECASE
)
_CAPITAL_RUN: Final = re.compile(
    r"(?:[A-ZÀ-ÖØ-Þ][\w'’.-]{0,30}|[A-Z]\.)(?:[ ,]{1,2}(?:(?:de|da|do|das|dos|del|della|di|la|van|von|der|den|ter|ten|el|al|bin|y|e|i)[ ]){0,3}(?:[A-ZÀ-ÖØ-Þ][\w'’.-]{0,30}|[A-Z]\.)){0,7}"
)
_BODY_RUN: Final = re.compile(
    r"[A-ZÀ-ÖØ-Þ][\w'’.&-]{0,30}(?:[ ]{1,2}(?:(?:of|the|and|&|for|de|da|do|das|dos|del|della|di|du|des|la|le|les|van|von|der|het|für|e|y|et|und|en|l'|d')[ ]?){0,3}[A-ZÀ-ÖØ-Þ][\w'’.&-]{0,30}){0,9}"
)
_NOT_VALUES: Final = frozenset(
    [
        "yes",
        "no",
        "none",
        "unknown",
        "na",
        "nil",
        "sim",
        "nao",
        "si",
        "oui",
        "non",
        "ja",
        "nein",
        "nee",
        "not",
        "same",
        "see",
        "idem",
        "varon",
        "mujer",
        "male",
        "female",
        "masculino",
        "feminino",
        "hombre",
        "homem",
        "mulher",
    ]
)


def field_findings(view: View, surroundings: Surroundings | None = None) -> list[Finding]:
    """Return findings for values that stand in a known field, or behind a label and a colon."""
    found = [f for hint in view.hints if (f := _by_hint(view, hint)) is not None]
    if surroundings is not None:
        found += _by_colon(view, surroundings)
    return found


def _by_hint(view: View, hint: Hint) -> Finding | None:
    value = view.shadow[hint.start : hint.end]
    entity_type = _TYPES.get(hint.kind)
    if entity_type is None or len(value) > 300 or not any(c.isalnum() for c in value):
        return None
    digits = sum(c.isdigit() for c in value)
    if hint.kind in _NEEDS_DIGIT and (digits < 2 or _MARKUP.search(value)):
        return None
    if hint.kind in _NAMES and (
        digits > 3 or len(value.split()) > 8 or _MARKUP.search(value) or value.strip().lower() in _NOT_VALUES
    ):
        return None
    if hint.kind in {"id", "case", "reference", "url", "username", "device"} and (
        len(value) < 3 or (" " in value.strip() and (digits < 4 or len(value.split()) > 4))
    ):
        return None
    if hint.kind == "url" or (hint.kind in {"org", "location"} and len(value.split()) > 10):
        return None
    return Finding(hint.start, hint.end, entity_type, 0.9, f"shape:{hint.kind}")


def _by_colon(view: View, surroundings: Surroundings) -> list[Finding]:
    found: list[Finding] = []
    for n, label in enumerate(surroundings.labels):
        kind = next((k for k in ("relative", "clinician", "person", *_PLACES, "org") if k in label.kinds), "")
        colon = _COLON.match(view.shadow, label.end) if kind else None
        if colon is None or "\n\n" in colon.group():
            continue
        value = _VALUE.match(view.shadow, colon.end())
        if value is not None:
            end = _end_of_value(view.shadow, value, kind, surroundings.labels[n + 1 : n + 12])
            finding = _labelled(view, kind, value.start(), end)
            if finding is not None:
                found.append(finding)
    return found


def _end_of_value(text: str, value: re.Match[str], kind: str, following: Sequence[Label]) -> int:
    """Return where a value ends: before the next label with its colon, at a stop, at the end of its line."""
    start, end = value.span()
    for label in following:
        if start < label.start < end and text[label.end : label.end + 1] in {":", "="}:
            end = label.start
    if text[end : end + 1] == ":":  # the line goes on with another "word:" that the table does not know
        end = max(start, *(text.rfind(mark, start, end) for mark in (". ", ", ", "  ")))
    stop = _STOP.search(text, start, end) if kind != "street" else None
    end = stop.start() if stop is not None else end
    while end > start and text[end - 1] in " .,-/(":
        end -= 1
    return end


def _labelled(view: View, kind: str, start: int, end: int) -> Finding | None:
    value = view.shadow[start:end]
    if not any(c.isalpha() for c in value) or value.split()[0].lower().strip(".") in _NOT_VALUES:
        return None
    if kind in _NAMES or kind == "org":
        return _named(view, kind, start, end)
    words = len(value.split())
    digits = any(c.isdigit() for c in value)
    if kind == "street":
        fits = words <= _LONGEST_STREET and (value[0].isupper() or digits)
        return Finding(start, end, T.STREET, 0.85, "shape:label_street") if fits else None
    if words <= _LONGEST_PLACE and value[0].isupper() and not digits:
        return Finding(start, end, _TYPES[kind], 0.75, f"shape:label_{kind}")
    return None


def _named(view: View, kind: str, start: int, end: int) -> Finding | None:
    """Return the run of capitalised words behind a label of people or bodies."""
    run = (_BODY_RUN if kind == "org" else _CAPITAL_RUN).match(view.shadow, start, end)
    if run is None or any(c.isdigit() for c in run.group()):
        return None
    if kind == "org":
        score = 0.6
    elif run.end() == end:
        score = 0.8 if len(run.group().split()) >= 2 else 0.6
    else:
        score = 0.5
    return Finding(start, run.end(), _TYPES[kind], score, f"shape:label_{kind}")
