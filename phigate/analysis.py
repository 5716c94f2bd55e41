"""What detection says about a request: findings per part, language per part, and whether all of it was read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from phigate.finding import Finding


class Unread(StrEnum):
    """Why detection is incomplete (decisions 6)."""

    LANGUAGE = "language"  # 40 letters or more surely outside the seven languages or their scripts
    DECODE = "decode"  # a part that could not be decoded
    TIMEOUT = "timeout"  # a part whose analysis took too long
    FAILED = "failed"  # a part whose analysis raised


@dataclass(frozen=True, slots=True)
class PartAnalysis:
    """Findings of one part in order of their start, and its language ("" where too short to say)."""

    findings: tuple[Finding, ...]
    lang: str
    unread: frozenset[Unread] = frozenset()


@dataclass(frozen=True, slots=True)
class Analysis:
    """One `PartAnalysis` per part, same order; ``detector`` names build and knobs."""

    parts: tuple[PartAnalysis, ...]
    detector: str

    @property
    def complete(self) -> bool:
        """Whether every part was read to its end."""
        return not any(part.unread for part in self.parts)

    @property
    def unread(self) -> frozenset[Unread]:
        """All reasons for which some part was not read."""
        return frozenset().union(*(part.unread for part in self.parts))
