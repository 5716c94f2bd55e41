"""Chat completion replies and stream chunks: every string that an app would show, as channels, and back to bytes.

A channel is one growing string of one choice: its content, refusal, reasoning, audio transcript, the arguments of one
tool call. Channels are found by walking, not by an allow-list, so that a field some server invents is a channel too.
What the API itself defines as structure (roles, types, ids, function names) is exempt by the table below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from phigate.errors import BadReplyError
from phigate.phi import PHIText
from phigate.wire.parts import Part, PartKind

# name: a charset that holds no token; data and signature: base64 that some servers send beside their text.
_STRUCTURE: Final = frozenset({"role", "type", "id", "name", "index", "data", "signature", "format", "status"})
_LONG_NUMBER: Final = 7  # digits from which a number may identify somebody by itself
_TOO_DEEP: Final = 64

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a string stands: which choice, and the path inside its message or delta."""

    choice: int
    path: Path

    @property
    def arguments(self) -> bool:
        """Whether the string is input of a tool: JSON, but for the free text of a custom tool."""
        return self.path[-1:] == ("arguments",) or self.path[-2:] == ("custom", "input")

    @property
    def pointer(self) -> str:
        """Return the JSON Pointer of the string in a whole reply."""
        return "/".join(("", "choices", str(self.choice), "message", *(_escape(str(step)) for step in self.path)))


@dataclass(frozen=True, slots=True, repr=False)
class Slot:
    """One string in a parsed reply, and the place to put another."""

    channel: Channel
    text: str
    holder: Any  # the list or object of the parsed JSON that holds the string
    key: str | int

    def put(self, text: str) -> None:
        """Replace the string."""
        self.holder[self.key] = text


def parse(body: bytes) -> dict[str, Any]:
    """Return a reply or chunk as JSON. Raises `BadReplyError` with code ``bad_reply`` when it is no JSON object."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BadReplyError("expected a JSON object from the upstream, found something else", code="bad_reply")
    return data


def serialise(data: dict[str, Any]) -> bytes:
    """Return compact JSON. Lone surrogates, which UTF-8 cannot hold, stay escapes."""
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(data, separators=(",", ":")).encode()


def choices(data: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the choices of a reply or chunk with the index by which a stream names them."""
    listed = data.get("choices")
    for place, choice in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(choice, dict):
            index = choice.get("index")
            yield (index if isinstance(index, int) else place), choice


def slots(index: int, choice: dict[str, Any], *, member: str) -> list[Slot]:
    """Return the strings of one choice, in document order. ``member`` is ``message`` or ``delta``.

    Raises `BadReplyError` when they are nested deeper than any reply of the API.
    """
    found: list[Slot] = []
    inner = choice.get(member)
    if isinstance(inner, dict):
        _walk(inner, (), index, found)
    return found


def _walk(node: Any, path: Path, choice: int, found: list[Slot]) -> None:
    if len(path) > _TOO_DEEP:
        raise BadReplyError("the upstream's reply is nested too deep", code="bad_reply")
    if isinstance(node, dict):
        items: Iterator[tuple[str | int, str | int, Any]] = ((k, k, v) for k, v in node.items() if k not in _STRUCTURE)
    else:
        items = ((place, _place(value, place), value) for place, value in enumerate(node))
    for key, step, value in items:
        if isinstance(value, str):
            found.append(Slot(Channel(choice, (*path, step)), value, node, key))
        elif isinstance(value, (dict, list)):
            _walk(value, (*path, step), choice, found)


def _place(item: Any, place: int) -> int:
    """Return the index that an item of a streamed list gives itself, else its place."""
    index = item.get("index") if isinstance(item, dict) else None
    return index if isinstance(index, int) else place


def delta_of(path: Path, text: str) -> dict[str, Any]:
    """Return a delta that holds one string at ``path``, in the shape in which streams extend it."""
    node: Any = text
    for step in reversed(path):
        node = {step: node} if isinstance(step, str) else [_item(step, node)]
    return dict(node)


def _item(index: int, node: Any) -> Any:
    return {"index": index, **node} if isinstance(node, dict) else node


def argument_parts(channel: Channel, text: str, first: int) -> list[Part]:
    """Return the leaves of a tool call's arguments as parts; what is no JSON is one part of text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if not isinstance(value, (dict, list)):
        return [Part(first, channel.pointer, PHIText(text), PartKind.TEXT, "tool")]
    found: list[tuple[str, str, PartKind]] = []
    _leaves(value, channel.pointer + "#", found)
    return [Part(first + n, pointer, PHIText(leaf), kind, "tool") for n, (pointer, leaf, kind) in enumerate(found)]


def _leaves(node: Any, pointer: str, found: list[tuple[str, str, PartKind]]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            found.append((pointer, key, PartKind.KEY))
            _leaves(value, f"{pointer}/{_escape(key)}", found)
    elif isinstance(node, list):
        for place, value in enumerate(node):
            _leaves(value, f"{pointer}/{place}", found)
    elif isinstance(node, str):
        found.append((pointer, node, PartKind.TEXT))
    elif isinstance(node, (int, float)) and sum(c.isdigit() for c in str(node)) >= _LONG_NUMBER:
        found.append((pointer, str(node), PartKind.NUMBER))


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
