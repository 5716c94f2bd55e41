"""Findings of texts seen before, under a keyed hash of the text. Holds no text, and forgets the oldest first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from phigate.finding import Finding


@dataclass(frozen=True, slots=True)
class Local:
    """What one part alone says: findings in the original text, its language, whether it is surely foreign."""

    findings: tuple[Finding, ...]
    lang: str
    foreign: bool
    undecodable: bool


class FindingCache:
    """A bounded map. ``key`` is random per process, so that a dump of it says nothing about any text."""

    def __init__(self, *, key: bytes, most_findings: int = 200_000) -> None:
        self._key = key
        self._most = most_findings
        self._held = 0
        self._entries: OrderedDict[bytes, Local] = OrderedDict()

    def digest(self, text: str, context: str) -> bytes:
        """Return the key of a text under settings; lone surrogates have one too."""
        keyed = hashlib.blake2b(context.encode(), key=self._key, digest_size=16)
        keyed.update(b"\0")
        keyed.update(text.encode("utf-8", "surrogatepass"))
        return keyed.digest()

    def get(self, digest: bytes) -> Local | None:
        """Return what is known, and count it as used."""
        local = self._entries.get(digest)
        if local is not None:
            self._entries.move_to_end(digest)
        return local

    def put(self, digest: bytes, local: Local) -> None:
        """Remember; an entry costs its findings and one."""
        old = self._entries.pop(digest, None)
        if old is not None:
            self._held -= len(old.findings) + 1
        self._entries[digest] = local
        self._held += len(local.findings) + 1
        while self._held > self._most and self._entries:
            _, oldest = self._entries.popitem(last=False)
            self._held -= len(oldest.findings) + 1

    def __len__(self) -> int:
        return len(self._entries)
