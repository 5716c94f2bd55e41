"""Re-identify whole replies and streams: each channel through its own `Restorer`, the shape of every chunk kept.

A chunk that held-back text does not touch passes byte for byte. What a channel holds back is given out before the chunk
that finishes its choice, or when the stream ends or breaks. Token probabilities cannot be true of restored text, so
`logprobs` become null wherever the exchange has a map.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from phigate.deid.reidentify import Restorer, Tally
from phigate.deid.surrogate import SurrogateMap
from phigate.phi import PHIText
from phigate.wire import reply as wire
from phigate.wire.parts import Part, PartKind
from phigate.wire.reply import Channel

_FEWEST: Final = 200  # characters: below, a sentence waits for the next one


@dataclass(frozen=True, slots=True, repr=False)
class RestoredReply:
    """A reply as the app gets it: what the model wrote, tokens in place, to be scanned, and what the app is shown."""

    body: bytes
    counts: Mapping[str, int]
    texts: tuple[Part, ...]
    shown: tuple[PHIText, ...]


def counts_of(surrogates: SurrogateMap, tally: Tally) -> dict[str, int]:
    """Return the token counts of a reply: sent, restored, withheld, lost (sent and not used), invented."""
    return {
        "sent": len(surrogates),
        "restored": tally.restored,
        "withheld": tally.withheld,
        "lost": len(surrogates) - len(tally.seen),
        "invented": tally.invented,
    }


def restore_reply(
    body: bytes, surrogates: SurrogateMap, *, json: bool = False, restore_in_urls: frozenset[str] = frozenset()
) -> RestoredReply:
    """Restore a whole chat completion. ``json``: content was asked for as a JSON object or by a schema.

    Raises `BadReplyError` when the body is no JSON object.
    """
    data = wire.parse(body)
    tally = Tally()
    texts: list[Part] = []
    shown: list[PHIText] = []
    changed = False
    for index, choice in wire.choices(data):
        changed |= _drop_logprobs(choice, surrogates)
        for slot in wire.slots(index, choice, member="message"):
            restorer = _restorer(slot.channel, surrogates, json=json, hosts=restore_in_urls, tally=tally)
            restored = restorer.feed(slot.text) + restorer.close()
            texts += _parts(slot.channel, slot.text, len(texts))
            shown.append(PHIText(restored))
            if restored != slot.text:
                slot.put(restored)
                changed = True
    out = wire.serialise(data) if changed else body
    return RestoredReply(out, counts_of(surrogates, tally), tuple(texts), tuple(shown))


def _restorer(
    channel: Channel, surrogates: SurrogateMap, *, json: bool, hosts: frozenset[str], tally: Tally
) -> Restorer:
    serialised = channel.path[-1] == "arguments" or (json and channel.path[0] == "content")
    return Restorer(surrogates, json=serialised, restore_in_urls=hosts, tally=tally)


def _parts(channel: Channel, text: str, first: int) -> list[Part]:
    if not text:
        return []
    if channel.arguments:
        return wire.argument_parts(channel, text, first)
    return [Part(first, channel.pointer, PHIText(text), PartKind.TEXT, "assistant")]


def _drop_logprobs(choice: dict[str, Any], surrogates: SurrogateMap) -> bool:
    if not len(surrogates) or choice.get("logprobs") is None:
        return False
    choice["logprobs"] = None
    return True


@dataclass(slots=True, repr=False)
class _Flow:
    """One channel of a stream: its restorer, what the model wrote that nobody scanned yet, and what was shown."""

    restorer: Restorer
    unscanned: list[str] = field(default_factory=list)
    waiting: int = 0  # characters in it
    shown: list[str] = field(default_factory=list)

    def feed(self, text: str) -> str:
        self.unscanned.append(text)
        self.waiting += len(text)
        return self._show(self.restorer.feed(text))

    def close(self) -> str:
        return self._show(self.restorer.close())

    def _show(self, text: str) -> str:
        self.shown.append(text)
        return text

    def take(self, *, ended: bool, arguments: bool) -> str:
        """Return whole sentences that nobody took yet; tool arguments, and the rest, only once all has come."""
        if not ended and (arguments or self.waiting < _FEWEST):
            return ""
        text = "".join(self.unscanned)
        end = len(text) if ended else _sentence_end(text)
        self.unscanned = [text[end:]]
        self.waiting = len(text) - end
        return text[:end]


class StreamRestorer:
    """Restores a stream of chat completion chunks, event by event."""

    def __init__(
        self, surrogates: SurrogateMap, *, json: bool = False, restore_in_urls: frozenset[str] = frozenset()
    ) -> None:
        self._map = surrogates
        self._json = json
        self._hosts = restore_in_urls
        self._tally = Tally()
        self._flows: dict[Channel, _Flow] = {}
        self._shape: dict[str, Any] = {"object": "chat.completion.chunk"}
        self._scanned = 0

    @property
    def counts(self) -> dict[str, int]:
        """Return the token counts so far; final after `close`."""
        return counts_of(self._map, self._tally)

    def feed(self, event: bytes) -> list[bytes]:
        """Take the payload of one event and return the payloads to give out now, none of them empty.

        Raises `BadReplyError` when it is no JSON object.
        """
        data = wire.parse(event)
        before: list[bytes] = []
        changed = False
        for index, choice in wire.choices(data):
            self._shape = {key: value for key, value in data.items() if key not in ("choices", "usage", "error")}
            changed |= _drop_logprobs(choice, self._map)
            changed |= self._restore(index, choice)
            if choice.get("finish_reason") is not None:
                changed |= self._finish(index, choice, before)
        return [*before, wire.serialise(data) if changed else event]

    def close(self) -> list[bytes]:
        """Return chunks with what is held back: the stream ended, or broke off, without finishing every choice."""
        out: list[bytes] = []
        for channel in self._flows:
            self._flush(channel, out)
        return out

    @property
    def shown(self) -> tuple[PHIText, ...]:
        """Return what the app was given so far, by channel, values in place."""
        return tuple(PHIText("".join(flow.shown)) for flow in self._flows.values())

    def scan(self, *, ended: bool = False) -> tuple[Part, ...]:
        """Return what the model wrote since the last call, in whole sentences; all of it once the stream has ended.

        Arguments of tools come as leaves of JSON, and only once they are whole.
        """
        parts: list[Part] = []
        for channel, flow in self._flows.items():
            text = flow.take(ended=ended, arguments=channel.arguments)
            parts += _parts(channel, text, self._scanned + len(parts))
        self._scanned += len(parts)
        return tuple(parts)

    def _restore(self, index: int, choice: dict[str, Any]) -> bool:
        changed = False
        for slot in wire.slots(index, choice, member="delta"):
            flow = self._flows.get(slot.channel)
            if flow is None:
                restorer = _restorer(slot.channel, self._map, json=self._json, hosts=self._hosts, tally=self._tally)
                flow = self._flows[slot.channel] = _Flow(restorer)
            restored = flow.feed(slot.text)
            if restored != slot.text:
                slot.put(restored)
                changed = True
        return changed

    def _finish(self, index: int, choice: dict[str, Any], before: list[bytes]) -> bool:
        """Give out what the choice holds back: in this chunk where it has the channel, else in a chunk before it."""
        here = {slot.channel: slot for slot in wire.slots(index, choice, member="delta")}
        changed = False
        for channel, flow in self._flows.items():
            if channel.choice != index:
                continue
            if (slot := here.get(channel)) is None:
                self._flush(channel, before)
            elif rest := flow.close():
                slot.put(slot.text + rest)
                changed = True
        return changed

    def _flush(self, channel: Channel, out: list[bytes]) -> None:
        rest = self._flows[channel].close()
        if rest:
            chunk = copy.deepcopy(self._shape)
            delta = wire.delta_of(channel.path, rest)
            chunk["choices"] = [{"index": channel.choice, "delta": delta, "finish_reason": None}]
            out.append(wire.serialise(chunk))


def _sentence_end(text: str) -> int:
    """Return where the last whole sentence ends, or 0 where none does."""
    return max(text.rfind("\n"), text.rfind(". "), text.rfind("! "), text.rfind("? ")) + 1
