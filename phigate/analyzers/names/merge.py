"""Layer L5 for names: rules and tagger vouch for each other, and their spans become findings.

A title or a label stands by itself. A run of the gazetteer stands by itself when it is long and known, else it needs
some chance from the tagger; so does a span of the tagger that the lists know nothing of. Without weights the
gazetteer's own scores decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phigate.analyzers.names.decode import PERSON
from phigate.analyzers.names.lexicon import CALENDAR, GIVEN, MEDICAL, NUMBER_LABEL, RARE
from phigate.analyzers.names.tagger import Floats
from phigate.analyzers.names.titles import NameSpan
from phigate.analyzers.names.words import LETTER, LOWER, SIGN, UPPER, Words
from phigate.finding import EntityType, Finding

_PEOPLE: Final = frozenset({EntityType.PERSON, EntityType.RELATIVE_NAME, EntityType.CLINICIAN_NAME})
_PLACES: Final = frozenset({"place", "country"})
_SHORT: Final = 2
_BAR: Final = 0.4  # without a tagger
_BAR_RECALL: Final = 0.2
# Score of the gazetteer -> chance of the tagger that it needs, the surest first.
_NEEDED: Final = ((0.75, 0.0), (0.5, 0.04), (0.4, 0.15), (0.3, 0.3), (0.2, 0.5))


def merge(words: Words, spans: Sequence[NameSpan], chances: Floats | None, *, recall: bool) -> list[Finding]:
    """Choose among spans and join those that overlap within one kind; the surest rule names the result."""
    kept = [span for span in spans if _stands(span, chances, recall=recall)]
    wholes = [span for span in kept if span.rule == "body" or (span.rule in _PLACES and span.last > span.first)]
    groups: dict[str, list[NameSpan]] = {}
    for span in kept:
        kind = "person" if span.entity_type in _PEOPLE else str(span.entity_type)
        inside = any(whole.first <= span.first and span.last <= whole.last for whole in wholes)
        if kind == "person" and span.rule in {"gazetteer", "tagger"} and inside:
            continue  # a hospital that bears a person's name, a town that bears a saint's
        groups.setdefault(kind, []).append(span)
    return sorted(finding for group in groups.values() for finding in _joined(words, group))


def _stands(span: NameSpan, chances: Floats | None, *, recall: bool) -> bool:
    if span.rule == "country":
        return True  # its score is below the bars on purpose
    if span.rule != "gazetteer":
        return span.score >= (_BAR_RECALL if recall else _BAR)
    if chances is None:
        return span.score >= (_BAR_RECALL if recall else _BAR)
    needed = next((chance for score, chance in _NEEDED if span.score >= score), 1.0)
    return float(chances[span.first : span.last + 1, PERSON].max()) >= (needed / 4 if recall else needed)


def _joined(words: Words, group: list[NameSpan]) -> list[Finding]:
    merged: list[list[NameSpan]] = []
    reach = -1
    for span in sorted(group, key=lambda item: (item.first, item.last)):
        if merged and span.first <= reach:
            merged[-1].append(span)
            reach = max(reach, span.last)
        else:
            merged.append([span])
            reach = span.last
    return [_finding(words, members) for members in merged]


def _with_given(words: Words, first: int, last: int) -> int:
    """Return where a name ends that is written surname first: "PACHECO URRUTIA, MIREN", "HOLLOWAY, S."."""
    given = last + 2
    if given >= len(words) or words.folded[last + 1] != "," or not (words.joined(last) and words.joined(last + 1)):
        return last
    case, flags = words.cases[given], words.flags[given]
    if case == LETTER:
        return given
    nobody = flags & (MEDICAL | NUMBER_LABEL | CALENDAR) or words.is_common(given) or words.is_grammar(given)
    shouted = case == UPPER and all(words.cases[k] in {UPPER, SIGN, LETTER} for k in range(first, last + 1))
    known = flags & GIVEN and not flags & RARE and case != LOWER
    return given if (known or (shouted and len(words.folded[given]) > _SHORT)) and not nobody else last


def _finding(words: Words, members: list[NameSpan]) -> Finding:
    best = max(members, key=lambda item: (item.entity_type is not EntityType.PERSON, item.score))
    last = max(item.last for item in members)
    if best.entity_type in _PEOPLE:
        last = _with_given(words, members[0].first, last)
    score = max(item.score for item in members)
    for item in members:
        if item.rule == "country" and (item.first, item.last) == (members[0].first, last):
            best, score = item, item.score  # however sure the tagger is of a place, it is no more than a country
    return Finding(
        start=words.tokens.starts[members[0].first],
        end=words.tokens.ends[last],
        entity_type=best.entity_type,
        score=round(score, 3),
        source=f"names:{best.rule}",
    )
