"""What a reply says it cost in tokens, and which model says it answered: read beside the stream, parsing little.

OpenAI's ``usage`` object stands once in a whole reply, and in the last chunk of a stream whose app asked for it
(``stream_options.include_usage``). Text that a model writes cannot forge one: inside a JSON string its quotes are
escaped. Where a stream says nothing, its chunks are counted, and the count is marked as an estimate.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_USAGE: Final = re.compile(rb'"usage"\s*:\s*(?=\{)')
_MODEL: Final = re.compile(rb'"model"\s*:\s*"([^"\\]{1,128})"')
_MOST: Final = 1_000_000_000  # tokens of one exchange; a larger number is no count of any model
_LONGEST: Final = 4096  # bytes of a usage object
_DECODER: Final = json.JSONDecoder()


@dataclass(slots=True)
class Usage:
    """Tokens of one attempt. ``prompt`` is None where nobody said it; ``model`` is as the server gave it, unchecked."""

    prompt: int | None = None
    completion: int = 0
    cached: int = 0  # of the prompt
    model: str = ""
    told: bool = False  # by the server, not counted here
    chunks: int = 0

    def take(self, body: bytes) -> None:
        """Read a whole reply."""
        self._name(body)
        for match in _USAGE.finditer(body):
            self._read(body[match.end() : match.end() + _LONGEST])

    def chunk(self, event: bytes) -> None:
        """Read the payload of one event of a stream. The last usage that a stream gives stands."""
        self.chunks += 1
        if self.chunks == 1:
            self._name(event)
        if b'"usage"' in event:
            for match in _USAGE.finditer(event):
                self._read(event[match.end() : match.end() + _LONGEST])

    @property
    def known(self) -> bool:
        """Whether there is anything to say: told by the server, or counted."""
        return self.told or self.chunks > 1

    def to_json(self) -> dict[str, bool | int]:
        """Return what an outcome says of it: completion, and prompt, cached, estimated where they apply."""
        if not self.told:
            # The first chunk of a stream names the role and holds no token.
            return {"completion": self.chunks - 1, "estimated": True} if self.chunks > 1 else {}
        said: dict[str, bool | int] = {"completion": self.completion}
        if self.prompt is not None:
            said["prompt"] = self.prompt
        if self.cached:
            said["cached"] = self.cached
        return said

    def _name(self, body: bytes) -> None:
        match = _MODEL.search(body)
        self.model = match[1].decode("utf-8", "replace") if match else ""

    def _read(self, text: bytes) -> None:
        try:
            said, _ = _DECODER.raw_decode(text.decode("utf-8", "ignore"))
        except (ValueError, RecursionError):
            return
        prompt, completion = _count(said.get("prompt_tokens")), _count(said.get("completion_tokens"))
        if prompt is None and completion is None:
            return
        details = said.get("prompt_tokens_details")
        cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
        self.told = True
        self.prompt, self.completion = prompt, completion or 0
        self.cached = min(cached or 0, prompt or 0)


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST else None
