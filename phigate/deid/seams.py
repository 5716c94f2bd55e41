"""Identifiers cut in two by an edge: between the text parts of one message, or between messages.

Models read the parts of a message as one text, and a message after the one before: half a record number in each is a
whole one to them, and what a question asks for labels the bare number that answers it. Found on the joined text,
covered in every piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from phigate.analysis import Analysis
from phigate.finding import Finding
from phigate.phi import PHIText
from phigate.wire.parts import Part, PartKind

_TEXT: Final = re.compile(r"/messages/(\d+)/content(?:/\d+/text)?")
_REACH: Final = 120  # characters on each side: longer than any identifier and its label
_NEAR: Final = 48  # characters from an edge up to which a finding may owe itself to the other side
_SHORT: Final = 40  # characters of an answer that says nothing without its question
_MIDDLE: Final = 24  # characters of a piece that may be the middle of an identifier
# What may be the first half of an identifier, and what may be the second.
_HALF: Final = re.compile(r"\d[\s.\-/_]{0,3}\Z|@[\w.\-]{0,40}\Z")
_GOES_ON: Final = re.compile(r"\d[.\-/]\s{0,3}\Z")
_REST: Final = re.compile(r"\s{0,3}[.\-/_]?\s?\d|\s{0,3}@")
_ASKS: Final = re.compile(r"[?:][\s\"')*_]{0,4}\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one part in a joined text: [start, start + size) there is [skipped, skipped + size) of the part."""

    place: int  # of the part among the parts
    start: int
    size: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Seam:
    """The end of one part, the beginning of another, and any short ones between, as one text."""

    pieces: tuple[Piece, ...]
    joined: Part


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A text part: its place, its message, who says it."""

    place: int
    message: int
    role: str
    text: str


def seams(parts: Sequence[Part]) -> list[Seam]:
    """Return the edges over which something could be cut.

    Every edge inside a message, and those between one message and the next, or the next of the same speaker, where
    what ends there and what begins there could belong together.
    """
    texts = list(_texts(parts))
    found: dict[tuple[tuple[int, ...], str], Seam] = {}
    for run, joint in (*_runs(texts), *_runs_of_speakers(texts), *_runs_of_leaves(parts)):
        key = tuple(stretch.place for stretch in run), joint
        if key not in found:
            found[key] = _seam(run, joint, parts[run[0].place], len(found))
    return list(found.values())


def _texts(parts: Sequence[Part]) -> Iterator[_Stretch]:
    for place, part in enumerate(parts):
        if part.kind is PartKind.TEXT and (match := _TEXT.fullmatch(part.pointer)) is not None:
            yield _Stretch(place, int(match[1]), part.role, part.text.reveal())


def _runs(texts: Sequence[_Stretch]) -> Iterator[tuple[list[_Stretch], str]]:
    for first, (one, other) in enumerate(pairwise(texts)):
        if one.message == other.message:
            yield _grown(texts, first, ""), ""
        else:
            for joint in _joints(one.text, other.text, next_to=True):
                yield _grown(texts, first, joint), joint


def _runs_of_speakers(texts: Sequence[_Stretch]) -> Iterator[tuple[list[_Stretch], str]]:
    """Yield what one speaker says in several messages with others between."""
    by_role: dict[str, list[_Stretch]] = {}
    for stretch in texts:
        by_role.setdefault(stretch.role, []).append(stretch)
    for said in by_role.values():
        for first, (one, other) in enumerate(pairwise(said)):
            if other.message > one.message + 1:
                for joint in _joints(one.text, other.text, next_to=False):
                    yield _grown(said, first, joint), joint


def _runs_of_leaves(parts: Sequence[Part]) -> Iterator[tuple[list[_Stretch], str]]:
    """Yield neighbouring members of one list or object of which one says that it goes on."""
    leaves = [
        (place, part)
        for place, part in enumerate(parts)
        if part.kind is PartKind.TEXT and ("#" in part.pointer or not part.pointer.startswith("/messages/"))
    ]
    for (at, one), (place, other) in pairwise(leaves):
        left, right = one.text.reveal(), other.text.reveal()
        if _GOES_ON.search(left) and _REST.match(right) and _above(one.pointer) == _above(other.pointer):
            yield [_Stretch(at, -1, one.role, left), _Stretch(place, -1, other.role, right)], ""


def _above(pointer: str) -> str:
    return pointer.rpartition("/")[0].removesuffix("/text").rstrip("0123456789")


def _joints(left: str, right: str, *, next_to: bool) -> tuple[str, ...]:
    """Return with what to join two texts, so that something cut between them is whole; nothing where nothing can be."""
    if not left.strip() or not right.strip():
        return ()
    rest = _REST.match(right) is not None
    if rest and _HALF.search(left[-_REACH:]):
        return "", " "
    if right.lstrip().startswith("@"):
        return ("",)
    if next_to and (rest or (len(left) <= _SHORT and _HALF.search(left))):
        return (" ",)
    if next_to and 0 < len(right) <= _SHORT and _ASKS.search(left[-_REACH:]):
        return (" ",)
    return ()


def _grown(texts: Sequence[_Stretch], first: int, joint: str) -> list[_Stretch]:
    """Return two neighbours, and those after them as long as what is last could be the middle of something."""
    run = [texts[first], texts[first + 1]]
    for following in texts[first + 2 :]:
        last = run[-1].text
        if len(last) > _MIDDLE or joint or not _HALF.search(last) or not _REST.match(following.text):
            break
        run.append(following)
    return run


def _seam(run: Sequence[_Stretch], joint: str, like: Part, index: int) -> Seam:
    pieces: list[Piece] = []
    texts: list[str] = []
    at = 0
    for number, stretch in enumerate(run):
        text, skipped = stretch.text, 0
        # Blanks at the edge of a message are no part of what it cuts.
        if number < len(run) - 1 and run[number + 1].message != stretch.message:
            text = text.rstrip()
        if number and run[number - 1].message != stretch.message:
            skipped = len(text) - len(text.lstrip())
        elif not number:
            skipped = max(0, len(text) - _REACH)
        taken = text[skipped : skipped + _REACH]
        pieces.append(Piece(stretch.place, at, len(taken), skipped))
        texts.append(taken)
        at += len(taken) + len(joint)
    return Seam(tuple(pieces), replace(like, index=index, text=PHIText(joint.join(texts))))


def stitched(analysis: Analysis, edges: Sequence[Seam], joined: Analysis, *, crossing: bool = False) -> Analysis:
    """Return the analysis with what was found over the edges added to every piece it stands in, and what was unread.

    ``crossing``: only what stands on both sides counts, not what one side says of the other.
    """
    results = list(analysis.parts)
    for seam, result in zip(edges, joined.parts, strict=True):
        for finding in result.findings:
            touched = [piece for piece in seam.pieces if _meets(finding, piece)]
            if len(touched) > 1 or (not crossing and touched and _is_near(finding, seam, touched[0])):
                for piece in touched:
                    part = results[piece.place]
                    results[piece.place] = replace(part, findings=_with(part.findings, _cut(finding, piece)))
        if result.unread:
            for piece in seam.pieces:
                part = results[piece.place]
                results[piece.place] = replace(part, unread=part.unread | result.unread)
    return replace(analysis, parts=tuple(results))


def _meets(finding: Finding, piece: Piece) -> bool:
    return finding.start < piece.start + piece.size and piece.start < finding.end


def _is_near(finding: Finding, seam: Seam, piece: Piece) -> bool:
    """Return whether a finding of one piece is close to an edge, and not at the outer end where the text was cut."""
    first, last = seam.pieces[0], seam.pieces[-1]
    if piece is first:
        return piece.start + piece.size - finding.end <= _NEAR and (finding.start > 0 or not piece.skipped)
    return piece is not last or (finding.start - piece.start <= _NEAR and finding.end < piece.start + _REACH)


def _cut(finding: Finding, piece: Piece) -> Finding:
    by = piece.skipped - piece.start
    start, end = max(finding.start, piece.start), min(finding.end, piece.start + piece.size)
    return replace(finding, start=start + by, end=end + by)


def _with(findings: Iterable[Finding], new: Finding) -> tuple[Finding, ...]:
    return tuple(sorted({*findings, new}))
