"""Read the training text: lines of patterns with slots, and lines without PHI. The format is text/README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Slot base name -> the tagger's label. Slots that are no PHI map to "".
SLOTS: Final = {
    "PATIENT": "PERSON", "RELATIVE": "PERSON", "CLINICIAN": "PERSON", "PERSON": "PERSON",
    "CITY": "LOCATION", "STATE": "LOCATION", "COUNTRY": "LOCATION", "DISTRICT": "LOCATION",
    "STREET": "LOCATION", "ZIP": "LOCATION", "ADDRESS": "LOCATION",
    "HOSPITAL": "ORG", "ORG": "ORG",
    "DATE": "DATE", "YEAR": "DATE", "DOB": "DATE",
    "AGE": "AGE",
    "PHONE": "PHONE", "EMAIL": "ID", "URL": "ID", "USERNAME": "ID",
    "ID": "ID", "MRN": "ID", "CPF": "ID", "SSN": "ID", "LICENSE": "ID", "PLATE": "ID", "ACCOUNT": "ID",
    "DRUG": "", "DX": "", "TIME": "", "N": "", "NN": "", "DEC": "", "DOSE": "", "CODE": "",
}  # fmt: skip
PEOPLE: Final = frozenset({"PATIENT", "RELATIVE", "CLINICIAN", "PERSON"})
_MODIFIERS: Final = {
    **{base: {"first", "last", "full", "initials", "reversed", "short", "m", "f"} for base in PEOPLE},
    "DATE": {"words", "short", "month"},
    "AGE": {"words"},
}
_PIECE: Final = re.compile(r"\{\{|\}\}|\\n|\\t|\{([^{}]*)\}")
_ALTERNATIVES: Final = re.compile(r"<<(.*?)>>")
_SLOT: Final = re.compile(r"([A-Z]+)(\d?)((?:\.[a-z]+)*)$")
_GENDER: Final = re.compile(r"g(?:\.([A-Z]+\d?))?:([^/]*)/(.*)$")


class PatternError(ValueError):
    """A line of training text that breaks the format."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that the generator fills: base name, which one of its kind, how it is shown."""

    base: str
    key: str  # base with its number: the same key in a line is the same person
    modifiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gender:
    """A text that depends on the gender of a person slot ("" is the first of the line)."""

    key: str
    masculine: str
    feminine: str


Piece = str | Slot | Gender


def choose(line: str, pick: object) -> str:
    """Replace every ``<<a|b>>`` by one of its texts; ``pick`` chooses from a list."""
    return _ALTERNATIVES.sub(lambda match: pick(match[1].split("|")), line)  # type: ignore[operator]


def parse(line: str) -> list[Piece]:
    """Part a line, its alternatives chosen, into literal text, slots and gendered text."""
    pieces: list[Piece] = []
    position = 0
    for match in _PIECE.finditer(line):
        pieces.append(_literal(line[position : match.start()]))
        position = match.end()
        token = match[0]
        if match[1] is None:
            pieces.append({"{{": "{", "}}": "}", "\\n": "\n", "\\t": "\t"}[token])
        else:
            pieces.append(_slot(match[1]))
    pieces.append(_literal(line[position:]))
    return [piece for piece in pieces if piece != ""]


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise PatternError("expected braces in pairs, found one alone")
    return text


def _slot(body: str) -> Piece:
    gender = _GENDER.match(body)
    if gender:
        return Gender(gender[1] or "", gender[2], gender[3])
    match = _SLOT.match(body)
    if not match or match[1] not in SLOTS:
        raise PatternError(f"expected a slot of README.md, found {{{body}}}")
    modifiers = frozenset(match[3].split(".")[1:])
    wrong = modifiers - set(_MODIFIERS.get(match[1], ()))
    if wrong:
        raise PatternError(f"expected a modifier of {match[1]}, found {min(wrong)}")
    return Slot(match[1], match[1] + match[2], modifiers)


def _lines(root: Path, lang: str, ending: str, *, dev: bool) -> Iterator[tuple[str, str]]:
    for path in sorted((root / lang).glob(f"*{ending}")):
        if path.name.endswith(f".dev{ending}") != dev:
            continue
        family = path.name.split(".", maxsplit=1)[0]
        for line in path.read_text("utf-8").splitlines():
            if line and not line.startswith("# "):
                yield family, line


def phi_lines(root: Path, lang: str, *, dev: bool) -> list[tuple[str, str]]:
    """Return (family, pattern) of a language, of the training families or of those held out."""
    return list(_lines(root, lang, ".phi.txt", dev=dev))


def free_lines(root: Path, lang: str, *, dev: bool) -> list[str]:
    """Return the sentences without PHI of a language."""
    return [line for _, line in _lines(root, lang, ".free.txt", dev=dev)]


def literal_words(root: Path, lang: str) -> list[str]:
    """Return what stands outside the slots of the training patterns: ordinary words too."""
    texts = []
    for _, line in phi_lines(root, lang, dev=False):
        flat = line.replace("<<", " ").replace(">>", " ").replace("|", " ")
        texts.append(" ".join(piece if isinstance(piece, str) else " 0 " for piece in parse(flat)))
    return texts
