"""Put values back where a reply holds their tokens: one pass, true streaming, any split of the text gives the same.

Only tokens of this exchange's map are restored, in their exact form or in a variant that differs in case, in spaces for
underscores or in Markdown escapes: no literal of the request can be such a variant, since numbering skipped them all.
What is held back is a possible prefix of an issued token and nothing else. A restored value is never read again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from phigate.deid.search import escaped
from phigate.deid.surrogate import Issued, SurrogateMap, canonical
from phigate.deid.surroundings import Surroundings
from phigate.finding import Span

_WINDOW: Final = 80  # no token, with all its escapes and quotes, is longer
_BODY: Final = r"[A-Za-z0-9_ .+\-]{1,48}"
_ESCAPED_BODY: Final = r"[A-Za-z0-9_ .+\-\\]{1,48}"
_TEXT: Final = re.compile(rf"\[\[({_ESCAPED_BODY})\]\]|\\\[\\\[({_ESCAPED_BODY}?)\\\]\\\]")
_TEXT_TAIL: Final = re.compile(
    rf"(?:\[(?:\[(?:{_ESCAPED_BODY}\]?)?)?|\\(?:\[(?:\\(?:\[(?:{_ESCAPED_BODY}(?:\](?:\\)?)?)?)?)?)?)\Z"
)
_JSON: Final = re.compile(rf"\"\[\[({_BODY})\]\]\"|\[\[({_BODY})\]\]")
_JSON_TAIL: Final = re.compile(rf"\[(?:\[(?:{_BODY}\]?)?)?\Z")
# Where a number was sent as a quoted token, the quotes go with it: they are held until it is known what follows.
_NUMBER_TAIL: Final = re.compile(rf"\"?\[(?:\[(?:{_BODY}\]?)?)?\Z|\"\Z|\"\[\[{_BODY}\]\](?:\"\s{{0,8}})?\Z")
_VALUE_ENDS: Final = re.compile(r"\s{0,8}(?:[^\s:]|\Z)")  # no colon follows: it is a value, not a key


def token_spans(text: str, surrogates: SurrogateMap) -> list[Span]:
    """Return where tokens of the map stand in what a model wrote, in any of their variants."""
    return [
        Span(match.start(), match.end())
        for match in _TEXT.finditer(text)
        if canonical(match[1] or match[2]) in surrogates.by_canonical
    ]


@dataclass(slots=True)
class Tally:
    """What became of the tokens of one reply. ``seen`` are the issued tokens that it used."""

    restored: int = 0
    withheld: int = 0
    invented: int = 0
    seen: set[str] = field(default_factory=set)


class Restorer:
    """Restores one channel of one reply: one choice, one field, one tool call.

    ``json``: the channel is serialised JSON; values are escaped, and a quoted token of a number becomes a number again.
    """

    def __init__(
        self,
        surrogates: SurrogateMap,
        *,
        json: bool = False,
        restore_in_urls: frozenset[str] = frozenset(),
        tally: Tally | None = None,
    ) -> None:
        self._map = surrogates
        self._json = json
        self._numbers = json and any(item.number is not None for item in surrogates.issued)
        self._pattern = _JSON if json else _TEXT
        self._tail = _NUMBER_TAIL if self._numbers else _JSON_TAIL if json else _TEXT_TAIL
        self._around = Surroundings(json=json, hosts=restore_in_urls)
        self._held = ""
        self._before = ""  # the character before what is held
        self._raw: list[str] = []  # what came in since the last close
        self.tally = tally if tally is not None else Tally()

    def feed(self, text: str) -> str:
        """Take the next piece of the channel and return what of it can be given out now."""
        self._raw.append(text)
        return self._run(self._held + text, final=False)

    def close(self) -> str:
        """Return what was held back; the channel has ended, or broke off."""
        self._count_invented()
        return self._run(self._held, final=True)

    def _run(self, text: str, *, final: bool) -> str:
        end = len(text) if final else self._safe_end(text)
        self._held = text[end:]
        if not end:
            return ""
        ready = text[:end]
        plain = "[[" not in ready and "\\[" not in ready
        out = self._noted(ready) if plain else self._restore(text, end)
        self._before = ready[-1]
        return out

    def _restore(self, text: str, end: int) -> str:
        out: list[str] = []
        at = 0
        for match in self._pattern.finditer(text, 0, end):
            item = self._map.by_canonical.get(canonical(match[1] or match[2]))
            if item is None:
                continue
            self.tally.seen.add(item.token)
            out.append(self._noted(text[at : match.start()]))
            if item.number is not None and self._is_value(match, text):
                self.tally.restored += 1
                out.append(self._noted(item.number.reveal()))
            else:
                quotes = '"' if self._json and match[1] else ""
                written = match[0].strip('"')
                out += (self._noted(quotes), self._noted(self._placed(item, written)), self._noted(quotes))
            at = match.end()
        out.append(self._noted(text[at:end]))
        return "".join(out)

    def _noted(self, text: str) -> str:
        self._around.note(text)
        return text

    def _is_value(self, match: re.Match[str], text: str) -> bool:
        """Return whether the match is the whole of a JSON string that is a value, not a key and not nested deeper."""
        if not (self._json and match[1]):
            return False
        before = text[match.start() - 1] if match.start() else self._before
        return before != "\\" and _VALUE_ENDS.match(text, match.end()) is not None

    def _placed(self, item: Issued, as_written: str) -> str:
        """Return the value as it may stand here, or the token as the model wrote it where it may not."""
        value = item.value.reveal()
        if self._around.within():
            if not self._around.allowed():
                self.tally.withheld += 1
                return as_written
            value = quote(value, safe="")
        self.tally.restored += 1
        return escaped(value) if self._json else value

    def _count_invented(self) -> None:
        """Count tokens that nobody issued, over the whole text: only issued ones are waited for while it streams."""
        names = (canonical(match[1] or match[2]) for match in self._pattern.finditer("".join(self._raw)))
        self.tally.invented += sum(map(self._map.invented, names))
        self._raw.clear()

    def _safe_end(self, text: str) -> int:
        """Return where a possible prefix of an issued token begins, or the end."""
        match = self._tail.search(text, max(0, len(text) - _WINDOW))
        if match is None:
            return len(text)
        begun = match[0].strip().strip('"')
        table = self._map.by_canonical if "]" in begun else self._map.prefixes
        return match.start() if canonical(begun) in table else len(text)
