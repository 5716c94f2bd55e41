"""A request as read: its parts, what it asks for, and privately the tree and the places that the parts came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from phigate.wire.parts import Attachments, Need, Part
from phigate.wire.strict import JSON, Number

Box = dict[str, JSON] | list[JSON]


@dataclass(frozen=True, slots=True)
class Nested:
    """A string that holds JSON: where the string stands, and the document inside it."""

    box: Box = field(repr=False)
    key: str | int = field(repr=False)
    outer: Nested | None = field(repr=False)
    tree: Box = field(repr=False)


class Site(NamedTuple):
    """Where a part stands: ``box[key]``, or the key itself."""

    box: Box
    key: str | int
    nested: Nested | None  # the string of JSON that the box is in
    top: str  # name of the top-level field
    foreign: bool  # below something that the API's schema does not know
    typed: bool  # a number where the API takes nothing but a number
    replaced: bool = False  # an id that only joins two places: a copy that leaves gets another
    is_key: bool = False


class Stray(NamedTuple):
    """Something that the API's schema does not know: ``box[key]``; ``shown`` is its pointer without free keys."""

    box: Box
    key: str | int
    top: str
    shown: str


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Origin:
    """What the parts were read from; only `wire` looks inside, and nobody changes it."""

    tree: dict[str, JSON]
    sites: tuple[Site, ...]  # one per part
    strays: tuple[Stray, ...]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat completion request. Every character that may be PHI is in ``parts`` and nowhere else in view."""

    parts: tuple[Part, ...]
    model: str = field(repr=False)  # the name the app asked for
    stream: bool
    choices: int
    needs: frozenset[Need]
    attachments: Attachments
    origin: Origin = field(repr=False, compare=False)

    @property
    def tokens(self) -> int:
        """Return about how many tokens of context the request and its answer need: three characters a token.

        English runs at four; other languages, numbers and JSON at fewer. Images are not counted.
        """
        tree = self.origin.tree
        asked = tree.get("max_completion_tokens") or tree.get("max_tokens")
        literal = asked.literal if isinstance(asked, Number) else ""
        answer = int(literal) if literal.isdigit() and len(literal) < 9 else 0
        return sum(len(part.text) for part in self.parts) // 3 + answer
