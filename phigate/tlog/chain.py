"""Segments of one ledger, side by side: each begins where the one before it ended, and nothing between is lost.

Each segment is verified by itself first (`verify`). Here their reports are joined: the genesis of a segment names
origin, size and root of the one before; the `segment_close` of that one names the next; an outcome that names an
intent of an earlier segment ends an open one there, once. A segment that is not given must have been destroyed on
record in a later one, with the size and root that its follower names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from phigate.tlog.canonical import JSON
from phigate.tlog.inspect import Gone, Intent
from phigate.tlog.report import Problem, Report, Verdict, gravest


@dataclass(slots=True)
class Chain:
    """The reports of all segments, in order, and what only holds or fails between them."""

    reports: Sequence[Report]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The gravest of all problems, or VERIFIED."""
        return gravest({problem.verdict for problem in self.problems} | {each.verdict for each in self.reports})

    def to_json(self) -> dict[str, JSON]:
        """Return the report for machines."""
        verdict = self.verdict
        return {
            "verdict": verdict.name.lower(),
            "exit": int(verdict),
            "segments": [each.to_json() for each in self.reports],
            "problems": [{"verdict": each.verdict.name.lower(), "what": each.what} for each in self.problems],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Return one page a segment, and what is between them first."""
        lines = [
            f"{self.verdict.name}: {len(self.reports)} segments, {sum(each.size for each in self.reports)} entries"
        ]
        lines += [f"- {each.verdict.name.lower()}: {each.what}" for each in self.problems]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines) + "\n\n" + "\n".join(each.to_text() for each in self.reports)


def join(reports: Sequence[Report], *, whole: bool = False) -> Chain:
    """Return what can be said about segments in the order in which they were written.

    ``whole`` says that these are meant to be all there are: then a segment before the first is missing.
    """
    chain = Chain(reports)
    gone: dict[str, Gone] = {each.origin: each for report in reports for each in report.gone}
    for at, report in enumerate(reports):
        _check_previous(chain, report, reports[at - 1] if at else None, gone)
        if whole and not at and _absent(report, gone):
            chain.problems.append(Problem(Verdict.INCOMPLETE, f"the segment before {report.origin} is not there"))
    _check_carried(chain, {report.origin: report for report in reports}, gone)
    return chain


def _check_previous(chain: Chain, report: Report, before: Report | None, gone: Mapping[str, Gone]) -> None:
    """Compare what a genesis says of its predecessor with that segment, or with the record of its destruction."""
    named = report.previous
    if named is None:
        if before is not None:
            _add(chain, f"{report.origin} names no segment before it, expected {before.origin}")
        return
    origin, size, root = named.get("origin"), named.get("size"), named.get("root")
    if before is not None and origin == before.origin:
        _check_link(chain, report, before, named)
        return
    record = gone.get(str(origin))
    if record is None:
        what = f"{report.origin} follows {origin}, which is neither given nor destroyed on record"
        _add(chain, what) if before is not None else chain.notes.append(what)
        return
    if (record.size, record.root) != (size, root):
        _add(chain, f"{origin} was destroyed with {record.size} entries, {report.origin} follows another head of it")
        return
    chain.notes.append(f"{origin}, {size} entries, was destroyed on record")
    if before is not None:
        _check_gap(chain, report, before, gone)


def _absent(report: Report, gone: Mapping[str, Gone]) -> bool:
    return (
        report.previous is not None and str(report.previous.get("origin")) not in gone and "lost" not in report.previous
    )


def _check_gap(chain: Chain, report: Report, before: Report, gone: Mapping[str, Gone]) -> None:
    """Segments between two that are given: the first of them must be the one that ``before`` names as next."""
    if not before.closed or before.next not in gone:
        _add(chain, f"{before.origin} does not lead to {report.origin}: what stood between is not accounted for")


def _check_link(chain: Chain, report: Report, before: Report, named: Mapping[str, JSON]) -> None:
    if "lost" in named:
        chain.notes.append(
            f"{report.origin} was opened after a loss: {before.origin} had signed {named.get('size')} entries, "
            f"{named.get('lost')} of them are declared lost"
        )
        return
    if (named.get("size"), named.get("root")) != (before.size, before.root.hex()):
        _add(chain, f"{report.origin} follows {before.origin} at size {named.get('size')}, found another head of it")
    if not before.closed:
        _add(chain, f"{before.origin} was not closed, and {report.origin} follows it")
    elif before.next != report.origin:
        _add(chain, f"{before.origin} names {before.next} as the next segment, found {report.origin}")


def _check_carried(chain: Chain, reports: Mapping[str, Report], gone: Mapping[str, Gone]) -> None:
    """Pair the outcomes that stand in a later segment than their intents."""
    open_: dict[tuple[str, str, int], Intent] = {
        (origin, intent.rid, intent.attempt): intent for origin, report in reports.items() for intent in report.unended
    }
    for report in reports.values():
        for each in report.carried:
            if each.log not in reports:
                if each.log not in gone:
                    chain.notes.append(
                        f"{report.origin}#{each.index} ends an exchange of {each.log}, which is not given"
                    )
                continue
            if open_.pop((each.log, each.intent.rid, each.intent.attempt), None) != each.intent:
                _add(chain, f"{report.origin}#{each.index} ends no open exchange of {each.log}")
    if open_:
        chain.notes.append(f"{len(open_)} exchanges have no outcome in any segment")


def _add(chain: Chain, what: str) -> None:
    chain.problems.append(Problem(Verdict.TAMPERED, what))
