"""Telephone, fax and pager numbers of any country, with extensions.

Groupings that only telephones have count alone; a bare run of the right length counts next to a label. No number plan
is loaded: whether a number is assigned says nothing about whether it identifies somebody.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import Surroundings
from phigate.analyzers.layers import View
from phigate.finding import EntityType as T
from phigate.finding import Finding

_S: Final = r"[ .\-/]"
_EXT: Final = r"(?:[ ,;]{0,3}(?:x|ext\.?|extn\.?|extension|ramal|poste|durchwahl|dw|int\.|interno|toestel|anexo|#)[ .:]{0,2}\d{1,6}(?!\d))?"
_PHONE: Final = re.compile(
    rf"(?<![\w.])(?<!\d[-/])(?:"
    rf"(?P<intl>(?:\+ ?|\b00 ?)\d{{1,3}}[ .\-/]{{0,2}}(?:\(\d{{1,5}}\)[ .\-/]?)?\d{{1,5}}(?:[ .\-/]{{0,1}}\d{{1,9}}){{0,6}})"
    rf"|(?P<paren>(?:\b1{_S})?\(\+?\d{{1,5}}\){_S}{{0,2}}\d{{2,9}}(?:{_S}\d{{1,6}}){{0,5}})"
    rf"|(?P<nanp>(?:1{_S})?\d{{3}}(?P<n>[ .-])\d{{3}}(?P=n)\d{{4}})"
    rf"|(?P<br>\d{{2}} ?9?\d{{4}}-\d{{4}}|9\d{{4}}-\d{{4}}|9 \d{{4}}-\d{{4}}|0800[ -]?\d{{3}}[ -]?\d{{4}})"
    rf"|(?P<pairs>0[1-9](?P<p>[ .-]?)\d{{2}}(?:(?P=p)\d{{2}}){{3}})"
    rf"|(?P<nine>[236789]\d{{2}}(?P<q>[ .-])\d{{3}}(?P=q)\d{{3}}|[6789]\d{{2}}[ .-]\d{{2}}[ .-]\d{{2}}[ .-]\d{{2}}|[6789]\d[ .-]\d{{3}}[ .-]\d{{2}}[ .-]\d{{2}})"
    rf"|(?P<trunk>0\d{{1,5}}(?:[ .\-/]| ?[-/] ?)\d{{2,9}}(?:[ .-]\d{{2,9}}){{0,4}})"
    rf"|(?P<local>\d{{3}}-\d{{4}}|\d{{4}}-\d{{4}})"
    rf"|(?P<it>3\d{{2}}[ .-]\d{{6,7}})"
    rf"|(?P<run>\d{{2,6}}(?:[ .\-/]\d{{2,5}}){{1,6}}|\d{{3,15}})"
    rf"){_EXT}(?![\w%]|-\d|[.,]\d)"
)
# Score of the grouping alone; a label lifts each to `_LABELLED`.
_SCORES: Final = {
    "intl": 0.85, "paren": 0.75, "nanp": 0.7, "br": 0.75, "pairs": 0.75, "nine": 0.5, "trunk": 0.5, "local": 0.3,
    "it": 0.5, "run": 0.0,
}  # fmt: skip
_YEARS: Final = re.compile(r"(?:19|20)\d\d-(?:19|20)\d\d")
_LABELLED: Final = 0.95
_KINDS: Final = frozenset({"phone", "fax"})
_SHORT: Final = frozenset(
    {
        "pager",
        "beeper",
        "bleep",
        "ext",
        "extension",
        "ramal",
        "poste",
        "durchwahl",
        "dw",
        "busca",
        "bip",
        "sein",
        "toestel",
        "interno",
        "pieper",
        "funk",
    }
)
_CALL_WORDS: Final = frozenset(
    {
        "call",
        "called",
        "text",
        "contact",
        "reach",
        "dial",
        "ligar",
        "ligue",
        "llamar",
        "appeler",
        "joindre",
        "bellen",
        "chiamare",
        "cell",
        "portable",
        "contato",
        "contacto",
        "ring",
        "mobile",
        "mobil",
        "sein",
        "fon",
    }
)


def find_phones(view: View, surroundings: Surroundings, taken: bytearray) -> list[Finding]:
    """Return telephone and fax numbers outside the characters that dates and addresses own."""
    found: list[Finding] = []
    done = 0
    text = view.shadow
    for at in view.digit_starts():
        if at < done:
            continue
        while at > done and text[at - 1] in "(+ " and at and (text[at - 1] != " " or text[at - 2 : at - 1] == "+"):
            at -= 1
        match = _PHONE.match(text, at)
        if match is None:
            continue
        start, end = match.span()
        done = end
        if taken[start] or taken[end - 1]:
            continue
        shape = next(k for k in _SCORES if match.group(k) is not None)
        core = match.group(shape)
        digits = sum(c.isdigit() for c in core)
        near = surroundings.near(start, end)
        strength = near.best(_KINDS)
        score = _SCORES[shape]
        if shape == "local" and _YEARS.fullmatch(core):
            continue
        if shape == "trunk" and not 8 <= digits <= 13:
            score = 0.0
        if shape in {"intl", "paren"} and not 7 <= digits <= 15:
            score = 0.0
        if near.other or near.measured:
            score = min(score, 0.3)
        if strength:
            enough = 6 <= digits <= 15 or (digits >= 3 and _short(view, start))
            if enough and not (near.measured and digits < 7):
                score = max(score, _LABELLED * strength)
        if match.end() > match.end(shape) and digits >= 6:
            score = max(score, 0.7)
        if score >= 0.1:
            fax = near.kinds.get("fax", 0.0) > near.kinds.get("phone", 0.0) or near.kinds.get("fax", 0.0) == 1.0
            found.append(Finding(start, end, T.FAX if fax else T.PHONE, score, f"generic:phone_{shape}"))
    return found


def _short(view: View, start: int) -> bool:
    at = view.word_before(start)
    return at >= 0 and any(word in _SHORT for word in view.words[max(0, at - 2) : at + 1])
