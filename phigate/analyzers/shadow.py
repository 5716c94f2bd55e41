"""The shadow copy: what a reader sees in a text, as characters that patterns can match, with the way back.

Full-width and foreign digits become ASCII digits, look-alike letters inside Latin words become Latin, exotic spaces
and dashes become plain ones, zero-width and direction marks vanish, combining marks join their letter, and escapes
of JSON, XML and URLs are decoded. Where that changes the length, `View.offsets` maps every character back. Plain text
is its own shadow and costs one look.
"""

from __future__ import annotations

import html
import re
import unicodedata
from itertools import accumulate
from operator import sub
from typing import Final

from phigate.analyzers.layers import Hint, View

_WORD: Final = re.compile(r"[^\W_]+")
# A word with what stands before it, or what stands behind the last: pieces without holes, so that offsets are sums.
_PIECE: Final = re.compile(r"[\W_]*+[^\W_]++|[\W_]++\Z")
_ESCAPED: Final = re.compile(
    r"\\u[0-9a-fA-F]{4}|\\[nrtbf/]|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});|(?:%[0-9A-Fa-f]{2})+"
)
_UNICODE_ESCAPE: Final = re.compile(r"\\u[0-9a-fA-F]{4}|&[#A-Za-z][\w#]{1,8};|%[0-9A-Fa-f]{2}")
_JSON_START: Final = re.compile(r"\s*[\[{]")
_SIMPLE_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " ", "/": "/"}

# Punctuation that NFKC leaves or makes longer, mapped to one plain character.
_PLAIN: Final = {
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2212": "-", "\ufe58": "-", "\ufe63": "-", "\u207b": "-", "\u208b": "-",
    "\u2018": "'", "\u2019": "'", "\u201b": "'", "\u02bc": "'", "\u00b4": "'", "\u2032": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"',
    "\u2026": ".", "\u2116": "#", "\u2028": "\n", "\u2029": "\n", "\u0085": "\n", "\u0130": "I", "\ufffc": " ",
}  # fmt: skip
# Letters of other alphabets that look like a Latin one: Cyrillic and Greek.
_LOOKS_LIKE: Final = dict(
    zip(
        "АВСЕНІЈКМОРЅТХҮаеорсухіјѕһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαορνικτυγ",
        "ABCEHIJKMOPSTXYaeopcyxijshdqwABEZHIKMNOPTYXaopviktuy",
        strict=True,
    )
)
_LOOK_ALIKE: Final = re.compile(f"[{''.join(_LOOKS_LIKE)}]")
_WORD_WITH_LOOK_ALIKE: Final = re.compile(rf"\w*[{''.join(_LOOKS_LIKE)}]\w*")
_ASCII_LETTER: Final = re.compile(r"[A-Za-z]")


class _ShadowTable(dict[int, str]):
    """Ordinal -> what stands for it in the shadow: one character, none, or several (ligatures)."""

    def __missing__(self, key: int) -> str:
        char = chr(key)
        category = unicodedata.category(char)
        if category in {"Cf", "Mn", "Me"}:
            value = ""  # invisible, or a mark that joins the letter before it
        elif category == "Cs":
            value = "\ufffd"
        elif category == "Zs":
            value = " "
        elif category == "Nd":
            value = str(unicodedata.digit(char))
        else:
            value = unicodedata.normalize("NFKC", char)
            if len(value) != 1 and not category.startswith("L"):
                value = char  # fractions, units and signs keep their place
            elif len(value) == 1 and value != char and len(self[ord(value)]) == 1:
                value = self[ord(value)]
        self[key] = value
        return value


class _FoldTable(dict[int, str]):
    """Ordinal of a lower-case character -> its letter without accents, always one character."""

    def __missing__(self, key: int) -> str:
        char = chr(key)
        base = unicodedata.normalize("NFD", char)[0] if unicodedata.category(char).startswith("L") else char
        value = self[key] = self[ord(base)] if len(base) == 1 and base != char else char
        return value


_MANY: Final = 24  # from so many on one pass over all is cheaper
_SHADOW: Final = _ShadowTable({n: chr(n) for n in range(128)})
_SHADOW.update({ord(k): v for k, v in _PLAIN.items()})
_FOLD: Final = _FoldTable({n: chr(n) for n in range(128)})
_FOLD.update({ord("ø"): "o", ord("ł"): "l", ord("đ"): "d", ord("ı"): "i", ord("ð"): "d"})


