"""Writes tests/tlog/vectors: ``python -m tests.tlog.make_vectors``. Keys and times are fixed, so the bytes are too.

The files are frozen: once released, they verify for ever. A change of format adds a folder beside ``v1``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.export import export
from phigate.tlog.merkle import TreeSize, consistency_proof, inclusion_proof, leaf_hash
from phigate.tlog.note import encode_base64
from phigate.tlog.proof import Proof
from tests.tlog import naive
from tests.tlog.logs import ORIGIN, LogBuilder, MemorySource, keyring, signed_keyring, uuid

VECTORS = Path(__file__).parent / "vectors" / "v1"
_INTENT: dict[str, Any] = {
    "app": "ehr-notes",
    "detector": "phigate@1",
    "complete": True,
    "lang": ["pt"],
    "found": {"PERSON": [2, 9], "BR_CPF": [1, 10]},
    "attachments": "none",
    "policy": "sha256:" + "5b" * 32,
    "regimes": [["hipaa", "1.0"], ["lgpd", "1.0"]],
    "mode": "send_scrubbed",
    "forms": {"house": "raw", "outside": "scrubbed"},
    "destination": {"id": "outside", "kind": "external", "form": "scrubbed", "model": "large-1", "country": "US"},
    "operators": {"PERSON": {"token": 2}, "BR_CPF": {"token": 1}},
    "in": {"n": 812, "mac": "1f" * 32},
}


def log() -> LogBuilder:
    built = LogBuilder()
    boot = built.start()
    built.add("config", boot, policy=_INTENT["policy"], files=6)
    at = built.add("intent", boot, rid=uuid(1), attempt=1, **_INTENT)
    built.outcome(boot, 1, at, status="ok", http=200, latency_ms=840, out={"n": 1204, "mac": "2e" * 32})
    built.add("refusal", boot, app="ehr-notes", reason="policy_refusal", count=1, rid=uuid(2))
    built.publish()
    second = built.new_boot("gw-2")
    built.introduce(second)
    built.add("heartbeat", second, size=6, root=naive.mth(built.entries[:6]).hex())
    built.exchanges(second, 2)
    built.retire(boot)
    built.publish(witnesses=2)
    return built


def files() -> Iterator[tuple[str, bytes]]:
    built = log()
    (_, early), (size, newest) = built.heads
    yield from export(MemorySource(built.entries, built.heads, keyring_note=signed_keyring(quorum=2)), newest)
    yield f"checkpoint.{built.heads[0][0]}", early
    node = partial(naive.node, built.entries)
    head = SignedCheckpoint.from_bytes(newest)
    for index in (1, 3):
        path = inclusion_proof(index=index, size=TreeSize(size), node=node)
        yield f"{index}.entry", built.entries[index]
        yield f"{index}.tlog-proof", Proof(index, path, head).to_bytes()
    old = built.heads[0][0]
    path = consistency_proof(old=TreeSize(old), new=TreeSize(size), node=node)
    expected = {
        "origin": ORIGIN,
        "fingerprint": keyring().fingerprint,
        "size": size,
        "root": naive.mth(built.entries).hex(),
        "leaves": [leaf_hash(entry).hex() for entry in built.entries],
        "consistency": {"old": old, "new": size, "path": [encode_base64(each) for each in path]},
    }
    yield "expected.json", json.dumps(expected, indent=1, sort_keys=True).encode() + b"\n"


def main() -> None:
    for path, data in files():
        (VECTORS / path).parent.mkdir(parents=True, exist_ok=True)
        (VECTORS / path).write_bytes(data)


if __name__ == "__main__":
    main()
