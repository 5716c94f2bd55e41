"""Telephone, fax and pager numbers of any country, with extensions.

Groupings that only telephones have count alone; a bare run of the right length counts next to a label. No number plan
is loaded: whether a number is assigned says nothing about whether it identifies somebody.
"""

from __future__ import annotations

import re
from typing import Final

from phigate.analyzers.context import UNIT, Surroundings
from phigate.analyzers.layers import View
from phigate.analyzers.recognizers.spec import words_of
from phigate.finding import EntityType as T
from phigate.finding import Finding

_S: Final = r"[ .\-/]"
_EXT: Final = r"(?:[ ,;]{0,3}(?:x|ext\.?|extn\.?|extension|ramal|poste|durchwahl|dw|int\.|interno|toestel|anexo|#)[ .:]{0,2}\d{1,6}(?!\d))?"
_PHONE: Final = re.compile(
    rf"(?<![\w.])(?<!\d[-/])(?:"
    rf"(?P<intl>(?:\+ ?|\b00 ?)\d{{1,3}}[ .\-/]{{0,2}}(?:\(\d{{1,5}}\)[ .\-/]?)?\d{{1,5}}(?:[ .\-/]{{0,1}}\d{{1,9}}){{0,6}})"
    rf"|(?P<paren>(?:\b1{_S})?\(\+?\d{{1,5}}\){_S}{{0,2}}\d{{1,9}}(?:{_S}\d{{1,6}}){{0,5}})"
    rf"|(?P<nanp>(?:1{_S})?\d{{3}}(?P<n>[ .-])\d{{3}}(?P=n)\d{{4}})"
    rf"|(?P<br>\d{{2}} ?9? ?\d{{4}}-\d{{4}}|9\d{{4}}-\d{{4}}|9 \d{{4}}-\d{{4}}|0800[ -]?\d{{3}}[ -]?\d{{4}})"
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
_LENGTHS: Final = {"trunk": (8, 13), "intl": (7, 15), "paren": (7, 15)}
_YEARS: Final = re.compile(r"(?:19|20)\d\d-(?:19|20)\d\d")
_LABELLED: Final = 0.95
_KINDS: Final = frozenset({"phone", "fax"})
_SHORT: Final = frozenset(
    words_of(
        """
        pager beeper bleep ext extension ramal poste durchwahl dw busca bip sein toestel interno pieper funk
        """
    )
)
_CALL_WORDS: Final = frozenset(
    words_of(
        """
        call called text contact reach dial ligar ligue llamar appeler joindre bellen chiamare cell portable
        contato contacto ring mobile mobil sein fon
        """
    )
)


def find_phones(view: View, surroundings: Surroundings, taken: bytearray) -> list[Finding]:
    """Return telephone and fax numbers outside the characters that dates and addresses own."""
    found: list[Finding] = []
    done = 0
    for digit in view.digit_starts():
        if digit < done:
            continue
        match = _PHONE.match(view.shadow, _head(view.shadow, digit, done)) or _PHONE.match(view.shadow, digit)
        if match is None:
            continue
        start, end = match.span()
        done = end
        if taken[start] or taken[end - 1]:
            continue
        finding = _judged(view, match, surroundings)
        if finding is not None:
            found.append(finding)
    if " x" in view.folded:
        found += [
            Finding(m.start(), m.end(), T.PHONE, 0.5, "generic:phone_extension")
            for m in _EXTENSION.finditer(view.folded)
            if UNIT.match(view.folded, m.end()) is None
        ]
    return found


_EXTENSION: Final = re.compile(r"(?<![\w.])x\d{4,5}(?![\w%]|[.,]\d)")


def _head(text: str, digit: int, floor: int) -> int:
    """Return where a number begins whose first digit is known: a plus sign or a bracket may precede."""
    start = digit
    while start > floor and (
        text[start - 1] in "(+" or (text[start - 1] == " " and text[start - 2 : start - 1] == "+")
    ):
        start -= 1
    return start


def _judged(view: View, match: re.Match[str], surroundings: Surroundings) -> Finding | None:
    start, end = match.span()
    shape = next(k for k in _SCORES if match.group(k) is not None)
    core = match.group(shape)
    digits = sum(c.isdigit() for c in core)
    if shape == "local" and _YEARS.fullmatch(core):
        return None
    near = surroundings.near(start, end)
    low, high = _LENGTHS.get(shape, (0, 99))
    score = _SCORES[shape] if low <= digits <= high else 0.0
    if near.other or near.measured:
        score = min(score, 0.2)
    strength = near.best(_KINDS)
    if strength and not (near.measured and digits < 7) and (6 <= digits <= 15 or (digits >= 3 and _short(view, start))):
        score = max(score, _LABELLED * strength)
    if end > match.end(shape) and digits >= 6:
        score = max(score, 0.7)  # an extension follows
    if score < 0.1:
        return None
    fax = near.kinds.get("fax", 0.0)
    kind = T.FAX if fax == 1.0 or fax > near.kinds.get("phone", 0.0) else T.PHONE
    return Finding(start, end, kind, score, f"generic:phone_{shape}")


def _short(view: View, start: int) -> bool:
    at = view.word_before(start)
    return at >= 0 and any(word in _SHORT for word in view.words[max(0, at - 2) : at + 1])
