"""Who an exchange is about, as references that show nobody: keyed digests of patients' numbers. Pure.

A reference is declared by the context that the EHR signed, or found in the request: numbers of records, plans and
nations, whose recognizers ask for a label or a check digit. A name is never a reference: it is not one patient's own.
The vault turns a reference into the tag of one exchange; neither leaves a value in the ledger (docs/retention.md).
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

from phigate.analysis import Analysis
from phigate.finding import EntityType
from phigate.wire.parts import Part

KEY_BYTES: Final = 32
MAX_SUBJECTS: Final = 64  # of one exchange (decisions 19)
DECLARED, FOUND = "declared", "found"
NUMBERS: Final = (
    EntityType.MRN,
    EntityType.HEALTH_PLAN_ID,
    EntityType.US_SSN,
    EntityType.BR_CPF,
    EntityType.BR_RG,
    EntityType.BR_CNS,
    EntityType.BR_TITULO,
    EntityType.BR_PIS,
    EntityType.BR_CNH,
    EntityType.BR_PASSPORT,
    EntityType.BR_CERTIDAO,
    EntityType.EU_NATIONAL_ID,
)
SURE: Final = 0.5  # score from which a number counts: below it, neither label nor check digit spoke for it


@dataclass(frozen=True, slots=True)
class Reference:
    """One patient, opaque. ``lookup`` is the keyed digest under which the vault keeps this patient's key."""

    source: str
    lookup: bytes

    def __repr__(self) -> str:
        return f"<Reference {self.source}>"


@final
class Lookups:
    """Makes references under the vault's lookup key, which never shows."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the lookup key of the vault has {KEY_BYTES} bytes, found {len(key)}")
        self._key = key

    def __repr__(self) -> str:
        return "<Lookups>"

    def declared(self, tenant: str, subject: str) -> Reference:
        """Return the reference to a patient as the EHR names it."""
        return Reference(DECLARED, self._lookup(tenant, DECLARED, subject))

    def found(self, tenant: str, analysis: Analysis, parts: Sequence[Part]) -> tuple[Reference, ...]:
        """Return the references to the patients whose numbers stand in a request, each once, in order."""
        seen: dict[bytes, Reference] = {}
        for part, result in zip(parts, analysis.parts, strict=False):
            rows = [each for each in result.findings if each.entity_type in NUMBERS and each.score >= SURE]
            text = part.text.reveal() if rows else ""
            for each in rows:
                lookup = self._lookup(tenant, each.entity_type.value, text[each.start : each.end])
                seen.setdefault(lookup, Reference(FOUND, lookup))
        return tuple(seen.values())

    def all_of(self, tenant: str, value: str) -> tuple[bytes, ...]:
        """Return every lookup that a patient's number or reference may stand under: for erasure and accounting."""
        return tuple(self._lookup(tenant, kind, value) for kind in (DECLARED, *(each.value for each in NUMBERS)))

    def _lookup(self, tenant: str, kind: str, value: str) -> bytes:
        # Each word with its length: no two lists of words are the same bytes.
        words = [word.encode("utf-8", "surrogatepass") for word in (tenant, kind, folded(value))]
        data = b"".join(len(word).to_bytes(4, "big") + word for word in words)
        return hmac.digest(self._key, b"phigate vault lookup\0" + data, hashlib.sha256)


def folded(value: str) -> str:
    """Return a number as it is compared: letters and digits alone, in one case; 123.456 is 123456."""
    plain = unicodedata.normalize("NFKC", value).casefold()
    return "".join(c for c in plain if c.isalnum()) or plain


def capped(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return at most 64 references, each patient once, declared ones first."""
    seen: dict[bytes, Reference] = {}
    for each in sorted(references, key=lambda each: each.source != DECLARED):
        seen.setdefault(each.lookup, each)
    return tuple(seen.values())[:MAX_SUBJECTS]


def tag(key: bytes, rid: str) -> str:
    """Return a patient's tag in the entries of one exchange: it tells nothing without the patient's own key."""
    return hmac.digest(key, b"phigate subject tag\0" + rid.encode(), hashlib.sha256)[:16].hex()
