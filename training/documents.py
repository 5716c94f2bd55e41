"""Make documents: patterns filled, sentences joined, names put into harmless text, and then noise over all of it.

A document is a list of segments (text, label); labels survive every change because each change works on one segment.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from phigate.analyzers.names.lexicon import LANGUAGES
from training import natural
from training.patterns import PEOPLE, SLOTS, Gender, Slot, choose, free_lines, parse, phi_lines
from training.people import People, Person
from training.values import Values

Segment = tuple[str, str]
_WEIGHTS: Final = {"en": 0.26, "pt": 0.26, "es": 0.11, "de": 0.11, "fr": 0.1, "it": 0.08, "nl": 0.08}
_INJECTED: Final = (
    ("PATIENT", 30), ("RELATIVE", 8), ("CLINICIAN", 12), ("PERSON", 10), ("CITY", 9), ("STATE", 2), ("HOSPITAL", 7),
    ("ORG", 4), ("STREET", 2), ("DATE", 7), ("ID", 4), ("MRN", 2), ("PHONE", 3), ("AGE", 2),
)  # fmt: skip
_FORMS: Final = ("full",) * 10 + ("first",) * 4 + ("last",) * 4 + ("short",) * 2 + ("reversed", "initials")
_UNITS: Final = re.compile(
    r"[ \-]{0,2}(?:years?|yrs?|yo|y/o|y\.o\.|months?|weeks?|days?|anos?|meses|mês|semanas?|dias?|años?|días?|jahren?|"
    r"jahre|monate?n?|wochen?|tagen?|jährige[rsn]?|ans|mois|semaines|jours|anni|mesi|settimane|giorni|jaar|jarige|maanden|weken|"
    r"dagen|y|a|m|d)\b(?:[ \-](?:old|of age|de idade|de edad|alt|oud))?",
    re.IGNORECASE,
)
_OCR: Final = {"l": "1", "O": "0", "o": "0", "I": "l", "rn": "m", "S": "5", "m": "rn", "i": "l", "e": "c", "B": "8"}


@dataclass(slots=True)
class Document:
    """One training text with its labelled spans."""

    text: str
    spans: list[tuple[int, int, str]]
    lang: str


@dataclass(slots=True)
class Maker:
    """Draws documents of one split."""

    rng: random.Random
    text: Path
    dev: bool
    use_natural: bool = True
    people: People = field(init=False)
    values: Values = field(init=False)
    _phi: dict[str, dict[str, list[str]]] = field(init=False)
    _free: dict[str, list[str]] = field(init=False)
    _casual: set[str] = field(default_factory=set)  # lines of families that are written in lower case

    def __post_init__(self) -> None:
        self.people = People(self.rng, self.dev)
        self.values = Values(self.rng, self.people)
        self._phi, self._free = {}, {}
        for lang in (*LANGUAGES, "xx"):
            families: dict[str, list[str]] = {}
            for family, line in phi_lines(self.text, lang, dev=self.dev):
                families.setdefault(family, []).append(line)
            for lines in families.values():
                small = sum(_without_capitals(line) for line in lines)
                self._casual |= set(lines) if small * 10 >= len(lines) * 7 else set()
            self._phi[lang] = families
            self._free[lang] = free_lines(self.text, lang, dev=self.dev)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return PHI patterns and free lines by language."""
        return {lang: (sum(map(len, self._phi[lang].values())), len(self._free[lang])) for lang in self._phi}

    def draw(self) -> Document:
        """Draw one document."""
        rng = self.rng
        weights = {lang: weight for lang, weight in _WEIGHTS.items() if self._phi[lang] or self._free[lang]}
        lang = rng.choices(list(weights), list(weights.values()))[0]
        kinds: list[tuple[Callable[[str], list[Segment]], float]] = [
            (self._one_line, 0.22),
            (self._note, 0.30),
            (self._injected, 0.20),
            (self._plain, 0.10),
        ]
        if self._phi["xx"]:
            kinds.append((self._machine, 0.04))
        if self.use_natural and natural.prose(lang):
            kinds += [(self._prose, 0.08), (self._prose_injected, 0.10), (self._word_salad, 0.05), (self._opened, 0.05)]
        make = rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        return finish(self._noise([segment for segment in make(lang) if segment[0]]), lang)

    def note(self, lang: str) -> Document:
        """Draw a document as people write them: nothing put where nobody would, and noise in two of five."""
        rng = self.rng
        make = rng.choices([self._one_line, self._note, self._plain], [0.4, 0.4, 0.2])[0]
        segments = [segment for segment in make(lang) if segment[0]]
        return finish(self._noise(segments) if rng.random() < 0.4 else segments, lang)

    # Kinds of documents.
    def _one_line(self, lang: str) -> list[Segment]:
        return self._phi_line(lang) if self._phi[lang] else self._injected(lang)

    def _machine(self, _lang: str) -> list[Segment]:
        family = self._family("xx")
        home = self.rng.choice(LANGUAGES)
        out: list[Segment] = []
        for line in self.rng.sample(family, min(len(family), self.rng.randint(1, 3))):
            out += [*self._fill(line, home), ("\n", "")]
        return out

    def _note(self, lang: str) -> list[Segment]:
        if not self._phi[lang]:
            return self._injected(lang)
        rng = self.rng
        family = self._family(lang)
        joint = rng.choice([" ", " ", "\n", "\n", "\n\n", "  ", "\n- "])
        out: list[Segment] = []
        for _ in range(rng.randint(2, 9)):
            if rng.random() < 0.5 and self._free[lang]:
                out += self._fill(rng.choice(self._free[lang]), lang)
            else:
                out += self._fill(rng.choice(family), lang)
            out.append((joint, ""))
        return out[:-1]

    def _plain(self, lang: str) -> list[Segment]:
        rng = self.rng
        if not self._free[lang]:
            return self._injected(lang)
        joint = rng.choice([" ", " ", "\n"])
        out: list[Segment] = []
        for _ in range(rng.randint(1, 6)):
            text = "".join(part for part, _ in self._fill(rng.choice(self._free[lang]), lang))
            if rng.random() < 0.12:
                text = text.title() if rng.random() < 0.6 else text.upper()
            out += [(text, ""), (joint, "")]
        return out[:-1]

    def _prose(self, lang: str) -> list[Segment]:
        return [(" ".join(self.rng.choices(natural.prose(lang), k=self.rng.randint(1, 3))), "")]

    def _injected(self, lang: str) -> list[Segment]:
        lines = self._free[lang] or ["."]
        text = " ".join(
            "".join(part for part, _ in self._fill(self.rng.choice(lines), lang)) for _ in range(self.rng.randint(1, 4))
        )
        return self._inject(text, lang)

    def _prose_injected(self, lang: str) -> list[Segment]:
        return self._inject(self._prose(lang)[0][0], lang)

    def _word_salad(self, lang: str) -> list[Segment]:
        """Ordinary words and names side by side in any case: what tells them apart is the words alone."""
        rng = self.rng
        words = natural.common_words(lang)
        if not words:
            return self._plain(lang)
        joint = rng.choice([" ", " ", ", ", "\n", " | ", "; "])
        out: list[Segment] = []
        style = rng.choice(["title", "title", "as", "upper", "first"])
        for _ in range(rng.randint(3, 9)):
            if rng.random() < 0.3:
                value, label = self._entity(lang)
                out.append((value.upper() if style == "upper" else value, label))
            else:
                text = " ".join(rng.choices(words, k=rng.randint(1, 3)))
                text = {"title": text.title(), "upper": text.upper(), "first": text.capitalize()}.get(style, text)
                out.append((text, ""))
            out.append((joint, ""))
        return out[:-1]

    def _opened(self, lang: str) -> list[Segment]:
        """Sentences that open with any word of the dictionary, beside lines with names: a capital says nothing."""
        rng = self.rng
        words = natural.common_words(lang) or ("so",)
        out: list[Segment] = []
        for _ in range(rng.randint(1, 5)):
            if self._phi[lang] and rng.random() < 0.4:
                out += self._phi_line(lang)
            else:
                text = rng.choice(natural.prose(lang) if rng.random() < 0.7 else self._free[lang] or ["."])
                joint = rng.choice([" ", " ", " ", ", ", "-", ": "])
                out.append((rng.choice(words).capitalize() + joint + text[:1].lower() + text[1:], ""))
            out.append((rng.choice([" ", " ", "\n"]), ""))
        return out[:-1]

    # Parts of documents.
    def _family(self, lang: str) -> list[str]:
        families = list(self._phi[lang].values())
        return self.rng.choices(families, [len(family) for family in families])[0]

    def _phi_line(self, lang: str) -> list[Segment]:
        return self._fill(self.rng.choice(self._family(lang)), lang)

    def _entity(self, lang: str) -> Segment:
        bases, weights = zip(*_INJECTED, strict=True)
        base = self.rng.choices(bases, weights)[0]
        if base in PEOPLE:
            return self.people.draw(lang).show(self.rng, self.rng.choice(_FORMS)), "PERSON"
        return self.values.draw(base, frozenset(), lang), SLOTS[base]

    def _inject(self, text: str, lang: str) -> list[Segment]:
        rng = self.rng
        words = text.split(" ")
        places = sorted(rng.sample(range(len(words) + 1), min(len(words) + 1, rng.randint(1, 4))))
        out: list[Segment] = []
        last = 0
        lower = rng.random() < 0.12
        for place in places:
            before = " ".join(words[last:place])
            before = f"{before} " if before else ""
            opening, closing = rng.choice(
                [("", ""), ("", ""), ("", ""), ("", ","), ("(", ")"), (", ", ","), ("", ":"), ("- ", " -"), ("", ".")]
            )
            value, label = self._entity(lang)
            value = value.lower() if lower else value
            out += [(before + opening, ""), (value, label), (closing + " ", "")]
            if rng.random() < 0.1:  # two people joined by a word
                other, kind = self._entity(lang)
                out += [
                    (rng.choice(["e ", "y ", "und ", "et ", "and ", "en ", "/ ", ", "]), ""),
                    (other, kind),
                    (" ", ""),
                ]
            last = place
        out.append((" ".join(words[last:]), ""))
        return [(part.lower(), label) for part, label in out] if lower else out

    def _fill(self, line: str, lang: str) -> list[Segment]:
        rng = self.rng
        pieces = parse(choose(line, rng.choice))
        people: dict[str, Person] = {}
        literal = "".join(piece for piece in pieces if isinstance(piece, str))
        first = next((piece for piece in pieces if isinstance(piece, Slot) and piece.base in PEOPLE), None)
        for piece in pieces:
            if isinstance(piece, Slot) and piece.base in PEOPLE and piece.key not in people:
                marks = frozenset().union(*(p.modifiers for p in pieces if isinstance(p, Slot) and p.key == piece.key))
                female = True if "f" in marks else False if "m" in marks else None
                people[piece.key] = self.people.draw(lang, female=female)
        out: list[Segment] = []
        for piece in pieces:
            if isinstance(piece, str):
                out.append((piece, ""))
            elif isinstance(piece, Gender):
                person = people.get(piece.key or (first.key if first else ""))
                female = person.female if person else rng.random() < 0.5
                out.append((piece.feminine if female else piece.masculine, ""))
            elif piece.base in PEOPLE:
                shown = piece.modifiers - {"m", "f"}
                form = next(iter(sorted(shown)), None) or rng.choice(_FORMS)
                out.append((people[piece.key].show(rng, form), "PERSON"))
            else:
                out.append((self.values.draw(piece.base, piece.modifiers, lang), SLOTS[piece.base]))
        letters = [char for char in literal if char.isalpha()]
        # A line that opens with a slot says nothing of case by its own words: its family does.
        opens = next((char for char in literal if char.isalpha()), "") if isinstance(pieces[0], str) else ""
        casual = line in self._casual or (opens.islower() and bool(literal[:1].strip()))
        if len(letters) > 3 and not any(char.isupper() for char in letters) and casual and rng.random() < 0.85:
            out = [(part.lower(), label) for part, label in out]
        elif len(letters) > 3 and all(char.isupper() for char in letters):
            out = [(part.upper(), label) for part, label in out]
        return out

    # Noise.
    def _noise(self, segments: list[Segment]) -> list[Segment]:
        rng = self.rng
        chance = rng.random()
        if chance < 0.11:
            segments = [(text.lower(), label) for text, label in segments]
        elif chance < 0.19:
            segments = [(text.upper(), label) for text, label in segments]
        elif chance < 0.22:
            segments = [(text.title(), label) for text, label in segments]
        if rng.random() < 0.13:
            segments = [(_unaccent(text), label) for text, label in segments]
        if rng.random() < 0.25:
            segments = [(self._misspell(text, 0.04), label) for text, label in segments]
        if rng.random() < 0.05:
            segments = [(self._scan(text), label) for text, label in segments]
        if rng.random() < 0.06:
            segments = [(text.replace(" ", "  ") if rng.random() < 0.3 else text, label) for text, label in segments]
        if rng.random() < 0.05:
            segments = [(text if label else re.sub(r"[.,;:]", "", text), label) for text, label in segments]
        if rng.random() < 0.05:
            segments = [
                (re.sub(r" ", lambda m: "\n" if rng.random() < 0.12 else m[0], text), label) for text, label in segments
            ]
        return segments

    def _misspell(self, text: str, share: float) -> str:
        words = text.split(" ")
        for index, word in enumerate(words):
            if len(word) > 3 and word.isalpha() and self.rng.random() < share:
                place = self.rng.randrange(1, len(word) - 1)
                change = self.rng.randrange(3)
                words[index] = [
                    word[:place] + word[place + 1] + word[place] + word[place + 2 :],
                    word[:place] + word[place + 1 :],
                    word[:place] + word[place] + word[place:],
                ][change]
        return " ".join(words)

    def _scan(self, text: str) -> str:
        for before, after in _OCR.items():
            text = re.sub(re.escape(before), lambda m, a=after: a if self.rng.random() < 0.03 else m[0], text)
        return text


def _without_capitals(line: str) -> bool:
    return not any(char.isupper() for char in re.sub(r"\{[^{}]*\}", "", line))


def _unaccent(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def finish(segments: list[Segment], lang: str) -> Document:
    """Join segments, and stretch ages over their unit."""
    text, spans = "", []
    for part, label in segments:
        if label and part.strip():
            lead = len(part) - len(part.lstrip())
            spans.append((len(text) + lead, len(text) + len(part.rstrip()), label))
        text += part
    joined = []
    for start, end, label in spans:
        unit = _UNITS.match(text, end) if label == "AGE" else None
        joined.append((start, unit.end() if unit else end, label))
    return Document(text, joined, lang)
