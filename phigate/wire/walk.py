"""From a parsed body and its `Spec` to parts: every string is one unless the table says that its value is structural.

One pass in document order. Wrong types of known fields are refused; addresses where an attachment belongs are refused
for every destination, since the model server would fetch them (decisions 10).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from phigate.errors import InvalidRequestError, TooLargeError
from phigate.phi import PHIText
from phigate.wire.parts import Attachments, Limits, Need, Part, PartKind, labels
from phigate.wire.request import Box, Nested, Site, Stray
from phigate.wire.spec import Leaf, Members, Numeric, Remote, Spec, Variants, listed
from phigate.wire.strict import JSON, Number, kind_of, load_nested

# INVARIANT: Part.pointer is exact and may hold free keys, which may be PHI; `shown` makes the form for errors.
_LONG_NUMBER: Final = 7  # digits from which a number may identify somebody by itself
_INDEX: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_REMOTE: Final = re.compile(r"[\x00-\x20]*(?:[A-Za-z][A-Za-z0-9+.\-]*:[/\\]|//|\\\\)", re.ASCII)
_WINDOW: Final = 512
_ENCODED: Final = re.compile(rf"[A-Za-z0-9+/_=\-\r\n]{{{_WINDOW}}}", re.ASCII)
_EMBEDDED: Final = re.compile(r"base64,[A-Za-z0-9+/_-]{64}", re.ASCII)
# Text that a model reads and no recognizer does: tag characters (but in flags), runs of variation selectors, of
# zero-width characters, of braille, of white letters in black shapes.
_UNREADABLE: Final = re.compile(
    "(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]|[\U000e0100-\U000e01ef]{2}|[\ufe00-\ufe0f]{3}"
    "|[\u200b-\u200f\u2060-\u2064\ufeff]{8}|[\u2801-\u28ff]{4}|(?:[\U0001f150-\U0001f189]\ufe0f?[ -]?){4}"
)
_WHOLE: Final = re.compile(r"(-?[0-9]+)\.0+", re.ASCII)
_POWER: Final = re.compile(r"-?[0-9]\.?[0-9]{0,20}[eE]\+?[0-9]{1,2}", re.ASCII)
_WORD: Final = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+")
_ESCAPE: Final = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})", re.ASCII
)
_ROLES: Final = {
    "developer": "system",
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
# A short number is a part when its key says that it describes a person or place: an age above 89, a postal code.
_TELLING: Final = listed(
    "age ages idade edad alter âge eta età leeftijd zip zipcode postal postcode postalcode cep plz birth born"
    " nascimento nacimiento geburtsjahr naissance nascita ssn cpf cns mrn nhs prontuario prontuário phone fax"
    " telefone teléfono dob"
)


def shown(pointer: str, known: frozenset[str]) -> str:
    """Return a pointer that may be shown: segments that the schema does not know become ``*``."""
    segments = pointer.replace("#/", "/").split("/")
    return "/".join([s if not s or s in known or _INDEX.fullmatch(s) else "*" for s in segments])


def escape(key: str) -> str:
    """Escape a key as a segment of a JSON Pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


