"""Run the verifier over a log with every core: stretches go to worker processes, a few ahead of where the walk is."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Final

from phigate.tlog.inspect import Seen, Task
from phigate.tlog.report import Report
from phigate.tlog.source import STRETCH, Source
from phigate.tlog.verify import Demand, Progress, verify

_AHEAD: Final = 2  # stretches per worker that wait; what is read ahead stays bounded
_WORTH_IT: Final = 8 * STRETCH  # entries below which starting processes costs more than it saves


def verify_log(
    source: Source, demand: Demand, *, progress: Progress | None = None, workers: int | None = None
) -> Report:
    """Return what can be said about a log; see `tlog.verify.verify`. Uses every core where the log is long."""
    count = workers if workers is not None else (os.cpu_count() or 1)
    if count < 2 or source.size < _WORTH_IT:
        return verify(source, demand, progress=progress)
    # Spawned, not forked: the caller may have threads and an open database.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:

        def run(work: Callable[[Task], Seen], tasks: Iterable[Task]) -> Iterator[Seen]:
            waiting: deque[Future[Seen]] = deque()
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) > count * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        return verify(source, demand, run=run, progress=progress)
