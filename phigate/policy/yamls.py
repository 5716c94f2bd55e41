"""Strict YAML: a subset of 1.2 in which two readers cannot disagree, read from PyYAML's event stream.

Refused: anchors, aliases, tags, directives, merge keys, duplicate keys, several documents, tabs, a byte-order mark,
invisible or direction-changing characters, keys that are not plain ASCII words, and plain scalars that YAML versions
read differently (``010``, ``0x1F``, ``1e3``, ``True``, ``~``). ``yes``, ``no``, ``on`` and dates are strings. Every
value remembers its line. Objects are never constructed from the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

import yaml

from phigate.errors import PolicyFileError

MAX_BYTES: Final = 1024 * 1024
MAX_NODES: Final = 50_000
MAX_DEPTH: Final = 24

Plain = str | int | float | bool | None
JSONValue = str | int | float | bool | None | list["JSONValue"] | dict[str, "JSONValue"]

_KEY: Final = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*:/@-]{0,127}")
_INT: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_FLOAT: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
# Plain scalars that YAML 1.1 or 1.2 readers take for something other than text, or that only one of them does.
_DOUBTFUL: Final = re.compile(
    r"true|false|null|~|[-+]?\.(inf|nan)|[-+]?[0-9][0-9_,]*|[-+]?0[xob][0-9a-f_]+"
    r"|[-+]?([0-9][0-9_]*)?\.[0-9_]*(e[-+]?[0-9]+)?|[-+]?[0-9][0-9_]*e[-+]?[0-9]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+",
    re.IGNORECASE,
)
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]"
)
# libyaml where the wheel brings it: fifteen times as fast. The tests hold both readers to the same answers.
LOADERS: Final = (
    *((yaml.CSafeLoader,) if yaml.__with_libyaml__ else ()),
    yaml.SafeLoader,
)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, truth value or nothing, and where it stands."""

    value: Plain
    line: int


@dataclass(frozen=True, slots=True)
class Seq:
    """A list, and where it begins."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One key's value, and the line of the key."""

    line: int
    value: Node


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping in the order of the file, and where it begins."""

    entries: dict[str, Entry]
    line: int


Node = Scalar | Seq | Map


def parse(data: bytes, *, file: str, loader: type = LOADERS[0]) -> Map:
    """Read one file whose root is a mapping. Raises `PolicyFileError` with the line of the first offence."""
    text = _text(data, file)
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or "a character that YAML forbids"
        raise PolicyFileError(f"not YAML: {what}", file=file, line=mark.line + 1 if mark is not None else 1) from error
    if not isinstance(builder.root, Map):
        raise PolicyFileError("expected keys and values, found none", file=file, line=1)
    return builder.root


def plain(node: Node) -> JSONValue:
    """Return the value without lines: what the digest is taken over."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


