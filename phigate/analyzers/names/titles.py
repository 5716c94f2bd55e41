"""Names that a word beside them gives away: titles, roles, kin, and labels with a colon. Rules of layer L2.

A title or a label is strong context, so what follows may be in any case and in no list; only ordinary words of the
language end it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phigate.analyzers.names.lexicon import (
    ANNOUNCES,
    CALENDAR,
    MEDICAL,
    NAME,
    NUMBER_LABEL,
    PARTICLE,
    RARE,
    SUFFIX,
    TITLES,
    Lexicon,
)
from phigate.analyzers.names.words import LETTER, LOWER, MIXED, SIGN, TITLE, UPPER, Words
from phigate.finding import EntityType

_CAPITAL: Final = frozenset({TITLE, UPPER, MIXED, LETTER})
_ROLES: Final = {
    "patient": EntityType.PERSON,
    "person": EntityType.PERSON,
    "relative": EntityType.RELATIVE_NAME,
    "clinician": EntityType.CLINICIAN_NAME,
}
# Short titles that are also words or abbreviations: they need a full stop after them or a capital at their start.
_SHORT: Final = frozenset({"m", "d", "fr", "hr", "pr", "np", "ca", "oa", "pt", "ft", "tec", "due", "pac", "pat", "man"})
_LONGEST_SHORTENED: Final = 5
_MOST_TOKENS: Final = 9  # of a name after a title, marks included
_LABEL_ENDS: Final = frozenset({":", "=", "|", "\t"})


@dataclass(frozen=True, slots=True)
class NameSpan:
    """Tokens [first, last] that are a name, by which rule and how surely."""

    first: int
    last: int
    entity_type: EntityType
    score: float
    rule: str


def title_words(lexicon: Lexicon) -> frozenset[str]:
    """Return the folded titles that a finding may begin with: no part of anyone's name, never to be searched again."""
    return frozenset(
        word
        for section, table in lexicon.cues.items()
        if section.startswith("title_")
        for phrases in table.values()
        for phrase, _ in phrases
        for word in phrase
    )


def find_titled(words: Words, lexicon: Lexicon) -> Iterator[NameSpan]:
    """Yield the names that titles, roles, kin words and labels announce."""
    for index, flags in enumerate(words.flags):
        if not flags & ANNOUNCES or words.cases[index] == SIGN:
            continue
        folded = words.folded[index]
        if len(folded) <= _LONGEST_UNIT and index and words.folded[index - 1].isdigit():
            continue  # 14 Fr, 12 mm, 3 M: a unit
        for section, role, read in _SECTIONS:
            phrases = lexicon.cues[section].get(folded)
            size = words.match(index, phrases) if phrases else 0
            found = read(words, index, size, role) if size else None
            if found:
                yield found


_LONGEST_UNIT: Final = 3


def _after_title(words: Words, index: int, size: int, role: EntityType) -> NameSpan | None:
    last = index + size - 1
    # "physician." ends a sentence, "Dr." does not.
    stopped = _sign(words, last + 1) == "." and len(words.folded[last]) <= _LONGEST_SHORTENED
    short = words.folded[index] in _SHORT
    if short and not stopped and words.cases[index] == LOWER:
        return None
    if short and words.cases[index] == LETTER and not stopped:
        return None
    after = last + 2 if stopped else last + 1
    # "Dr(a)." and "Dr/a": the ending in brackets belongs to the title.
    if _sign(words, after) == "(" and _sign(words, after + 2) == ")":
        after += 4 if _sign(words, after + 3) == "." else 3
    abbreviated = stopped or len(words.folded[last]) <= 4
    further = _skip_titles(words, after)
    found = _name_from(words, further, role, "title", 0.9, lower=abbreviated)
    if found is None and further != after:  # a title that is somebody's name: "Herr Pfleger"
        found = _name_from(words, after, role, "title", 0.9, lower=abbreviated)
    if found is None or not abbreviated:
        return found
    # "Dr. Smith" is one finding: people who annotate often take the title in, and masking it costs nothing.
    return NameSpan(index, found.last, found.entity_type, found.score, found.rule)


def _skip_titles(words: Words, index: int) -> int:
    """Step over a chain of titles: "Frau Prof. Dr. X"."""
    while index < len(words) and words.flags[index] & TITLES and words.cases[index] in _CAPITAL:
        index += 2 if _sign(words, index + 1) == "." else 1
    return index


def _after_role(words: Words, index: int, size: int, role: EntityType) -> NameSpan | None:
    after = index + size
    # "her son, Peter," and "his wife (Anna)": one mark may stand between kin and name.
    mark = _sign(words, after)
    between = mark in {",", "("} or (mark == "." and words.folded[index] in _SHORT)
    if words.folded[index] in _SHORT and not between:
        return None
    found = _name_from(words, after + (1 if between else 0), role, "role", 0.75, lower=False)
    if found is None:
        return None
    if found.first == found.last and words.flags[found.first] & ANNOUNCES and _sign(words, found.last + 1) == ":":
        return None  # "PATIENT NAME:" is a label
    known = any(words.flags[k] & NAME for k in range(found.first, found.last + 1))
    return found if known or not between else None


def _after_label(words: Words, index: int, size: int, role: EntityType) -> NameSpan | None:
    after = index + size
    mark = _sign(words, after)
    if mark == "(" and _sign(words, after + 2) == ")":  # "Name(s):", "Mãe (nome):"
        after += 3
        mark = _sign(words, after)
    if mark == "." and _sign(words, after + 1) in _LABEL_ENDS:
        after += 1
        mark = _sign(words, after)
    if mark not in _LABEL_ENDS:
        return _after_verb(words, after, role)
    after += 1
    while _sign(words, after) in {":", "*", "_", '"', "'", "=", ">"} and after < index + size + 5:
        after += 1
    return _name_from(words, after, role, "label", 0.9, lower=True, reversed_too=True)


