"""The breach-scope query: which requests with which findings left to whom, between two times. Pure, over fields.

It knows what the gateway saw: what no recognizer found is in no entry, and every answer must say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

LIMITS: Final = "counts what the gateway saw: what no recognizer found is in no entry"
MAX_INDEXES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. Empty means any. Times are RFC 3339 UTC and compare as text, [start, end)."""

    start: str = ""
    end: str = ""
    destinations: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    forms: frozenset[str] = frozenset()
    regimes: frozenset[str] = frozenset()
    detector: str = ""
    group_by: tuple[str, ...] = ("tenant", "app", "day")


@dataclass(slots=True)
class Answer:
    """Disclosures: intents that match and whose outcome is not ``not_sent``. An open intent counts as one."""

    requests: int = 0
    first: int = -1
    last: int = -1
    not_sent: int = 0
    without_outcome: int = 0
    subjects: set[str] = field(default_factory=set)
    without_subject: int = 0
    misses: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    groups: Counter[tuple[str, ...]] = field(default_factory=Counter)
    policies: set[str] = field(default_factory=set)
    rules: Counter[str] = field(default_factory=Counter)
    provider_requests: list[str] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the answer for machines."""
        return {
            "requests": self.requests,
            "not_sent": self.not_sent,
            "without_outcome": self.without_outcome,
            "first": self.first,
            "last": self.last,
            "subjects": {"known": len(self.subjects), "requests_without": self.without_subject},
            "types": dict(sorted(self.types.items())),
            "misses": dict(sorted(self.misses.items())),
            "rules": dict(sorted(self.rules.items())),
            "policies": sorted(self.policies),
            "groups": [[*names, count] for names, count in sorted(self.groups.items())],
            "provider_requests": self.provider_requests,
            "indexes": self.indexes,
            "limits": LIMITS,
        }


def scope(entries: Iterable[tuple[int, Mapping[str, Any]]], question: Question) -> Answer:
    """Answer from all entries of a log, in order. Memory grows with the matching requests alone."""
    answer = Answer()
    open_: dict[tuple[str, int], tuple[int, Mapping[str, Any]]] = {}
    for index, fields in entries:
        about = (str(fields.get("rid", "")), int(fields.get("attempt", 0)))
        if fields["kind"] == "intent" and _matches(fields, question):
            open_[about] = (index, fields)
        elif fields["kind"] == "outcome" and about in open_:
            at, intent = open_.pop(about)
            if fields["status"] == "not_sent":
                answer.not_sent += 1
                continue
            _count(answer, at, intent, question)
            answer.misses.update(fields.get("miss", {}))
            if "provider_request" in fields:
                answer.provider_requests.append(fields["provider_request"])
    for at, intent in open_.values():
        answer.without_outcome += 1
        _count(answer, at, intent, question)
    answer.indexes.sort()
    return answer


def _matches(fields: Mapping[str, Any], question: Question) -> bool:
    destination = fields["destination"]
    wanted = (
        (question.destinations, {destination["id"]}),
        (question.types, set(fields["found"])),
        (question.forms, {destination["form"]}),
        (question.regimes, {row[0] for row in fields["regimes"]}),
    )
    return (
        (not question.start or fields["ts"] >= question.start)
        and (not question.end or fields["ts"] < question.end)
        and (not question.detector or question.detector in fields["detector"])
        and all(not asked or asked & found for asked, found in wanted)
    )


def _count(answer: Answer, index: int, intent: Mapping[str, Any], question: Question) -> None:
    answer.requests += 1
    answer.first = index if answer.first < 0 else min(answer.first, index)
    answer.last = max(answer.last, index)
    tags = {row[1] for row in intent.get("subj", [])}
    answer.subjects |= tags
    answer.without_subject += not tags
    for kind, (count, _) in intent["found"].items():
        answer.types[kind] += count
    answer.rules.update(intent.get("rules", []))
    answer.policies.add(intent["policy"])
    answer.groups[tuple(_name(intent, each) for each in question.group_by)] += 1
    if len(answer.indexes) < MAX_INDEXES:
        answer.indexes.append(index)


def _name(intent: Mapping[str, Any], what: str) -> str:
    match what:
        case "day":
            return str(intent["ts"])[:10]
        case "destination" | "form" | "model" | "recipient" | "country":
            return str(intent["destination"].get("id" if what == "destination" else what, ""))
        case _:
            return str(intent.get(what, ""))
