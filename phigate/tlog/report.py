"""What a verification found: a value, its JSON, and one page of text for an auditor. The exit code is the verdict's."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from phigate.tlog.canonical import JSON
from phigate.tlog.inspect import Carried, Gone, Intent

MAX_PROBLEMS: Final = 50
USAGE: Final = 64  # exit code for a command line that makes no sense


class Verdict(IntEnum):
    """How the whole of it ends; the number is the exit code."""

    VERIFIED = 0
    TAMPERED = 1
    INCOMPLETE = 2  # something needed is not there: nothing can be said either way
    FORK = 3  # the log signed two histories, or one that is gone
    POLICY = 4  # sound, and less than the policy asks for


# Which verdict stands when several apply: what is proven before what is missing before what is only unwished.
_ORDER: Final = (Verdict.TAMPERED, Verdict.FORK, Verdict.INCOMPLETE, Verdict.POLICY)
_MEANING: Final = {
    Verdict.VERIFIED: "every entry, hash and signature checks",
    Verdict.TAMPERED: "what is kept is not what was signed",
    Verdict.INCOMPLETE: "something that is needed is not there",
    Verdict.FORK: "the log signed a history that this one does not continue",
    Verdict.POLICY: "sound, and less than the policy asks for",
}


def gravest(found: Collection[Verdict]) -> Verdict:
    """Return the verdict that stands when several apply."""
    return next((verdict for verdict in _ORDER if verdict in found), Verdict.VERIFIED)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold. ``index`` is an entry, or -1 where it is about none."""

    verdict: Verdict
    what: str
    index: int = -1


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head that the entries lead to. ``witnessed_at_s`` is POSIX seconds, 0 where no witness vouched."""

    size: int
    root: bytes
    witnesses: int = 0
    witnessed_at_s: int = 0

    def to_json(self) -> dict[str, JSON]:
        """Return it for the report."""
        row: dict[str, JSON] = {"size": self.size, "root": self.root.hex()}
        if self.witnesses:
            row |= {"witnesses": self.witnesses, "witnessed_at": self.witnessed_at_s}
        return row


@dataclass(slots=True)
class Report:
    """Everything that one verification says."""

    origin: str = ""
    size: int = 0
    root: bytes = b""
    pinned: bool = False
    fingerprint: str = ""
    keyring_version: int = 0
    quorum: int = 0
    heads: int = 0
    newest: Head | None = None
    witnessed: Head | None = None
    uncovered: int = 0  # entries behind the newest signed head
    kinds: Mapping[str, int] = field(default_factory=dict)
    boots: int = 0
    first_ts: str = ""
    last_ts: str = ""
    open_intents: list[int] = field(default_factory=list)
    previous: Mapping[str, JSON] | None = None
    closed: bool = False
    next: str = ""  # origin of the segment that follows a closed one
    unended: list[Intent] = field(default_factory=list)  # what `open_intents` names, in full
    carried: list[Carried] = field(default_factory=list)  # outcomes of exchanges that began in an earlier segment
    gone: list[Gone] = field(default_factory=list)  # segments that were destroyed on record
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0
    warnings: list[str] = field(default_factory=list)
    fork: tuple[bytes, bytes] | None = None  # two signed heads that contradict each other

    def add(self, verdict: Verdict, what: str, index: int = -1) -> None:
        """Add a problem, once."""
        problem = Problem(verdict, what, index)
        if problem in self.problems:
            return
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
            return
        self.more_problems += 1
        # One changed entry spoils the root of every commit behind it: the entry is what must not go under.
        spare = next((at for at, each in enumerate(self.problems) if each.index < 0), None)
        if index >= 0 and spare is not None:
            self.problems[spare] = problem

    @property
    def verdict(self) -> Verdict:
        """The gravest of the problems, or VERIFIED."""
        return gravest({problem.verdict for problem in self.problems})

    @property
    def first_bad(self) -> int:
        """The lowest index that a problem names, -1 where none does."""
        return min((problem.index for problem in self.problems if problem.index >= 0), default=-1)

    def to_json(self) -> dict[str, JSON]:
        """Return the report for machines. Absent facts are left out; there is no null in it."""
        verdict = self.verdict
        body: dict[str, JSON] = {
            "verdict": verdict.name.lower(),
            "exit": int(verdict),
            "origin": self.origin,
            "size": self.size,
            "root": self.root.hex(),
            "key": {"pinned": self.pinned, "fingerprint": self.fingerprint, "keyring_version": self.keyring_version},
            "heads": {"verified": self.heads, "uncovered": self.uncovered},
            "quorum": self.quorum,
            "entries": dict(sorted(self.kinds.items())),
            "boots": self.boots,
            "first_ts": self.first_ts,
            "last_ts": self.last_ts,
            "open_intents": {"count": len(self.open_intents), "first": list(self.open_intents[:20])},
            "closed": self.closed,
            "warnings": list(self.warnings),
            "problems": [_problem(each) for each in self.problems],
            "more_problems": self.more_problems,
        }
        if self.newest:
            body["newest_head"] = self.newest.to_json()
        if self.witnessed:
            body["witnessed_head"] = self.witnessed.to_json()
        if self.previous:
            body["previous"] = dict(self.previous)
        if self.next:
            body["next"] = self.next
        if self.carried:
            body["carried"] = len(self.carried)
        if self.gone:
            body["destroyed"] = [{"origin": each.origin, "size": each.size, "root": each.root} for each in self.gone]
        if self.first_bad >= 0:
            body["first_bad"] = self.first_bad
        if self.fork:
            body["fork"] = [base64.b64encode(note).decode() for note in self.fork]
        return body

    def to_text(self) -> str:
        """Return one page for a person."""
        verdict = self.verdict
        lines = [f"{verdict.name}: {_MEANING[verdict]}"]
        if not self.pinned:
            lines.append("KEY NOT PINNED: the keyring beside the log was believed; compare its fingerprint by hand")
        if self.first_bad >= 0:
            lines.append(f"first bad entry: {self.first_bad}")
        lines += ["", *(f"{name:<14} {value}" for name, value in self._facts() if value), ""]
        lines += [f"- {_line(each)}" for each in self.problems]
        if self.more_problems:
            lines.append(f"- and {self.more_problems} more")
        lines += [f"note: {warning}" for warning in self.warnings]
        if self.fork:
            lines += ["", "two heads that contradict each other:", ""]
            lines += [note.decode("utf-8", "replace") for note in self.fork if note]
        return "\n".join(lines).rstrip("\n") + "\n"

    def _facts(self) -> list[tuple[str, str]]:
        exchanges = self.kinds.get("intent", 0)
        return [
            ("log", self.origin),
            ("entries", f"{self.size} from {self.first_ts} to {self.last_ts}" if self.size else "none"),
            ("root hash", self.root.hex()),
            ("root keys", f"{self.fingerprint} (keyring version {self.keyring_version})" if self.fingerprint else ""),
            ("signed heads", f"{self.heads}, newest of size {self.newest.size}" if self.newest else str(self.heads)),
            ("witnesses", self._witnesses()),
            ("exchanges", f"{exchanges}, {len(self.open_intents)} without outcome"),
            ("kinds", ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))),
            ("boots", str(self.boots)),
            ("segment", "closed" if self.closed else "open"),
            ("follows", str(self.previous.get("origin", "")) if self.previous else ""),
            ("destroyed", ", ".join(each.origin for each in self.gone)),
        ]

    def _witnesses(self) -> str:
        if self.witnessed is None:
            return f"none (quorum {self.quorum})"
        head = self.witnessed
        return f"{head.witnesses} at size {head.size}, time {head.witnessed_at_s} (quorum {self.quorum})"


def _problem(problem: Problem) -> JSON:
    row: dict[str, JSON] = {"verdict": problem.verdict.name.lower(), "what": problem.what}
    if problem.index >= 0:
        row["index"] = problem.index
    return row


def _line(problem: Problem) -> str:
    where = f"entry {problem.index}: " if problem.index >= 0 else ""
    return f"{problem.verdict.name.lower()}: {where}{problem.what}"
