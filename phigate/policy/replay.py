"""Past exchanges decided again under a changed bundle, from what the ledger holds: types, counts, tags; no text.

An entry knows scores to a tenth and not whether an operator would have left a value as it is. Where that matters, the
reading is taken that reproduces, under the bundle then in force, what was decided then; where none does, or that
bundle is not at hand, the stricter reading is taken and the exchange is counted as uncertain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from phigate.errors import PhigateError
from phigate.finding import ENTITY_TABLE, EntityType, Family
from phigate.policy.bundle import Bundle
from phigate.policy.decide import decide
from phigate.policy.decision import Decision, Facts, Form, Found, Hold, Operator
from phigate.wire.parts import Attachments

Record = Mapping[str, object]
Known = Callable[[str], Bundle | None]
REFUSED: Final = "refused"
_LEFT_ALONE: Final = {
    Family.DATE: frozenset({Operator.KEEP, Operator.YEAR}),
    Family.AGE: frozenset({Operator.KEEP, Operator.AGE90, Operator.BAND5}),
    Family.GEO: frozenset({Operator.KEEP, Operator.POSTAL3, Operator.STATE}),
}
_KEEP: Final = frozenset({Operator.KEEP})


def _unknown(_digest: str) -> None:
    """Know no bundle."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One exchange: where it went, where it would go, and whether its reading is certain."""

    rid: str
    app: str
    purpose: str
    types: tuple[str, ...]
    before: str
    after: str
    loosened: tuple[str, ...]
    tightened: tuple[str, ...]
    rules: tuple[str, ...]
    certain: bool


@dataclass(slots=True)
class Tally:
    """What a replay adds up to."""

    exchanges: int = 0
    skipped: int = 0  # entries that hold no decision, or that the bundle cannot decide
    uncertain: int = 0
    loosened: int = 0
    tightened: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_app: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # changed ones: app, before, after
    by_type: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)  # rules that spoke where something changed
    problems: Counter[str] = field(default_factory=Counter)

    def add(self, one: Replayed) -> None:
        """Count one exchange."""
        self.exchanges += 1
        self.uncertain += not one.certain
        self.loosened += bool(one.loosened)
        self.tightened += bool(one.tightened)
        self.moves[one.before, one.after] += 1
        if one.before != one.after:
            self.by_app[one.app, one.before, one.after] += 1
            self.by_rule.update(one.rules)
            for name in one.types or ("none",):
                self.by_type[name, one.before, one.after] += 1


def replay(
    records: Iterable[Record], *, after: Bundle, before: Known = _unknown, at: datetime | None = None
) -> Iterator[Replayed | str]:
    """Yield each exchange decided again, or why it cannot be.

    ``before`` returns the bundle of a digest, as it was in force, or None where it is not at hand.
    ``at`` is the instant at which papers are judged; None: the instant of each entry. A first attempt stands for its
    exchange; refusals that hold a decision count as exchanges too.
    """
    for record in records:
        if not _is_decided(record):
            continue
        try:
            yield _one(record, after=after, before=before(str(record.get("policy", ""))), at=at)
        except PhigateError as error:
            yield getattr(error, "code", "undecided")
        except (KeyError, TypeError, ValueError):
            yield "unreadable"


def tally(replayed: Iterable[Replayed | str]) -> Tally:
    """Add up a replay."""
    total = Tally()
    for one in replayed:
        if isinstance(one, str):
            total.skipped += 1
            total.problems[one] += 1
        else:
            total.add(one)
    return total


def _is_decided(record: Record) -> bool:
    kind = record.get("kind")
    return (kind == "intent" and record.get("attempt", 1) == 1) or (kind == "refusal" and "forms" in record)


