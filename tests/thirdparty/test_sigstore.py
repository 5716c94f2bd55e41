"""A second opinion: sigstore-python verifies our checkpoints and inclusion proofs.

sigstore is no dependency of phigate, and what is used here is private to it; written against 4.5.1.
"""

from __future__ import annotations

import importlib
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from phigate.tlog.merkle import TreeSize, inclusion_proof
from phigate.tlog.note import VerifierKey, verify_ed25519
from tests.tlog import naive
from tests.tlog.logs import LOG, LogBuilder

sigstore = pytest.importorskip("sigstore", reason="runs in an environment of its own: make test-thirdparty")

LOG_42 = LogBuilder()
LOG_42.exchanges(LOG_42.start(), 20)
ROOT = naive.mth(LOG_42.entries)


class Keys:
    """What sigstore asks of its own set of keys, over one of ours."""

    def __init__(self, key: VerifierKey) -> None:
        self.key = key

    def verify(self, *, key_id: bytes, signature: bytes, data: bytes) -> None:
        assert key_id == self.key.id
        verify_ed25519(self.key, signature, data)


def test_sigstore_reads_our_checkpoint_and_finds_its_signature() -> None:
    module: Any = importlib.import_module("sigstore._internal.rekor.checkpoint")
    note = LOG_42.head(witnesses=2).decode()
    signed = module.SignedCheckpoint.from_text(note)
    assert signed.checkpoint.log_size == 42
    assert bytes.fromhex(signed.checkpoint.log_hash) == ROOT
    signed.signed_note.verify(Keys(LOG.key), LOG.key.id)


def proof_of(index: int, **changes: Any) -> Any:
    path = inclusion_proof(index=index, size=TreeSize(42), node=partial(naive.node, LOG_42.entries))
    proof = {"log_index": index, "tree_size": 42, "root_hash": ROOT, "hashes": list(path)} | changes
    body = changes.get("body", LOG_42.entries[index])
    return SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=SimpleNamespace(**proof), canonicalized_body=body))


def test_sigstore_accepts_our_inclusion_proofs_and_no_changed_one() -> None:
    merkle: Any = importlib.import_module("sigstore._internal.merkle")
    errors: Any = importlib.import_module("sigstore.errors")
    for index in range(42):
        merkle.verify_merkle_inclusion(proof_of(index))
        wrong: list[dict[str, Any]] = [{"body": b"x"}, {"hashes": []}, {"root_hash": bytes(32)}]
        for changes in wrong:
            with pytest.raises(errors.VerificationError):
                merkle.verify_merkle_inclusion(proof_of(index, **changes))
