"""What became less strict between two bundles: every cell of the domain, and every setting that cells do not show.

A cell is an abstract request (domain.py); a destination that one bundle lacks counts as closed there. Both bundles are
asked at one instant, with regimes and locks taken as in force, so that only their content is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from phigate.policy.bundle import App, Bundle
from phigate.policy.changes import Change, changes
from phigate.policy.decision import Form
from phigate.policy.domain import Cell, Domain, domain_of, forms, staged
from phigate.policy.plan import regimes_of


@dataclass(frozen=True, slots=True)
class Loosened:
    """One cell in which one destination takes a looser form than before."""

    who: str  # "regime us.hipaa" or "app demo"
    cell: Cell
    destination: str
    before: Form
    after: Form

    def says(self) -> str:
        """Return the cell in words."""
        return (
            f"{self.who}: {self.destination} {self.before.name.lower()} -> {self.after.name.lower()} "
            f"for {describe(self.cell)}"
        )


@dataclass(frozen=True, slots=True)
class Diff:
    """The comparison: how many cells, which of them loosened, and which settings changed."""

    cells: int
    loosened: tuple[Loosened, ...]
    tightened: int
    changes: tuple[Change, ...]

    @property
    def looser(self) -> bool:
        """Return whether anything became less strict."""
        return bool(self.loosened) or any(change.loosens for change in self.changes)


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whom a walk through the domain is for: a set of regimes, or an app with its tags and overrides."""

    who: str
    before: frozenset[str]
    after: frozenset[str]
    app_before: App | None = None
    app_after: App | None = None


def describe(cell: Cell) -> str:
    """Return the request that a cell stands for, in words."""
    words = [f"findings {', '.join(sorted(cell.found))}" if cell.found else "no findings"]
    words.append(f"purpose {cell.purpose}" if cell.purpose else "no known purpose")
    if cell.tags is None:
        words.append("tags missing")
    elif cell.tags:
        words.append(f"tags {', '.join(sorted(cell.tags))}")
    if cell.flags:
        words.append(f"flags {', '.join(sorted(cell.flags))}")
    if cell.uncleaned:
        words.append("an attachment")
    if cell.incomplete:
        words.append("an unread part")
    return "; ".join(words)


def diff(before: Bundle, after: Bundle, *, now: datetime) -> Diff:
    """Compare two bundles exhaustively."""
    subjects = _subjects(before, after)
    domain = domain_of(before, after, regimes=[frozenset()])
    loosened: list[Loosened] = []
    cells = tightened = 0
    for subject in subjects:
        for cell, old, new in _walk(before, after, subject, domain, now):
            cells += 1
            if old != new:
                worse = list(_looser(subject.who, cell, old, new))
                loosened += worse
                tightened += not worse
    return Diff(cells, tuple(loosened), tightened, tuple(changes(before, after)))


def looser_cells(
    before: Bundle, after: Bundle, *, now: datetime, regimes: Iterable[frozenset[str]]
) -> Iterator[Loosened]:
    """Yield the cells of these sets of regimes that became less strict."""
    domain = domain_of(before, after, regimes=[frozenset()])
    for names in regimes:
        subject = _Subject(f"regime {' + '.join(sorted(names))}", names, names)
        for cell, old, new in _walk(before, after, subject, domain, now):
            yield from _looser(subject.who, cell, old, new)


def _subjects(before: Bundle, after: Bundle) -> list[_Subject]:
    shared = before.regimes.keys() & after.regimes.keys()
    subjects = [_Subject(f"regime {name}", frozenset({name}), frozenset({name})) for name in sorted(shared)]
    seen = set()
    for name in sorted(before.apps.keys() & after.apps.keys()):
        old, new = before.apps[name], after.apps[name]
        subject = _Subject(f"app {name}", regimes_of(before, old), regimes_of(after, new), old, new)
        key = (subject.before, subject.after, old.tags, new.tags, _overrides(before, old), _overrides(after, new))
        if key not in seen:
            seen.add(key)
            subjects.append(subject)
    return subjects


def _overrides(bundle: Bundle, app: App) -> frozenset[str]:
    return frozenset(
        o.id
        for o in bundle.site.overrides
        if fnmatchcase(app.tenant, o.match_tenant or "*") and fnmatchcase(app.name, o.match_app or "*")
    )


def _walk(
    before: Bundle, after: Bundle, subject: _Subject, domain: Domain, now: datetime
) -> Iterator[tuple[Cell, dict[str, Form], dict[str, Form]]]:
    for flags in domain.flags:
        old = staged(before, subject.before, flags, app=subject.app_before)
        new = staged(after, subject.after, flags, app=subject.app_after)
        for cell in replace(domain, flags=(flags,), regimes=(subject.after,)).cells():
            yield cell, forms(old, cell, domain, now), forms(new, cell, domain, now)


def _looser(who: str, cell: Cell, old: dict[str, Form], new: dict[str, Form]) -> Iterator[Loosened]:
    for destination, form in new.items():
        was = old.get(destination, Form.NO)
        if form < was:
            yield Loosened(who, cell, destination, was, form)