def _one(record: Record, *, after: Bundle, before: Bundle | None, at: datetime | None) -> Replayed:
    then = instant_of(record)
    recorded = _forms(record)
    strict, lenient = (facts_of(record, now=then, lenient=each) for each in (False, True))
    chosen, certain = strict, strict == lenient
    if before is not None:
        fitting = [facts for facts in (strict, lenient) if _decided(before, facts).forms == recorded]
        chosen, certain = (fitting[0], True) if fitting else (strict, False)
    decision = _decided(after, _moved(chosen, at or then))
    looser, tighter = _compare(recorded, decision.forms)
    return Replayed(
        rid=str(record.get("rid", "")),
        app=chosen.app,
        purpose=decision.purpose,
        types=tuple(sorted(str(found.entity_type) for found in chosen.found)),
        before=_went(record),
        after=_would_go(decision),
        loosened=looser,
        tightened=tighter,
        rules=decision.rules,
        certain=certain,
    )


def _decided(bundle: Bundle, facts: Facts) -> Decision:
    return decide(bundle, facts)


def _moved(facts: Facts, now: datetime) -> Facts:
    return Facts(
        facts.app, facts.found, facts.complete, facts.attachments, facts.model, facts.needs, now, facts.inherited,
        facts.tags, facts.purpose, facts.endpoint,
    )  # fmt: skip


def instant_of(record: Record) -> datetime:
    """Return the instant of an entry, from its ``ts``. Raises `ValueError` without one."""
    at = datetime.fromisoformat(str(record["ts"]))
    if at.tzinfo is None:
        raise ValueError("an entry's time names its zone")
    return at


def facts_of(record: Record, *, now: datetime, lenient: bool = False) -> Facts:
    """Return the facts that an entry remembers. ``lenient``: values that an operator may leave alone are left alone."""
    flags = _list(record, "flags")
    tags = frozenset(_list(record, "tags"))
    purpose = record.get("purpose")
    return Facts(
        app=str(record["app"]),
        found=_found(record, lenient=lenient),
        complete=record.get("complete") is not False,
        attachments=Attachments(str(record.get("attachments", "none"))),
        model=str(record.get("alias", "")),
        needs=frozenset(),
        now=now,
        inherited=frozenset(Hold(hold) for hold in _list(record, "inherited")),
        tags=None if "tags_missing" in flags else tags,
        purpose=str(purpose) if purpose else None,
    )


def _found(record: Record, *, lenient: bool) -> tuple[Found, ...]:
    table = record.get("found", {})
    if not isinstance(table, Mapping):
        raise TypeError("found is a table")
    langs = _list(record, "lang")
    lang = langs[0] if len(langs) == 1 else ""
    rows = []
    for name, row in table.items():
        entity_type = EntityType(name) if name in EntityType.__members__ else str(name)
        count, tenths = int(row[0]), int(row[1])
        alone = (
            _LEFT_ALONE.get(ENTITY_TABLE[entity_type].family, _KEEP) if isinstance(entity_type, EntityType) else _KEEP
        )
        # Rounded to the nearest tenth when written: the score may have been half a tenth higher.
        score = min(tenths / 10 + 0.05, 1.0)
        rows.append(Found(entity_type, lang, (score,) * max(count, 1), alone if lenient else _KEEP))
    return tuple(rows)


def _list(record: Record, key: str) -> list[str]:
    value = record.get(key, [])
    if not isinstance(value, list):
        raise TypeError(f"{key} is a list")
    return [str(item) for item in value]


def _forms(record: Record) -> dict[str, Form]:
    forms = record["forms"]
    if not isinstance(forms, Mapping):
        raise TypeError("forms is a table")
    return {str(name): Form[str(form).upper()] for name, form in forms.items()}


def _went(record: Record) -> str:
    destination = record.get("destination")
    if not isinstance(destination, Mapping):
        return REFUSED
    return f"{destination['id']} {destination['form']}"


def _would_go(decision: Decision) -> str:
    if not decision.candidates:
        return REFUSED
    first = decision.candidates[0]
    return f"{first.destination} {first.form.name.lower()}"


def _compare(old: Mapping[str, Form], new: Mapping[str, Form]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    looser = [name for name, form in new.items() if form < old.get(name, Form.NO)]
    tighter = [name for name, form in old.items() if new.get(name, Form.NO) > form]
    return tuple(looser), tuple(tighter)
