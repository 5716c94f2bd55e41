"""The site file: apps, flags, overrides and break-glass can tighten freely and widen only with a name and an end."""

from __future__ import annotations

import base64

import pytest

from phigate.finding import EntityType
from phigate.policy.bundle import AppLimits
from phigate.policy.decision import Operator
from phigate.policy.load import read
from tests.policy.making import SITE, bundle_of, edit, problems

KEY = base64.b64encode(bytes(32)).decode()
APP = "  demo: {tenant: demo, purpose: treatment, default_alias: clinical}"


def with_override(body: str) -> tuple[str, str]:
    return ("overrides: []", f"overrides:\n  - {{id: x.y, match: {{app: demo}}, {body}}}")


WIDEN = 'widen: true, approved_by: dpo, expires: "2027-03-31", ticket: "T-1"'

WRONG: dict[str, tuple[str, str, str, str]] = {
    "unknown key": ("flags:", "flag:", "PG001", "did you mean 'flags'?"),
    "no apps": ("apps:  #", "applications:  #", "PG001", "the key 'apps' is missing"),
    "app without tenant": (
        "{tenant: demo, purpose: treatment, default_alias: clinical}",
        "{purpose: treatment, default_alias: clinical}",
        "PG001",
        "'tenant' is missing",
    ),
    "unknown purpose": (APP, APP.replace("treatment", "tretment"), "PG001", "did you mean 'treatment'?"),
    "unknown tag": ("tags: [minor]", "tags: [miner]", "PG001", "did you mean 'minor'?"),
    "no regimes": (APP, APP.replace("tenant", "regimes: [], tenant"), "PG001", "expected at least one"),
    "bind without match": (
        '{match: {tenant: "us-*"}, regimes: [us.hipaa]}',
        "{match: {}, regimes: [us.hipaa]}",
        "PG001",
        "expected tenant or app",
    ),
    "bind without a key": (
        '{match: {tenant: "us-*"}, regimes: [us.hipaa]}',
        "{regimes: [us.hipaa]}",
        "PG001",
        "'match' is missing",
    ),
    "unbound to nothing": ("unbound: all_regimes", "unbound: none", "PG001", "unknown word 'none'"),
    "alias without a list": (
        "local: [medgemma/medgemma-27b-it]",
        "local: medgemma",
        "PG001",
        "expected a list of destination/model",
    ),
    "alias without a model": (
        "local: [medgemma/medgemma-27b-it]",
        "local: [medgemma]",
        "PG001",
        "expected destination/model",
    ),
    "unknown flag": ("flags: {raw_under_baa: false,", "flags: {raw: false,", "PG001", "unknown flag 'raw'"),
    "flag that is on": ("raw_under_baa: false", "raw_under_baa: true", "PG040", "a flag widens"),
    "flag with a word": ("raw_under_baa: false", "raw_under_baa: off", "PG001", "expected false, or approved_by"),
    "flag without a ticket": (
        "raw_under_baa: false",
        'raw_under_baa: {approved_by: dpo, expires: "2027-01-01"}',
        "PG001",
        "'ticket' is missing",
    ),
    "deny of an unknown type": (
        "knob: recall",
        "knob: recall, deny: [{text: x, type: NAME}]",
        "PG001",
        "unknown word 'NAME'",
    ),
    "detector with another knob": ("knob: recall", "knob: fast", "PG001", "unknown word 'fast'"),
    "override without match": ("overrides: []", "overrides: [{id: x, limit: block}]", "PG001", "'match' is missing"),
    "override that matches nothing": (
        "overrides: []",
        "overrides: [{id: x, match: {}, limit: block}]",
        "PG001",
        "expected tenant or app",
    ),
    "override twice": (
        "overrides: []",
        "overrides: [{id: x, match: {app: demo}, limit: block}, {id: x, match: {app: demo}, limit: block}]",
        "PG001",
        "'x' stands twice",
    ),
    "accept without widen": (*with_override("accept: {rule: hipaa.no-phi, any: true}"), "PG040", "this widens"),
    "lift without widen": (*with_override("lift: [hipaa.attachments]"), "PG040", "this widens"),
    "widen without a name": (
        *with_override("widen: true, lift: [hipaa.attachments]"),
        "PG040",
        "names who approved it",
    ),
    "limit in a widening": (*with_override(f"{WIDEN}, limit: block"), "PG001", "a limit tightens"),
    "transform of an unknown type": (*with_override("transform: {DAT: year}"), "PG010", "did you mean 'DATE'?"),
    "transform to an unknown operator": (*with_override("transform: {DATE: yaer}"), "PG001", "did you mean 'year'?"),
    "threshold of an unknown type": (*with_override("threshold: {DAT: 0.1}"), "PG010", "did you mean 'DATE'?"),
    "threshold in words": (*with_override("threshold: {DATE: low}"), "PG001", "a number from 0 to 1"),
    "break-glass without an end": ("ttl_minutes: 30, ", "", "PG060", "roles, reasons, an end and a review"),
    "break-glass over a floor": ("never_above: floor", "never_above: law", "PG060", "no emergency crosses one"),
    "break-glass of two steps": ("max_steps: 1", "max_steps: 2", "PG060", "an emergency opens one step"),
    "break-glass for nobody": ("roles: [attending, icu]", "roles: []", "PG060", "at least one role"),
    "context key of another kind": (
        "max_stale_hours: 24",
        f"context_keys: [{{kid: k, key: 'rsa:{KEY}', issuer: ehr, apps: [demo]}}]",
        "PG001",
        "expected ed25519:",
    ),
    "context key that is none": (
        "max_stale_hours: 24",
        "context_keys: [{kid: k, key: 'ed25519:!!', issuer: ehr, apps: [demo]}]",
        "PG001",
        "expected ed25519:",
    ),
    "test clock in words": ('test_clock: "2026-12-15"', 'test_clock: "now"', "PG001", "expected a date"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_has_its_code_and_its_remedy(case: str, shipped_files: dict[str, bytes]) -> None:
    old, new, code, says = WRONG[case]
    found = problems(edit(shipped_files, SITE, (old, new)))
    assert [m for c, m in found if c == code and says in m and m.startswith("site.yaml:")], found


def test_a_site_reads_as_it_stands(shipped_files: dict[str, bytes]) -> None:
    files = edit(
        shipped_files,
        SITE,
        (APP, APP.replace("}", ", limits: {concurrent: 3, queue_share: 0.25}, tags_required: true}")),
        ("knob: recall", "knob: balanced, allow: [Ward 7], deny: [{text: São João, type: ORGANIZATION}]"),
        ("raw_under_baa: false", 'raw_under_baa: {approved_by: dpo, expires: "2027-01-01", ticket: "T-9"}'),
        with_override(f"{WIDEN}, transform: {{DATE: year}}, threshold: {{DATE: 0.6}}, reason: why"),
        (
            "max_stale_hours: 24",
            f"tags: [vip]\ncontext_keys: [{{kid: k1, key: 'ed25519:{KEY}', issuer: ehr, apps: [demo]}}]",
        ),
    )
    bundle = bundle_of(files)
    assert bundle.apps["demo"].limits == AppLimits(concurrent=3, queue_share=0.25)
    assert bundle.apps["demo"].tags_required
    assert bundle.detector.deny == {"São João": EntityType.ORGANIZATION}
    assert bundle.detector.allow == ("Ward 7",)
    assert bundle.site.flags == {"raw_under_baa"}
    assert bundle.site.flag_approvals[0].ticket == "T-9"
    (override,) = bundle.site.overrides
    assert (override.transform, override.threshold) == ({EntityType.DATE: Operator.YEAR}, {EntityType.DATE: 0.6})
    assert "vip" in bundle.site.tags
    assert bundle.site.context_keys[0].key == bytes(32)
    assert bundle.site.max_stale_hours == 24
    assert bundle.site.break_glass is not None
    assert bundle.site.break_glass.ttl_minutes == 30


def test_a_site_without_optional_keys_has_none_of_them(shipped_files: dict[str, bytes]) -> None:
    lines = shipped_files[SITE].decode().splitlines()
    kept = [line for line in lines if not line.startswith(("detector:", "break_glass:"))]
    bundle = bundle_of({**shipped_files, SITE: "\n".join(kept).encode()})
    assert bundle.site.break_glass is None
    assert bundle.detector.detector_down == "refuse"


def test_an_empty_site_is_all_problems(shipped_files: dict[str, bytes]) -> None:
    assert len(read({**shipped_files, SITE: b"phigate: site/v1\n"}).problems) >= 3
