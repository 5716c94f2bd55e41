"""What does not depend on the request: bindings, papers, covers, thresholds, instants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from phigate.errors import RefusedError
from phigate.finding import EntityType
from phigate.policy.bundle import App, Attestation, Bind, Bundle, EntityRule, To
from phigate.policy.plan import Pair, Plan, accepts, covers, detection_floor, flags_on, plan_of, regimes_of, valid
from tests.policy.making import NOW, SITE, bundle_of, edit
from tests.policy.test_site_file import WIDEN

PAPER = Attestation("baa", "sha256:00", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), ("chat",))


def test_all_rows_that_match_add_regimes_and_none_means_all(shipped: Bundle) -> None:
    def bound(tenant: str, **more: object) -> frozenset[str]:
        return regimes_of(shipped, App("a", tenant, "treatment", **more))  # type: ignore[arg-type]

    assert bound("us-east") == {"us.hipaa"}
    assert bound("us-east", regimes=frozenset({"eu.gdpr"})) == {"us.hipaa", "eu.gdpr"}
    assert bound("mars") == {"us.hipaa", "br.lgpd", "eu.gdpr"}
    both = replace(
        shipped, site=replace(shipped.site, bind=(Bind(frozenset({"eu.gdpr"}), app="a"), *shipped.site.bind))
    )
    assert regimes_of(both, App("a", "us-1", "treatment")) == {"us.hipaa", "eu.gdpr"}
    nothing = replace(shipped, site=replace(shipped.site, bind=(Bind(frozenset({"eu.gdpr"})),)))
    assert len(regimes_of(nothing, App("a", "us-1", "treatment"))) == 3


def test_a_paper_holds_from_its_signing_to_before_its_end() -> None:
    def holds(now: datetime, **more: object) -> bool:
        return valid(replace(PAPER, **more), model="m", endpoint="chat", now=now)  # type: ignore[arg-type]

    assert holds(PAPER.signed)
    assert not holds(PAPER.expires)
    assert not holds(datetime(2025, 12, 31, tzinfo=UTC))
    assert not holds(NOW, revoked=True)
    assert not holds(NOW, covers=("embeddings",))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("*",), True),
        (("chat",), True),
        (("m",), True),
        (("chat", "m"), True),
        (("chat", "n"), False),
        (("embeddings", "m"), False),
        (("n",), False),
        ((), False),
    ],
)
def test_covers_names_endpoints_and_models(words: tuple[str, ...], *, expected: bool) -> None:
    assert covers(replace(PAPER, covers=words), model="m", endpoint="chat") is expected


def test_a_permit_accepts_by_papers_and_transfer(shipped: Bundle) -> None:
    lgpd, hipaa = shipped.regimes["br.lgpd"], shipped.regimes["us.hipaa"]
    us, eu = shipped.examples["us-cloud"], shipped.examples["eu-cloud"]

    def takes(to: To, destination: object = us, regime: object = lgpd) -> bool:
        pair = Pair(destination, destination.models[0], 1)  # type: ignore[arg-type, attr-defined]
        return accepts(to, pair, regime, now=NOW, endpoint="chat")  # type: ignore[arg-type]

    assert takes(To(any=True))
    assert takes(To(has=("dpa",)))
    assert not takes(To(has=("dpa", "bcr")))
    assert not takes(To())
    assert not takes(To(has=("dpa",), transfer_ok=True))
    assert takes(To(has=("dpa",), transfer_ok=True), eu)
    assert not takes(To(has=("dpa",), transfer_ok=True), replace(eu, country=""))
    assert takes(To(has=("dpa",), transfer_ok=True), us, shipped.regimes["eu.gdpr"])
    assert not takes(To(has=("dpa",), transfer_ok=True), eu, hipaa)


def test_an_unknown_app_has_no_plan(shipped: Bundle) -> None:
    with pytest.raises(RefusedError):
        plan_of(shipped, "nobody")
    assert plan_of(shipped, "demo") is plan_of(shipped, "demo")


def test_nothing_is_compiled_twice_between_two_instants(shipped: Bundle) -> None:
    plan = Plan(shipped, shipped.apps["demo"])
    assert plan.at(NOW, "chat") is plan.at(datetime(2027, 1, 1, tzinfo=UTC), "chat")
    assert plan.at(NOW, "chat") is not plan.at(NOW, "embeddings")
    assert plan.at(NOW, "chat") is not plan.at(datetime(2029, 1, 1, tzinfo=UTC), "chat")


def test_detection_delivers_down_to_the_lowest_threshold_of_any_app(
    shipped: Bundle, shipped_files: dict[str, bytes]
) -> None:
    assert detection_floor(shipped) == 0.3
    assert detection_floor(replace(shipped, apps={})) == 0.0
    lower = ("overrides: []", "overrides: [{id: x, match: {app: demo}, threshold: {AGE: 0.05}}]")
    assert detection_floor(bundle_of(edit(shipped_files, SITE, lower))) == 0.05
    assert plan_of(shipped, "demo").at(NOW, "chat").thresholds.of(EntityType.PERSON, "") == 0.35


def test_flags_end_with_their_approval_and_instants_know_it(shipped_files: dict[str, bytes]) -> None:
    flag = ("raw_under_baa: false", 'raw_under_baa: {approved_by: dpo, expires: "2027-02-01", ticket: T}')
    widen = ("overrides: []", f"overrides: [{{id: x, match: {{app: demo}}, {WIDEN}, lift: [hipaa.attachments]}}]")
    bundle = bundle_of(edit(shipped_files, SITE, flag, widen))
    assert flags_on(bundle.site, NOW) == {"raw_under_baa"}
    assert flags_on(bundle.site, datetime(2027, 2, 1, tzinfo=UTC)) == frozenset()
    plan = Plan(bundle, bundle.apps["demo"])
    assert plan.at(NOW, "chat") is not plan.at(datetime(2027, 2, 1, tzinfo=UTC), "chat")
    assert plan.at(NOW, "chat").overrides == ("x",)
    assert plan.at(datetime(2027, 4, 1, tzinfo=UTC), "chat").overrides == ()


def test_a_type_that_a_regime_leaves_out_is_redacted_from_any_score(shipped: Bundle) -> None:
    hipaa = shipped.regimes["us.hipaa"]
    rows: dict[EntityType, EntityRule] = {
        kind: row for kind, row in hipaa.entities.items() if kind is not EntityType.AGE
    }
    bundle = replace(shipped, regimes={"us.hipaa": replace(hipaa, entities=rows)}, site=replace(shipped.site, bind=()))
    epoch = plan_of(bundle, "demo").at(NOW, "chat")
    assert epoch.thresholds.of(EntityType.AGE, "en") == 0.0
    assert epoch.operators[EntityType.AGE] == "redact"
    assert EntityType.AGE not in epoch.known


def test_overrides_replace_or_tighten(shipped_files: dict[str, bytes]) -> None:
    text = (
        f"overrides:\n  - {{id: wide, match: {{app: demo}}, {WIDEN}, transform: {{DATE: year}},"
        " threshold: {AGE: 0.7}, accept: {rule: hipaa.no-phi, any: true}}\n"
        "  - {id: tight, match: {tenant: demo}, transform: {DATE: redact}, threshold: {AGE: 0.6}, limit: keep_onprem}"
    )
    epoch = plan_of(bundle_of(edit(shipped_files, SITE, ("overrides: []", text))), "demo").at(NOW, "chat")
    assert epoch.operators[EntityType.DATE] == "redact"
    assert epoch.thresholds.of(EntityType.AGE, "en") == 0.6
    assert [mode for mode, _ in epoch.limits] == ["keep_onprem"]
    assert [reason.rule for reason in epoch.override_reasons] == ["wide"]
