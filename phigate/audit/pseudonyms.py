"""Names for patients and staff that only the holder of one key can connect to anybody.

A person of the staff has one pseudonym, so that "not the one who did it" can be checked. What stands for a patient in
entries is another matter: tags under keys that can be destroyed, see `store/vault.py`. The root key lies in the key
folder, never beside the database.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, final

FILE: Final = "pseudonyms.key"  # in the folder of the ledger's keys
KEY_BYTES: Final = 32
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")  # no digits: an id has no long number in it


@final
class Pseudonyms:
    """Keyed names. Pure; the root key never shows."""

    __slots__ = ("_hash_keys", "_root")

    def __init__(self, root: bytes) -> None:
        if len(root) != KEY_BYTES:
            raise ValueError(f"the key of pseudonyms has {KEY_BYTES} bytes, found {len(root)}")
        self._root = root
        self._hash_keys: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return "<Pseudonyms>"

    def subject_key(self, tenant: str, subject: str) -> bytes:
        """Return the key of one patient of one tenant: what makes all dates of this patient move alike."""
        return self._derive("subject", tenant, subject)

    def shift_key(self, tenant: str) -> bytes:
        """Return the key under which this tenant's patients get the days that their dates are moved by."""
        return self._derive("shift", tenant)

    def hash_key(self, tenant: str) -> bytes:
        """Return the key of the operator hash_keyed for this tenant."""
        key = self._hash_keys.get(tenant)
        if key is None:
            key = self._hash_keys[tenant] = self._derive("hash", tenant)
        return key

    def person(self, name: str) -> str:
        """Return the pseudonym of one of the staff: equal for equal names, an id of letters."""
        return f"u-{self._derive('person', name)[:16].hex().translate(_LETTERS)}"

    def _derive(self, *what: str) -> bytes:
        # Each word with its length: no two lists of words are the same bytes.
        data = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (w.encode("utf-8", "surrogatepass") for w in what))
        return hmac.digest(self._root, data, hashlib.sha256)
