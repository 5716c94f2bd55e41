"""Which server has seen the beginning of this request before: its cache of keys and values still holds it.

A conversation grows at its end, so the next turn begins with the bytes of the last one. Remembered are keyed digests
of beginnings of doubling length and the server that read them; no text, and nothing that outlives the process.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, final

_SHORTEST: Final = 512  # bytes; shorter beginnings are shared by all requests of an app
_LONGEST: Final = 128 * 1024
_DIGEST_BYTES: Final = 12


@final
class PrefixAffinity:
    """Remembers, for the newest ``capacity`` beginnings, who read them."""

    def __init__(self, *, key: bytes, capacity: int = 50_000) -> None:
        self._key = key
        self._capacity = capacity
        self._readers: OrderedDict[bytes, str] = OrderedDict()

    def reader_of(self, body: bytes) -> str | None:
        """Return who read the longest known beginning of this body."""
        found = None
        for digest in self._digests(body):
            reader = self._readers.get(digest)
            if reader is None:
                break
            found = reader
        return found

    def note(self, body: bytes, reader: str) -> None:
        """Remember that ``reader`` has read this body."""
        for digest in self._digests(body):
            self._readers[digest] = reader
            self._readers.move_to_end(digest)
        while len(self._readers) > self._capacity:
            self._readers.popitem(last=False)

    def _digests(self, body: bytes) -> Iterator[bytes]:
        """Return digests of the beginnings, shortest first; each is taken from the last, so all cost one pass."""
        running = hashlib.blake2b(key=self._key, digest_size=_DIGEST_BYTES)
        start, end = 0, _SHORTEST
        while end <= min(len(body), _LONGEST):
            running.update(body[start:end])
            yield running.digest()
            start, end = end, end * 2
