"""The language in which an API body is described: which JSON types may stand where, and what its strings are.

Every string is a part unless its `Leaf` says that this very value is structural: it is one of a closed set of words,
or has the shape of an opaque id. Each such leaf carries the reason, and a value outside the set is scanned like any
other. `walk` interprets these values; the tables are in `chat_schema` and `json_schema`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from phigate.wire.parts import Need, PartKind


class Remote(StrEnum):
    """What a string may say about data elsewhere (a model server would fetch it)."""

    FINE = "fine"  # text: an address in it is only text
    REFUSED = "refused"  # near an attachment: refused when it is an address
    DATA_ONLY = "data_only"  # the place of an attachment: data: or nothing


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one string is. Exempt from scanning when ``words`` holds it or ``shape`` accepts it, for reason ``why``."""

    kind: PartKind = PartKind.TEXT
    words: frozenset[str] = frozenset()
    shape: Callable[[str], object] | None = None  # truthy when the value is structural
    why: str = ""
    holds_json: bool = False  # a string that may itself be a JSON object or array, read leaf by leaf
    replaced: bool = False  # an id that only joins two places of the body: a copy that leaves gets another
    remote: Remote = Remote.FINE


class Numeric(StrEnum):
    """Which numbers may stand here."""

    NONE = "none"
    INTEGER = "integer"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Members:
    """The members of an object: named ones, and what all others are.

    ``foreign``: the others are not in the API's schema, so they pass on-prem and are dropped outside. ``stray``: the
    object itself is not in the schema.
    """

    fields: Mapping[str, Spec] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    others: Spec | None = None  # None: free JSON
    foreign: bool = True
    stray: bool = False
    key_shape: Callable[[str], object] | None = None  # keys that are structural, for reason ``why``; no others leave
    why: str = ""
    names: bool = False  # keys whose charset cannot hold a surrogate: property names of a schema
    attachment: bool = False
    need: Need | None = None


@dataclass(frozen=True, slots=True)
class Variants:
    """An object whose members depend on the word in one of them."""

    key: str
    by: Mapping[str, Members]
    otherwise: Members

    def pick(self, word: object) -> Members:
        """Return the members that this word stands for."""
        return self.by.get(word, self.otherwise) if isinstance(word, str) else self.otherwise


@dataclass(frozen=True, slots=True)
class Spec:
    """What may stand at one place, by JSON type. Null stands for absence wherever a field is not required.

    ``free``: anything at all, every string a leaf of this rule. ``lenient``: what is not foreseen is free instead of
    refused.
    """

    string: Leaf | None = None
    array: Spec | None = None
    object: Members | Variants | None = None
    number: Numeric = Numeric.NONE
    boolean: bool = False
    free: Leaf | None = None
    lenient: bool = False

    def expected(self) -> str:
        """Name the JSON types that may stand here."""
        kinds = [
            name
            for name, there in (
                ("a string", self.string is not None),
                ("an array", self.array is not None),
                ("an object", self.object is not None),
                ("an integer", self.number is Numeric.INTEGER),
                ("a number", self.number is Numeric.ANY),
                ("a boolean", self.boolean),
            )
            if there
        ]
        return " or ".join(kinds)


def shape(pattern: str, *, digits: int = 6) -> Callable[[str], object]:
    """Return a test for whole strings of this pattern that hold no run of more than ``digits`` digits."""
    return re.compile(rf"(?!.*[0-9]{{{digits + 1}}})(?:{pattern})", re.ASCII | re.DOTALL).fullmatch


def listed(words: str) -> frozenset[str]:
    """Return the set of words given with blanks between."""
    return frozenset(words.split())


def text(*, holds_json: bool = False) -> Spec:
    """Describe a string that people or models write."""
    return Spec(string=Leaf(holds_json=holds_json))


def word(words: str, why: str) -> Spec:
    """Describe a string from a closed set, given with blanks between."""
    return Spec(string=Leaf(words=listed(words), why=why))


def name() -> Spec:
    """Describe a string whose charset cannot hold a surrogate."""
    return Spec(string=Leaf(kind=PartKind.NAME))


def opaque(pattern: str, why: str, *, digits: int = 6, replaced: bool = False) -> Spec:
    """Describe a string that is structural when the whole of it has this shape."""
    return Spec(string=Leaf(shape=shape(pattern, digits=digits), why=why, replaced=replaced))


def fields(*, required: tuple[str, ...] = (), **specs: Spec) -> Spec:
    """Describe an object of the API's schema; members not named here are foreign."""
    return Spec(object=Members(specs, required=required))


INTEGER = Spec(number=Numeric.INTEGER)
NUMBER = Spec(number=Numeric.ANY)
BOOLEAN = Spec(boolean=True)
FREE = Spec(free=Leaf())
FREE_NO_REMOTE = Spec(free=Leaf(remote=Remote.REFUSED))
FREE_NESTED = Spec(free=Leaf(holds_json=True))


def members_of(spec: Spec) -> Iterator[Members]:
    """Yield every kind of object that a spec allows at its place."""
    if isinstance(spec.object, Members):
        yield spec.object
    elif spec.object is not None:
        yield from spec.object.by.values()
        yield spec.object.otherwise


def known_names(spec: Spec) -> frozenset[str]:
    """Return every member name that a spec or anything below it knows: these may be shown, others may be PHI."""
    return frozenset(name for name, _ in _below("", spec, set()))


def exemptions(spec: Spec) -> tuple[tuple[str, str], ...]:
    """Return (member name, reason) for each place where some strings are structural, for docs and tests."""
    found = {
        (name, leaf.why) for name, below in _below("", spec, set()) if (leaf := below.string) is not None and leaf.why
    }
    return tuple(sorted(found))


def _below(name: str, spec: Spec, seen: set[tuple[str, int]]) -> Iterator[tuple[str, Spec]]:
    """Yield a spec and all below it, each with the name of the member whose value or element it describes."""
    if (name, id(spec)) in seen:
        return
    seen.add((name, id(spec)))
    yield name, spec
    if spec.array is not None:
        yield from _below(name, spec.array, seen)
    for members in members_of(spec):
        for member, below in members.fields.items():
            yield from _below(member, below, seen)
        if members.others is not None:
            yield from _below(name, members.others, seen)
