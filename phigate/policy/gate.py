"""Whether a bundle may be put in force: it lints without errors and passes its own tests.

What only the calendar says (papers expired, revoked or not yet signed) is for people and never a reason to refuse
(decisions 2): such a destination is closed when requests are decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from phigate.errors import PolicyFileError
from phigate.policy.bundle import Bundle
from phigate.policy.cases import Outcome, run
from phigate.policy.lint import Lint, lint, of_error
from phigate.policy.lint_cells import Outlook
from phigate.policy.lint_codes import Level
from phigate.policy.load import load
from phigate.policy.lock import TrustedKey

CALENDAR: Final = frozenset({"PG021"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why files were not put in force: problems of reading and lint, and the names of failed tests."""

    problems: tuple[Lint, ...]
    failed: tuple[str, ...] = ()

    def says(self) -> str:
        """Return the first reason in one line."""
        if self.problems:
            first = self.problems[0]
            return f"{first.file}:{first.line}: {first.code} {first.problem}"
        return f"test failed: {self.failed[0]}"


def admit(
    files: dict[str, bytes], *, trust: Sequence[TrustedKey], dev: bool, now: datetime, previous: Bundle | None
) -> Bundle | Refusal:
    """Return the bundle that these files make if it may be put in force, else why not."""
    try:
        bundle = load(files, trust=trust, dev=dev)
        problems = lint(bundle, Outlook(now, previous=previous))
        failed = tuple(r.case.name for r in run(bundle) if r.outcome is Outcome.FAILED)
    except PolicyFileError as error:
        return Refusal(tuple(of_error(each, files) for each in (error, *error.more)))
    errors = tuple(p for p in problems if p.level is Level.ERROR and p.code not in CALENDAR)
    return Refusal(errors, failed) if errors or failed else bundle


def first_error(refusal: Refusal) -> PolicyFileError:
    """Return the problems of a refusal as one error, the others in ``more``. Expects at least one problem."""
    errors = [PolicyFileError(p.problem, file=p.file, line=p.line, code=p.code) for p in refusal.problems]
    errors[0].more = tuple(errors[1:])
    return errors[0]
