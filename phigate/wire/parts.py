"""The part: one addressable string of a request body, and what the body as a whole asks for.

Each API module of `wire/` turns bytes into a request that is a sequence of parts, and parts with edits back into
bytes. A pointer is RFC 6901; where a string itself holds JSON (tool-call arguments), `#` joins the pointer of the
string and the pointer inside it: ``/messages/2/tool_calls/0/function/arguments#/patient/name``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from phigate.phi import PHIText


class PartKind(StrEnum):
    """What may stand where this part stands."""

    TEXT = "text"  # free text: a surrogate fits
    NAME = "name"  # a charset that cannot hold a surrogate (names of functions, of schema properties, messages[].name)
    KEY = "key"  # an object key inside free JSON
    NUMBER = "number"  # a JSON number of seven digits or more; its text is the literal


class Need(StrEnum):
    """What the chosen model must be able to do, or the request is refused by name."""

    TOOLS = "tools"
    VISION = "vision"
    AUDIO = "audio"
    FILES = "files"
    LOGIT_BIAS = "logit_bias"
    LOGPROBS = "logprobs"
    JSON_SCHEMA = "json_schema"


class Attachments(StrEnum):
    """Whether the body holds data that no recognizer can read."""

    NONE = "none"
    UNCLEANED = "uncleaned"


@dataclass(frozen=True, slots=True)
class Part:
    """One addressable string. ``index`` is its place among the parts of its request."""

    index: int
    pointer: str = field(repr=False)  # holds object keys of the request: never shown; see walk.shown
    text: PHIText
    kind: PartKind
    role: str = ""  # system, user, assistant, tool, or "" outside messages


_SHORTEST_PLURAL: Final = 3
_OF_A_PROPERTY: Final = re.compile(
    r"/(?:const|default|enum|examples?|minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf)(?:/\d+)*\Z"
)


def labels(pointer: str, kind: PartKind) -> tuple[str, str]:
    """Return the key that says what a value is, and the key above that; empty where a text speaks for itself.

    Told by its key is a leaf of a document inside a string, a number, a member of ``metadata``, and what a schema
    says of the values of one property.
    """
    if kind is PartKind.KEY or kind is PartKind.NAME:
        return "", ""
    document, _, inner = pointer.rpartition("#")
    if document:
        pointer = inner
    elif "/properties/" in pointer and (keyword := _OF_A_PROPERTY.search(pointer)):
        pointer = pointer[: keyword.start()]
        return _unescaped(pointer.rpartition("/")[2]), ""
    elif kind is not PartKind.NUMBER and not pointer.startswith("/metadata/"):
        return "", ""
    keys = [step for step in pointer.split("/") if step and not step.isdigit()]
    key = _unescaped(keys[-1]) if keys else ""
    if pointer[-1:].isdigit() and len(key) > _SHORTEST_PLURAL and key[-1] in "sS" and key[-2] not in "sS":
        key = key[:-1]  # a member of a list of mrns is an mrn
    return key, (_unescaped(keys[-2]) if len(keys) > 1 else "")


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may cost before it is refused. Sizes in bytes, counts in items."""

    body_bytes: int = 16 * 1024 * 1024
    depth: int = 64
    parts: int = 20_000
    model_chars: int = 256
    choices: int = 128  # the most that OpenAI's API takes for `n`
