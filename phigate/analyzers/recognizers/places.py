"""Streets, postal codes and what a label calls a place. Cities by name are the gazetteer's.

A street is a thoroughfare word with a name beside it, in the order of its language: number first (English, French),
word first (Romance languages), word as an ending (German, Dutch). It reaches on to house number, floor and flat. The
words of the view are looked up once; only around a hit is anything matched.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import Surroundings
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.place_words import (
    BR_STATES,
    FLAT,
    FLOOR_TAIL,
    HOUSE_NUMBER,
    NOT_STREET,
    NOT_SUFFIXED,
    PARTICLES,
    STATES,
    SUFFIX_TAILS,
    SUFFIXES,
    THOROUGHFARE_FIRST,
    THOROUGHFARE_LAST,
)
from phigate.analyzers.recognizers.spec import LABELLED
from phigate.finding import EntityType as T
from phigate.finding import Finding

_NUMBER_TAIL: Final = re.compile(rf"{HOUSE_NUMBER}{FLOOR_TAIL}{FLAT}")
_HOUSE_BEFORE: Final = re.compile(r"(?<![\w.,/-])\d{1,4}(?: ?(?:bis|ter|quater|[a-d]))?,? \Z")
_AFTER_NUMBER: Final = frozenset(
    {
        "rue",
        "avenue",
        "boulevard",
        "bd",
        "place",
        "pl",
        "allee",
        "allees",
        "impasse",
        "chemin",
        "quai",
        "cours",
        "route",
    }
    | {"square", "ruelle", "faubourg", "passage", "chaussee", "sentier", "montee"}
)
_NO_NUMBER: Final = re.compile(r"[ ,]{1,3}(?:s/n|sn)(?![a-z])\.?[ºª°]?")
_FLAT_TAIL: Final = re.compile(FLAT)
_SUFFIX_NUMBER: Final = re.compile(r"\.?[ ]\d{1,4}(?:[ ]?[a-z](?![a-z0-9]))?(?:[-/]\d{1,4}[a-z]?)?(?![\d%]|[.,]\d)")
_DIRECTION: Final = re.compile(r"[ ](?:[nsew]|ne|nw|se|sw|north|south|east|west)(?![a-z])\.?")
_BOX: Final = re.compile(
    r"(?<![a-z0-9])(?:p\.? ?o\.? ?box|postfach|caixa postal|apartado(?: de correos)?|casella postale|postbus|boite postale|psc|cmr)"
    r"[ .:#]{1,2}\d{2,6}(?:[, ]{1,2}box \d{1,6})?"
)
_BOX_WORDS: Final = frozenset({"box", "postfach", "caixa", "apartado", "casella", "postbus", "boite", "psc", "cmr"})
_UK: Final = re.compile(
    r"(?<![\w-])(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d{1,2}|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRV-Y]) ?\d[ABD-HJLNP-UW-Z]{2})(?![\w-])"
)
_DUTCH: Final = re.compile(r"(?<![\w-])[1-9]\d{3} ?[A-Z]{2}(?![\w-])")
_CANADA: Final = re.compile(r"(?<![\w-])[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?![\w-])")
# What every code of a country holds, cheaper to look for than the code.
_CODES_BY_SHAPE: Final = (
    (re.compile(r"\d[A-Z]{2}(?![\w-])"), _UK, 0.6, "uk"),
    (re.compile(r"\d{4} ?[A-Z]{2}"), _DUTCH, 0.4, "nl"),
    (re.compile(r"\d[A-Z]\d"), _CANADA, 0.6, "ca"),
)
_STATE: Final = re.compile(r"[A-Z]{2}(?<![\w-]..)(?![\w-])(?:,? (?P<zip>\d{5}(?:-\d{4})?)(?![\w-]|\.\d))?")
_CITY: Final = re.compile(r"(?<![\w.'-])[A-Z][\w.']{1,24}(?:[ -][A-Z][\w.']{1,24}){0,3}[ ]?[,/-]?[ ]?\Z")
_ZIP_CITY: Final = re.compile(r"(?P<zip>\d{4,5})[ ](?P<city>[A-ZÄÖÜÉÈÀÁÍÓÚÂÊÔÇ][^\W\d_]{2,25})")
_COUNTRY_BEFORE: Final = re.compile(r"(?<![\w.,/-])[A-Z]{1,2}-\Z")  # D-20223, A-3336
_DIGITS: Final = re.compile(r"(?<![\w.,/-])\d{2,5}(?:-\d{3,4})?(?![\w]|[.,/-]\d)")
_GEO: Final = re.compile(
    r"(?<![\w.(])[-+]?\d{1,2}\.\d{4,10}°?\s?[NSns]?,\s{0,2}[-+]?\d{1,3}\.\d{4,10}°?\s?[EWOewo]?(?![\w.])"
    r"|(?<!\w)\d{1,3}°\s?\d{1,2}'\s?\d{1,2}(?:\.\d{1,4})?\"?\s?[NSEWO]\b"
)
_GEO_HINT: Final = re.compile(r"\d\.\d{4}|\d°")
_COUNCILS: Final = frozenset(
    {"CRM/", "CRM-", "CRO/", "CRO-", "CRF/", "CRF-", "CRN/", "CRN-", "SSP/", "SSP-", "CORE", "CREF", "OAB/"}
)
_TRIGGERS: Final = frozenset(THOROUGHFARE_FIRST) | frozenset(THOROUGHFARE_LAST)
_DIGIT: Final = re.compile(r"\d")
_NAME_GAPS: Final = frozenset({" ", ". ", "'", "-", "/ ", "/. ", ".", "/", " (", ") "})
# "Rua 15 de Novembro", "Calle 2 de Mayo": a day is part of the name.
_DATED_STREET: Final = re.compile(r" (?:de|d'|di|del)\b")
_MOST_WORDS: Final = 8
_SHORT_CODE: Final = 4
_MIDNIGHT: Final = 2400


def find_places(view: View, surroundings: Surroundings) -> list[Finding]:
    """Return streets, postal codes and places with their label or number, in no order."""
    found: list[Finding] = []
    numbers = bool(view.digit_starts())
    tails = SUFFIX_TAILS if numbers else frozenset[str]()
    for n in [n for n, word in enumerate(view.words) if word in _TRIGGERS or word[-3:] in tails]:
        word = view.words[n]
        known = word in _TRIGGERS
        finding: Finding | None = None
        if known and word in THOROUGHFARE_FIRST:
            finding = _word_first(view, n)
        if known and finding is None and word in THOROUGHFARE_LAST and n:
            finding = _word_last(view, n)
        if finding is None and numbers and word[-3:] in SUFFIX_TAILS:
            finding = _suffixed(view, n)
        if finding is not None:
            found.append(finding)
    if numbers:
        found += _postal(view, surroundings)
    return found


def _named(view: View, n: int) -> bool:
    """Return whether word ``n`` may be part of a street's name: capitalised, or an ordinal number."""
    first = view.shadow[view.starts[n]]
    return first.isupper() or first.isdigit()