class Walker:
    """Collects the parts of one body. Used once."""

    def __init__(self, *, limits: Limits, known: frozenset[str]) -> None:
        self.parts: list[Part] = []
        self.sites: list[Site] = []
        self.strays: list[Stray] = []
        self.needs: set[Need] = set()
        self.attachments = Attachments.NONE
        self._limits = limits
        self._known = known
        self._role = ""
        self._top = ""
        self._foreign = False
        self._nested: Nested | None = None
        self._list = "", False  # the list that the last number was in, and whether its key tells

    def body(self, tree: dict[str, JSON], spec: Spec) -> None:
        """Read a whole body. Raises `InvalidRequestError` or `TooLargeError`."""
        members = spec.object
        assert isinstance(members, Members)
        self._require(members, tree, "")
        for name, item in tree.items():
            self._top, self._role, self._foreign = name, "", False
            below = members.fields.get(name)
            if below is None:
                self._other(members, name, item, tree, "")
            elif name == "messages":
                self._messages(below, item)
            elif item is not None:
                self._value(below, item, tree, name, f"/{name}")

    def _messages(self, spec: Spec, value: JSON) -> None:
        if not isinstance(value, list) or not value or spec.array is None:
            found = "an empty one" if isinstance(value, list) else kind_of(value)
            raise InvalidRequestError(
                f"expected an array of messages, found {found}", code="invalid_type", param="/messages"
            )
        for index, message in enumerate(value):
            word = message.get("role") if isinstance(message, dict) else None
            self._role = _ROLES.get(word, "") if isinstance(word, str) else ""
            self._value(spec.array, message, value, index, f"/messages/{index}")

    def _value(self, spec: Spec, value: JSON, box: Box, key: str | int, at: str) -> None:
        if spec.free is not None:
            self._anything(spec.free, value, box, key, at)
        elif isinstance(value, str) and spec.string is not None:
            self._string(spec.string, value, box, key, at)
        elif isinstance(value, dict) and spec.object is not None:
            self._object(spec.object, value, box, key, at)
        elif isinstance(value, list) and spec.array is not None:
            for index, item in enumerate(value):
                self._value(spec.array, item, value, index, f"{at}/{index}")
        elif isinstance(value, bool) and spec.boolean:
            return
        elif isinstance(value, Number) and spec.number is not Numeric.NONE:
            self._number(spec, value, box, key, at)
        elif spec.lenient:
            self._anything(Leaf(), value, box, key, at)
        else:
            raise self._wrong(spec, value, at)

    def _string(self, leaf: Leaf, value: str, box: Box, key: str | int, at: str) -> None:
        if value in leaf.words or not value or (leaf.shape is not None and leaf.shape(value)):
            return
        if leaf.remote is not Remote.FINE:
            self._refuse_remote(leaf.remote, value, at)
        if leaf.holds_json and self._document(value, box, key, at):
            return
        self._add(value, leaf.kind, box, key, at, replaced=leaf.replaced)

    def _refuse_remote(self, remote: Remote, value: str, at: str) -> None:
        if (remote is Remote.DATA_ONLY and not value.startswith("data:")) or _REMOTE.match(value):
            raise InvalidRequestError(
                "expected a data: URI, found an address that the model server would fetch; send the data itself",
                code="remote_url_refused",
                param=shown(at, self._known),
            )

    def _object(self, spec: Members | Variants, value: dict[str, JSON], box: Box, key: str | int, at: str) -> None:
        members = spec if isinstance(spec, Members) else spec.pick(value.get(spec.key))
        self._require(members, value, at)
        if members.attachment:
            self.attachments = Attachments.UNCLEANED
        if members.need is not None:
            self.needs.add(members.need)
        outside = self._foreign
        if members.stray and not outside:
            self._stray(box, key, at)
        known = members.fields
        for name, item in value.items():
            below = known.get(name)
            if below is None:
                self._other(members, name, item, value, at)
            elif item is not None:
                self._value(below, item, value, name, f"{at}/{name}")
        self._foreign = outside

    def _other(self, members: Members, name: str, item: JSON, box: dict[str, JSON], at: str) -> None:
        pointer = f"{at}/{escape(name)}"
        outside = self._foreign
        structural = bool(members.key_shape and members.key_shape(name))
        if (members.foreign or (members.key_shape and not structural)) and not outside:
            self._stray(box, name, pointer)
        if not structural and not (members.foreign and name in self._known):
            self._add(name, PartKind.NAME if members.names else PartKind.KEY, box, name, pointer, is_key=True)
        if members.others is not None:
            self._value(members.others, item, box, name, pointer)
        else:
            self._anything(Leaf(), item, box, name, pointer)
        self._foreign = outside

    def _stray(self, box: Box, key: str | int, at: str) -> None:
        self.strays.append(Stray(box, key, self._top, shown(at, self._known)))
        self._foreign = True

    def _anything(self, leaf: Leaf, value: JSON, box: Box, key: str | int, at: str) -> None:
        if isinstance(value, str):
            self._string(leaf, value, box, key, at)
        elif isinstance(value, dict):
            for name, item in value.items():
                pointer = f"{at}/{escape(name)}"
                self._add(name, PartKind.KEY, value, name, pointer, is_key=True)
                self._anything(leaf, item, value, name, pointer)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._anything(leaf, item, value, index, f"{at}/{index}")
        elif isinstance(value, Number):
            # At the top of a body stand settings of samplers: numbers like the API's own.
            top = at.count("/") == 1
            self._literal(value, box, key, at, least=1 if self._tells(key, at) else _LONG_NUMBER, typed=top)

    def _tells(self, key: str | int, at: str) -> bool:
        """Return whether a number is told by its key, or the list that it is in by the key of the list."""
        if isinstance(key, str) and "/properties/" not in at:
            return _telling(key)
        above = at.rpartition("/")[0] if isinstance(key, int) else at
        if above != self._list[0]:
            self._list = above, _telling(labels(at, PartKind.NUMBER)[0])
        return self._list[1]

    def _number(self, spec: Spec, value: Number, box: Box, key: str | int, at: str) -> None:
        if spec.number is Numeric.INTEGER and not value.integral:
            raise InvalidRequestError(
                "expected an integer, found a number with a fraction or an exponent",
                code="invalid_type",
                param=shown(at, self._known),
            )
        self._literal(value, box, key, at, least=_LONG_NUMBER, typed=True)

    def _literal(self, value: Number, box: Box, key: str | int, at: str, *, least: int, typed: bool) -> None:
        literal = _plain(value.literal)
        # At most four characters of a long literal are no digits: signs, point and exponent.
        if len(literal) >= least and (len(literal) >= least + 4 or sum(map(str.isdigit, literal)) >= least):
            self._add(literal, PartKind.NUMBER, box, key, at, typed=typed)

    def _document(self, text: str, box: Box, key: str | int, at: str) -> bool:
        """Read a string that holds JSON, leaf by leaf; False when it does not and is text like any other."""
        tree = load_nested(text, depth=self._limits.depth - at.count("/"), limits=self._limits)
        if tree is None:
            return False
        outer = self._nested
        self._nested = Nested(box, key, outer, tree)
        self._anything(Leaf(holds_json=True), tree, box, key, f"{at}#")
        self._nested = outer
        return True

    def _add(
        self,
        value: str,
        kind: PartKind,
        box: Box,
        key: str | int,
        at: str,
        *,
        typed: bool = False,
        replaced: bool = False,
        is_key: bool = False,
    ) -> None:
        if not value:
            return
        index = len(self.parts)
        if index >= self._limits.parts:
            raise TooLargeError(
                f"expected at most {self._limits.parts} strings and long numbers, found more", code="too_many_parts"
            )
        if "\\u" in value:
            value = _unescape(value)
        if ("base64," in value and _EMBEDDED.search(value)) or (len(value) >= _WINDOW and _encoded(value)):
            self.attachments = Attachments.UNCLEANED  # data in a place for text: nothing can read it either
        elif not value.isascii() and _UNREADABLE.search(value):
            self.attachments = Attachments.UNCLEANED
        self.parts.append(Part(index, at, PHIText(value), kind, self._role))
        self.sites.append(Site(box, key, self._nested, self._top, self._foreign, typed, replaced, is_key))

    def _require(self, members: Members, value: dict[str, JSON], at: str) -> None:
        for name in members.required:
            if value.get(name) is None:
                raise InvalidRequestError(
                    f"expected the field {name}, found none",
                    code="missing_field",
                    param=shown(f"{at}/{name}", self._known),
                )

    def _wrong(self, spec: Spec, value: JSON, at: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"expected {spec.expected()}, found {kind_of(value)}", code="invalid_type", param=shown(at, self._known)
        )


def _plain(literal: str) -> str:
    """Return a number as the integer that it is: programs write record numbers as 48210377.0 and 4.8210377e7 too."""
    if literal.isdigit():
        return literal
    if (whole := _WHOLE.fullmatch(literal)) is not None:
        return whole[1]
    if _POWER.fullmatch(literal) is not None:
        number = Decimal(literal)
        return str(int(number)) if number == number.to_integral_value() else literal
    return literal


def _encoded(text: str) -> bool:
    """Tell whether data stands in a text: looking at every window's start finds any run of two windows' length."""
    return any(_ENCODED.match(text, start) for start in range(0, len(text) - _WINDOW + 1, _WINDOW))


def _telling(key: str) -> bool:
    words = {key.lower(), *(word.lower() for word in _WORD.findall(key))}
    return not _TELLING.isdisjoint(words | {word.removesuffix("s") for word in words})


def _unescape(text: str) -> str:
    r"""Return text with its \\uXXXX escapes read, so that names in JSON quoted inside prose are names."""
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    high, low, single = match.groups()
    if single is None:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    code = int(single, 16)
    # A control character or half a pair stays written out: it is no letter, and could not be encoded.
    written_out = code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000
    return match[0] if written_out else chr(code)
