"""MACs over bodies, so that "was it exactly this?" can be answered in the house, and nobody else can guess a body.

A plain hash of short clinical text can be guessed; HMAC-SHA-256 under a key of the day cannot without that key, and
once the key of a day is destroyed its MACs are noise (shared rule: no hash of PHI in the ledger).
"""

from __future__ import annotations

import hmac
from typing import final


@final
class BodyMAC:
    """A running MAC over a body that comes in pieces."""

    __slots__ = ("_mac", "_size")

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError(f"a MAC key has 32 bytes, found {len(key)}")
        self._mac = hmac.new(key, digestmod="sha256")
        self._size = 0

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        self._mac.update(piece)
        self._size += len(piece)

    def result(self) -> tuple[int, bytes]:
        """Return size and MAC of all pieces so far."""
        return self._size, self._mac.digest()


def body_mac(key: bytes, body: bytes) -> tuple[int, bytes]:
    """Return size and MAC of a whole body under the key of a day (32 bytes)."""
    running = BodyMAC(key)
    running.update(body)
    return running.result()
