"""Keyed digests of long parts, by which a later turn is recognised (decisions 12). Without the key they are mute."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final

from phigate.deid.fold import fold
from phigate.phi import PHIText
from phigate.wire.parts import Part

_LEAST_CHARACTERS: Final = 80


def fingerprints(parts: Sequence[Part], *, key: bytes) -> tuple[bytes, ...]:
    """Return the digests of all parts of 80 characters or more, in order, each once."""
    return of_texts((part.text for part in parts), key=key)


def of_texts(texts: Iterable[PHIText | str], *, key: bytes) -> tuple[bytes, ...]:
    """Return the digests of texts, such as those that a reply showed, that a later turn may carry."""
    if not key:
        raise ValueError("fingerprints need a key; without one anyone could test guesses against them")
    long = (text.reveal() if isinstance(text, PHIText) else text for text in texts if len(text) >= _LEAST_CHARACTERS)
    return tuple(dict.fromkeys(_digest(text, key) for text in long))


def _digest(text: str, key: bytes) -> bytes:
    # Folded, so that a client that trims or re-wraps its history does not escape.
    return hmac.new(key, fold(text).encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
