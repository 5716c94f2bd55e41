"""Lint: every check of the table, over a bundle that reads. Each finding has code, file, line and the line's text.

Nothing here is asked when a request is decided; a bundle with errors is not activated, one that expires goes on
running with its destinations closed (decisions 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Final

from phigate.errors import PolicyFileError
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType
from phigate.policy.bundle import Attestation, Bundle, Destination, Regime, Rule
from phigate.policy.cases import Outcome, Result, cases_of, run_one
from phigate.policy.decision import DestinationKind, Operator
from phigate.policy.lint_cells import CELL_CHECKS, Check, Outlook, Problem, bound_together
from phigate.policy.lint_codes import CODES, Level
from phigate.policy.load import DESTINATIONS_FILE
from phigate.policy.operators import join
from phigate.policy.plan import Pair, accepts, covers
from phigate.policy.site_file import FILE as SITE_FILE

SOON: Final = timedelta(days=60)
LONG_WIDENING: Final = timedelta(days=180)
OLD_SHADOW: Final = timedelta(days=30)
_SAFE_HARBOR: Final[dict[str, tuple[EntityType, ...]]] = {
    "A": (EntityType.PERSON, EntityType.RELATIVE_NAME),
    "B": (
        EntityType.STREET,
        EntityType.CITY,
        EntityType.COUNTY,
        EntityType.LOCATION,
        EntityType.ZIP,
        EntityType.GEOCODE,
    ),
    "C": (EntityType.DATE, EntityType.DOB, EntityType.AGE),
    "D-F": (EntityType.PHONE, EntityType.FAX, EntityType.EMAIL),
    "G-I": (EntityType.US_SSN, EntityType.MRN, EntityType.HEALTH_PLAN_ID),
    "J-K": (EntityType.ACCOUNT, EntityType.LICENSE),
    "L-M": (EntityType.VEHICLE_ID, EntityType.DEVICE_ID),
    "N-O": (EntityType.URL, EntityType.IP_ADDRESS),
    "P-Q": (EntityType.BIOMETRIC, EntityType.FACE_IMAGE),
    "R": (EntityType.UNIQUE_ID, EntityType.RARE_CHARACTERISTIC),
}
_NEVER_SAFE_HARBOR: Final = (Operator.DATE_SHIFT, Operator.HASH_KEYED, Operator.KEEP)


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding. ``text`` is the line of the file that it speaks of."""

    code: str
    level: Level
    problem: str
    file: str
    line: int
    text: str

    @property
    def why(self) -> str:
        """Return why it matters."""
        return CODES[self.code].why

    @property
    def mend(self) -> str:
        """Return how to mend it."""
        return CODES[self.code].mend


def of_error(error: PolicyFileError, files: Mapping[str, bytes]) -> Lint:
    """Return a problem of reading as a finding."""
    level = CODES[error.code].level
    return Lint(error.code, level, error.problem, error.file, error.line, line_text(files, error.file, error.line))


def line_text(files: Mapping[str, bytes], file: str, line: int) -> str:
    """Return one line of one file, without its indent; "" where there is none."""
    lines = files.get(file, b"").decode("utf-8", "replace").splitlines()
    return lines[line - 1].strip()[:160] if 0 < line <= len(lines) else ""


def lint(bundle: Bundle, outlook: Outlook) -> tuple[Lint, ...]:
    """Return everything that the checks find, by file and line."""
    found = []
    for check in CHECKS:
        for code, problem, file, line in check(bundle, outlook):
            text = line_text(bundle.files, file, line)
            level = Level.WARN if code == "PG020" and problem.endswith(_UNREACHED) else CODES[code].level
            found.append(Lint(code, level, problem, file, max(line, 1), text))
    return tuple(sorted(set(found), key=lambda f: (f.file, f.line, f.code, f.problem)))


# --- types -----------------------------------------------------------------------------------------------------------


def _types(bundle: Bundle, outlook: Outlook) -> Iterator[Problem]:
    found = [t for t, row in ENTITY_TABLE.items() if row.recognizer != "none"]
    denied = [t for t in bundle.detector.deny.values() if t not in found]
    for regime in bundle.regimes.values():
        asked = [t for rule in regime.rules for t in rule.when.finding_any]
        for entity_type in dict.fromkeys([*found, *denied, *asked]):
            if entity_type not in regime.entities:
                yield "PG010", f"{regime.id}: {entity_type.value} has no row", regime.file, 1
        for rule in regime.rules:
            dead = [t.value for t in rule.when.finding_any if _unfound(t, outlook)]
            if dead:
                problem = f"{rule.id} asks for {', '.join(dead)}, which no recognizer finds"
                yield "PG064", problem, regime.file, rule.line


def _unfound(entity_type: EntityType, outlook: Outlook) -> bool:
    if outlook.finds is not None:
        return not outlook.finds.get(entity_type)
    return ENTITY_TABLE[entity_type].recognizer == "none"


