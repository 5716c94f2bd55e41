"""Escapes that the shadow leaves, decoded on the side: what is found behind them is a finding of where they stand.

`shadow` has already decoded the usual ones; here are quoted-printable, bytes as a programming language writes them, and
what was escaped twice.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from phigate.analyzers import pipeline
from phigate.analyzers.layers import View
from phigate.analyzers.shadow import view_of
from phigate.analyzers.shapes import hints_of
from phigate.finding import Finding

_BYTES: Final = re.compile(r"(?:=[0-9A-F]{2})+|(?:\\x[0-9a-fA-F]{2})+|(?:%[0-9a-fA-F]{2})+|&#?\w{2,8};")
_NOT_HEX: Final = re.compile(r"\\x|[%=]")
_SURE: Final = 0.6
_REACH: Final = 150  # characters around a change that are read with it: longer than any label stands off


@dataclass(frozen=True, slots=True)
class _Change:
    """A stretch of the shadow, and what it stands for."""

    start: int
    end: int
    seen: str


def find_escaped(view: View) -> list[Finding]:
    """Return what stands behind such escapes, with offsets into the shadow."""
    return [finding for near in _neighbours(_escaped(view.shadow)) for finding in _look(view, near)]


def _neighbours(changes: Iterable[_Change]) -> Iterator[list[_Change]]:
    """Yield changes in groups, each with its surroundings to be read as one text."""
    group: list[_Change] = []
    for change in changes:
        if group and change.start - group[-1].end > 2 * _REACH:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _escaped(text: str) -> Iterator[_Change]:
    if not any(sign in text for sign in ("=", "\\x", "%", "&")):
        return
    for match in _BYTES.finditer(text):
        run = match.group()
        if run[0] == "&":
            seen = html.unescape(run)
        else:
            try:
                seen = bytes.fromhex(_NOT_HEX.sub("", run)).decode("utf-8")
            except UnicodeDecodeError:
                continue
        # Quoted-printable leaves letters and digits as they are: HR=72 is a pulse.
        if seen.isprintable() and not (run[0] == "=" and any(c.isascii() and c.isalnum() for c in seen)):
            yield _Change(match.start(), match.end(), seen)


def _look(view: View, changes: list[_Change]) -> list[Finding]:
    """Find in the rewritten text, and keep what touches a change."""
    pieces: list[str] = []
    origins: list[int] = []
    ends: list[int] = []  # of the stretch that each character stands for
    done = max(0, changes[0].start - _REACH)
    last = min(len(view.shadow), changes[-1].end + _REACH)
    for change in changes:
        pieces += (view.shadow[done : change.start], change.seen)
        origins += [*range(done, change.start), *[change.start] * len(change.seen)]
        ends += [*range(done + 1, change.start + 1), *[change.end] * len(change.seen)]
        done = change.end
    pieces.append(view.shadow[done:last])
    origins += range(done, last)
    ends += range(done + 1, last + 1)
    inner = view_of("".join(pieces), lang=view.lang, recall=view.recall)
    inner.hints = hints_of(inner)
    found: list[Finding] = []
    for finding in pipeline.find(inner):
        start, end = inner.original(finding.start, finding.end)
        span = origins[start], ends[end - 1]
        if finding.score >= _SURE and any(c.start < span[1] and span[0] < c.end for c in changes):
            found.append(replace(finding, start=span[0], end=span[1], source="shape:escaped"))
    return found
