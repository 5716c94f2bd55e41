"""The lock: digests of all files of a bundle, the day from which they hold, and who signed them.

A file's digest is SHA-256 over its RFC 8785 JSON, so comments and layout are free. Every signature is Ed25519 over
``phigate policy lock v1``, the role and the RFC 8785 JSON of the lock without its signatures; at least two distinct
roles with distinct keys must sign. The development key is public knowledge and counts only where ``dev`` is set.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from phigate.errors import PolicyFileError
from phigate.policy.fields import Fields, Source
from phigate.policy.words import ROLES
from phigate.policy.yamls import JSONValue, Map, Scalar, parse, plain

FILE: Final = "policy.lock"
DEVELOPMENT: Final = "development"
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "file": ("phigate", "effective", "files", "signatures"),
    "signature": ("role", "key", "sig"),
}
_CONTEXT: Final = b"phigate policy lock v1\n"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# Anyone can compute this key: it says that nobody answers for the bundle.
_DEVELOPMENT_SEED: Final = hashlib.sha256(b"phigate: the development key signs nothing that counts").digest()


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that may sign bundles, and in which role. Kept outside the bundle, which cannot vouch for itself."""

    key: bytes  # Ed25519 public key
    role: str
    name: str = ""
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature as the lock holds it, not yet verified."""

    role: str
    key: bytes
    sig: bytes
    line: int = 0


@dataclass(frozen=True, slots=True)
class Lock:
    """The content of ``policy.lock``."""

    effective: str
    files: Mapping[str, str]  # name -> "sha256:…"
    signatures: tuple[Signature, ...] = ()
    effective_at: datetime | None = None

    def body(self) -> bytes:
        """Return the canonical bytes that are signed and whose digest names the bundle."""
        return rfc8785.dumps({"phigate": "lock/v1", "effective": self.effective, "files": dict(self.files)})

    @property
    def digest(self) -> str:
        """Return the name of the bundle, ``sha256:…``."""
        return f"sha256:{hashlib.sha256(self.body()).hexdigest()}"


def canonical(value: JSONValue) -> bytes:
    """Return RFC 8785 JSON."""
    return rfc8785.dumps(value)


def file_digest(root: Map) -> str:
    """Return the digest of one file's content, ``sha256:…``."""
    return f"sha256:{hashlib.sha256(canonical(plain(root))).hexdigest()}"


def development_key() -> Ed25519PrivateKey:
    """Return the key that everybody has: it makes a bundle loadable under --dev, and nowhere else."""
    return Ed25519PrivateKey.from_private_bytes(_DEVELOPMENT_SEED)


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public half."""
    return key.public_key().public_bytes_raw()


def sign(lock: Lock, *, role: str, key: Ed25519PrivateKey) -> Lock:
    """Return the lock with this role's signature; an earlier one of the same role is replaced."""
    fresh = Signature(role, public_bytes(key), key.sign(_message(lock, role)))
    others = tuple(s for s in lock.signatures if s.role != role)
    return Lock(lock.effective, lock.files, (*others, fresh), lock.effective_at)


def without(lock: Lock, role: str) -> Lock:
    """Return the lock without the signature of a role."""
    return Lock(lock.effective, lock.files, tuple(s for s in lock.signatures if s.role != role), lock.effective_at)


def _message(lock: Lock, role: str) -> bytes:
    return _CONTEXT + role.encode() + b"\n" + lock.body()


def read_lock(data: bytes) -> Lock:
    """Return the lock of a file. Raises `PolicyFileError` when it is not one."""
    problems: list[PolicyFileError] = []
    source = Source(FILE, problems)
    top = Fields(source, parse(data, file=FILE), "lock", KEYS["file"])
    top.choice("phigate", ("lock/v1",))
    effective = top.text("effective")
    files: dict[str, str] = {}
    for name, entry in top.table("files", required=True).items():
        value = entry.value.value if isinstance(entry.value, Scalar) else None
        if not isinstance(value, str) or _DIGEST.fullmatch(value) is None:
            source.complain(f"files.{name}: expected sha256: and 64 hex digits", entry.line, code="PG003")
            continue
        files[name] = value
    signatures = tuple(_signature(row) for row in top.rows("signatures", KEYS["signature"]))
    lock = Lock(effective, files, signatures, top.at("effective"))
    if problems:
        raise problems[0]
    return lock


def _signature(row: Fields) -> Signature:
    key, sig = _decoded(row, "key", 32), _decoded(row, "sig", 64)
    return Signature(row.choice("role", (*ROLES, DEVELOPMENT)), key, sig, row.line)


