"""Settings that no cell shows: each is told, and told as looser where less would be protected."""

from __future__ import annotations

import pytest

from phigate.policy.changes import Change, changes
from tests.policy.making import DESTINATIONS, GDPR, HIPAA, LGPD, SITE, bundle_of, edit
from tests.policy.test_site_file import APP, KEY, WIDEN, with_override

# name -> file, before, after, where it shows, whether `after` is looser, whether the way back is
CASES: dict[str, tuple[str, str, str, str, bool, bool]] = {
    "threshold": (
        HIPAA,
        "{default: 0.40, en: 0.35}",
        "{default: 0.40, en: 0.45}",
        "us.hipaa PERSON threshold en",
        True,
        False,
    ),
    "operator": (HIPAA, "transform: year", "transform: token", "us.hipaa DATE operator", False, True),
    "class": (
        HIPAA,
        "types: [AGE], class: quasi",
        "types: [AGE], class: operational",
        "us.hipaa AGE class",
        True,
        False,
    ),
    "row": (LGPD, "[BR_CEP, ZIP]", "[BR_CEP]", "br.lgpd ZIP", False, True),
    "method": (HIPAA, "method: safe_harbor", "method: limited_data_set", "us.hipaa method", True, False),
    "effective": (HIPAA, 'effective: "2026-11-01"', 'effective: "2026-12-01"', "us.hipaa effective", False, True),
    "factor": (HIPAA, "factor: 0.7", "factor: 0.9", "us.hipaa residual.factor", True, False),
    "quasi": (HIPAA, "max_quasi_types: 3", "max_quasi_types: 2", "us.hipaa residual.max_quasi_types", False, True),
    "reader": (
        HIPAA,
        "on_dirty: keep_onprem",
        "on_dirty: keep_onprem, reader: medgemma",
        "us.hipaa residual.reader",
        False,
        True,
    ),
    "retention": (HIPAA, "min_days: 2192", "min_days: 100", "us.hipaa retention.min_days", True, False),
    "zip3": (HIPAA, "zip3: census-2020,", "zip3: census-2000-2020-union,", "us.hipaa zip3", False, True),
    "shift range": (LGPD, "range_days: 365", "range_days: 30", "br.lgpd date_shift.range_days", True, False),
    "shift by weeks": (
        LGPD,
        "keep_weekday: false",
        "keep_weekday: true",
        "br.lgpd date_shift.keep_weekday",
        True,
        False,
    ),
    "shift or redact": (
        LGPD,
        "fallback_without_subject: year",
        "fallback_without_subject: redact",
        "br.lgpd date_shift.fallback_to_year",
        False,
        True,
    ),
    "default": (HIPAA, "default: {mode: keep_onprem}", "default: {mode: block}", "us.hipaa default", False, True),
    "duty": (
        GDPR,
        "reidentify_response, ropa_entry]",
        "reidentify_response]",
        "eu.gdpr gdpr.scrub-processor obligations",
        True,
        False,
    ),
    "floor": (
        HIPAA,
        "id: hipaa.part2, effect: limit, floor: true",
        "id: hipaa.part2, effect: limit",
        "us.hipaa floors",
        True,
        False,
    ),
    "endpoint": (
        DESTINATIONS,
        "https://llm.example/v1",
        "https://llm2.example/v1",
        "destination eu-cloud endpoint",
        True,
        True,
    ),
    "pinned": (
        DESTINATIONS,
        "region_pinned: true",
        "region_pinned: false",
        "destination eu-cloud region_pinned",
        True,
        False,
    ),
    "model": (
        DESTINATIONS,
        "- {name: gpt-eu,",
        "- gpt-two\n      - {name: gpt-eu,",
        "destination eu-cloud models",
        True,
        False,
    ),
    "fields": (
        DESTINATIONS,
        "    region: sweden-1\n",
        "    region: sweden-1\n    fields: [model]\n",
        "destination eu-cloud fields",
        False,
        True,
    ),
    "covers": (
        DESTINATIONS,
        "    region: sweden-1\n",
        "    region: sweden-1\n    covers: [store]\n",
        "destination eu-cloud covers",
        True,
        False,
    ),
    "paper": (DESTINATIONS, "      zero_retention:", "      qsoa:", "destination eu-cloud zero_retention", False, True),
    "expiry": (
        DESTINATIONS,
        'expires: "2028-01-10"',
        'expires: "2029-01-10"',
        "destination eu-cloud baa expires",
        True,
        False,
    ),
    "signing": (
        DESTINATIONS,
        'signed: "2026-01-10"',
        'signed: "2026-02-10"',
        "destination eu-cloud baa signed",
        False,
        True,
    ),
    "revoked": (
        DESTINATIONS,
        "covers: [chat]}",
        "covers: [chat], revoked: true}",
        "destination eu-cloud baa revoked",
        False,
        True,
    ),
    "doc": (DESTINATIONS, "sha256:11aa", "sha256:11ab", "destination eu-cloud baa doc", False, False),
    "paper covers": (
        DESTINATIONS,
        "covers: [chat]}",
        "covers: [chat, embeddings]}",
        "destination eu-cloud baa covers",
        True,
        False,
    ),
    "alias": (
        SITE,
        "clinical: [eu-cloud/gpt-eu, medgemma/medgemma-27b-it]",
        "clinical: [medgemma/medgemma-27b-it, eu-cloud/gpt-eu]",
        "alias clinical",
        False,
        True,
    ),
    "new alias": (SITE, "  local: [", "  far: [eu-cloud/gpt-eu]\n  local: [", "alias far", True, False),
    "flag": (
        SITE,
        "raw_under_baa: false",
        'raw_under_baa: {approved_by: dpo, expires: "2027-01-01", ticket: T}',
        "flags on",
        True,
        False,
    ),
    "tags": (SITE, "max_stale_hours: 24", "max_stale_hours: 24\ntags: [vip]", "tags", False, True),
    "stale": (SITE, "max_stale_hours: 24", "max_stale_hours: 48", "max_stale_hours", True, False),
    "urls": (SITE, "restore_in_urls: []", "restore_in_urls: [ehr.example]", "restore_in_urls", True, False),
    "reply": (SITE, "reply: stream", "reply: hold", "reply", False, True),
    "glass": (SITE, "roles: [attending, icu]", "roles: [attending]", "break_glass", True, True),
    "context": (
        SITE,
        "max_stale_hours: 24",
        f"context_keys: [{{kid: k, key: 'ed25519:{KEY}', issuer: e, apps: [demo]}}]",
        "context_keys",
        True,
        False,
    ),
    "bind": (SITE, '  - {match: {tenant: "br-*"}, regimes: [br.lgpd]}\n', "", "binds", True, False),
    "tightening": (SITE, *with_override("limit: block"), "override x.y", False, True),
    "widening": (SITE, *with_override(f"{WIDEN}, lift: [hipaa.attachments]"), "override x.y", True, True),
    "knob": (SITE, "knob: recall", "knob: balanced", "detector.knob", True, False),
    "allow": (SITE, "knob: recall", "knob: recall, allow: [x]", "detector.allow", True, False),
    "deny": (SITE, "knob: recall", "knob: recall, deny: [{text: x, type: MRN}]", "detector.deny", False, True),
    "down": (SITE, "detector_down: refuse", "detector_down: onprem", "detector.detector_down", True, False),
    "timeout": (SITE, "part_timeout_s: 5.0", "part_timeout_s: 6.0", "detector.part_timeout_s", False, False),
    "app": (SITE, APP, f"{APP}\n  new: {{tenant: x, default_alias: local}}", "app new", True, False),
    "app tags": (SITE, "tags: [minor]", "tags: [minor, part2]", "app pediatrics tags", False, True),
    "app required": (SITE, APP, APP.replace("}", ", tags_required: true}"), "app demo tags_required", False, True),
    "app tenant": (SITE, APP, APP.replace("tenant: demo", "tenant: other"), "app demo tenant", True, True),
    "app purpose": (SITE, APP, APP.replace("treatment", "payment"), "app demo purpose", True, True),
    "app limits": (SITE, APP, APP.replace("}", ", limits: {concurrent: 3}}"), "app demo limits", False, False),
    "app strict": (SITE, APP, APP.replace("}", ", strict_models: true}"), "app demo strict_models", False, True),
    "app default": (
        SITE,
        APP,
        APP.replace("default_alias: clinical", "default_alias: local"),
        "app demo default_alias",
        False,
        False,
    ),
    "app aliases": (SITE, APP, APP.replace("}", ", aliases: [clinical]}"), "app demo aliases", False, True),
    "fewer aliases": (
        SITE,
        "aliases: [local], default",
        "aliases: [local, clinical], default",
        "app in-house aliases",
        True,
        False,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_setting_is_told_in_both_directions(case: str, shipped_files: dict[str, bytes]) -> None:
    name, old, new, where, looser, back = CASES[case]
    before, after = bundle_of(shipped_files), bundle_of(edit(shipped_files, name, (old, new)))
    forth = {change.where: change for change in changes(before, after)}
    reverse = {change.where: change for change in changes(after, before)}
    assert (forth[where].loosens, reverse[where].loosens) == (looser, back), (forth, reverse)
    assert where in forth[where].says()


def test_equal_bundles_have_no_changes(shipped_files: dict[str, bytes]) -> None:
    assert list(changes(bundle_of(shipped_files), bundle_of(shipped_files))) == []


def test_a_regime_or_destination_that_comes_or_goes_is_told(shipped_files: dict[str, bytes]) -> None:
    fewer = {name: data for name, data in shipped_files.items() if name != GDPR}
    fewer = edit(fewer, SITE, ("  - {name: three regimes", "  # "), ("  - {name: raw flag dies", "  # "))
    told = {c.where: c for c in changes(bundle_of(shipped_files), bundle_of(fewer))}
    assert told["regime eu.gdpr"] == Change("regime eu.gdpr", "present", "", loosens=False)
    block = shipped_files[DESTINATIONS].decode().partition("  eu-cloud:")[2]
    more = {**shipped_files, DESTINATIONS: shipped_files[DESTINATIONS] + b"  fr-cloud:" + block.encode()}
    assert next(iter(changes(bundle_of(shipped_files), bundle_of(more)))).loosens
    assert not next(iter(changes(bundle_of(more), bundle_of(shipped_files)))).loosens


def test_break_glass_that_appears_is_looser(shipped_files: dict[str, bytes]) -> None:
    lines = [line for line in shipped_files[SITE].decode().splitlines() if not line.startswith("break_glass")]
    without = bundle_of({**shipped_files, SITE: "\n".join(lines).encode()})
    (told,) = changes(without, bundle_of(shipped_files))
    assert (told.where, told.loosens) == ("break_glass", True)
    (back,) = changes(bundle_of(shipped_files), without)
    assert not back.loosens


def test_custom_recognizers_that_change_are_told(shipped_files: dict[str, bytes]) -> None:
    with_one = bundle_of({**shipped_files, "recognizers.yaml": b"recognizers: []\n"})
    (told,) = changes(bundle_of(shipped_files), with_one)
    (back,) = changes(with_one, bundle_of(shipped_files))
    assert (told.where, told.loosens, back.loosens) == ("detector.custom", False, True)
