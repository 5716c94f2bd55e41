"""The Analyzer port over Presidio and our layers: on threads beside the event loop, with a budget per part.

The hot path calls the layers directly while the registry holds our own recognizers alone, whose time is linear, and
examines little in place; site recognizers and
plug-ins put Presidio's AnalyzerEngine in front of the same layers. A hung thread is abandoned and its part reported;
a worker that cannot be started is restarted once, then the detector is down.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from presidio_analyzer import EntityRecognizer

from phigate import logs
from phigate.analysis import Analysis, PartAnalysis, Unread
from phigate.analyzers import pipeline
from phigate.analyzers.bars import Bars, bars_of
from phigate.analyzers.cache import FindingCache
from phigate.analyzers.engine import build_engine, custom_recognizers
from phigate.analyzers.examine import Budget, Examiner, Text, options_of
from phigate.analyzers.labels import only_labels
from phigate.analyzers.shapes.markup import kind_of
from phigate.errors import SettingsError, UnavailableError
from phigate.logs import Event
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Thresholds
from phigate.wire.parts import Part, PartKind, labels

BUILD: Final = "phigate-layers@1"
_WORKERS: Final = 4
_MOST_HUNG: Final = 8
_GRACE: Final = 1.5  # a thread that overruns its own checks by this factor is hung
_POLL_S: Final = 0.25
# What is so little is examined in place: a way to a thread and back, with both wanting the interpreter, costs more
# than the work itself. In characters that were not seen before, and in all; a few milliseconds at most.
_IN_PLACE_NEW: Final = 1_500
_IN_PLACE_ALL: Final = 16_000


class _Progress:
    """Which part a worker is at, and what it has finished; written by the worker, read by the loop."""

    def __init__(self) -> None:
        self.at = -1


class PresidioAnalyzer:
    """Finds PHI with all layers. One per process; holds no text beyond a call."""

    def __init__(self, bundle: Bundle, *, plugins: Sequence[EntityRecognizer] = ()) -> None:
        self._plugins = tuple(plugins)
        self._cache = FindingCache(key=secrets.token_bytes(32))
        self._examiners: dict[str, Examiner] = {}
        self._bars: dict[str, Bars] = {}
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._hung = 0
        self._down: str | None = None
        self._loaded = False
        self._examiner(bundle)  # a custom recognizer that cannot be made stops start-up, not an exchange

    async def start(self) -> None:
        """Load the lists and start the workers, so that the first exchange waits for nothing."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._workers(), _load)
        self._loaded = True

    async def close(self) -> None:
        """Stop the workers; a hung one is left to the end of the process."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def prepare(self, bundle: Bundle) -> None:
        """Make what a bundle's settings need, before it is in force. Raises `SettingsError` where that cannot be."""
        self._examiner(bundle)

    def ready(self) -> str | None:
        """Return None when analysis is possible, else what is missing."""
        return self._down

    async def analyze(self, parts: Sequence[Part], *, bundle: Bundle) -> Analysis:
        """Return findings at or above the lowest threshold of the bundle for every part, in order."""
        bars = self._bars_of(bundle)
        found = _unnamed(parts, await self._run(parts, bundle, recall=False))
        knob = bundle.detector.knob
        return Analysis(tuple(bars.apply(part, knob) for part in found), f"{BUILD}+knob-{knob}@1")

    async def rescan(self, parts: Sequence[Part], *, bundle: Bundle, thresholds: Thresholds) -> Analysis:
        """Look again with the second set, and report everything from half the lowest threshold on.

        The caller multiplies thresholds by the factor of the regime.
        """
        found = _unnamed(parts, await self._run(parts, bundle, recall=True))
        floor = thresholds.floor * 0.5
        kept = tuple(replace(part, findings=tuple(f for f in part.findings if f.score >= floor)) for part in found)
        return Analysis(kept, f"{BUILD}+second@1")

    async def _run(self, parts: Sequence[Part], bundle: Bundle, *, recall: bool) -> list[PartAnalysis]:
        if not parts:
            return []
        examiner = self._examiner(bundle)
        seconds = bundle.detector.part_timeout_s
        texts = [Text(part.text.reveal(), _kind(part)) for part in parts]
        if self._down is None and self._loaded and examiner.is_little(texts, new=_IN_PLACE_NEW, whole=_IN_PLACE_ALL):
            return examiner.examine(texts, budget=Budget(seconds=seconds), recall=recall, failed=_report)
        try:
            return await self._examined(examiner, texts, seconds, recall=recall)
        except RuntimeError as error:
            # The pool refused work: a dead worker. One restart, then the detector is down.
            logs.emit(Event.DETECTOR_FAILED, why="pool", then="restart")
            self._pool = None
            try:
                return await self._examined(examiner, texts, seconds, recall=recall)
            except RuntimeError:
                self._down = "the detector cannot start a worker"
                raise UnavailableError("the detector is not running", code="detector_unavailable") from error

    async def _examined(
        self, examiner: Examiner, texts: Sequence[Text], seconds: float, *, recall: bool
    ) -> list[PartAnalysis]:
        """Run one exchange on a worker; where it hangs on a part, give that part up and go on with the others."""
        lost: set[int] = set()
        while True:
            progress = _Progress()
            future = self._submit(examiner, texts, lost, seconds, progress, recall=recall)
            result = await self._watched(future, seconds, progress)
            if result is not None:
                self._down = None
                return [_with_timeout(part) if n in lost else part for n, part in enumerate(result)]
            lost.add(progress.at)
            self._abandon()

    def _submit(
        self,
        examiner: Examiner,
        texts: Sequence[Text],
        lost: set[int],
        seconds: float,
        progress: _Progress,
        *,
        recall: bool,
    ) -> Future[list[PartAnalysis]]:
        given = [Text("") if n in lost else text for n, text in enumerate(texts)]

        def at(n: int) -> None:
            progress.at = n

        return self._workers().submit(
            examiner.examine, given, budget=Budget(seconds=seconds), recall=recall, on_part=at, failed=_report
        )

    async def _watched(
        self, future: Future[list[PartAnalysis]], seconds: float, progress: _Progress
    ) -> list[PartAnalysis] | None:
        """Wait for a worker; None where it has been at one part for far too long."""
        waiting = asyncio.wrap_future(future)
        loop = asyncio.get_running_loop()
        part, since = progress.at, loop.time()
        while True:
            done, _ = await asyncio.wait((waiting,), timeout=min(_POLL_S, seconds))
            if done:
                return waiting.result()
            if progress.at != part:
                part, since = progress.at, loop.time()
            elif part >= 0 and loop.time() - since > seconds * _GRACE:
                waiting.cancel()
                return None

    def _workers(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="phigate-detector")
            return self._pool

    def _abandon(self) -> None:
        """Leave a hung thread behind and go on with new ones; too many of them, and the detector is down."""
        self._hung += 1
        logs.emit(Event.DETECTOR_FAILED, why="hung", hung=self._hung)
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)
        if self._hung > _MOST_HUNG:
            self._down = "too many texts hung the detector; restart the gateway"
            raise UnavailableError("the detector is not running", code="detector_unavailable")

    def _examiner(self, bundle: Bundle) -> Examiner:
        """Return the examiner for a bundle's settings, made once for each."""
        examiner = self._examiners.get(bundle.digest)
        if examiner is None:
            settings = bundle.detector
            try:
                extra = [*custom_recognizers(settings.custom), *self._plugins]
            except (ValueError, TypeError, KeyError, AttributeError, ImportError, OSError) as error:
                raise SettingsError(f"detector.custom cannot be used: {type(error).__name__}") from error
            options = options_of(knob=settings.knob, allow=settings.allow, deny=settings.deny)
            engine = build_engine(extra) if extra else None
            examiner = Examiner(options, cache=self._cache, engine=engine, context=bundle.digest)
            if len(self._examiners) > 4:
                self._examiners.clear()
            self._examiners[bundle.digest] = examiner
        return examiner

    def _bars_of(self, bundle: Bundle) -> Bars:
        bars = self._bars.get(bundle.digest)
        if bars is None:
            if len(self._bars) > 4:
                self._bars.clear()
            bars = self._bars[bundle.digest] = bars_of(bundle)
        return bars