def _decoded(row: Fields, key: str, size: int) -> bytes:
    text = row.text(key, code="PG002")
    prefix, _, encoded = text.partition(":")
    try:
        value = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if text and (prefix != "ed25519" or len(value) != size):
        row.complain(key, f"expected ed25519: and {size} bytes in base64", code="PG002")
    return value


def write_lock(lock: Lock) -> bytes:
    """Return the bytes of ``policy.lock``."""
    lines = [
        "# Written by `phigate policy sign`. Do not edit: the gateway refuses a bundle whose lock does not match.",
        "phigate: lock/v1",
        f'effective: "{lock.effective}"',
        "files:",
        *(f'  {name}: "{digest}"' for name, digest in sorted(lock.files.items())),
        "signatures:" if lock.signatures else "signatures: []",
    ]
    for signature in lock.signatures:
        key, sig = (base64.b64encode(value).decode() for value in (signature.key, signature.sig))
        lines += [f"  - role: {signature.role}", f'    key: "ed25519:{key}"', f'    sig: "ed25519:{sig}"']
    return ("\n".join(lines) + "\n").encode()


def check_digests(lock: Lock, digests: Mapping[str, str]) -> Iterable[PolicyFileError]:
    """Yield what differs between the lock and the files that are there."""
    for name in sorted(lock.files.keys() | digests.keys()):
        problem = _difference(lock.files.get(name), digests.get(name))
        if problem:
            yield PolicyFileError(problem, file=name, line=1, code="PG003")


def _difference(signed: str | None, found: str | None) -> str:
    if found is None:
        return "the lock names this file, and it is not there"
    if signed is None:
        return "the lock does not name this file; sign again"
    if signed != found:
        return f"expected {signed[:19]}… as signed, found {found[:19]}…; the file was changed after signing"
    return ""


def verify(lock: Lock, *, trust: Sequence[TrustedKey], dev: bool) -> tuple[str, ...]:
    """Return the roles that signed. Raises `PolicyFileError` unless two trusted people in two roles did.

    Every signature must verify: one that does not is a reason to look, however many others do.
    """
    if not lock.signatures:
        raise _refusal("expected signatures of two roles, found none; run phigate policy sign", 1)
    roles = [signature.role for signature in lock.signatures]
    keys = [signature.key for signature in lock.signatures]
    for signature in lock.signatures:
        _verify_one(lock, signature, trust=trust, dev=dev)
    if roles == [DEVELOPMENT]:
        return (DEVELOPMENT,)
    if len(set(roles)) < len(roles):
        raise _refusal("expected distinct roles, found two signatures of one role", lock.signatures[-1].line)
    if len(set(keys)) < len(keys):
        raise _refusal("expected distinct keys, found one key in two roles", lock.signatures[-1].line)
    if len(roles) < 2:
        raise _refusal(f"expected signatures of two roles, found {roles[0]} alone", lock.signatures[0].line)
    return tuple(sorted(roles))


def _verify_one(lock: Lock, signature: Signature, *, trust: Sequence[TrustedKey], dev: bool) -> None:
    if signature.role == DEVELOPMENT:
        if not dev:
            raise _refusal("a development signature counts only with --dev; have two roles sign", signature.line)
        if signature.key != public_bytes(development_key()):
            raise _refusal("a development signature is made by the development key alone", signature.line)
    else:
        _check_trust(signature, trust)
    try:
        Ed25519PublicKey.from_public_bytes(signature.key).verify(signature.sig, _message(lock, signature.role))
    except (InvalidSignature, ValueError) as error:
        problem = f"the signature of {signature.role} does not fit; the lock was changed after signing"
        raise _refusal(problem, signature.line) from error


def _check_trust(signature: Signature, trust: Sequence[TrustedKey]) -> None:
    known = [key for key in trust if key.key == signature.key]
    if not known:
        problem = (
            f"the key that signed as {signature.role} is unknown; add it to the trusted keys, or sign with another"
        )
        raise _refusal(problem, signature.line)
    if any(key.revoked for key in known):
        raise _refusal(f"the key that signed as {signature.role} is revoked; sign with another", signature.line)
    if all(key.role != signature.role for key in known):
        problem = f"the key that signed as {signature.role} is trusted as {known[0].role} alone"
        raise _refusal(problem, signature.line)


def _refusal(problem: str, line: int) -> PolicyFileError:
    return PolicyFileError(problem, file=FILE, line=max(line, 1), code="PG002")
