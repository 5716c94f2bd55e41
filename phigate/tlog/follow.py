"""Join what the stretches of a log hold: what only an eye on the whole can tell.

Counters of each boot run without a gap, unless a loss entry names it; each outcome ends one open intent; no attempt
has two intents; nothing follows the close of a segment. Memory: one row a boot and an open intent, and eight bytes an
exchange.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from phigate.tlog.canonical import JSON
from phigate.tlog.inspect import Carried, Gone, Intent, Run, Seen

_PARTS: Final = 16  # the ids are sorted part by part: a sixteenth of them is in memory as objects at a time


class Follower:
    """What is known after the stretches so far. Feed it each `Seen`, in order."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []
        self.more_problems = 0
        self.kinds: Counter[str] = Counter()
        self.first_ts = self.last_ts = ""
        self.previous: Mapping[str, JSON] | None = None
        self.closed = -1
        self.next = ""
        self.carried: list[Carried] = []
        self.gone: list[Gone] = []
        self._size = 0
        self._next: dict[str, int] = {}  # boot -> the counter that comes next
        self._gaps: list[tuple[str, int, int, int]] = []  # boot, first and last missing, index of what came instead
        self._losses: list[tuple[str, int, int]] = []
        self._open: dict[tuple[str, int], Intent] = {}
        self._once = [array("Q") for _ in range(_PARTS)]

    def take(self, seen: Seen) -> None:
        """Take in the next stretch."""
        self.problems += seen.problems
        self.more_problems += seen.more_problems
        self.kinds += seen.kinds
        self.first_ts = self.first_ts or seen.first_ts
        self.last_ts = max(self.last_ts, seen.last_ts)
        self.previous = self.previous or seen.previous
        for run in seen.runs:
            self._count(run)
        self._losses += seen.losses
        self._pair(seen)
        self.carried += seen.carried
        self.gone += seen.gone
        if self.closed < 0:
            self.closed, self.next = seen.closed, seen.next
        self._size = seen.start + seen.count

    @property
    def boots(self) -> int:
        """How many boots wrote."""
        return len(self._next)

    def open(self) -> list[Intent]:
        """Return the intents without outcome, in order."""
        return sorted(self._open.values(), key=lambda intent: intent.index)

    def open_intents(self) -> list[int]:
        """Return the indexes of the intents without outcome, in order."""
        return [intent.index for intent in self.open()]

    def finish(self) -> None:
        """Judge what could be explained by a later entry until now."""
        if 0 <= self.closed < self._size - 1:
            self.problems.append((self.closed + 1, "an entry after the close of the segment"))
        self._check_carried()
        for boot, first, last, index in self._gaps:
            if not self._explained(boot, first, last):
                what = f"counter {first} of boot {boot}" if first == last else f"counters {first} to {last} of {boot}"
                self.problems.append((index, f"{what} should stand before this entry and is nowhere"))

    def twice(self) -> set[int]:
        """Return the ids (`inspect.attempt_id`) that came more than once: two intents, or a collision."""
        found: set[int] = set()
        for part in self._once:
            row = sorted(part)
            found.update(one for one, other in pairwise(row) if one == other)
        return found

    def _count(self, run: Run) -> None:
        expected = self._next.get(run.boot, 0)
        if run.first > expected:
            self._gaps.append((run.boot, expected, run.first - 1, run.index))
        elif run.first < expected:
            self.problems.append((run.index, f"counter {run.first} of boot {run.boot} stands in the log already"))
        self._next[run.boot] = max(expected, run.last + 1)

    def _check_carried(self) -> None:
        known: set[tuple[str, int]] = set()
        for each in self.carried:
            about = (each.intent.rid, each.intent.attempt)
            if about in known:
                self.problems.append((each.index, "a second outcome of the same attempt"))
            known.add(about)

    def _explained(self, boot: str, first: int, last: int) -> bool:
        rows = sorted((low, high) for named, low, high in self._losses if named == boot)
        for low, high in rows:
            if low <= first <= high:
                first = high + 1
        return first > last

    def _pair(self, seen: Seen) -> None:
        for index, outcome in seen.outcomes:
            intent = self._open.get((outcome.rid, outcome.attempt))
            if intent == outcome:
                del self._open[outcome.rid, outcome.attempt]
            elif intent is None:
                self.problems.append((index, "an outcome without an open intent: it has one already, or never began"))
            else:
                self.problems.append((index, "the outcome names another intent than that of its attempt"))
        for intent in seen.intents:
            self._open.setdefault((intent.rid, intent.attempt), intent)
        for each in _words(seen.once):
            self._once[each % _PARTS].append(each)


def _words(data: bytes) -> Iterable[int]:
    words = array("Q")
    words.frombytes(data)
    return words
