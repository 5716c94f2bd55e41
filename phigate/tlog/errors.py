"""The errors of this folder. It stands alone (phigate-verify ships nothing else), so it has a tree of its own.

    TlogError
    ├── FormatError      bytes that are not what the format says; the same for everybody who reads them
    ├── IncompleteError  something that is needed is not there; nothing can be said either way
    └── CheckError       well-formed evidence that does not check: a hash, a proof or a signature
        └── GapError     an entry that should stand at an index does not

The gateway maps `TlogError` to `phigate.errors.VerificationError` where it meets one.
Messages are lower case and say what was expected and what was found.
"""

from __future__ import annotations


class TlogError(Exception):
    """Root of the tree."""


class FormatError(TlogError):
    """The bytes are not in the format; whoever made them is at fault, and nothing in them counts."""


class CheckError(TlogError):
    """The evidence is well-formed and does not check."""


class IncompleteError(TlogError):
    """Evidence that is needed is not there."""


class GapError(CheckError):
    """The entry of an index is not there, though later ones or the head say that it was."""

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index = index
