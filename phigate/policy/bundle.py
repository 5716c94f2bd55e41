"""The bundle: regimes, destinations, apps and site choices that one digest names, as frozen values.

`load` makes it from files, `decide` reads it. Everything that can loosen a decision or weaken detection is in here
(decisions 1); bind address, database, key locations and secrets are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from phigate.finding import EntityClass, EntityType
from phigate.policy.decision import DestinationKind, Form, Operator, Residual
from phigate.wire.parts import Need

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Attestation:
    """A paper that binds a destination, valid from ``signed`` to before ``expires``.

    ``covers`` names the models and endpoints it speaks of; "*" is all of them.
    """

    kind: str
    doc: str
    signed: datetime
    expires: datetime
    covers: tuple[str, ...]
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """One model at a destination and what it can do."""

    name: str
    can: frozenset[Need] = frozenset()
    context: int = 0  # tokens; 0 is not declared


@dataclass(frozen=True, slots=True)
class Destination:
    """Who may receive anything, where it stands, and on what paper."""

    id: str
    kind: DestinationKind
    endpoint: str  # scheme, host, port and path prefix; requests go nowhere else
    provider: str  # external: litellm's provider name; onprem: "openai"
    models: tuple[Model, ...]
    country: str
    region: str = ""
    region_pinned: bool = False
    legal_name: str = ""
    legal_address: str = ""
    attest: tuple[Attestation, ...] = ()
    fields: frozenset[str] = frozenset()  # external: body fields that may leave (decisions 13)
    covers: frozenset[str] = frozenset()  # external: store, web_search_options and the like, named on paper
    secret: str = ""  # external: name of the secret in phigate.yaml that holds the API key
    pinned_ca: str = ""  # onprem beyond private addresses: path of the CA for mTLS
    pinned_ca_digest: str = ""  # "sha256:…" of that file; the adapter refuses any other
    client_secret: str = ""  # onprem with mTLS: name of the secret that holds our certificate and key
    replicas: tuple[str, ...] = ()  # onprem: further endpoints that serve the same models
    line: int = 0


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What one app may use, so that none can stop another."""

    requests_per_minute: int = 6_000
    concurrent: int = 64
    queue_share: float = 0.5


@dataclass(frozen=True, slots=True)
class App:
    """One registered caller. Nothing here can be changed by a header or a body field."""

    name: str
    tenant: str
    purpose: str
    tags: frozenset[str] = frozenset()
    tags_required: bool = False
    regimes: frozenset[str] | None = None  # None: as `bind` says
    aliases: frozenset[str] | None = None  # None: every alias of the site
    default_alias: str = ""
    strict_models: bool = False
    limits: AppLimits = AppLimits()
    line: int = 0


@dataclass(frozen=True, slots=True)
class EntityRule:
    """What one regime says of one type."""

    entity_type: EntityType
    entity_class: EntityClass
    operator: Operator
    thresholds: Mapping[str, float]  # by language; "" is the default
    cite: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class When:
    """Closed vocabulary of conditions; all that are set must hold."""

    phi: str = ""  # any, none
    purpose_in: tuple[str, ...] = ()
    tag_any: tuple[str, ...] = ()
    finding_any: tuple[EntityType, ...] = ()
    attachments: str = ""  # uncleaned
    detection: str = ""  # incomplete
    site_flag: str = ""


