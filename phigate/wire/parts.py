"""The part: one addressable string of a request body, and what the body as a whole asks for.

Each API module of `wire/` turns bytes into a request that is a sequence of parts, and parts with edits back into
bytes. A pointer is RFC 6901; where a string itself holds JSON (tool-call arguments), `#` joins the pointer of the
string and the pointer inside it: ``/messages/2/tool_calls/0/function/arguments#/patient/name``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from phigate.phi import PHIText


class PartKind(StrEnum):
    """What may stand where this part stands."""

    TEXT = "text"  # free text: a surrogate fits
    NAME = "name"  # a charset that cannot hold a surrogate (function names, messages[].name)
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


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may cost before it is refused. Sizes in bytes, counts in items."""

    body_bytes: int = 16 * 1024 * 1024
    depth: int = 64
    parts: int = 20_000
    model_chars: int = 256
    choices: int = 16
