"""Puts addresses together: a postal code by its street or city, a street and a town by their postal code.

Runs over the findings of all layers, because the city may come from the gazetteer and the street from a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from phigate.analyzers.layers import View
from phigate.finding import ENTITY_TABLE, EntityClass, Family, Finding
from phigate.finding import EntityType as T

_PLACES: Final = frozenset({T.STREET, T.CITY, T.LOCATION, T.COUNTY})
_CODES: Final = frozenset({T.ZIP, T.BR_CEP})
_AFTER: Final = re.compile(
    r"[\s,.;()-]{1,6}(?:[A-Z]{1,2}-)?(?P<zip>\d{4,6}(?:-\d{3,4})?)(?![\w%]|[.,:/-]\d|\s?(?:mg|ml|kg|mm|patients|pacientes|euros?|cases)\b)"
)
_BEFORE: Final = re.compile(r"(?<![\w.,/-])(?:[A-Z]{1,2}-)?(?P<zip>\d{4,6})[\s,]{1,3}\Z")
_CLOSED: Final = re.compile(r"\s{0,2}(?:[.,;:)>?!\n]|\Z)")
_TOWN: Final = re.compile(
    r"(?:[ ,-]{1,3}|\. )(?P<town>[A-ZÄÖÜÉÈÀÁÍÓÚÂÊÔÇ][\w'.]{1,25}(?:[ -](?:(?:am|an der|an|im|in|de|del|de la|la|las|los|les|sur|bei|do|da|dos|das|aan den|den|di|l')[ ])?[A-ZÄÖÜÉÈÀÁÍÓÚÂÊÔÇ][\w'.]{1,25}){0,4})"
)
# "Korekamp 15" or "Am Hasenstall" before a postal code: what stands there is the street.
_STREET_BEFORE: Final = re.compile(
    r"(?:(?<=[\n,;\t])|(?<=  )|\A)[ ]{0,3}(?P<street>[A-ZÄÖÜÉÈÀÁÍÓÚ][\w'.-]{1,30}(?:[ ][\w'.-]{1,30}){0,4}[ ]\d{1,4}[ ]?[a-zA-Z]?(?:[-/]\d{1,4})?"
    r"|(?:Am|An|Im|In|Auf|Zum|Zur|Unter|Hinter|Vor|Beim)[ ](?:(?:der|den|dem|die|das)[ ])?[A-ZÄÖÜ][\w'-]{2,30}(?:[ ]\d{1,4}[a-z]?)?)[ ,]{0,3}\n?[ ]{0,3}\Z"
)
_PROVINCE: Final = re.compile(r" \([A-Z]{2}\)")  # "12045 Fossano (CN)"
_GOES_ON: Final = re.compile(r" [a-z]")  # "TX 78602. Wound left heel": a sentence begins
_SURE_NUMBER: Final = 0.8
_SURE_CODE: Final = 0.4
_NUMBERS: Final = frozenset(
    entity_type
    for entity_type, row in ENTITY_TABLE.items()
    if row.family is Family.ID and row.entity_class is EntityClass.DIRECT
)
_REACH: Final = 60
_NOT_CODES: Final = ("19", "20")


def join_addresses(view: View, findings: Sequence[Finding]) -> list[Finding]:
    """Return further findings that stand beside places already found."""
    if not any(c.isdigit() for c in view.shadow):
        return []
    text = view.shadow
    owned = {(f.start, f.end) for f in findings if f.entity_type in _CODES}
    numbers = bytearray(len(text))
    for f in findings:
        if f.score >= _SURE_NUMBER and f.entity_type in _NUMBERS:
            owned.add((f.start, f.end))
            numbers[f.start : f.end] = b"\1" * (f.end - f.start)
    codes = [f for f in findings if f.entity_type in _CODES and f.score >= _SURE_CODE and not numbers[f.start]]
    found: list[Finding] = []
    for place in findings:
        country = place.source == "names:country"
        if place.entity_type not in _PLACES or (place.score < 0.5 and not country):
            continue
        after = _AFTER.match(text, place.end)
        if country and after is not None and _CLOSED.match(text, after.end()) is None:
            after = None  # "in Brazil 30000 people": a number that ends nothing is a count
        before = (
            _BEFORE.search(text, max(0, place.start - 12), place.start) if place.entity_type is not T.STREET else None
        )
        for match in (after, before):
            if match is None or match.span("zip") in owned or _is_year(match.group("zip")):
                continue
            code = Finding(match.start("zip"), match.end("zip"), T.ZIP, 0.55, "places:zip_joined")
            owned.add((code.start, code.end))
            codes.append(code)
            found.append(code)
    for code in codes:
        found += _around(view, code, findings)
    return found


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in _NOT_CODES


def _around(view: View, code: Finding, findings: Sequence[Finding]) -> list[Finding]:
    text = view.shadow
    found: list[Finding] = []
    town = _TOWN.match(text, code.end)
    sentence = town is not None and town.group()[0] == "." and _GOES_ON.match(text, town.end())
    if town is not None and not sentence and "\n" not in town.group():
        province = _PROVINCE.match(text, town.end())
        end = province.end() if province else town.end()
        found.append(Finding(town.start("town"), end, T.CITY, 0.55, "places:town_joined"))
    start = code.start
    while start and (text[start - 1].isalpha() or text[start - 1] == "-"):  # D-20223, A-3336: the country belongs to it
        start -= 1
    if start < code.start:
        found.append(Finding(start, code.end, T.ZIP, code.score, code.source))
    street = _STREET_BEFORE.search(text, max(0, start - _REACH), start)
    if street is not None and not any(
        f.entity_type is T.STREET and f.start <= street.start("street") < f.end for f in findings
    ):
        found.append(Finding(street.start("street"), street.end("street"), T.STREET, 0.6, "places:street_joined"))
    return found
