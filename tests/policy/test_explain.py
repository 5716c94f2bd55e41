"""An explanation says what decided, in words, and never another thing than the decision."""

from __future__ import annotations

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.decide import decide
from phigate.policy.decision import Mode
from phigate.policy.explain import explain
from tests.policy.making import DESTINATIONS, bundle_of, edit, facts


def test_findings_rules_and_demands_are_told(shipped: Bundle) -> None:
    asked = facts(EntityType.PERSON, EntityType.CLINICIAN_NAME, "ZZ_NEW", EntityType.GENETIC)
    told = explain(shipped, asked)
    assert told.decision == decide(shipped, asked)
    rows = {row.entity_type: row for row in told.findings}
    assert rows["PERSON"].phi_in == ("br.lgpd", "eu.gdpr", "us.hipaa")
    assert rows["CLINICIAN_NAME"].phi_in == ("br.lgpd", "eu.gdpr")
    assert rows["CLINICIAN_NAME"].classes["us.hipaa"] == "operational"
    assert (rows["ZZ_NEW"].operator, rows["ZZ_NEW"].threshold, rows["ZZ_NEW"].classes["us.hipaa"]) == (
        "redact",
        0.0,
        "direct",
    )
    assert (rows["GENETIC"].detected, rows["PERSON"].detected) == (False, True)
    rules = {row.rule: row for row in told.rules}
    assert rules["lgpd.genetic"].matched is True
    assert rules["lgpd.genetic"].conditions == (("it holds GENETIC or BIOMETRIC or FACE_IMAGE", True),)
    assert rules["hipaa.scrub-baa"].accepts == ("eu-cloud/gpt-eu",)
    demands = {row.destination: row for row in told.destinations}["eu-cloud"]
    assert (dict(demands.demands), demands.form) == (
        {"br.lgpd": "no", "eu.gdpr": "no", "us.hipaa": "scrubbed"},
        "no",
    )


def test_what_a_destination_lacks_is_told(shipped_files: dict[str, bytes]) -> None:
    far = edit(shipped_files, DESTINATIONS, ("country: SE", "country: US"), ("      baa:  ", "      bcr:  "))
    told = explain(bundle_of(far), facts(EntityType.PERSON, score=0.1))
    rules = {row.rule: row for row in told.rules}
    assert rules["lgpd.no-pd"].lacks == {"eu-cloud/gpt-eu": ("transfer mechanism",)}
    assert rules["hipaa.no-phi"].lacks == {"eu-cloud/gpt-eu": ("baa",)}
    assert rules["gdpr.no-pd"].lacks == {}
    assert not told.findings[0].counts
    assert told.mode is Mode.KEEP_ONPREM


def test_a_blocked_request_is_explained_too(shipped: Bundle) -> None:
    told = explain(shipped, facts(tags=frozenset({"ai_refused"}), purpose="gossip"))
    assert told.mode is Mode.BLOCK
    assert next(row for row in told.rules if row.rule == "gdpr.secondary-use").matched is None
