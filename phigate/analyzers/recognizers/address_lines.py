"""Addresses that no street word gives away: a flat or suite, a military post, a corner, a verb that says where.

"583 Magrethevej 298, Apt. 12, Nuuk 3900" names no street that a list could hold; the flat anchors the line, and the
line reaches over capitalised words and numbers to both sides. Every search begins at a word that is rare in prose.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import UNIT
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.spec import words_of
from phigate.finding import EntityType as T
from phigate.finding import Finding

_FLAT_WORDS: Final = frozenset(
    {"apt", "apto", "apartment", "apartamento", "appartement", "suite", "ste", "flat", "piso", "interno"}
)
_FLAT: Final = re.compile(
    rf"(?<![a-z0-9])(?:{'|'.join(sorted(_FLAT_WORDS, key=len, reverse=True))})\b\.?"
    r"[ ]{0,2}(?:n[oº°]?\.?[ ])?#?\d{1,5}(?:-?[a-z])?(?![a-z0-9%]|[.,]\d)"
)
_WEAK_FLATS: Final = ("flat", "piso", "interno", "ste")  # ordinary words: with a street before them alone
_CAPITAL_WORD: Final = r"[^\W\d_a-zà-öø-ÿ][\w'.-]{0,30}"
_LINK: Final = (
    r"(?:de|da|do|dos|das|del|della|la|las|los|le|les|l'|du|des|d'|di|van|der|den|von|zur|zum|of|ul\.|u\.|y|e|et)"
)
_PIECE: Final = rf"(?:{_CAPITAL_WORD}|{_LINK}|\d{{1,3}}(?:st|nd|rd|th)|\d{{1,6}}[a-zA-Z]?(?:[-/]\d{{1,4}})?)"
_CODE: Final = r"\d{4,6}(?:-\d{3,4})?(?![\w.])"
_BEFORE_FLAT: Final = re.compile(rf"(?<![\w.])(?:{_PIECE}[ ,]{{1,3}}){{0,8}}{_PIECE}[ ,]{{0,2}}[ \n][ ]{{0,2}}\Z")
_AFTER_FLAT: Final = re.compile(
    rf"[ ]{{0,3}}[,.;]?[ ]{{1,3}}{_CAPITAL_WORD}(?:[ ,]{{1,3}}(?:{_CAPITAL_WORD}|{_LINK})){{0,6}}(?:[ ,]{{1,3}}{_CODE})?"
)
# A block over several lines counts where a postal code ends it: town, state and country each on its own.
_BLOCK: Final = re.compile(
    rf"(?:[ ]{{0,2}},?[ \n][ ]{{0,2}},?[ ]?(?:\(?{_CAPITAL_WORD}\)?|{_LINK}|nan)){{1,8}}[ ]{{0,2}}[ \n][ ]{{0,2}}{_CODE}"
)
_POST: Final = re.compile(
    r"(?:(?:(?:unit|psc|cmr)[ ]\d{1,5}(?:,?[ ]box[ ]\d{1,6})?"
    r"|u\.?s\.?(?:s|ns|nv|cgc|v)\.?[ ][\w'.-]{2,30}(?:[ ][\w'.-]{2,30}){0,2})[ ,\n]{1,3})?"
    r"(?:fpo|apo|dpo)[ ,]{1,2}(?:aa|ae|ap)(?:[ ]\d{5}(?:-\d{4})?)?(?!\w)"
)
_CORNER: Final = re.compile(rf"[Cc]orner of {_PIECE}(?: {_PIECE}){{0,4}} and {_PIECE}(?: {_PIECE}){{0,4}}")
# Verbs and nouns after which an address stands; it needs a number and a capital to count.
_SAID: Final = re.compile(
    r"(?<![a-z])(?:(?:lives?|living|lived|resid(?:es|ing|ed)|staying|located|situated|based) (?:at|on)"
    r"|(?:new |home |billing |mailing |my |his |her )?address(?: is| to|:| was)"
    r"|(?:mora|reside|residente|morava|domiciliad[oa]) (?:na|no|em|a|en|in|al)|vive en|domicilio en"
    r"|wohnhaft (?:in|am|im)|wohnt (?:in|am|im)|demeurant(?: au| a)?|habite(?: au| a)?|domicilie(?:e)? au"
    r"|abita in|residente in|woont (?:aan|op|in)|woonachtig (?:aan|op|te))[ ]{1,2}"
)
_SAID_HINTS: Final = frozenset(
    words_of(
        """
        live lives living lived resides residing resided staying located situated based address mora reside residente
        morava domiciliado domiciliada vive domicilio wohnhaft wohnt demeurant habite domicilie domiciliee abita
        woont woonachtig
        """
    )
)
_ADDRESS: Final = re.compile(rf"(?:the )?(?:{_PIECE})(?:[ ]?,?[ ]{{1,2}}{_PIECE}){{1,12}}")
_NO_ADDRESS: Final = frozenset(
    words_of("room bed ward floor stage grade level quarto leito zimmer station sala chambre kamer")
)
_REACH: Final = 110


def find_address_lines(view: View) -> list[Finding]:
    """Return streets and the towns behind them, in no order."""
    found: list[Finding] = []
    said = -1
    for n, word in enumerate(view.words):
        if word in _FLAT_WORDS:
            found += _by_flat(view, view.starts[n])
        elif word in {"fpo", "apo", "dpo"}:
            found += _by_post(view, view.starts[n])
        elif word == "corner":
            match = _CORNER.match(view.shadow, view.starts[n])
            if match is not None:
                start = match.start() - len("the ")
                start = start if start >= 0 and view.folded.startswith("the ", start) else match.start()
                found.append(Finding(start, match.end(), T.STREET, 0.6, "places:corner"))
        elif word in _SAID_HINTS and view.starts[n] > said:
            address = _by_verb(view, view.starts[n])
            if address is not None:
                found.append(address)
                said = address.end
    return found


def _by_flat(view: View, start: int) -> list[Finding]:
    flat = _FLAT.match(view.folded, start)
    if flat is None:
        return []
    text = view.shadow
    before = _BEFORE_FLAT.search(text, max(0, start - _REACH), start)
    line = before.group() if before is not None else ""
    street = any(c.isdigit() for c in line) and any(c.isupper() for c in line)
    if not street and (view.folded.startswith(_WEAK_FLATS, start) or UNIT.match(view.folded, flat.end())):
        return []
    first = before.start() if before is not None and street else start
    found = [Finding(first, flat.end(), T.STREET, 0.7 if street else 0.5, "places:flat")]
    after = _BLOCK.match(text, flat.end()) or _AFTER_FLAT.match(text, flat.end())
    if street and after is not None:
        begin = flat.end()
        while not text[begin].isalnum():
            begin += 1
        found.append(Finding(begin, after.end(), T.LOCATION, 0.6, "places:flat"))
    return found


def _by_post(view: View, start: int) -> list[Finding]:
    for match in _POST.finditer(view.folded, max(0, start - 60), start + 24):
        if match.end() > start:
            return [Finding(match.start(), match.end(), T.STREET, 0.8, "places:post")]
    return []


def _by_verb(view: View, start: int) -> Finding | None:
    said = _SAID.match(view.folded, start) or _SAID.search(view.folded, max(0, start - 8), start + 24)
    address = _ADDRESS.match(view.shadow, said.end()) if said is not None else None
    if address is None:
        return None
    value = address.group().rstrip(" ,")
    digits = [run for run in re.findall(r"\d+", value) if not (len(run) == 4 and run[:2] in {"19", "20"})]
    capital = re.search(_CAPITAL_WORD, value)
    if not digits or capital is None or capital.group().casefold().strip(".") in _NO_ADDRESS or len(value) > _REACH:
        return None
    return Finding(address.start(), address.start() + len(value), T.STREET, 0.6, "places:said")
