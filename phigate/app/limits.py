"""What one app may use of this gateway, so that none can stop another: rate, concurrency, share of the queue.

One instance a process; with several workers each gets its share of the rate. State is counters; nothing of a request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from phigate.errors import TooManyRequestsError, UnavailableError
from phigate.policy.bundle import AppLimits


@dataclass(slots=True)
class _Use:
    """Tokens left of the app's rate, when they were last topped up, and how many exchanges are open."""

    tokens: float
    at: float
    open: int = 0


class Admission:
    """Lets an exchange in, or says why not and when to come back."""

    def __init__(self, *, capacity: int, workers: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._workers = workers
        self._clock = clock
        self._uses: dict[str, _Use] = {}
        self._open = 0

    @property
    def open(self) -> int:
        """Exchanges in progress, all apps together."""
        return self._open

    def enter(self, app: str, limits: AppLimits) -> None:
        """Take a place. Raises `TooManyRequestsError` for the app's own limits, `UnavailableError` when all is full."""
        now = self._clock()
        rate = limits.requests_per_minute / 60 / self._workers
        burst = max(1.0, rate * 10)
        use = self._uses.setdefault(app, _Use(burst, now))
        use.tokens = min(burst, use.tokens + (now - use.at) * rate)
        use.at = now
        if use.open >= limits.concurrent:
            raise TooManyRequestsError(
                f"this app may have {limits.concurrent} requests open at once; wait for one to end",
                code="too_many_open_requests",
                retry_after_s=1,
            )
        if use.open >= max(1, int(self._capacity * limits.queue_share)):
            raise TooManyRequestsError(
                "this app already holds its share of the gateway; wait for one of its requests to end",
                code="queue_share_exceeded",
                retry_after_s=1,
            )
        if self._open >= self._capacity:
            raise UnavailableError("the gateway is full", code="gateway_full")
        if use.tokens < 1:
            raise TooManyRequestsError(
                f"this app may send {limits.requests_per_minute} requests a minute",
                code="rate_limit_exceeded",
                retry_after_s=max(1, round((1 - use.tokens) / rate)),
            )
        use.tokens -= 1
        use.open += 1
        self._open += 1

    def leave(self, app: str) -> None:
        """Give the place back."""
        self._uses[app].open -= 1
        self._open -= 1

    @contextmanager
    def place(self, app: str, limits: AppLimits) -> Iterator[None]:
        """Hold a place for the length of a block."""
        self.enter(app, limits)
        try:
            yield
        finally:
            self.leave(app)
