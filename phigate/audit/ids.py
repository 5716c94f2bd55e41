"""Ids of exchanges and entries: UUID version 7 (RFC 9562 section 5.7), from a clock and randomness that are given."""

from __future__ import annotations


def uuid7(*, at_ms: int, randomness: bytes) -> str:
    """Return a UUIDv7 of a POSIX time in milliseconds and ten random bytes."""
    if len(randomness) != 10 or not 0 <= at_ms < 2**48:
        raise ValueError("a UUIDv7 needs ten random bytes and a time of 48 bits")
    tail = int.from_bytes(randomness, "big")
    value = at_ms << 80 | 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
