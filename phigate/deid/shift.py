"""Moving dates by a secret number of days per subject: one-way, never zero, the same for all dates of one subject."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

from phigate.deid import dates


def days(subject: bytes, *, key: bytes, most: int, weekday: bool = False) -> int:
    """Return the subject's offset in days, from -most to most, never 0. Keyed: nobody without the key can undo it.

    With ``weekday`` the offset is whole weeks, so that every date keeps its day of the week.
    """
    step = 7 if weekday else 1
    most //= step
    if most < 1:
        raise ValueError(f"a date shift needs a range of {step} days or more, not fewer; correct range_days")
    digest = hmac.new(key, b"date-shift\0" + subject, hashlib.sha256).digest()
    place = int.from_bytes(digest, "big") % (2 * most)
    return (place - most if place < most else place - most + 1) * step


def moved(value: str, offset: int, reading: dates.Reading) -> str | None:
    """Return the day ``offset`` days later as YYYY-MM-DD, or None where ``value`` is not one whole day."""
    parsed = dates.parse(value, reading)
    day = parsed.whole if parsed is not None else None
    if day is None:
        return None
    try:
        return (day + timedelta(days=offset)).isoformat()
    except OverflowError:
        return None