def _after_verb(words: Words, index: int, role: EntityType) -> NameSpan | None:
    """Return whom a verb names after the label: "PCP is Goldfarb", "her name is". A patient is rather ill than named."""
    if index + 1 >= len(words) or words.folded[index] not in _IS:
        return None
    if role is not EntityType.CLINICIAN_NAME and words.folded[index - 1] not in _NAMES:
        return None
    if words.cases[index + 1] not in _CAPITAL or words.shouts:
        return None
    return _name_from(words, index + 1, role, "label", 0.6, lower=False)


_NAMES: Final = frozenset({"name", "surname", "nome", "sobrenome", "nombre", "apellido", "nom", "prenom", "vorname", "nachname"}) | {
    "cognome", "naam", "achternaam", "voornaam"
}  # fmt: skip
_IS: Final = frozenset({"is", "was", "e", "es", "era", "est", "ist", "war"})
_SECTIONS: Final = tuple(
    (f"{kind}_{name}", _ROLES[name], read)
    for kind, names, read in (
        ("title", ("person", "clinician"), _after_title),
        ("role", ("patient", "relative"), _after_role),
        ("label", ("patient", "relative", "clinician"), _after_label),
    )
    for name in names
)


def _sign(words: Words, index: int) -> str:
    if index < len(words) and words.cases[index] == SIGN:
        return words.folded[index]
    if 0 < index < len(words) and words.gap(index - 1) == "\t":
        return "\t"
    return ""


def _name_from(
    words: Words, first: int, role: EntityType, rule: str, score: float, *, lower: bool, reversed_too: bool = False
) -> NameSpan | None:
    """Read a name that starts at ``first``: capitals, initials, particles and suffixes, on one line."""
    if first >= len(words) or (first and not _near(words, first - 1)):
        return None
    last = -1
    index = first
    words_read = 0
    while index < len(words) and index - first < _MOST_TOKENS:
        if index > first and not words.joined(index - 1):
            break
        lower = lower and (last < 0 or words.cases[last] == LOWER)  # "Ms K said": lower case goes on only as it began
        kind = _part(words, index, lower=lower, opening=words_read == 0)
        if kind == "word":
            last, words_read = index, words_read + 1
        elif kind == "comma":
            if not (reversed_too and words_read == 1 and words.cases[index - 1] in _CAPITAL):
                break
        elif kind == "end":
            break
        index += 1
    if last < 0 or not _plausible(words, first, last, lower=lower):
        return None
    return NameSpan(first, last, role, score, rule)


def _near(words: Words, index: int) -> bool:
    gap = words.gap(index)
    return gap.count("\n") == 0 and len(gap) <= 24


def _part(words: Words, index: int, *, lower: bool, opening: bool) -> str:
    """Say what token ``index`` is inside a name: a word, a join, a comma, or its end."""
    case, folded, flags = words.cases[index], words.folded[index], words.flags[index]
    if case == SIGN:
        return "end" if opening else _sign_part(words, index)
    if case == LETTER and _sign(words, index + 1) == ".":
        return "word"  # an initial, though "a" and "e" are ordinary words
    if flags & PARTICLE and not (opening and len(folded) < 2):
        return "join"  # also before the first word: "Frau von Hagen"
    if flags & CALENDAR and not flags & NAME:
        return "end"
    if case in _CAPITAL:
        # A capital on an ordinary word opens no name, and ends one that has begun.
        ordinary = words.is_common(index) and not flags & (NAME | SUFFIX)
        return (
            "end"
            if ordinary or flags & NUMBER_LABEL or words.is_grammar(index) or (flags & MEDICAL and not flags & NAME)
            else "word"
        )
    return "word" if lower and _lower_word(words, index, opening=opening) else "end"


def _sign_part(words: Words, index: int) -> str:
    sign, before = words.folded[index], index - 1
    if sign == "." and words.cases[before] in {LETTER, UPPER} and len(words.folded[before]) <= 2:
        return "join"
    if sign in {"-", "'", "’"}:
        return "join"
    return "comma" if sign == "," else "end"


def _lower_word(words: Words, index: int, *, opening: bool) -> bool:
    """Whether a word in lower case after a title or a label belongs to the name."""
    flags = words.flags[index]
    if flags & SUFFIX and not opening:
        return True
    if words.is_common(index):  # "dr smith", not "dr will"
        return bool(flags & NAME) and not flags & RARE and not words.is_grammar(index)
    return bool(flags & NAME) or (opening and len(words.folded[index]) > 3)


def _plausible(words: Words, first: int, last: int, *, lower: bool) -> bool:
    span = range(first, last + 1)
    letters = [k for k in span if words.cases[k] != SIGN and not words.flags[k] & PARTICLE]
    if not letters or (all(words.cases[k] == LETTER for k in letters) and len(letters) == 1):
        return False
    if all(words.cases[k] == LOWER for k in letters):
        # "dott. sciascia": where nothing has a capital, a title needs no list to vouch for the one word after it.
        alone = len(letters) == 1 and not words.uses_capitals and not words.is_common(letters[0])
        return lower and (alone or any(words.flags[k] & NAME for k in letters))
    # Nothing but ordinary words, though each may be a name: "Mrs. May" is one, "Patient: Will call" is not.
    return not all(words.is_common(k) for k in letters) or len(letters) <= 2