def fold(text: str) -> str:
    """Return ``text`` in lower case without accents; equal in length for every shadow."""
    lower = text.lower()
    if lower.isascii():
        return lower
    folded = _mapped(lower, _FOLD)
    return folded if len(folded) == len(text) else "".join(_FOLD[ord(c.lower()[:1])] for c in text)


def _mapped(text: str, table: dict[int, str]) -> str:
    """Return what `str.translate` would; few characters of a text change, and each is replaced at one go."""
    changes = [(char, table[ord(char)]) for char in set(text) if table[ord(char)] != char]
    if len(changes) > _MANY:
        return text.translate(table)
    # INVARIANT: what the tables write they leave as it is, so that the order of replacements does not matter.
    for char, value in changes:
        text = text.replace(char, value)
    return text


def _unescape(found: str) -> str:
    """Return what one escape stands for, or itself when it stands for nothing."""
    if found[0] == "\\":
        if found[1] == "u":
            return chr(int.from_bytes(bytes.fromhex(found[2:]), "big"))
        return _SIMPLE_ESCAPES[found[1]]
    if found[0] == "&":
        return html.unescape(found)
    try:
        return bytes.fromhex(found.replace("%", "")).decode("utf-8")
    except UnicodeDecodeError:
        return found


def _decoded(text: str) -> tuple[str, list[int]]:
    """Decode escapes; the list maps each index of the result, and its length, to an index of ``text``."""
    pieces: list[str] = []
    offsets: list[int] = []
    done = 0
    for match in _ESCAPED.finditer(text):
        start, end = match.span()
        value = _unescape(match.group())
        if value == match.group():
            continue
        pieces.append(text[done:start])
        offsets.extend(range(done, start))
        pieces.append(value)
        # Each decoded character stands at the start of the escape; the next one begins where the escape ends.
        offsets.extend([start] * len(value))
        done = end
    pieces.append(text[done:])
    offsets.extend(range(done, len(text) + 1))
    return "".join(pieces), offsets


def _rebuilt(text: str, base: list[int] | None) -> tuple[str, list[int]]:
    """Map character by character where lengths change: marks join their letter, invisible characters vanish."""
    out: list[str] = []
    offsets: list[int] = []
    previous = ""
    for at, char in enumerate(text):
        value = _SHADOW[ord(char)]
        if not value:
            if out and previous and unicodedata.category(char) == "Mn":
                joined = unicodedata.normalize("NFC", out[-1] + char)
                if len(joined) == 1:
                    out[-1] = joined
            continue
        for piece in value:
            out.append(piece)
            offsets.append(at if base is None else base[at])
        previous = value
    offsets.append(len(text) if base is None else base[len(text)])
    return "".join(out), offsets


def _unmask(text: str) -> str:
    """Replace look-alike letters inside words that also hold Latin ones, or that are made of look-alikes alone."""

    def plain(match: re.Match[str]) -> str:
        word = match.group()
        swapped = "".join(_LOOKS_LIKE.get(c, c) for c in word)
        mixed = _ASCII_LETTER.search(word) is not None
        whole = len(word) > 2 and swapped.isascii()
        return swapped if mixed or whole else word

    return _WORD_WITH_LOOK_ALIKE.sub(plain, text)


def has_lone_surrogate(text: str) -> bool:
    """Return whether a code point stands in ``text`` that is half a character."""
    return not text.isascii() and any("\ud800" <= c <= "\udfff" for c in set(text))


def view_of(text: str, *, lang: str = "", hints: tuple[Hint, ...] = (), recall: bool = False) -> View:
    """Prepare one part. Works for every string, lone surrogates and the empty string included."""
    shadow = text
    offsets: list[int] | None = None
    if ("\\" in text or "&" in text or "%" in text) and _escapes_matter(text):
        shadow, offsets = _decoded(text)
    if not shadow.isascii():
        if all(len(_SHADOW[ord(c)]) == 1 for c in set(shadow)):
            shadow = _mapped(shadow, _SHADOW)
        else:
            shadow, offsets = _rebuilt(shadow, offsets)
        if _LOOK_ALIKE.search(shadow):
            shadow = _unmask(shadow)
    folded = fold(shadow)
    words = _WORD.findall(folded)
    ends = list(accumulate(map(len, _PIECE.findall(folded))))[: len(words)]
    starts = list(map(sub, ends, map(len, words)))
    return View(text, shadow, folded, offsets, words, starts, ends, lang, hints, recall)


def _escapes_matter(text: str) -> bool:
    """Tell whether to decode. Simple escapes count in JSON alone: elsewhere a backslash is a path or LaTeX."""
    if _UNICODE_ESCAPE.search(text):
        return True
    return "\\" in text and _JSON_START.match(text) is not None
