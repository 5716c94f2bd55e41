"""Typed reading of a strict YAML node: unknown keys and wrong values become problems with file, line and remedy.

Reading goes on after a problem, so that one run shows all of them; `Source.settle` raises when there was any, and
no value that was read beside a problem is ever used.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from phigate.errors import PolicyFileError
from phigate.policy.bundle import EPOCH
from phigate.policy.yamls import Entry, Map, Node, Scalar, Seq

_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2})?)Z)?")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@*-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{4,64}")
_FEW: Final = 4  # words that a message about a missing one lists


def closest(word: str, among: Collection[str]) -> str:
    """Return a hint that names the nearest valid word, or the valid words where none is near."""
    near = difflib.get_close_matches(word, list(among), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"valid: {', '.join(sorted(among))}" if among else "nothing is valid here"


class Source:
    """One file being read, and what is wrong with it so far."""

    def __init__(self, file: str, problems: list[PolicyFileError]) -> None:
        self.file = file
        self.problems = problems

    def complain(self, problem: str, line: int, *, code: str = "PG001") -> None:
        """Note a problem and go on."""
        self.problems.append(PolicyFileError(problem, file=self.file, line=line, code=code))


def settle(problems: Iterable[PolicyFileError]) -> None:
    """Raise the first problem, if any, with the others in ``more``."""
    ordered = sorted(problems, key=lambda p: (p.file, p.line))
    if ordered:
        first, *rest = ordered
        first.more = tuple(rest)
        raise first


class Fields:
    """The keys of one mapping. ``what`` names it in messages; only ``allowed`` keys may occur."""

    def __init__(self, source: Source, node: Node, what: str, allowed: Collection[str]) -> None:
        self.source = source
        self.what = what
        self.line = node.line
        self.entries: Mapping[str, Entry] = {}
        if not isinstance(node, Map):
            source.complain(f"{what}: expected keys and values, found {_kind(node)}", node.line)
            return
        self.entries = node.entries
        for key, entry in node.entries.items():
            if key not in allowed:
                hint = closest(key, allowed)
                source.complain(f"{what}: unknown key {key!r}; {hint}", entry.line, code="PG001")

    def has(self, key: str) -> bool:
        """Return whether the key stands there."""
        return key in self.entries

    def line_of(self, key: str) -> int:
        """Return the line of the key, or of the mapping where it is missing."""
        entry = self.entries.get(key)
        return entry.line if entry is not None else self.line

    def complain(self, key: str, problem: str, *, code: str = "PG001") -> None:
        """Note a problem at this key."""
        self.source.complain(f"{self.what}.{key}: {problem}", self.line_of(key), code=code)

    def node(self, key: str, *, required: bool = False, code: str = "PG001") -> Node | None:
        """Return the value as it stands; complain when it is required and missing."""
        entry = self.entries.get(key)
        if entry is None:
            if required:
                self.source.complain(f"{self.what}: the key {key!r} is missing", self.line, code=code)
            return None
        return entry.value

    def _scalar(self, key: str, *, required: bool, code: str = "PG001") -> Scalar | None:
        node = self.node(key, required=required, code=code)
        if node is None or isinstance(node, Scalar):
            return node
        self.complain(key, f"expected one value, found {_kind(node)}")
        return None

    def text(self, key: str, default: str | None = None, *, code: str = "PG001") -> str:
        """Return a text that is not empty; without a default it is required."""
        scalar = self._scalar(key, required=default is None, code=code)
        if scalar is None:
            return default or ""
        if not isinstance(scalar.value, str) or not scalar.value.strip():
            self.complain(key, f"expected a text, found {_kind(scalar)}; put it in quotes", code=code)
            return default or ""
        return scalar.value

    def name(self, key: str, default: str | None = None) -> str:
        """Return a text that is one ASCII word: an id that goes into records."""
        value = self.text(key, default)
        if value and _WORD.fullmatch(value) is None:
            self.complain(key, f"expected a word of ASCII letters, digits and _.:/@*-, found {value!a}")
            return default or ""
        return value

    def choice(self, key: str, among: Collection[str], default: str | None = None) -> str:
        """Return one of the words; without a default it is required, and the first stands in after a problem."""
        if default is None and not self.has(key) and len(among) <= _FEW:
            words = " or ".join(sorted(among))
            self.source.complain(f"{self.what}: the key {key!r} is missing; write {key}: {words}", self.line)
            return next(iter(among))
        value = self.text(key, default)
        if value in among or (value == "" and default == ""):
            return value
        if self.has(key) and value:
            self.complain(key, f"unknown word {value!a}; {closest(value, among)}")
        return default if default is not None else next(iter(among))

    def digest(self, key: str) -> str:
        """Return the digest of a document, ``sha256:`` and hex; the key is required."""
        value = self.text(key, code="PG023")
        if value and _DIGEST.fullmatch(value) is None:
            self.complain(key, f"expected sha256: and hex digits, found {value!a}", code="PG023")
        return value

    def number(self, key: str, default: float | None = None, *, low: float, high: float) -> float:
        """Return a number within bounds."""
        scalar = self._scalar(key, required=default is None)
        if scalar is None:
            return default if default is not None else low
        value = scalar.value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.complain(key, f"expected a number from {low:g} to {high:g}, found {_kind(scalar)}")
            return low
        return float(value)

    def whole(self, key: str, default: int | None = None, *, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        value = self.number(key, default, low=low, high=high)
        if value != int(value):
            self.complain(key, f"expected a whole number, found {value:g}")
        return int(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false; nothing else is taken for either."""
        scalar = self._scalar(key, required=False)
        if scalar is None:
            return default
        if not isinstance(scalar.value, bool):
            self.complain(key, f"expected true or false, found {_kind(scalar)}")
            return default
        return scalar.value

    def at(self, key: str, *, required: bool = True) -> datetime | None:
        """Return an instant in UTC, from ``YYYY-MM-DD`` (midnight) or ``YYYY-MM-DDTHH:MMZ``."""
        value = self.text(key, None if required else "")
        if not value:
            return None
        try:
            return instant(value)
        except ValueError:
            self.complain(key, f"expected a date as 2026-12-31 or 2026-12-31T23:59Z, found {value!a}")
            return None

    def date(self, key: str) -> datetime:
        """Return an instant that must be given."""
        return self.at(key) or EPOCH

    def words(self, key: str, among: Collection[str] | None = None, *, required: bool = False) -> tuple[str, ...]:
        """Return a list of words without repetition; of a closed list where one is given."""
        node = self.node(key, required=required)
        if node is None:
            return ()
        if not isinstance(node, Seq):
            self.complain(key, f"expected a list, found {_kind(node)}; put it in [brackets]")
            return ()
        words: list[str] = []
        for item in node.items:
            word = self._word(key, item, among)
            if word in words:
                self.source.complain(f"{self.what}.{key}: {word!r} stands twice", item.line)
            if word:
                words.append(word)
        return tuple(words)

    def _word(self, key: str, item: Node, among: Collection[str] | None) -> str:
        if not isinstance(item, Scalar) or not isinstance(item.value, str) or not item.value:
            self.source.complain(f"{self.what}.{key}: expected a word, found {_kind(item)}", item.line)
            return ""
        if among is not None and item.value not in among:
            hint = closest(item.value, among)
            self.source.complain(f"{self.what}.{key}: unknown word {item.value!a}; {hint}", item.line)
            return ""
        return item.value

    def sub(self, key: str, allowed: Collection[str], *, required: bool = False) -> Fields | None:
        """Return the mapping under a key."""
        node = self.node(key, required=required)
        return None if node is None else Fields(self.source, node, f"{self.what}.{key}", allowed)

    def rows(self, key: str, allowed: Collection[str], *, required: bool = False) -> list[Fields]:
        """Return the mappings of the list under a key."""
        return [Fields(self.source, item, f"{self.what}.{key}", allowed) for item in self.items(key, required=required)]

    def items(self, key: str, *, required: bool = False) -> tuple[Node, ...]:
        """Return the members of the list under a key."""
        node = self.node(key, required=required)
        if node is None:
            return ()
        if not isinstance(node, Seq):
            self.complain(key, f"expected a list, found {_kind(node)}")
            return ()
        return node.items

    def table(self, key: str, *, required: bool = False) -> Mapping[str, Entry]:
        """Return a mapping whose keys the file chooses."""
        node = self.node(key, required=required)
        if node is None:
            return {}
        if not isinstance(node, Map):
            self.complain(key, f"expected keys and values, found {_kind(node)}")
            return {}
        return node.entries


def instant(value: str) -> datetime:
    """Return the instant a date means. Raises `ValueError` on anything but the two forms of `Fields.at`."""
    match = _DATE.fullmatch(value)
    if match is None:
        raise ValueError("not a date")
    return datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}").replace(tzinfo=UTC)


def _kind(node: Node) -> str:
    if isinstance(node, Map):
        return "a mapping"
    if isinstance(node, Seq):
        return "a list"
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value!a}" if len(value) <= 60 else "a long text"
    return f"the number {value}"
