"""A writer with good keys may sign what it likes: the verifier reports on it, and never breaks."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phigate.tlog import canonical
from phigate.tlog.chain import join
from phigate.tlog.report import Report
from phigate.tlog.verify import Demand, verify
from tests.tlog.logs import LogBuilder, MemorySource

_KINDS = ("intent", "outcome", "loss", "segment_close", "destruction", "genesis", "key", "heartbeat", "other")
_NAMES = ("intent", "seqs", "previous", "segment", "size", "root", "next", "op", "role", "vkey")
_LEAVES = (
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.sampled_from(("", "add", "record", "00" * 32, "é\n"))
)
_KEYS = st.sampled_from(("idx", "leaf", "log", "origin", "size", "root", "lost"))
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=6
)
_ENTRIES = st.lists(
    st.tuples(st.sampled_from(_KINDS), st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4)), max_size=4
)


def report(entries: list[tuple[str, dict[str, Any]]]) -> Report:
    log = LogBuilder()
    boot = log.start()
    for kind, fields in entries:
        log.add(kind, boot, **fields)
    log.publish()
    source = MemorySource(list(log.entries), list(log.heads))
    return verify(source, Demand())


@given(_ENTRIES, _VALUES, _VALUES)
def test_whatever_is_signed_is_reported_on(entries: list[tuple[str, dict[str, Any]]], named: Any, size: Any) -> None:
    first, second = report(entries), report(entries)
    second.previous = {"origin": named, "size": size}
    for said in (first, second, join([first, second]), join([second, first], whole=True)):
        assert said.to_text()
        assert canonical.encode(said.to_json())
