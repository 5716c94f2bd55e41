"""Ed25519 keys made from a word, so that every run signs the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.tlog.note import KeyType, Sign, VerifierKey


@dataclass(frozen=True)
class Pair:
    key: VerifierKey
    sign: Sign


def pair(name: str, *, seed: str = "", key_type: KeyType = KeyType.ED25519) -> Pair:
    private = Ed25519PrivateKey.from_private_bytes(sha256(f"{name} {seed}".encode()).digest())
    return Pair(VerifierKey(name, key_type, private.public_key().public_bytes_raw()), private.sign)
