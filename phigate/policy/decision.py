"""What a decision is made of and what it says: plain values, no rules.

`decide` (policy/decide.py) maps a bundle and facts to a decision. Orders of strictness are the orders of the enums:
a later member is stricter. Source: shared vocabulary of docs/ARCHITECTURE.md; modes as in docs/policy.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from phigate.finding import EntityType
from phigate.wire.parts import Attachments, Need


class Form(IntEnum):
    """In which form a request may reach a destination. ``max`` is the stricter one."""

    RAW = 0
    SCRUBBED = 1
    NO = 2


class Mode(StrEnum):
    """The headline of a decision, derived once in `decide`."""

    BLOCK = "block"  # nothing may receive it
    KEEP_ONPREM = "keep_onprem"  # every external form is NO
    ONPREM = "onprem"  # an external was allowed, on-prem was chosen by preference or fallback
    SEND_SCRUBBED = "send_scrubbed"
    SEND_RAW = "send_raw"


class Operator(StrEnum):
    """How one finding is changed. Families and their order: policy/operators table in decide."""

    KEEP = "keep"
    HASH_KEYED = "hash_keyed"
    SURROGATE = "surrogate"
    TOKEN = "token"  # noqa: S105 - the name of an operator
    REDACT = "redact"
    DATE_SHIFT = "date_shift"
    YEAR = "year"
    AGE90 = "age90"
    BAND5 = "band5"
    POSTAL3 = "postal3"
    STATE = "state"


class DestinationKind(StrEnum):
    """Where a destination stands: inside the hospital, or not."""

    ONPREM = "onprem"
    EXTERNAL = "external"


class Hold(StrEnum):
    """Why an exchange was held back; a later one that contains it inherits the reason (decisions 12)."""

    ATTACHMENT = "attachment"
    TAG = "tag"  # by a limit that an emergency may open
    TAG_FLOOR = "tag_floor"  # by one that nothing opens
    INCOMPLETE = "incomplete"
    RESIDUAL = "residual"


@dataclass(frozen=True, slots=True)
class Found:
    """Findings of one type, language and harmlessness, as policy sees them: no text, no offsets.

    ``unchanged_by`` holds the operators that would leave these values as they are (age 55 under age90): under such an
    operator they do not count as PHI in that regime.
    """

    entity_type: EntityType | str  # a str only for a type outside the table: direct, redact, `unknown_entity`
    lang: str
    scores: tuple[float, ...]
    unchanged_by: frozenset[Operator] = frozenset({Operator.KEEP})


@dataclass(frozen=True, slots=True)
class Glass:
    """A call for break-glass, from a signed context alone: who, why, since when, and which form is wanted outside."""

    role: str
    reason: str
    at: datetime
    wants: Form = Form.SCRUBBED


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision may depend on. Health is not among them: the gateway walks ``Decision.candidates``."""

    app: str
    found: tuple[Found, ...]
    complete: bool
    attachments: Attachments
    model: str  # the name the app asked for: an alias, or a name it does not know
    needs: frozenset[Need]
    now: datetime  # aware UTC: the later of the clock and the ledger's last timestamp
    inherited: frozenset[Hold] = frozenset()
    tags: frozenset[str] | None = None  # signed context of this request; None: only the app's registration speaks
    purpose: str | None = None
    endpoint: str = "chat"
    glass: Glass | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that mattered: who said it, what it demanded, on which citation."""

    regime: str
    rule: str
    effect: str  # permit, limit, default, override
    demands: str  # raw, scrubbed, no, keep_onprem, block
    cite: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pair of destination and model that may be tried, with the form it must be given."""

    destination: str
    model: str
    kind: DestinationKind
    form: Form


@dataclass(frozen=True, slots=True)
class Residual:
    """How the outgoing copy is re-scanned: thresholds times ``factor``, at most ``max_quasi_types`` families left."""

    factor: float
    max_quasi_types: int
    readers: frozenset[str] = frozenset()  # on-prem destinations whose model must find nothing in the copy


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Lowest score that counts, per type and language: ``table[(type, lang)]``, else ``table[(type, "")]``."""

    table: Mapping[tuple[EntityType, str], float]
    floor: float  # the lowest of all: what detection must deliver

    def of(self, entity_type: EntityType, lang: str) -> float:
        """Return the score from which a finding of this type in this language exists. Unknown: the floor."""
        table = self.table
        found = table.get((entity_type, lang))
        return found if found is not None else table.get((entity_type, ""), self.floor)


@dataclass(frozen=True, slots=True)
class Decision:
    """What may happen to one exchange, and why. Everything the record needs of policy is here."""

    mode: Mode
    forms: Mapping[str, Form]  # by destination id, every destination of the bundle
    candidates: tuple[Candidate, ...]  # in order of preference, none with form NO; on-prem as last resort
    operators: Mapping[EntityType, Operator]  # every type of the table; the join over the regimes
    unknown_operator: Operator
    thresholds: Thresholds
    residual: Residual
    regimes: tuple[tuple[str, str], ...]  # (id, version), sorted
    rules: tuple[str, ...]  # ids of the rules that matched, sorted
    reasons: tuple[Reason, ...]
    purpose: str
    tags: tuple[str, ...]
    tenant: str
    alias: str
    bundle: str  # digest, "sha256:…"
    obligations: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    legal_basis: tuple[str, ...] = ()
    holds: frozenset[Hold] = field(default_factory=frozenset)  # what a later turn would inherit
