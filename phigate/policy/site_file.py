"""Reads ``site.yaml``: apps, binding, aliases, flags, detector settings, overrides, break-glass (decisions 1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from phigate.finding import EntityType
from phigate.policy.bundle import (
    App,
    AppLimits,
    Bind,
    BreakGlass,
    ContextKey,
    DetectorSettings,
    FlagApproval,
    Override,
    Site,
)
from phigate.policy.decision import Operator
from phigate.policy.fields import Fields, Source, closest
from phigate.policy.regime_file import KEYS as REGIME_KEYS
from phigate.policy.regime_file import read_cases, read_to
from phigate.policy.words import FLAGS, PURPOSES, ROLES, TAGS
from phigate.policy.yamls import Entry, Map, Scalar, Seq

FILE: Final = "site.yaml"
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "file": (
        "phigate", "test_clock", "apps", "bind", "unbound", "aliases", "flags", "tags", "detector", "reply",
        "restore_in_urls", "overrides", "break_glass", "context_keys", "max_stale_hours", "tests",
    ),
    "app": (
        "tenant", "purpose", "tags", "tags_required", "regimes", "aliases", "default_alias", "strict_models", "limits",
    ),
    "limits": ("requests_per_minute", "concurrent", "queue_share"),
    "bind": ("match", "regimes"),
    "match": ("tenant", "app"),
    "detector": ("knob", "allow", "deny", "part_timeout_s", "detector_down", "rescan"),
    "deny": ("text", "type"),
    "override": (
        "id", "match", "limit", "transform", "threshold", "accept", "lift", "reason", "widen", "approved_by", "expires",
        "ticket",
    ),
    "flag": ("approved_by", "expires", "ticket"),
    "accept": ("rule", *REGIME_KEYS["to"]),
    "break_glass": ("roles", "reasons", "ttl_minutes", "max_steps", "never_above", "review_hours", "notify"),
    "context_key": ("kid", "key", "issuer", "apps"),
}  # fmt: skip
_WIDENS: Final = ("accept", "lift")


@dataclass(frozen=True, slots=True)
class SiteFile:
    """All that one site file says."""

    site: Site
    apps: Mapping[str, App]
    detector: DetectorSettings


def read_site(root: Map, source: Source) -> SiteFile:
    """Return the local choices; problems are noted in ``source``, whose reader raises them."""
    top = Fields(source, root, "site file", KEYS["file"])
    top.choice("phigate", ("site/v1",))
    top.choice("unbound", ("all_regimes",), "all_regimes")
    tags = (*TAGS, *top.words("tags"))
    declared, approvals = _flags(top)
    site = Site(
        bind=tuple(_bind(row) for row in top.rows("bind", KEYS["bind"])),
        prefer=_aliases(top),
        flags=frozenset(approval.flag for approval in approvals),
        overrides=_overrides(top),
        max_stale_hours=top.whole("max_stale_hours", 24, low=1, high=24 * 30),
        restore_in_urls=frozenset(top.words("restore_in_urls")),
        reply=top.choice("reply", ("stream", "hold"), "stream"),
        declared_flags=declared,
        flag_approvals=approvals,
        tags=frozenset(tags),
        break_glass=_break_glass(top),
        context_keys=tuple(_context_key(row) for row in top.rows("context_keys", KEYS["context_key"])),
        test_clock=top.date("test_clock"),
        cases=read_cases(top),
    )
    return SiteFile(site, _apps(top, tags), _detector(top))


def _flags(top: Fields) -> tuple[frozenset[str], tuple[FlagApproval, ...]]:
    """Return the flags that the site declares, and the approvals of those that are on."""
    declared, approvals = set(), []
    for name, entry in top.table("flags").items():
        if name not in FLAGS:
            top.source.complain(f"flags: unknown flag {name!r}; {closest(name, FLAGS)}", entry.line)
        declared.add(name)
        if isinstance(entry.value, Map):
            row = Fields(top.source, entry.value, f"flags.{name}", KEYS["flag"])
            approvals.append(
                FlagApproval(
                    name, row.choice("approved_by", ROLES), row.date("expires"), row.text("ticket"), entry.line
                )
            )
            continue
        value = entry.value.value if isinstance(entry.value, Scalar) else None
        if value is True:
            problem = f"flags.{name}: a flag widens; write {{approved_by: ROLE, expires: DATE, ticket: TEXT}} for true"
            top.source.complain(problem, entry.line, code="PG040")
        elif value is not False:
            top.source.complain(f"flags.{name}: expected false, or approved_by, expires and ticket", entry.line)
    return frozenset(declared), tuple(approvals)


def _apps(top: Fields, tags: tuple[str, ...]) -> dict[str, App]:
    apps = {}
    for name, entry in top.table("apps", required=True).items():
        row = Fields(top.source, entry.value, f"apps.{name}", KEYS["app"])
        limits = row.sub("limits", KEYS["limits"])
        apps[name] = App(
            name=name,
            tenant=row.name("tenant"),
            purpose=row.choice("purpose", PURPOSES, ""),
            tags=frozenset(row.words("tags", tags)),
            tags_required=row.flag("tags_required"),
            regimes=frozenset(row.words("regimes")) if row.has("regimes") else None,
            aliases=frozenset(row.words("aliases")) if row.has("aliases") else None,
            default_alias=row.name("default_alias", ""),
            strict_models=row.flag("strict_models"),
            limits=_limits(limits) if limits is not None else AppLimits(),
            line=entry.line,
        )
        if row.has("regimes") and not apps[name].regimes:
            row.complain("regimes", "expected at least one; delete the key to let bind decide")
    return apps


def _limits(fields: Fields) -> AppLimits:
    plain = AppLimits()
    return AppLimits(
        requests_per_minute=fields.whole("requests_per_minute", plain.requests_per_minute, low=1, high=10_000_000),
        concurrent=fields.whole("concurrent", plain.concurrent, low=1, high=100_000),
        queue_share=fields.number("queue_share", plain.queue_share, low=0.01, high=1.0),
    )


def _bind(row: Fields) -> Bind:
    match = row.sub("match", KEYS["match"], required=True)
    tenant = match.name("tenant", "") if match else ""
    app = match.name("app", "") if match else ""
    if not tenant and not app:
        row.complain("match", "expected tenant or app, found neither")
    return Bind(frozenset(row.words("regimes", required=True)), tenant, app)


def _aliases(top: Fields) -> dict[str, tuple[tuple[str, str], ...]]:
    aliases = {}
    for name, entry in top.table("aliases", required=True).items():
        if not isinstance(entry.value, Seq) or not entry.value.items:
            top.source.complain(f"aliases.{name}: expected a list of destination/model, found none", entry.line)
            continue
        pairs = []
        for item in entry.value.items:
            text = item.value if isinstance(item, Scalar) and isinstance(item.value, str) else ""
            destination, slash, model = text.partition("/")
            if not slash or not destination or not model:
                top.source.complain(f"aliases.{name}: expected destination/model, found {text!a}", item.line)
                continue
            pairs.append((destination, model))
        aliases[name] = tuple(pairs)
    return aliases


def _detector(top: Fields) -> DetectorSettings:
    fields = top.sub("detector", KEYS["detector"])
    if fields is None:
        return DetectorSettings()
    fields.choice("rescan", ("second_set",), "second_set")
    deny = {}
    for row in fields.rows("deny", KEYS["deny"]):
        deny[row.text("text")] = EntityType(row.choice("type", [t.value for t in EntityType]))
    return DetectorSettings(
        knob=fields.choice("knob", ("recall", "balanced"), "recall"),
        allow=fields.words("allow"),
        deny=deny,
        part_timeout_s=fields.number("part_timeout_s", 5.0, low=0.05, high=60.0),
        detector_down=fields.choice("detector_down", ("refuse", "onprem"), "refuse"),
    )


def _overrides(top: Fields) -> tuple[Override, ...]:
    found: dict[str, Override] = {}
    for row in top.rows("overrides", KEYS["override"]):
        override = _override(row)
        if override.id in found:
            row.complain("id", f"{override.id!r} stands twice")
        found[override.id] = override
    return tuple(found.values())


def _override(row: Fields) -> Override:
    match = row.sub("match", KEYS["match"], required=True)
    accept = row.sub("accept", KEYS["accept"])
    override = Override(
        id=row.name("id"),
        match_app=match.name("app", "") if match else "",
        match_tenant=match.name("tenant", "") if match else "",
        limit=row.choice("limit", ("send_scrubbed", "keep_onprem", "block"), ""),
        transform=_typed(row, "transform"),
        widen=row.flag("widen"),
        approved_by=row.choice("approved_by", ROLES, ""),
        expires=row.at("expires", required=False),
        ticket=row.text("ticket", ""),
        threshold=_numbers(row),
        accept_rule=accept.name("rule") if accept else "",
        accept=read_to(accept) if accept else None,
        lift=row.words("lift"),
        line=row.line,
    )
    row.text("reason", "")
    if match is not None and not override.match_app and not override.match_tenant:
        row.complain("match", "expected tenant or app, found neither")
    _check_widening(row, override)
    return override


def _check_widening(row: Fields, override: Override) -> None:
    if not override.widen:
        for key in _WIDENS:
            if row.has(key):
                row.complain(key, "this widens; say widen: true, approved_by, expires and ticket", code="PG040")
        return
    for key in ("approved_by", "expires", "ticket"):
        if not row.has(key):
            row.complain(key, "a widening names who approved it, until when and on which ticket", code="PG040")
    if override.limit:
        row.complain("limit", "a limit tightens; give it an override of its own")


def _typed(row: Fields, key: str) -> dict[EntityType, Operator]:
    table = {}
    for name, entry in row.table(key).items():
        word = entry.value.value if isinstance(entry.value, Scalar) else None
        if not _known_type(row, key, name, entry):
            continue
        if word not in {operator.value for operator in Operator}:
            row.source.complain(
                f"{row.what}.{key}.{name}: {closest(str(word), [o.value for o in Operator])}", entry.line
            )
            continue
        table[EntityType(name)] = Operator(str(word))
    return table


def _numbers(row: Fields) -> dict[EntityType, float]:
    table = {}
    for name, entry in row.table("threshold").items():
        value = entry.value.value if isinstance(entry.value, Scalar) else None
        if not _known_type(row, "threshold", name, entry):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            row.source.complain(f"{row.what}.threshold.{name}: expected a number from 0 to 1", entry.line)
            continue
        table[EntityType(name)] = float(value)
    return table


def _known_type(row: Fields, key: str, name: str, entry: Entry) -> bool:
    if name in EntityType.__members__:
        return True
    row.source.complain(
        f"{row.what}.{key}: unknown type {name!r}; {closest(name, EntityType.__members__)}", entry.line, code="PG010"
    )
    return False


def _break_glass(top: Fields) -> BreakGlass | None:
    fields = top.sub("break_glass", KEYS["break_glass"])
    if fields is None:
        return None
    for key in ("roles", "reasons", "ttl_minutes", "review_hours"):
        if not fields.has(key):
            fields.complain(key, "break-glass has roles, reasons, an end and a review", code="PG060")
    if fields.text("never_above", "floor") != "floor":
        fields.complain("never_above", "expected floor: no emergency crosses one", code="PG060")
    if fields.whole("max_steps", 1, low=0, high=9) != 1:
        fields.complain("max_steps", "expected 1: an emergency opens one step", code="PG060")
    glass = BreakGlass(
        roles=frozenset(fields.words("roles")),
        reasons=frozenset(fields.words("reasons")),
        ttl_minutes=fields.whole("ttl_minutes", 1, low=1, high=24 * 60),
        review_hours=fields.whole("review_hours", 1, low=1, high=72),
        notify=fields.words("notify"),
        line=fields.line,
    )
    if not glass.roles or not glass.reasons:
        fields.complain("roles", "break-glass names at least one role and one reason", code="PG060")
    return glass


def _context_key(row: Fields) -> ContextKey:
    text = row.text("key")
    prefix, _, encoded = text.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if prefix != "ed25519" or len(key) != 32:
        row.complain("key", "expected ed25519: and 32 bytes in base64")
    return ContextKey(row.name("kid"), key, row.name("issuer"), frozenset(row.words("apps", required=True)))