def _text(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise PolicyFileError(f"expected at most {MAX_BYTES} bytes, found {len(data)}", file=file, line=1)
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise PolicyFileError(
            "a byte-order mark stands at the start; save the file as UTF-8 without it", file=file, line=1
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyFileError("not UTF-8; save the file as UTF-8", file=file, line=line) from error
    offence = _offence(text)
    if offence is not None:
        what, at = offence
        raise PolicyFileError(what, file=file, line=text.count("\n", 0, at) + 1)
    return text


def _offence(text: str) -> tuple[str, int] | None:
    at = text.find("\t")
    if at >= 0:
        return "a tab; indent with spaces", at
    unseen = _UNSEEN.search(text)
    if unseen is None:
        return None
    return f"an invisible or forbidden character U+{ord(unseen[0]):04X}; delete it", unseen.start()


class _Builder:
    """Turns events into nodes, without recursion and within bounds."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self._documents = 0
        self._nodes = 0
        # Open containers: lines, items or entries, and for a mapping the key that waits for its value.
        self._open: list[_OpenSeq | _OpenMap] = []

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        line = mark.line + 1 if mark is not None else 1
        match event:
            case yaml.StreamStartEvent() | yaml.StreamEndEvent() | yaml.DocumentEndEvent():
                return
            case yaml.DocumentStartEvent():
                self._document(event, line)
            case yaml.AliasEvent():
                self._fail("an alias (*name); write the value out", line)
            case yaml.NodeEvent() if event.anchor is not None:
                self._fail("an anchor (&name); write the value out where it is needed", line)
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.SequenceStartEvent():
                self._begin(_OpenSeq(line, []), event.tag, line)
            case yaml.MappingStartEvent():
                self._begin(_OpenMap(line, {}, None), event.tag, line)
            case _:
                self._end()

    def _fail(self, problem: str, line: int) -> NoReturn:
        raise PolicyFileError(problem, file=self.file, line=line)

    def _document(self, event: yaml.DocumentStartEvent, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            self._fail("a second document (---); one file is one document", line)
        if event.version is not None or event.tags:
            self._fail("a directive (%YAML or %TAG); delete it", line)

    def _count(self, line: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fail(f"expected at most {MAX_NODES} values, found more", line)

    def _begin(self, container: _OpenSeq | _OpenMap, tag: str | None, line: int) -> None:
        if tag is not None:
            self._fail(f"a tag ({tag}); delete it", line)
        if isinstance(top := self._top(), _OpenMap) and top.key is None:
            self._fail("a key that is a list or a mapping; a key is one word", line)
        self._count(line)
        if len(self._open) >= MAX_DEPTH:
            self._fail(f"expected at most {MAX_DEPTH} levels, found more", line)
        self._open.append(container)

    def _top(self) -> _OpenSeq | _OpenMap | None:
        return self._open[-1] if self._open else None

    def _end(self) -> None:
        done = self._open.pop()
        self._place(Seq(tuple(done.items), done.line) if isinstance(done, _OpenSeq) else Map(done.entries, done.line))

    def _place(self, node: Node) -> None:
        top = self._top()
        if top is None:
            self.root = node
        elif isinstance(top, _OpenSeq):
            top.items.append(node)
        else:
            assert top.key is not None  # `_begin` and `_scalar` see to it
            key, line = top.key
            top.entries[key] = Entry(line, node)
            top.key = None

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if event.tag is not None:
            self._fail(f"a tag ({event.tag}); delete it", line)
        self._count(line)
        top = self._top()
        if isinstance(top, _OpenMap) and top.key is None:
            top.key = (self._key(event, top, line), line)
        else:
            self._place(Scalar(self._value(event, line), line))

    def _key(self, event: yaml.ScalarEvent, mapping: _OpenMap, line: int) -> str:
        key: str = event.value
        if key == "<<":
            self._fail("a merge key (<<); write the values out", line)
        if not key.isascii():
            self._fail(f"the key {key!a} holds letters outside ASCII, which may look like others; retype it", line)
        if _KEY.fullmatch(key) is None:
            self._fail(f"the key {key!r} is not a word of letters, digits and _.*:/@-", line)
        if key in mapping.entries:
            first = mapping.entries[key].line
            self._fail(f"the key {key!r} stands twice, first in line {first}; keep one", line)
        return key

    def _value(self, event: yaml.ScalarEvent, line: int) -> Plain:
        text: str = event.value
        if event.style:  # quoted or block: libyaml says "" for plain, the Python reader None
            return text
        if text in {"", "null"}:
            return None
        if text in {"true", "false"}:
            return text == "true"
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _DOUBTFUL.fullmatch(text):
            self._fail(f"{text} may be read as text or as a number; put it in quotes, or write it plainly", line)
        return text


@dataclass(slots=True)
class _OpenSeq:
    line: int
    items: list[Node]


@dataclass(slots=True)
class _OpenMap:
    line: int
    entries: dict[str, Entry]
    key: tuple[str, int] | None
