"""What one operator makes of one value: the pure rules behind the Presidio operators of `operators`.

None means that the value cannot be read by its operator; the caller then takes the next stricter one, redact.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from phigate.deid import ages, dates, places, shift, zip3
from phigate.finding import ENTITY_TABLE, EntityType, Family
from phigate.policy.decision import Operator

REDACTED: Final = "[REDACTED]"
_ZIP: Final = re.compile(r"(?<!\d)(\d{5})(?:[-\s]?\d{4})?(?!\d)")
_CEP: Final = re.compile(r"(?<!\d)(\d{2})\.?(\d{3})[-\s]?(\d{3})(?!\d)")
_HASH_HEX: Final = 16


@dataclass(frozen=True, slots=True)
class Params:
    """What operators need beside the value. Empty keys and subject: the operator falls to the next stricter one."""

    today: date | None = None  # for two-digit years and for birth years that tell an age over 89
    subject: bytes = b""  # the subject's keyed tag; all dates of one subject move alike
    shift_key: bytes = b""
    shift_days: int = 365
    shift_weeks: bool = False  # whole weeks, so that the day of the week stays
    shift_or_year: bool = True  # what cannot be shifted keeps its year; else it is redacted
    hash_key: bytes = b""  # per tenant
    zip3: str = zip3.VINTAGE  # the table of three-digit postal codes


NO_PARAMS: Final = Params()


def generalise(
    operator: Operator, entity_type: EntityType, value: str, *, lang: str = "", params: Params = NO_PARAMS
) -> str | None:
    """Return what ``operator`` leaves of ``value``, or None when it cannot read it. Not for token or redact."""
    rule = _RULES.get(operator)
    return None if rule is None else rule(entity_type, value, lang, params)


def _keep(_type: EntityType, value: str, _lang: str, _params: Params) -> str | None:
    return value


def _year(entity_type: EntityType, value: str, lang: str, params: Params) -> str | None:
    found = dates.years(value, _reading(entity_type, lang, params))
    if found is None or len(found) > 2 or found[0] < dates.oldest_year(params.today):
        return None
    return "-".join(str(year) for year in found)


def _reading(entity_type: EntityType, lang: str, params: Params) -> dates.Reading:
    return dates.Reading(lang, params.today, birth=entity_type is EntityType.DOB)


def _shifted(entity_type: EntityType, value: str, lang: str, params: Params) -> str | None:
    """Move the date, one-way. Without a subject, or where no whole day is named, the year alone stays."""
    if params.subject and params.shift_key:
        days = shift.days(params.subject, key=params.shift_key, most=params.shift_days, weekday=params.shift_weeks)
        moved = shift.moved(value, days, _reading(entity_type, lang, params))
        if moved is not None:
            return moved
    return _year(entity_type, value, lang, params) if params.shift_or_year else None


def _age90(_type: EntityType, value: str, _lang: str, _params: Params) -> str | None:
    return ages.age90(value)


def _band5(_type: EntityType, value: str, _lang: str, _params: Params) -> str | None:
    return ages.band5(value)


def _postal3(entity_type: EntityType, value: str, _lang: str, params: Params) -> str | None:
    if entity_type is EntityType.BR_CEP:
        match = _CEP.search(value)
        return None if match is None else match[1] + match[2][0]
    found = _ZIP.findall(value)
    return zip3.generalise(found[0], vintage=params.zip3) if len(found) == 1 else None


def _state(entity_type: EntityType, value: str, _lang: str, _params: Params) -> str | None:
    if entity_type is EntityType.BR_CEP:
        match = _CEP.search(value)
        return None if match is None else places.state_of_cep("".join(match.groups()))
    return places.state_of(value)


def _hashed(entity_type: EntityType, value: str, _lang: str, params: Params) -> str | None:
    """Return a keyed pseudonym that is equal for equal values of one tenant. Never under Safe Harbor."""
    if not params.hash_key:
        return None
    digest = hmac.new(params.hash_key, f"{entity_type}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"[{entity_type}~{digest.hexdigest()[:_HASH_HEX]}]"


_Rule = Callable[[EntityType, str, str, Params], str | None]
# Token needs the exchange's map, redact needs nothing, surrogate has no vault of fakes yet: none of them is a rule.
_RULES: Final[Mapping[Operator, _Rule]] = {
    Operator.KEEP: _keep,
    Operator.YEAR: _year,
    Operator.DATE_SHIFT: _shifted,
    Operator.AGE90: _age90,
    Operator.BAND5: _band5,
    Operator.POSTAL3: _postal3,
    Operator.STATE: _state,
    Operator.HASH_KEYED: _hashed,
}
_CANDIDATES: Final[Mapping[Family, tuple[Operator, ...]]] = {
    Family.ID: (),
    Family.DATE: (Operator.YEAR,),
    Family.AGE: (Operator.AGE90, Operator.BAND5),
    Family.GEO: (Operator.POSTAL3, Operator.STATE),
}


def unchanged_by(entity_type: EntityType, value: str, *, today: date | None = None) -> frozenset[Operator]:
    """Return the operators that leave this value as it is: under them it does not count as PHI (decisions 5)."""
    row = ENTITY_TABLE.get(entity_type)
    if row is None or not _CANDIDATES[row.family]:
        return _KEEP_ALONE
    params = Params(today=today)
    same = {op for op in _CANDIDATES[row.family] if generalise(op, entity_type, value, params=params) == value}
    return frozenset(same) | _KEEP_ALONE


_KEEP_ALONE: Final = frozenset({Operator.KEEP})
