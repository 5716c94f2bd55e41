"""The circuit breaker: whether the last words from one server were good enough to send it more.

Pure: the clock is an argument. One breaker speaks of one server; the caller keeps them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import final


class State(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"  # requests pass
    OPEN = "open"  # requests do not pass; a probe may
    TRIAL = "trial"  # the pause is over: one call may find out


@dataclass(frozen=True, slots=True)
class Tolerance:
    """After how many failures in a row to stop, and for how long. The pause doubles until it is ``pause_max_s``."""

    failures: int = 3
    pause_s: float = 1.0
    pause_max_s: float = 30.0


@final
class Breaker:
    """Counts failures in a row. Opens at the tolerance, lets one trial through after each pause, closes on success."""

    __slots__ = ("_failures", "_openings", "_tolerance", "_trial_at", "_until")

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self._failures = 0
        self._openings = 0  # in a row, without a success between them
        self._until: float | None = None  # None: closed
        self._trial_at: float | None = None  # when the running trial began

    def state(self, now: float) -> State:
        """Return the state at ``now`` (monotonic seconds)."""
        if self._until is None:
            return State.CLOSED
        return State.OPEN if now < self._until else State.TRIAL

    def would_admit(self, now: float) -> bool:
        """Return whether a call that starts at ``now`` would pass.

        A trial whose end nobody reported is forgotten after ``pause_max_s``: a lost caller cannot close a server out.
        """
        match self.state(now):
            case State.CLOSED:
                return True
            case State.OPEN:
                return False
            case State.TRIAL:
                return self._trial_at is None or now - self._trial_at >= self._tolerance.pause_max_s

    def admit(self, now: float) -> bool:
        """Return whether a call may start, and if it is a trial, remember that it runs."""
        admitted = self.would_admit(now)
        if admitted and self._until is not None:
            self._trial_at = now
        return admitted

    def wait_s(self, now: float) -> float:
        """Return the seconds until a call may pass: what Retry-After says."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def succeeded(self) -> None:
        """Close: the server answered as it should."""
        self._failures = 0
        self._openings = 0
        self._until = None
        self._trial_at = None

    def abandoned(self) -> None:
        """Forget a trial that the caller gave up before anything could be learned."""
        self._trial_at = None

    def failed(self, now: float) -> bool:
        """Count a failure. Return whether the breaker opened by it."""
        self._trial_at = None
        self._failures += 1
        if self._failures < self._tolerance.failures and self._until is None:
            return False
        if self._until is not None and now < self._until:
            return False  # calls that were already under way do not lengthen the pause
        pause = min(self._tolerance.pause_s * 2.0**self._openings, self._tolerance.pause_max_s)
        self._openings = min(self._openings + 1, 32)  # 2**32 pauses are beyond any pause_max_s
        self._until = now + pause
        return True