def _thresholds(bundle: Bundle, outlook: Outlook) -> Iterator[Problem]:
    for regime in bundle.regimes.values():
        for rule in regime.entities.values():
            for lang in sorted(outlook.languages):
                asked = rule.thresholds.get(lang, rule.thresholds.get("", 0.0))
                most = outlook.calibrated.get((rule.entity_type, lang))
                where = f"{regime.id}: {rule.entity_type.value} in {lang}"
                if most is not None and asked > most:
                    yield "PG016", f"{where} counts from {asked:g}, measured up to {most:g}", regime.file, rule.line
                direct = rule.entity_class is EntityClass.DIRECT and not _unfound(rule.entity_type, outlook)
                if direct and outlook.finds is not None and lang not in outlook.finds.get(rule.entity_type, ()):
                    yield "PG017", f"{where} is direct, and nothing finds it", regime.file, rule.line


def _methods(bundle: Bundle, _outlook: Outlook) -> Iterator[Problem]:
    for regime in bundle.regimes.values():
        if regime.method == "safe_harbor":
            yield from _safe_harbor(regime)
        if regime.method == "expert_determination" and (not regime.expert_doc or regime.expert_expires is None):
            yield "PG015", f"{regime.id}: expert_determination without the opinion", regime.file, 1


def _safe_harbor(regime: Regime) -> Iterator[Problem]:
    for letter, types in _SAFE_HARBOR.items():
        for entity_type in types:
            rule = regime.entities.get(entity_type)
            if rule is None:
                yield "PG014", f"({letter}) {entity_type.value} is not mapped", regime.file, 1
            elif rule.entity_class is EntityClass.OPERATIONAL:
                yield "PG014", f"({letter}) {entity_type.value} is called operational", regime.file, rule.line
    for rule in regime.entities.values():
        listed = any(rule.entity_type in types for types in _SAFE_HARBOR.values())
        if rule.operator in _NEVER_SAFE_HARBOR and (listed or rule.operator is not Operator.KEEP):
            problem = f"{rule.entity_type.value}: {rule.operator.value} is no removal under 164.514(b)(2)"
            yield "PG014", problem, regime.file, rule.line
        if rule.operator is Operator.POSTAL3 and not regime.zip3:
            yield "PG014", f"{rule.entity_type.value}: postal3 needs tables: {{zip3: …}}", regime.file, rule.line


def _date_shift(bundle: Bundle, _outlook: Outlook) -> Iterator[Problem]:
    for regime in bundle.regimes.values():
        shifted = [r for r in regime.entities.values() if r.operator is Operator.DATE_SHIFT]
        restoring = [rule for rule in regime.rules if "reidentify_response" in rule.obligations]
        for rule in restoring if shifted else ():
            problem = f"{rule.id} restores replies, and {shifted[0].entity_type.value} is shifted"
            yield "PG063", problem, regime.file, rule.line


# --- destinations ----------------------------------------------------------------------------------------------------

_UNREACHED: Final = "; no permit that names PHI reaches it"


def _destinations(bundle: Bundle, outlook: Outlook) -> Iterator[Problem]:
    if not any(d.kind is DestinationKind.ONPREM for d in bundle.destinations.values()):
        yield "PG052", "no destination of kind onprem", DESTINATIONS_FILE, 1
    for destination in bundle.destinations.values():
        if destination.kind is DestinationKind.EXTERNAL:
            yield from _identity(bundle, destination, outlook)
        for paper in destination.attest:
            yield from _paper(destination, paper, outlook.now)


def _identity(bundle: Bundle, destination: Destination, outlook: Outlook) -> Iterator[Problem]:
    wanted = {
        "country": destination.country,
        "region": destination.region,
        "region_pinned: true": destination.region_pinned,
        "legal_entity": destination.legal_name and destination.legal_address,
    }
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        reached = any(_reaches(regime, destination, outlook.now) for regime in bundle.regimes.values())
        problem = f"{destination.id} lacks {', '.join(missing)}"
        yield "PG020", problem if reached else problem + _UNREACHED, DESTINATIONS_FILE, destination.line


def _reaches(regime: Regime, destination: Destination, now: datetime) -> bool:
    pairs = [Pair(destination, model, 1) for model in destination.models]
    return any(
        accepts(rule.to, pair, regime, now=now, endpoint="chat")
        for rule in regime.rules
        if rule.effect == "permit" and rule.when.phi == "any"
        for pair in pairs
    )


