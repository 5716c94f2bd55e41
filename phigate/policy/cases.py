"""Inline tests: what a regime or site file says should happen, decided on stub findings in milliseconds.

A case of a regime file runs under that regime on the destinations of ``examples.yaml`` at its ``test_clock``; a case
of the site file runs on the real destinations at the site's ``test_clock``. ``at`` moves the clock. ``mode`` is the
loosest form outside and ``to`` the destinations outside that have it (decisions 15).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from phigate.errors import PolicyFileError
from phigate.finding import EntityType
from phigate.policy.bundle import EPOCH, App, Bundle, Case, Destination
from phigate.policy.decide import decide
from phigate.policy.decision import Decision, DestinationKind, Facts, Form, Found, Mode, Operator
from phigate.policy.fields import closest, instant
from phigate.policy.words import FLAGS
from phigate.wire.parts import Attachments

ALIAS: Final = "every-model"
APP: Final = "case"
# (type, operator, value) -> value after the operator; None: no operators at hand, such cases are skipped.
Transformer = Callable[[EntityType, Operator, str], str]

KEYS: Final = ("name", "at", "regimes", "app", "given", "expect", "transform", "text", "lang")
_GIVEN: Final = (
    "findings", "purpose", "tags", "flags", "attachments", "detection", "only", "error_in", "endpoint", "inherited",
)  # fmt: skip
_FINDING: Final = ("type", "score", "lang", "unchanged_by")
_EXPECT: Final = ("mode", "to", "rule", "not_rule", "transform", "obligations", "flags", "finds")


class Outcome(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # needs operators or a detector that are not at hand


@dataclass(frozen=True, slots=True)
class Result:
    """One case, how it ended, and what was expected and found where it failed."""

    case: Case
    outcome: Outcome
    problems: tuple[str, ...] = ()
    matched: frozenset[str] = frozenset()  # rules that matched, for coverage
    asked: frozenset[str] = frozenset()  # rules that could have


def cases_of(bundle: Bundle) -> Iterator[Case]:
    """Yield the cases of all files, regimes first."""
    for name in sorted(bundle.regimes):
        yield from bundle.regimes[name].cases
    yield from bundle.site.cases


def run(bundle: Bundle, *, transformer: Transformer | None = None) -> tuple[Result, ...]:
    """Run every case without text. Raises `PolicyFileError` for a case that is not written as a case."""
    return tuple(run_one(bundle, case, transformer=transformer) for case in cases_of(bundle))


def run_one(bundle: Bundle, case: Case, *, transformer: Transformer | None = None) -> Result:
    """Run one case."""
    body = _known(case, case.body, KEYS, "case")
    if "text" in body:
        return Result(case, Outcome.SKIPPED)
    if "transform" in body:
        return _run_transform(bundle, case, body["transform"], transformer)
    setting = stage(bundle, case)
    facts = facts_of(case, setting)
    broken = frozenset(_words(case, _given(case), "error_in"))
    asked = frozenset(r.id for name in setting.regimes for r in bundle.regimes[name].rules)
    for unknown in broken - asked:
        raise _wrong(case, f"error_in: unknown rule {unknown!r}; {closest(unknown, asked)}")
    decision = decide(setting.bundle, facts, broken=broken)
    problems = tuple(differences(case, setting, decision))
    return Result(
        case, Outcome.FAILED if problems else Outcome.PASSED, problems, frozenset(decision.rules) - broken, asked
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """The bundle that a case is decided on, with one app and one alias that names every model."""

    bundle: Bundle
    app: str
    regimes: tuple[str, ...]
    at: datetime


def stage(bundle: Bundle, case: Case) -> Setting:
    """Return the bundle as this case asks for it: which regimes, destinations, flags and clock."""
    given = _given(case)
    of_regime = next((r for r in bundle.regimes.values() if r.file == case.file), None)
    on_examples = of_regime is not None and bool(bundle.examples)
    destinations = bundle.examples if on_examples else bundle.destinations
    clock = bundle.examples_clock if on_examples else bundle.site.test_clock
    only = _words(case, given, "only")
    for unknown in set(only) - destinations.keys():
        raise _wrong(case, f"only: unknown destination {unknown!r}; {closest(unknown, destinations)}")
    if only:
        destinations = {k: d for k, d in destinations.items() if k in only or d.kind is DestinationKind.ONPREM}
    app = _app(bundle, case)
    regimes = _words(case, case.body, "regimes") or ([of_regime.id] if of_regime is not None else [])
    for unknown in set(regimes) - bundle.regimes.keys():
        raise _wrong(case, f"regimes: unknown regime {unknown!r}; {closest(unknown, bundle.regimes)}")
    if regimes:
        app = replace(app, regimes=frozenset(regimes))
    if given.get("tags") == "missing":
        app = replace(app, tags_required=True)
    site = bundle.site
    flags = _words(case, given, "flags")
    for unknown in set(flags) - set(FLAGS):
        raise _wrong(case, f"flags: unknown flag {unknown!r}; {closest(unknown, FLAGS)}")
    staged = replace(
        bundle,
        # Tests speak of the rules once they are in force, whenever that is.
        effective=EPOCH,
        regimes={name: replace(regime, effective=EPOCH) for name, regime in bundle.regimes.items()},
        destinations=destinations,
        apps={app.name: app},
        site=replace(
            site,
            bind=() if regimes else site.bind,
            prefer={ALIAS: _every_model(destinations)},
            flags=site.flags | set(flags),
            flag_approvals=tuple(a for a in site.flag_approvals if a.flag not in flags),
        ),
    )
    named = tuple(sorted(regimes or app.regimes or bundle.regimes))
    return Setting(staged, app.name, named, _clock(case, clock))


def _app(bundle: Bundle, case: Case) -> App:
    name = case.body.get("app")
    if name is None:
        return App(APP, tenant=APP, purpose="", default_alias=ALIAS)
    if not isinstance(name, str) or name not in bundle.apps:
        raise _wrong(case, f"app: unknown app {name!r}; {closest(str(name), bundle.apps)}")
    return replace(bundle.apps[name], aliases=None, default_alias=ALIAS, strict_models=False)


def _every_model(destinations: Mapping[str, Destination]) -> tuple[tuple[str, str], ...]:
    return tuple((d.id, m.name) for d in destinations.values() for m in d.models)


def _clock(case: Case, clock: datetime) -> datetime:
    at = case.body.get("at")
    if at is None:
        return clock
    try:
        return instant(str(at))
    except ValueError:
        raise _wrong(case, f"at: expected a date as 2026-12-31, found {at!r}") from None


def facts_of(case: Case, setting: Setting) -> Facts:
    """Return the facts that a case gives."""
    given = _given(case)
    registered = setting.bundle.apps[setting.app]
    tags = given.get("tags")
    words: frozenset[str] | None = frozenset()
    if tags == "missing":  # `stage` registered an app that demands its tags
        words = None
    elif tags is not None:
        words = frozenset(_words(case, given, "tags"))
        for unknown in words - setting.bundle.site.tags:
            raise _wrong(case, f"tags: unknown tag {unknown!r}; {closest(unknown, setting.bundle.site.tags)}")
    purpose = given.get("purpose")
    return Facts(
        app=registered.name,
        found=tuple(_found(case, item) for item in _list(case, given, "findings")),
        complete=_one_of(case, given, "detection", ("complete", "incomplete")) == "complete",
        attachments=Attachments(_one_of(case, given, "attachments", ("none", "uncleaned"))),
        model=ALIAS,
        needs=frozenset(),
        now=setting.at,
        tags=words,
        purpose=str(purpose) if purpose is not None else None,
        endpoint=_one_of(case, given, "endpoint", ("chat", "completions", "embeddings", "messages", "responses")),
    )


def _found(case: Case, item: object) -> Found:
    """Return one stub finding: a type, or a mapping with its score, language and the operators that leave it alone."""
    fields: Mapping[str, object] = {"type": item} if isinstance(item, str) else _mapping(case, item, "findings")
    fields = _known(case, fields, _FINDING, "findings")
    name, score = str(fields.get("type", "")), fields.get("score", 1.0)
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        raise _wrong(case, f"findings: expected a score from 0 to 1, found {score!r}")
    unchanged = {Operator.KEEP}
    for word in _words(case, fields, "unchanged_by"):
        if word not in {o.value for o in Operator}:
            raise _wrong(case, f"unchanged_by: unknown operator {word!r}")
        unchanged.add(Operator(word))
    entity_type = EntityType(name) if name in EntityType.__members__ else name
    return Found(entity_type, str(fields.get("lang", "")), (float(score),), frozenset(unchanged))


def outside(decision: Decision, bundle: Bundle) -> tuple[Mode, tuple[str, ...]]:
    """Return the loosest form outside as a mode, and the destinations that have it."""
    external = {i: f for i, f in decision.forms.items() if bundle.destinations[i].kind is DestinationKind.EXTERNAL}
    loosest = min(external.values(), default=Form.NO)
    if loosest is Form.NO:
        return (Mode.BLOCK if decision.mode is Mode.BLOCK else Mode.KEEP_ONPREM), ()
    mode = Mode.SEND_RAW if loosest is Form.RAW else Mode.SEND_SCRUBBED
    return mode, tuple(sorted(i for i, form in external.items() if form is loosest))


def differences(
    case: Case, setting: Setting, decision: Decision, *, finds: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield what a case expected and did not get; ``finds`` are the types that the detector found in its text."""
    expect = _known(case, _mapping(case, case.body.get("expect", {}), "expect"), _EXPECT, "expect")
    if not expect:
        raise _wrong(case, "expect: the case expects nothing")
    mode, to = outside(decision, setting.bundle)
    if "mode" in expect and expect["mode"] != mode.value:
        yield f"mode: expected {expect['mode']}, found {mode.value}"
    if "to" in expect and sorted(_words(case, expect, "to")) != list(to):
        yield f"to: expected {', '.join(sorted(_words(case, expect, 'to'))) or 'none'}, found {', '.join(to) or 'none'}"
    yield from _missing(case, expect, "rule", decision.rules)
    if "not_rule" in expect and expect["not_rule"] in decision.rules:
        yield f"not_rule: {expect['not_rule']} matched"
    yield from _missing(case, expect, "obligations", decision.obligations)
    yield from _missing(case, expect, "flags", decision.flags)
    yield from _missing(case, expect, "finds", sorted(finds))
    for name, operator in _mapping(case, expect.get("transform", {}), "expect.transform").items():
        found = decision.operators[EntityType(name)] if name in EntityType.__members__ else decision.unknown_operator
        if operator != found.value:
            yield f"transform.{name}: expected {operator}, found {found.value}"