@dataclass(frozen=True, slots=True)
class To:
    """Which destinations a permit accepts."""

    any: bool = False
    has: tuple[str, ...] = ()
    transfer_ok: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One permit or limit of a regime; a permit names a form, a limit what it forces."""

    id: str
    effect: str  # permit, limit
    mode: str  # send_raw, send_scrubbed, keep_onprem, block
    when: When
    cite: str
    line: int
    to: To = To()
    floor: bool = False
    obligations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transfer:
    """To which countries a regime lets data go, and on which papers elsewhere."""

    free: frozenset[str]
    adequate: frozenset[str]
    else_any: tuple[str, ...]
    cite: str


@dataclass(frozen=True, slots=True)
class Case:
    """One inline test, as its file says it; cases.py reads ``body``, which is plain JSON."""

    name: str
    body: Mapping[str, object]
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class DateShift:
    """How far dates of one patient move, all of them alike, and what happens where no patient is known."""

    days: int = 365  # at most, either way
    weekday: bool = False  # by whole weeks
    or_year: bool = True  # keep the year where a date cannot move; else redact it


@dataclass(frozen=True, slots=True)
class Regime:
    """One law, as one file says it."""

    id: str
    version: str
    method: str
    entities: Mapping[EntityType, EntityRule]
    rules: tuple[Rule, ...]
    residual: Residual
    default_form: Form
    legal_basis: Mapping[str, str]
    transfer: Transfer | None
    retention_days: int
    file: str
    effective: datetime = EPOCH  # before it, the regime keeps everything on-prem
    owner: str = ""
    default_block: bool = False  # without any permit, on-prem is closed too
    retention_max_days: int = 0  # 0: none
    token_scope: str = "conversation"  # noqa: S105 - a word, no secret
    zip3: str = ""  # vintage of the table of three-digit postal codes
    date_shift: DateShift | None = None
    expert_doc: str = ""  # method expert_determination: digest of the signed opinion
    expert_expires: datetime | None = None
    human_duties: frozenset[str] = frozenset()  # obligations that people fulfil
    changelog: tuple[str, ...] = ()  # versions whose loosening somebody wrote down
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """A local change: a tightening, or an approved, expiring widening."""

    id: str
    match_app: str
    match_tenant: str
    limit: str = ""
    transform: Mapping[EntityType, Operator] = field(default_factory=dict)
    widen: bool = False
    approved_by: str = ""
    expires: datetime | None = None
    ticket: str = ""
    threshold: Mapping[EntityType, float] = field(default_factory=dict)
    accept_rule: str = ""  # widening: a permit that accepts more destinations
    accept: To | None = None
    lift: tuple[str, ...] = ()  # widening: limits, none of them a floor, that do not apply
    line: int = 0


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Who may open one step in an emergency, for how long, and who looks at it afterwards."""

    roles: frozenset[str]
    reasons: frozenset[str]
    ttl_minutes: int
    review_hours: int
    notify: tuple[str, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class ContextKey:
    """A key with which an EHR signs purpose, tags and subject of one request."""

    kid: str
    key: bytes  # Ed25519 public key
    issuer: str
    apps: frozenset[str]


@dataclass(frozen=True, slots=True)
class FlagApproval:
    """Who switched a site flag on, until when, and on which ticket: a flag widens."""

    flag: str
    approved_by: str
    expires: datetime
    ticket: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Bind:
    """Which regimes apply to which tenants or apps; all matching rows add regimes."""

    regimes: frozenset[str]
    tenant: str = ""  # shell-style pattern
    app: str = ""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """What the analyzers obey."""

    knob: str = "recall"  # recall, balanced
    allow: tuple[str, ...] = ()
    deny: Mapping[str, EntityType] = field(default_factory=dict)
    custom: str = ""  # YAML text of Presidio recognizers
    part_timeout_s: float = 5.0
    detector_down: str = "refuse"  # refuse, onprem


@dataclass(frozen=True, slots=True)
class Site:
    """Local choices: binding, aliases, flags, overrides."""

    bind: tuple[Bind, ...]
    prefer: Mapping[str, tuple[tuple[str, str], ...]]  # alias -> ordered (destination, model)
    flags: frozenset[str]
    overrides: tuple[Override, ...]
    max_stale_hours: int
    restore_in_urls: frozenset[str] = frozenset()
    reply: str = "stream"  # stream, hold
    declared_flags: frozenset[str] = frozenset()
    flag_approvals: tuple[FlagApproval, ...] = ()  # a flag with one is off from its end
    tags: frozenset[str] = frozenset()  # words of this site beside the built-in ones
    break_glass: BreakGlass | None = None
    context_keys: tuple[ContextKey, ...] = ()
    test_clock: datetime = EPOCH
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """The signed set of policy files, named by ``digest``; ``signed_by`` is ("development",) under --dev."""

    digest: str
    regimes: Mapping[str, Regime]
    destinations: Mapping[str, Destination]
    apps: Mapping[str, App]
    site: Site
    detector: DetectorSettings
    signed_by: tuple[str, ...]
    files: Mapping[str, bytes]  # name -> bytes, kept so that an auditor can read the policy of any past entry
    effective: datetime = EPOCH  # of the lock; before it everything stays on-prem
    examples: Mapping[str, Destination] = field(default_factory=dict)  # destinations of the regimes' inline tests
    examples_clock: datetime = EPOCH
    onprem_only: str = ""  # why nothing may leave whatever the rules say: "stale"