def _paper(destination: Destination, paper: Attestation, now: datetime) -> Iterator[Problem]:
    where, line = f"{destination.id}: {paper.kind}", destination.line
    if paper.revoked:
        yield "PG021", f"{where} is revoked", DESTINATIONS_FILE, line
    elif paper.expires <= now:
        yield "PG021", f"{where} expired on {paper.expires:%Y-%m-%d}", DESTINATIONS_FILE, line
    elif paper.signed > now:
        yield "PG021", f"{where} is signed only from {paper.signed:%Y-%m-%d}", DESTINATIONS_FILE, line
    elif paper.expires <= now + SOON:
        days = (paper.expires - now).days
        yield "PG022", f"{where} expires on {paper.expires:%Y-%m-%d}, in {days} days", DESTINATIONS_FILE, line
    for model in destination.models:
        if not covers(paper, model=model.name, endpoint="chat"):
            yield "PG024", f"{where} does not cover {model.name} at chat", DESTINATIONS_FILE, line


# --- rules -----------------------------------------------------------------------------------------------------------


def _permits(bundle: Bundle, _outlook: Outlook) -> Iterator[Problem]:
    for regime in bundle.regimes.values():
        for rule in (rule for rule in regime.rules if rule.effect == "permit"):
            yield from _permit(regime, rule)


def _permit(regime: Regime, rule: Rule) -> Iterator[Problem]:
    if rule.when.phi == "any" and "no_training" not in rule.to.has:
        yield "PG025", f"{rule.id} lets PHI out without no_training", regime.file, rule.line
    if regime.transfer is not None and not rule.to.transfer_ok:
        yield "PG026", f"{rule.id} omits transfer_ok", regime.file, rule.line
    if regime.residual.factor == 0.0:
        yield "PG034", f"{rule.id} sends a copy, and the regime has no residual", regime.file, rule.line


def _coverage(bundle: Bundle, _outlook: Outlook) -> Iterator[Problem]:
    for regime, rule, sides in uncovered(bundle, results_of(bundle)):
        yield "PG032", f"{rule.id}: no test in which it {sides}", regime.file, rule.line


def results_of(bundle: Bundle) -> tuple[Result, ...]:
    """Return the results of the inline tests; one that is not written as a test counts for nothing here."""
    results = []
    for case in cases_of(bundle):
        try:
            results.append(run_one(bundle, case))
        except PolicyFileError:
            continue
    return tuple(results)


def uncovered(bundle: Bundle, results: Iterable[Result]) -> Iterator[tuple[Regime, Rule, str]]:
    """Yield each rule that no passing test saw both match and not match, and which side is missing."""
    passed = [r for r in results if r.outcome is Outcome.PASSED]
    for regime in bundle.regimes.values():
        for rule in regime.rules:
            here = [r for r in passed if rule.id in r.asked]
            matched = any(rule.id in r.matched for r in here)
            passed_over = any(rule.id not in r.matched for r in here)
            sides = [side for side, seen in (("matches", matched), ("does not match", passed_over)) if not seen]
            if sides:
                yield regime, rule, " or ".join(sides)


# --- site ------------------------------------------------------------------------------------------------------------


def _widenings(bundle: Bundle, outlook: Outlook) -> Iterator[Problem]:
    site = bundle.site
    ends = [(f"override {o.id}", o.expires, o.line) for o in site.overrides if o.widen]
    ends += [(f"flag {f.flag}", f.expires, f.line) for f in site.flag_approvals]
    for what, end, line in ends:
        if end is not None and end > outlook.now + LONG_WIDENING:
            yield "PG042", f"{what} widens until {end:%Y-%m-%d}", SITE_FILE, line
    since = outlook.shadow_since
    if since is not None and since + OLD_SHADOW < outlook.now:
        yield "PG061", f"the shadow bundle runs since {since:%Y-%m-%d}", SITE_FILE, 1


def _together(bundle: Bundle, _outlook: Outlook) -> Iterator[Problem]:
    for names in bound_together(bundle):
        regimes = [bundle.regimes[name] for name in sorted(names)]
        for one, other in combinations(regimes, 2):
            yield from _retention(one, other)
            yield from _retention(other, one)
        yield from _clashes(regimes)


def _retention(one: Regime, other: Regime) -> Iterator[Problem]:
    if other.retention_max_days and one.retention_days > other.retention_max_days:
        problem = f"{one.id} keeps {one.retention_days} days, {other.id} allows {other.retention_max_days}"
        yield "PG044", problem, other.file, 1


def _clashes(regimes: Sequence[Regime]) -> Iterator[Problem]:
    for entity_type, row in ENTITY_TABLE.items():
        rules = [(r, r.entities[entity_type]) for r in regimes if entity_type in r.entities]
        operators = [rule.operator for _, rule in rules]
        if operators and join(row.family, operators) is Operator.REDACT and Operator.REDACT not in operators:
            asked = ", ".join(f"{regime.id} {rule.operator.value}" for regime, rule in rules)
            yield "PG050", f"{entity_type.value} is redacted: {asked}", rules[0][0].file, rules[0][1].line


CHECKS: Final[tuple[Check, ...]] = (
    _types,
    _thresholds,
    _methods,
    _date_shift,
    _destinations,
    _permits,
    _coverage,
    _widenings,
    _together,
    *CELL_CHECKS,
)