def _missing(case: Case, expect: Mapping[str, object], key: str, found: Iterable[str]) -> Iterator[str]:
    wanted = expect.get(key)
    words = [wanted] if isinstance(wanted, str) else _words(case, expect, key)
    have = tuple(found)
    for word in words:
        if word not in have:
            yield f"{key}: expected {word}, found {', '.join(have) or 'none'}"


def _run_transform(bundle: Bundle, case: Case, rows: object, transformer: Transformer | None) -> Result:
    regime = next((r for r in bundle.regimes.values() if r.file == case.file), None)
    if regime is None or not isinstance(rows, list):
        raise _wrong(case, "transform: expected rows [TYPE, before, after] in a regime file")
    problems = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 3 or row[0] not in EntityType.__members__:
            raise _wrong(case, f"transform: expected [TYPE, before, after], found {row!r}")
        name, before, after = (str(cell) for cell in row)
        rule = regime.entities.get(EntityType(name))
        if rule is None:
            problems.append(f"{name}: the regime has no row for it")
        elif transformer is not None:
            found = transformer(rule.entity_type, rule.operator, before)
            if found != after:
                problems.append(f"{name} {before}: expected {after}, found {found}")
    if problems:
        return Result(case, Outcome.FAILED, tuple(problems))
    return Result(case, Outcome.PASSED if transformer is not None else Outcome.SKIPPED)


