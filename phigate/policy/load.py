"""Files to bundle: strict reading, checks across files, digests and signatures.

No clock is asked: an expired or revoked paper never stops a bundle from loading, it only closes its destination when
a request is decided (decisions 2). What is wrong is told with file and line, all of it in one reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from phigate.errors import PolicyFileError
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType
from phigate.policy import lock as locks
from phigate.policy.bundle import EPOCH, App, Bundle, Destination, DetectorSettings, Override, Regime, Rule, Site
from phigate.policy.decision import DestinationKind, Operator
from phigate.policy.destination_file import read_destinations, read_table
from phigate.policy.fields import Fields, Source, closest, settle
from phigate.policy.lock import DEVELOPMENT, TrustedKey
from phigate.policy.operators import admits
from phigate.policy.recordable import unrecordable
from phigate.policy.regime_file import read_regime
from phigate.policy.site_file import FILE as SITE_FILE
from phigate.policy.site_file import SiteFile, read_site
from phigate.policy.yamls import Map, Seq, parse
from phigate.wire.parts import Need

DESTINATIONS_FILE: Final = "destinations.yaml"
EXAMPLES_FILE: Final = "examples.yaml"
RECOGNIZERS_FILE: Final = "recognizers.yaml"
_REGIME_FILE: Final = re.compile(r"regimes/[a-z0-9][a-z0-9_-]{0,62}\.yaml")
_FIXED: Final = (DESTINATIONS_FILE, SITE_FILE, EXAMPLES_FILE, RECOGNIZERS_FILE, locks.FILE)
_MAX_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files say, and what is wrong with them; ``bundle`` is unsigned and only for looking at."""

    bundle: Bundle | None
    problems: tuple[PolicyFileError, ...]
    digests: Mapping[str, str]


def is_bundle_file(name: str) -> bool:
    """Return whether a file of this name, relative to the folder, belongs to a bundle."""
    return name in _FIXED or _REGIME_FILE.fullmatch(name) is not None


def load(files: Mapping[str, bytes], *, trust: Sequence[TrustedKey] = (), dev: bool = False) -> Bundle:
    """Return the bundle that these files make. Raises `PolicyFileError` for the first problem, others in ``more``.

    The lock must name every file with its digest and bear the signatures of two trusted roles; with ``dev`` the
    development signature is enough.
    """
    if locks.FILE not in files:
        problem = "the lock is missing, so nobody answers for these files; run phigate policy sign"
        raise PolicyFileError(problem, file=locks.FILE, line=1, code="PG002")
    lock = locks.read_lock(files[locks.FILE])
    reading = read(files)
    settle(reading.problems)
    settle(locks.check_digests(lock, reading.digests))
    signed_by = locks.verify(lock, trust=trust, dev=dev)
    bundle = reading.bundle
    assert bundle is not None  # without problems there is one
    settle(_unapproved(bundle.site, signed_by))
    return _sealed(bundle, lock, signed_by)


def _sealed(bundle: Bundle, lock: locks.Lock, signed_by: tuple[str, ...]) -> Bundle:
    return Bundle(
        digest=lock.digest,
        regimes=bundle.regimes,
        destinations=bundle.destinations,
        apps=bundle.apps,
        site=bundle.site,
        detector=bundle.detector,
        signed_by=signed_by,
        files=bundle.files,
        effective=lock.effective_at or EPOCH,
        examples=bundle.examples,
        examples_clock=bundle.examples_clock,
    )


def _unapproved(site: Site, signed_by: tuple[str, ...]) -> Iterator[PolicyFileError]:
    if signed_by == (DEVELOPMENT,):
        return
    widenings = [(f"override {o.id!r}", o.approved_by, o.line) for o in site.overrides if o.widen]
    widenings += [(f"flag {f.flag!r}", f.approved_by, f.line) for f in site.flag_approvals]
    for what, role, line in widenings:
        if role not in signed_by:
            yield _site_problem(f"{what} widens, and its approver {role} did not sign the lock", line, "PG040")


def read(files: Mapping[str, bytes]) -> Reading:
    """Read all files but the lock, and say everything that is wrong with them. Asks for no signature."""
    problems: list[PolicyFileError] = []
    roots = _parsed(files, problems)
    problems.extend(
        PolicyFileError("the file is missing; phigate init writes one", file=name, line=1)
        for name in (DESTINATIONS_FILE, SITE_FILE)
        if name not in files
    )
    digests = {name: locks.file_digest(root) for name, root in roots.items()}
    regimes = _regimes(roots, problems)
    destinations = _destinations(roots, problems)
    examples, clock = _examples(roots, problems)
    site = _site(roots, problems)
    if site is None:
        return Reading(None, tuple(problems), digests)
    bundle = Bundle(
        digest="unsigned",
        regimes=regimes,
        destinations=destinations,
        apps=site.apps,
        site=site.site,
        detector=_with_recognizers(site.detector, files, roots, problems),
        signed_by=(),
        files=dict(files),
        examples=examples,
        examples_clock=clock,
    )
    problems.extend(_across(bundle))
    return Reading(bundle, tuple(problems), digests)