def _load() -> None:
    """Load the lists, and take them out of the garbage collector's walks.

    They hold half a million objects that live as long as the process; a full collection walks them all and stands
    everything still, the event loop included, for the better part of a tenth of a second.
    """
    pipeline.names()
    gc.collect()
    gc.freeze()


def _kind(part: Part) -> str:
    """Return what the pointer of a leaf says of its value; free text says nothing."""
    key, above = labels(part.pointer, part.kind)
    text = part.text.reveal()[:200]
    # A document under a telling key says more by its own keys.
    return kind_of(key, above, text) if key and text.lstrip()[:1] not in {"{", "["} else ""


def _unnamed(parts: Sequence[Part], found: Sequence[PartAnalysis]) -> list[PartAnalysis]:
    """Drop what was found in names of fields that are made of label words: "city" is no place, "MRN" is nobody."""
    return [
        replace(result, findings=())
        if result.findings and part.kind in (PartKind.KEY, PartKind.NAME) and only_labels(part.text.reveal())
        else result
        for part, result in zip(parts, found, strict=True)
    ]


def _with_timeout(part: PartAnalysis) -> PartAnalysis:
    return replace(part, unread=part.unread | {Unread.TIMEOUT})


def _report(_n: int, error: Exception) -> None:
    logs.emit(Event.DETECTOR_FAILED, why="raised", error=type(error).__name__)
