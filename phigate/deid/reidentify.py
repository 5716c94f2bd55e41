"""Put values back where a reply holds their tokens: one pass, true streaming, any split of the text gives the same.

Only tokens of this exchange's map are restored, in their exact form or in a variant that differs in case, in spaces for
underscores or in Markdown escapes: no literal of the request can be such a variant, since numbering skipped them all.
What is held back is a possible prefix of an issued token, and a token until the next character says whether it is a
part of a domain. A restored value is never read again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from phigate.deid.search import escaped
from phigate.deid.surrogate import Issued, SurrogateMap, canonical
from phigate.deid.surroundings import Surroundings, ahead
from phigate.finding import Span

_WINDOW: Final = 80  # no token, with all its escapes and quotes, is longer
_BODY: Final = r"[A-Za-z0-9_ .+\-]{1,48}"
_ESCAPED_BODY: Final = r"[A-Za-z0-9_ .+\-\\]{1,48}"
_TEXT: Final = re.compile(rf"\[\[({_ESCAPED_BODY})\]\]|\\\[\\\[({_ESCAPED_BODY}?)\\\]\\\]")
_TEXT_TAIL: Final = re.compile(
    rf"(?:\[(?:\[(?:{_ESCAPED_BODY}\]?)?)?|\\(?:\[(?:\\(?:\[(?:{_ESCAPED_BODY}(?:\](?:\\)?)?)?)?)?)?)\Z"
)
# Serialised JSON is read lexeme by lexeme, so that it is known of each quote whether it opens a string.
_JSON: Final = re.compile(rf"\[\[({_BODY})\]\]")
_OUTSIDE: Final = re.compile(rf"\"\[\[({_BODY})\]\]\"|\"|\[\[({_BODY})\]\]")
_IN_STRING: Final = re.compile(rf"\\(?:.|\Z)|\"|\[\[({_BODY})\]\]", re.DOTALL)
_TOKEN_BEGUN: Final = re.compile(rf"\[(?:\[(?:{_BODY}\]?)?)?\Z")
_STRING_BEGUN: Final = re.compile(rf"\"(?:\[(?:\[(?:{_BODY}(?:\]\]?)?)?)?)?")
_VALUE_ENDS: Final = re.compile(r"\s{0,8}(?:[^\s:]|\Z)")  # no colon follows: the string is a value and no key
_UNDECIDED: Final = re.compile(r"\s{0,8}")


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
        self._numbers = any(item.number is not None for item in surrogates.issued)
        self._around = Surroundings(json=json, hosts=restore_in_urls)
        self._held = ""
        self._in_string = False  # JSON: what is held, or comes next, is inside a string
        self._escaped = False  # JSON: the next character belongs to a backslash already given out
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
        if not self._escaped and not any(char in text for char in '[\\"'):
            self._held = ""
            return self._noted(text)
        out: list[str] = []
        end = self._read_json(text, out, final=final) if self._json else self._read_text(text, out, final=final)
        self._held = text[end:]
        return "".join(out)

    def _read_text(self, text: str, out: list[str], *, final: bool) -> int:
        """Put the restored text into ``out`` and return where what must be held back begins."""
        end = len(text) if final else self._begun(_TEXT_TAIL, text, 0)
        at = 0
        for match in _TEXT.finditer(text, 0, end):
            item = self._map.by_canonical.get(canonical(match[1] or match[2]))
            if item is not None:
                in_domain = ahead(text, match.end(), json=False, final=final)
                if in_domain is None:
                    end = match.start()
                    break
                out.append(self._noted(text[at : match.start()]))
                out.append(self._noted(self._placed(item, match[0], in_domain=in_domain)))
                at = match.end()
        out.append(self._noted(text[at:end]))
        return end

    def _read_json(self, text: str, out: list[str], *, final: bool) -> int:
        """Do the same for serialised JSON, lexeme by lexeme."""
        at = 0
        place = 1 if self._escaped and text else 0
        self._escaped = self._escaped and not text
        while match := (_IN_STRING if self._in_string else _OUTSIDE).search(text, place):
            begin, place = match.start(), match.end()
            item = self._map.by_canonical.get(canonical(match[1] or match[match.re.groups] or ""))
            if match[0][0] == "\\":
                self._escaped = len(match[0]) == 1
            elif match[0][0] == '"':
                if not final and self._numbers and not self._in_string and self._undecided(item, match, text):
                    out.append(self._noted(text[at:begin]))
                    return begin
                if item is not None and item.number is not None and _VALUE_ENDS.match(text, place):
                    self._count(item)
                    out += (self._noted(text[at:begin]), self._noted(item.number.reveal()))
                    at = place
                else:
                    self._in_string = not self._in_string
                    place = begin + 1
            elif item is not None:
                in_domain = ahead(text, place, json=True, final=final)
                if in_domain is None:
                    out.append(self._noted(text[at:begin]))
                    return begin
                out += (self._noted(text[at:begin]), self._noted(self._placed(item, match[0], in_domain=in_domain)))
                at = place
        end = len(text) if final else self._begun(_TOKEN_BEGUN, text, place)
        out.append(self._noted(text[at:end]))
        return end

    def _undecided(self, item: Issued | None, match: re.Match[str], text: str) -> bool:
        """Return whether an opening quote may begin a quoted token of a number, of which the end has not come yet."""
        if len(match[0]) > 1:
            return item is not None and _UNDECIDED.fullmatch(text, match.end()) is not None
        begun = _STRING_BEGUN.fullmatch(text, match.start())
        return begun is not None and self._is_begun(begun[0][1:])

    def _begun(self, tail: re.Pattern[str], text: str, place: int) -> int:
        """Return where, from ``place`` on, a possible prefix of an issued token begins that the text ends with."""
        place = max(place, len(text) - _WINDOW)
        while match := tail.search(text, place):
            if self._is_begun(match[0]):
                return match.start()
            place = match.start() + 1
        return len(text)

    def _is_begun(self, begun: str) -> bool:
        return canonical(begun) in (self._map.by_canonical if "]" in begun else self._map.prefixes)

    def _noted(self, text: str) -> str:
        self._around.note(text)
        return text

    def _count(self, item: Issued) -> None:
        self.tally.seen.add(item.token)
        self.tally.restored += 1

    def _placed(self, item: Issued, as_written: str, *, in_domain: bool) -> str:
        """Return the value as it may stand here, or the token as the model wrote it where it may not."""
        value = item.value.reveal()
        if in_domain or self._around.within():
            if in_domain or not self._around.allowed():
                self.tally.seen.add(item.token)
                self.tally.withheld += 1
                return as_written
            value = quote(value, safe="")
        self._count(item)
        return escaped(value) if self._json else value

    def _count_invented(self) -> None:
        """Count tokens that nobody issued, over the whole text: only issued ones are waited for while it streams."""
        pattern = _JSON if self._json else _TEXT
        found = pattern.finditer("".join(self._raw))
        self.tally.invented += sum(self._map.invented(canonical(match[match.lastindex or 1])) for match in found)
        self._raw.clear()