def _word_first(view: View, n: int) -> Finding | None:
    text = view.shadow
    start, end = view.starts[n], view.ends[n]
    sure = THOROUGHFARE_FIRST[view.words[n]]
    shortened = len(view.words[n]) <= 2 and text[end : end + 1] not in {".", "/"}
    stopped = len(view.words[n]) > 2 and text[end : end + 1] == "."  # "loc. Poggio 3"
    if shortened or not (sure or text[start].isupper() or stopped or view.words[n] in _AFTER_NUMBER):
        return None
    last = _last_of_name(view, n)
    if last == n or (len(view.words[n]) <= 2 and max(map(len, view.words[n + 1 : last + 1])) <= 2):
        return None
    end = view.ends[last]
    house = _HOUSE_BEFORE.search(view.folded, max(0, start - 10), start) if view.words[n] in _AFTER_NUMBER else None
    if house is not None:  # "8 place Carnot": in French the number comes first
        return Finding(house.start(), end, T.STREET, 0.85, "places:street")
    tail = _NUMBER_TAIL.match(view.folded, end) or _NO_NUMBER.match(view.folded, end)
    if tail is not None:
        return Finding(start, tail.end(), T.STREET, 0.9, "places:street")
    return Finding(start, end, T.STREET, 0.55, "places:street") if sure else None


def _last_of_name(view: View, n: int) -> int:
    """Return the last word of the name that follows the thoroughfare word ``n``; ``n`` itself where none does."""
    text = view.shadow
    last = n
    for at in range(n + 1, min(len(view.words), n + 1 + _MOST_WORDS)):
        gap = text[view.ends[at - 1] : view.starts[at]]
        if gap not in _NAME_GAPS or (at > n + 1 and gap == "/"):
            break
        if text[view.starts[at]].isdigit() and (last > n or not _DATED_STREET.match(view.folded, view.ends[at])):
            break
        if _named(view, at) or (last > n and gap in {"'", "-"}):
            last = at
        elif view.words[at] not in PARTICLES:
            break
    return last


def _word_last(view: View, n: int) -> Finding | None:
    text = view.shadow
    sure = THOROUGHFARE_LAST[view.words[n]]
    first, house = _first_of_name(view, n)
    if (first == n and house < 0) or not (sure or text[view.starts[n]].isupper()):
        return None
    end = view.ends[n]
    if text[end : end + 1] == "." and len(view.words[n]) <= 4:
        end += 1
    direction = _DIRECTION.match(view.folded, end)
    if direction is not None and text[direction.start() + 1].isupper():
        end = direction.end()
    if house < 0:
        return Finding(view.starts[first], end, T.STREET, 0.55, "places:street") if sure else None
    flat = _FLAT_TAIL.match(view.folded, end)
    start = view.starts[house]
    while start and (text[start - 1].isalnum() or (text[start - 1] in "-/" and text[start - 2 : start - 1].isdigit())):
        start -= 1
    return Finding(start, flat.end() if flat else end, T.STREET, 0.85, "places:street")


