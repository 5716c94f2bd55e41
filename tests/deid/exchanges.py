"""Parts, analyses and decisions for tests of de-identification. All people are invented."""

from __future__ import annotations

from collections.abc import Mapping

from phigate.analysis import Analysis, PartAnalysis
from phigate.finding import EntityType, Finding
from phigate.phi import PHIText
from phigate.policy.decision import Candidate, Decision, Mode, Operator, Residual, Thresholds
from phigate.wire.parts import Part, PartKind

T = EntityType


def decision(
    operators: Mapping[EntityType, Operator] | None = None,
    *,
    most: int = 3,
    factor: float = 0.7,
    thresholds: Thresholds | None = None,
    candidates: tuple[Candidate, ...] = (),
) -> Decision:
    """Tokens for every type, but for the operators given."""
    return Decision(
        mode=Mode.SEND_SCRUBBED,
        forms={},
        candidates=candidates,
        operators={**dict.fromkeys(EntityType, Operator.TOKEN), **(operators or {})},
        unknown_operator=Operator.REDACT,
        thresholds=thresholds or Thresholds({}, 0.4),
        residual=Residual(factor, most),
        regimes=(),
        rules=(),
        reasons=(),
        purpose="treatment",
        tags=(),
        tenant="",
        alias="",
        bundle="sha256:00",
    )


def part(text: str, index: int = 0, *, kind: PartKind = PartKind.TEXT, pointer: str = "") -> Part:
    return Part(index, pointer or f"/messages/{index}/content", PHIText(text), kind, "user")


def parts_of(*texts: str) -> tuple[Part, ...]:
    return tuple(part(text, index) for index, text in enumerate(texts))


def found_in(text: str, words: Mapping[str, EntityType], *, lang: str = "en", score: float = 0.9) -> PartAnalysis:
    """Find each word wherever it stands."""
    findings = [
        Finding(at, at + len(word), kind, score, "test")
        for word, kind in words.items()
        for at in range(len(text))
        if text.startswith(word, at)
    ]
    return PartAnalysis(tuple(sorted(findings)), lang)


def analysis_of(parts: tuple[Part, ...], words: Mapping[str, EntityType], *, lang: str = "en") -> Analysis:
    return Analysis(tuple(found_in(p.text.reveal(), words, lang=lang) for p in parts), "test@1")