def _parsed(files: Mapping[str, bytes], problems: list[PolicyFileError]) -> dict[str, Map]:
    roots = {}
    if len(files) > _MAX_FILES:
        problems.append(PolicyFileError(f"expected at most {_MAX_FILES} files", file="", line=1))
    for name in sorted(files)[:_MAX_FILES]:
        if not is_bundle_file(name):
            expected = f"regimes/NAME.yaml, {', '.join(_FIXED)}"
            problems.append(PolicyFileError(f"no file of a bundle; expected {expected}", file=name, line=1))
        elif name != locks.FILE:
            try:
                roots[name] = parse(files[name], file=name)
            except PolicyFileError as error:
                problems.append(error)
    return roots


def _regimes(roots: Mapping[str, Map], problems: list[PolicyFileError]) -> dict[str, Regime]:
    regimes: dict[str, Regime] = {}
    for name, root in roots.items():
        if not name.startswith("regimes/"):
            continue
        regime = read_regime(root, Source(name, problems))
        if regime.id in regimes:
            problem = f"the regime {regime.id!r} stands in {regimes[regime.id].file} already"
            problems.append(PolicyFileError(problem, file=name, line=1))
        regimes[regime.id] = regime
    if not regimes and not problems:
        problems.append(PolicyFileError("expected at least one regime, found none", file="regimes/", line=1))
    return regimes


def _destinations(roots: Mapping[str, Map], problems: list[PolicyFileError]) -> dict[str, Destination]:
    root = roots.get(DESTINATIONS_FILE)
    return read_destinations(root, Source(DESTINATIONS_FILE, problems)) if root is not None else {}


def _examples(roots: Mapping[str, Map], problems: list[PolicyFileError]) -> tuple[dict[str, Destination], datetime]:
    root = roots.get(EXAMPLES_FILE)
    if root is None:
        return {}, EPOCH
    source = Source(EXAMPLES_FILE, problems)
    top = Fields(source, root, "examples file", ("phigate", "test_clock", "destinations"))
    top.choice("phigate", ("examples/v1",))
    return read_table(top.table("destinations", required=True), source), top.date("test_clock")


def _site(roots: Mapping[str, Map], problems: list[PolicyFileError]) -> SiteFile | None:
    root = roots.get(SITE_FILE)
    return read_site(root, Source(SITE_FILE, problems)) if root is not None else None


def _with_recognizers(
    detector: DetectorSettings, files: Mapping[str, bytes], roots: Mapping[str, Map], problems: list[PolicyFileError]
) -> DetectorSettings:
    root = roots.get(RECOGNIZERS_FILE)
    if root is None:
        return detector
    entry = root.entries.get("recognizers")
    if entry is None or not isinstance(entry.value, Seq):
        problem = "expected the key recognizers with a list, as Presidio has it"
        problems.append(PolicyFileError(problem, file=RECOGNIZERS_FILE, line=root.line))
    return DetectorSettings(
        knob=detector.knob,
        allow=detector.allow,
        deny=detector.deny,
        custom=files[RECOGNIZERS_FILE].decode("utf-8"),
        part_timeout_s=detector.part_timeout_s,
        detector_down=detector.detector_down,
    )


def _across(bundle: Bundle) -> Iterator[PolicyFileError]:
    """Yield what one file says that another does not know, and names that no entry could hold."""
    yield from unrecordable(bundle)
    for regime in bundle.regimes.values():
        for rule in regime.rules:
            yield from _rule_words(regime, rule, bundle.site)
        yield from _reader(regime, bundle)
    yield from _aliases(bundle)
    for app in bundle.apps.values():
        yield from _app_words(app, bundle)
    for bind in bundle.site.bind:
        for word in sorted(bind.regimes - bundle.regimes.keys()):
            yield _site_problem(f"bind: unknown regime {word!r}; {closest(word, bundle.regimes)}", 1)
    for key in bundle.site.context_keys:
        for word in sorted(key.apps - bundle.apps.keys()):
            yield _site_problem(f"context_keys: unknown app {word!r}; {closest(word, bundle.apps)}", 1)
    for override in bundle.site.overrides:
        yield from _override_words(override, bundle)


def _site_problem(problem: str, line: int, code: str = "PG001") -> PolicyFileError:
    return PolicyFileError(problem, file=SITE_FILE, line=max(line, 1), code=code)


