"""Counters and timings for /metrics in Prometheus' text format. Names and label values are fixed words.

Several workers of one gateway count into files of one folder, so that whichever answers speaks for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

# name -> (labels, help)
COUNTERS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "exchanges": (("mode", "status"), "exchanges by mode and outcome"),
    "refusals": (("reason",), "refused requests by reason"),
    "findings": (("entity_type",), "findings at or above the threshold, by type"),
    "residual_dirty": (("then",), "re-scans that found something, by what was done: redacted, kept_onprem"),
    "tokens_restored": ((), "surrogates restored in replies"),
    "tokens_withheld": ((), "surrogates not restored because they stood in a URL or link"),
    "tokens_lost": ((), "surrogates sent that no reply used"),
    "tokens_invented": ((), "surrogate-looking text in replies that was never issued"),
    "reply_findings": (("entity_type",), "findings in replies from outside"),
    "proven_misses": (("entity_type",), "ALERT: a direct identifier of the raw request came back from outside"),
    "tool_arguments_misfit": ((), "tool calls from outside whose restored arguments do not fit the app's schema"),
    "inherited_limits": (("hold",), "exchanges that inherited a limit of an earlier one"),
    "incomplete": (("why",), "exchanges whose detection was incomplete"),
    "model_tokens": (("kind", "of"), "tokens that models read (prompt) and wrote (completion), as they say"),
    "reader_named": (("placed",), "strings that the second reader named, by whether they stand in the copy"),
    "reader_failures": (("code",), "copies that stayed home because the second reader could not read them"),
    "upstream_errors": (("kind",), "upstream calls that failed"),
    "ledger_errors": (("code",), "appends that failed"),
    "contexts_refused": (("reason",), "signed contexts that were not taken: forged, expired, used before"),
    "break_glass": (("result",), "ALERT: calls for break-glass: granted, refused"),
    "shadow_decisions": (("shade",), "decisions beside those of the shadow bundle, by how the shadow differs"),
    "policy_changes": (("result",), "changes of the policy folder: activated, refused, failed"),
}
TIMINGS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "detect_seconds": ((), "detection of one request"),
    "rescan_seconds": ((), "re-scan of one outgoing copy"),
    "reader_seconds": ((), "one look of the second reader at one outgoing copy"),
    "ledger_append_seconds": (("kind",), "until an entry was durable"),
    "upstream_first_byte_seconds": (("kind",), "until the first byte of an upstream's answer"),
    "exchange_seconds": (("mode",), "whole exchanges"),
}
GAUGES: Final[dict[str, str]] = {
    "open_exchanges": "exchanges in progress",
    "ledger_size": "entries in the log",
    "ledger_queue": "entries that wait to be written",
    "ledger_checkpoint_age_seconds": "how long entries stand that no checkpoint covers; 0 where all are covered",
    "ledger_witness_age_seconds": "ALERT when it grows: age of the newest cosignature of a quorum of witnesses",
    "ledger_witness_failures": "requests to witnesses that brought no cosignature, since the start",
    "ledger_fork_suspected": "ALERT at 1: somebody holds a head that this log does not continue; nothing is served",
    "shadow_refused": "1 while the folder of the shadow bundle holds none that can be evaluated",
    "policy_refused": "ALERT: 1 while the files in the policy folder are not the ones in force",
    "policy_stale": "ALERT: 1 while nothing leaves, because files were refused for max_stale_hours",
}
SHARED_BY: Final = "PROMETHEUS_MULTIPROC_DIR"  # the library's name for the folder of several processes
_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class PrometheusMetrics:
    """The Metrics port over a registry of its own.

    ``shared`` is the folder where the workers of one gateway count together. The process must have been started with
    it in `SHARED_BY`, which the library reads when it is imported.
    """

    def __init__(self, *, shared: Path | None = None) -> None:
        self._shared = shared
        self.registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"phigate_{name}", text, labels, registry=self.registry)
            for name, (labels, text) in COUNTERS.items()
        }
        self._timings = {
            name: Histogram(f"phigate_{name}", text, labels, registry=self.registry, buckets=_BUCKETS)
            for name, (labels, text) in TIMINGS.items()
        }
        self._sources: list[Callable[[], Mapping[str, float]]] = []
        self._gauges = {
            name: Gauge(f"phigate_{name}", text, registry=self.registry, multiprocess_mode=_joined(name))
            for name, text in GAUGES.items()
        }

    def count(self, name: str, amount: int = 1, /, **labels: str) -> None:
        """Add to a counter. Raises `KeyError` for a name outside the table."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Record a duration. Raises `KeyError` for a name outside the table."""
        timing = self._timings[name]
        (timing.labels(**labels) if labels else timing).observe(seconds)

    def gauge(self, name: str, value: float, /) -> None:
        """Set a gauge. Raises `KeyError` for a name outside the table."""
        self._gauges[name].set(value)

    def gauges_from(self, read: Callable[[], Mapping[str, float]], /) -> None:
        """Have gauges set from here whenever they are asked for. Names outside the table raise `KeyError` then."""
        self._sources.append(read)

    def render(self) -> bytes:
        """Return the exposition text."""
        for read in self._sources:
            for name, value in read().items():
                self.gauge(name, value)
        if self._shared is None:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, path=str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(everybody)


def _joined(gauge: str) -> Literal["livesum", "livemax"]:
    """Say how the gauges of living workers become one: what is open adds up, and the worst age or alarm counts."""
    return "livesum" if gauge == "open_exchanges" else "livemax"