def _first_of_name(view: View, n: int) -> tuple[int, int]:
    """Return the first word of the name before street word ``n``, and the word of its house number or -1."""
    first = n
    for at in range(n - 1, max(-1, n - 7), -1):
        gap = view.shadow[view.ends[at] : view.starts[at + 1]]
        if gap not in {" ", ". ", ", ", "'", "-"} or view.words[at] in NOT_STREET:
            break
        if view.words[at].isdigit() and len(view.words[at]) <= 6 and at < n - 1:
            return first, at
        if gap == ", " or not _named(view, at):
            break
        first = at
    return first, -1


def _suffixed(view: View, n: int) -> Finding | None:
    word = view.words[n]
    if not word.endswith(SUFFIXES) or not (word[-6:] == "strasse" or len(word) > 4):
        return None
    tail = _SUFFIX_NUMBER.match(view.folded, view.ends[n])
    start = view.starts[n]
    if (
        tail is None
        or word in NOT_SUFFIXED
        or not (view.shadow[start].isupper() or view.shadow[start - 1 : start] in {"-", " "})
    ):
        return None
    capital = view.shadow[start].isupper()
    at = n - 1
    while at >= 0 and n - at <= 3 and view.shadow[view.ends[at] : view.starts[at + 1]] == "-" and _named(view, at):
        start, capital = view.starts[at], True
        at -= 1
    if not capital:
        return None
    long = word.endswith(
        ("strasse", "straße", "gasse", "platz", "allee", "straat", "gracht", "chaussee", "str", "weg", "laan", "plein")
    )
    return Finding(start, tail.end(), T.STREET, 0.85 if long else 0.45, "places:street")


def _postal(view: View, surroundings: Surroundings) -> list[Finding]:
    text = view.shadow
    found: list[Finding] = []
    for hint, pattern, score, rule in _CODES_BY_SHAPE:
        if hint.search(text) is None:
            continue
        for match in pattern.finditer(text):
            near = surroundings.near(match.start(), match.end())
            if not (near.other or near.measured):
                found.append(Finding(match.start(), match.end(), T.ZIP, score, f"places:zip_{rule}"))
    if not _BOX_WORDS.isdisjoint(view.words):
        found += [Finding(m.start(), m.end(), T.STREET, 0.6, "places:box") for m in _BOX.finditer(view.folded)]
    if _GEO_HINT.search(text):
        found += [Finding(m.start(), m.end(), T.GEOCODE, 0.8, "places:geocode") for m in _GEO.finditer(text)]
    found += _by_city(view, surroundings)
    for label in surroundings.labels:
        if "zip" not in label.kinds:
            continue
        match2 = _DIGITS.search(text, label.end, min(len(text), label.end + 14))
        if match2 is not None and surroundings.near(*match2.span()).best(frozenset({"zip"})) == 1.0:
            found.append(Finding(match2.start(), match2.end(), T.ZIP, LABELLED, "places:zip_label"))
    return found


def _by_city(view: View, surroundings: Surroundings) -> list[Finding]:
    text = view.shadow
    found: list[Finding] = []
    for match in _STATE.finditer(text):
        code = text[match.start() : match.start() + 2]
        us = code in STATES
        if not us and code not in BR_STATES:
            continue
        city = _CITY.search(text, max(0, match.start() - 40), match.start())
        if (
            city is None
            or city.group()[:4].upper() in _COUNCILS
            or (match.group("zip") is None and not city.group().rstrip(" ").endswith((",", "/", "-")))
        ):
            continue
        score = 0.9 if match.group("zip") else 0.6
        found.append(Finding(city.start(), match.start() + 2, T.CITY, score, "places:city_state"))
        if match.group("zip"):
            found.append(Finding(match.start("zip"), match.end("zip"), T.ZIP, 0.9, "places:zip_us"))
    return found + _by_code(view, surroundings)


def _by_code(view: View, surroundings: Surroundings) -> list[Finding]:
    """Return postal codes before a capitalised word, and that word: "12045 Fossano", "D-20223 Hamburg"."""
    text = view.shadow
    found: list[Finding] = []
    for start in view.digit_starts():
        match = _ZIP_CITY.match(text, start)
        before = text[start - 1 : start]
        if match is None or (before and before in ".,/"):
            continue
        if before == "-" and _COUNTRY_BEFORE.search(text, max(0, start - 4), start) is None:
            continue
        code = match.group("zip")
        near = surroundings.near(*match.span("zip"))
        # "0715 Received report": the time of a note; English addresses write no code of four digits.
        clock = len(code) == _SHORT_CODE and view.lang == "en" and int(code) < _MIDNIGHT
        year = len(code) == _SHORT_CODE and code[:2] in {"18", "19", "20"}
        if not (near.other or near.measured or year or clock):
            found.append(Finding(match.start("zip"), match.end("zip"), T.ZIP, 0.5, "places:zip_city"))
            found.append(Finding(match.start("city"), match.end("city"), T.CITY, 0.4, "places:zip_city"))
    return found
