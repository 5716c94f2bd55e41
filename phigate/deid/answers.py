"""What an outside reply gives away about the request that it answers (decisions 9 and 17). Pure judgements, no action.

Both look at what the model wrote, tokens in place, and at direct identifiers alone. What stands inside a token, what
policy keeps on purpose and what became a token or was redacted is neither invented nor missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from phigate.analysis import Analysis
from phigate.deid.deidentify import Scrubbed
from phigate.deid.fold import fold, identity, read
from phigate.deid.regions import operator_of
from phigate.deid.reidentify import token_spans
from phigate.deid.search import ValueIndex
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType, Finding, Span
from phigate.policy.decision import Decision, Operator
from phigate.wire.parts import Part

_TOOL: Final = "tool"  # the role that `reply` gives to the input of tools


def invented_identifiers(
    texts: Sequence[Part], analysis: Analysis, scrubbed: Scrubbed, *, decision: Decision, sent: Sequence[Part]
) -> Counter[EntityType]:
    """Count direct identifiers in tool arguments that came neither from the map nor from what was sent.

    ``texts`` are those of the reply, ``sent`` the outgoing parts. Any count ends the exchange: a tool would act on a
    person that the model made up.
    """
    strangers = [
        (kind, value) for part, kind, value in _identifiers(texts, analysis, scrubbed, decision) if part.role == _TOOL
    ]
    known = _standing([value for _, value in strangers], sent)
    return Counter(kind for kind, value in strangers if value not in known)


def proven_misses(
    texts: Sequence[Part], analysis: Analysis, scrubbed: Scrubbed, *, decision: Decision, raw: Sequence[Part]
) -> Counter[EntityType]:
    """Count direct identifiers of the reply that stand in the raw request and were not taken out of it.

    Detection missed each of them and it left the house. Counted once a value.
    """
    candidates = {
        identity(value): (kind, value) for _, kind, value in _identifiers(texts, analysis, scrubbed, decision)
    }
    missed = _standing([value for _, value in candidates.values()], raw)
    return Counter(kind for kind, value in candidates.values() if value in missed)


def _identifiers(
    texts: Sequence[Part], analysis: Analysis, scrubbed: Scrubbed, decision: Decision
) -> Iterator[tuple[Part, EntityType, str]]:
    """Yield each direct identifier that stands outside of tokens and is no value of the map."""
    taken_out = {identity(value.reveal()) for value in scrubbed.values}
    for part, result in zip(texts, analysis.parts, strict=True):
        if not result.findings:
            continue
        text = part.text.reveal()
        tokens = token_spans(text, scrubbed.surrogates)
        for finding in result.findings:
            if not _counts(finding, result.lang, decision) or _inside(finding, tokens):
                continue
            value = text[finding.start : finding.end].strip()
            if identity(value) not in taken_out:
                yield part, finding.entity_type, value


def _counts(finding: Finding, lang: str, decision: Decision) -> bool:
    row = ENTITY_TABLE.get(finding.entity_type)
    direct = row is None or row.entity_class is EntityClass.DIRECT
    kept = operator_of(finding.entity_type, decision) is Operator.KEEP
    return direct and not kept and finding.score >= decision.thresholds.of(finding.entity_type, lang)


def _inside(finding: Finding, tokens: Sequence[Span]) -> bool:
    return any(token.start < finding.end and finding.start < token.end for token in tokens)


def _standing(values: Sequence[str], parts: Sequence[Part]) -> set[str]:
    """Return which of the values stand in the parts, folded, at word boundaries."""
    index = ValueIndex(map(read, values), inside=False)
    found: set[str] = set()
    for part in parts:
        text = part.text.reveal()
        if index.present(fold(text)):
            found.update(key for _, key in index.spans(text))
    return {value for value in values if identity(value) in found}