def _given(case: Case) -> Mapping[str, object]:
    return _known(case, _mapping(case, case.body.get("given", {}), "given"), _GIVEN, "given")


def _mapping(case: Case, value: object, what: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise _wrong(case, f"{what}: expected keys and values, found {value!r}")


def _known(case: Case, body: Mapping[str, object], keys: tuple[str, ...], what: str) -> Mapping[str, object]:
    for key in body:
        if key not in keys:
            raise _wrong(case, f"{what}: unknown key {key!r}; {closest(key, keys)}")
    return body


def _list(case: Case, body: Mapping[str, object], key: str) -> list[object]:
    value = body.get(key, [])
    if not isinstance(value, list):
        raise _wrong(case, f"{key}: expected a list, found {value!r}")
    return value


def _words(case: Case, body: Mapping[str, object], key: str) -> list[str]:
    words = _list(case, body, key)
    for word in words:
        if not isinstance(word, str):
            raise _wrong(case, f"{key}: expected words, found {word!r}")
    return [str(word) for word in words]


def _one_of(case: Case, body: Mapping[str, object], key: str, among: tuple[str, ...]) -> str:
    value = body.get(key, among[0])
    if value not in among:
        raise _wrong(case, f"{key}: unknown word {value!r}; {closest(str(value), among)}")
    return str(value)


def _wrong(case: Case, problem: str) -> PolicyFileError:
    return PolicyFileError(f"test {case.name!r}: {problem}", file=case.file, line=case.line)
