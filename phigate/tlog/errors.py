"""The errors of this folder. It stands alone (phigate-verify ships nothing else), so it has a tree of its own.

    TlogError
    ├── FormatError      bytes that are not what the format says; the same for everybody who reads them
    └── CheckError       well-formed evidence that does not check: a hash, a proof or a signature
        └── ForkError    two heads that one honest log cannot both have signed

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


class ForkError(CheckError):
    """Two signed heads of one log contradict each other; ``heads`` holds both, as transferable proof."""

    def __init__(self, message: str, *, heads: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.heads = heads