def _rule_words(regime: Regime, rule: Rule, site: Site) -> Iterator[PolicyFileError]:
    for tag in rule.when.tag_any:
        if tag not in site.tags:
            problem = f"rule {rule.id}: unknown tag {tag!r}; {closest(tag, site.tags)}, or add it to tags of site.yaml"
            yield PolicyFileError(problem, file=regime.file, line=rule.line)
    flag = rule.when.site_flag
    if flag and flag not in site.declared_flags:
        problem = f"rule {rule.id}: site.yaml does not declare the flag {flag!r}; write it under flags, false"
        yield PolicyFileError(problem, file=regime.file, line=rule.line)
    if rule.to.transfer_ok and regime.transfer is None:
        problem = f"rule {rule.id}: transfer_ok needs the key transfer in this regime"
        yield PolicyFileError(problem, file=regime.file, line=rule.line)


def _reader(regime: Regime, bundle: Bundle) -> Iterator[PolicyFileError]:
    """Yield what is wrong with a second reader: it stands in the house, and its model answers by a schema."""
    for name in sorted(regime.residual.readers):
        there = bundle.destinations.get(name)
        if there is None:
            problem = f"residual.reader: unknown destination {name!r}; {closest(name, bundle.destinations)}"
        elif there.kind is not DestinationKind.ONPREM:
            problem = f"residual.reader: {name} is outside; the second reader stands in the house"
        elif not any(Need.JSON_SCHEMA in model.can for model in there.models):
            problem = f"residual.reader: no model of {name} can json_schema, by which the reader answers"
        else:
            continue
        yield PolicyFileError(problem, file=regime.file, line=1)


def _aliases(bundle: Bundle) -> Iterator[PolicyFileError]:
    for alias, pairs in bundle.site.prefer.items():
        for destination, model in pairs:
            known = bundle.destinations.get(destination)
            if known is None:
                hint = closest(destination, bundle.destinations)
                yield _site_problem(f"aliases.{alias}: unknown destination {destination!r}; {hint}", 1)
            elif model not in {m.name for m in known.models}:
                hint = closest(model, [m.name for m in known.models])
                yield _site_problem(f"aliases.{alias}: {destination} lists no model {model!r}; {hint}", 1)


def _app_words(app: App, bundle: Bundle) -> Iterator[PolicyFileError]:
    aliases = bundle.site.prefer
    for word in sorted((app.regimes or frozenset()) - bundle.regimes.keys()):
        yield _site_problem(f"apps.{app.name}: unknown regime {word!r}; {closest(word, bundle.regimes)}", app.line)
    for word in sorted((app.aliases or frozenset()) - aliases.keys()):
        yield _site_problem(f"apps.{app.name}: unknown alias {word!r}; {closest(word, aliases)}", app.line)
    allowed = aliases.keys() if app.aliases is None else app.aliases
    if app.default_alias and app.default_alias not in allowed:
        hint = closest(app.default_alias, allowed)
        yield _site_problem(f"apps.{app.name}: default_alias is none of its aliases; {hint}", app.line)
    if not app.default_alias and not app.strict_models:
        yield _site_problem(f"apps.{app.name}: expected a default_alias or strict_models: true", app.line)


def _override_words(override: Override, bundle: Bundle) -> Iterator[PolicyFileError]:
    rules = {rule.id: rule for regime in bundle.regimes.values() for rule in regime.rules}
    permits = [rule.id for rule in rules.values() if rule.effect == "permit"]
    limits = [rule.id for rule in rules.values() if rule.effect == "limit"]
    where = f"override {override.id}"
    if override.accept_rule and override.accept_rule not in permits:
        yield _site_problem(f"{where}: unknown permit; {closest(override.accept_rule, permits)}", override.line)
    for word in override.lift:
        if word not in limits:
            yield _site_problem(f"{where}: unknown limit {word!r}; {closest(word, limits)}", override.line)
        elif rules[word].floor:
            problem = f"{where}: {word} is a floor, which no approval lifts"
            yield _site_problem(problem, override.line, "PG041")
    if override.match_app and not any(c in override.match_app for c in "*?[") and override.match_app not in bundle.apps:
        yield _site_problem(f"{where}: unknown app; {closest(override.match_app, bundle.apps)}", override.line)
    for entity_type, operator in override.transform.items():
        yield from _override_operator(where, override, entity_type, operator)


def _override_operator(
    where: str, override: Override, entity_type: EntityType, operator: Operator
) -> Iterator[PolicyFileError]:
    row = ENTITY_TABLE[entity_type]
    if not admits(row.family, operator):
        problem = f"{where}: {operator.value} cannot change {entity_type.value}, of the family {row.family.value}"
        yield _site_problem(problem, override.line)
    elif operator is Operator.KEEP and row.entity_class in {EntityClass.DIRECT, EntityClass.SPECIAL}:
        problem = f"{where}: {entity_type.value} is {row.entity_class.value} and would be kept as it is"
        yield _site_problem(problem, override.line, "PG012")
