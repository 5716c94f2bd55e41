"""What /readyz says of the policy: regimes in force apart from those to come, and why nothing leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phigate.app.ready import Readiness
from phigate.policy.bundle import Bundle
from tests.exchange import NOW, demo_bundle
from tests.fakes import FakeAnalyzer, FakeBundles, FakeExternal, FakeLedger, FakeOnPrem


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return demo_bundle(tmp_path_factory.mktemp("site"))


Report = Callable[..., dict[str, Any]]


@pytest.fixture
def report(bundle: Bundle) -> Report:
    def made(of: Bundle = bundle, **more: Any) -> dict[str, Any]:
        given = {
            "analyzer": FakeAnalyzer(),
            "ledger": FakeLedger(),
            "onprem": FakeOnPrem(),
            "external": FakeExternal(),
            "now": NOW.timestamp,
            **more,
        }
        return Readiness(bundles=FakeBundles(of), **given).report()

    return made


def test_all_is_well(report: Report) -> None:
    told = report()
    assert (told["ready"], told["onprem_only"], told["regimes_to_come"]) == (True, None, {})
    assert told["regimes"] == ["br.lgpd", "eu.gdpr", "us.hipaa"]
    assert told["destinations"] == {"medgemma": "answers", "eu-cloud": "not known to be down"}


def test_a_regime_that_is_not_in_force_yet_is_not_listed_as_if(report: Report, bundle: Bundle) -> None:
    later = replace(bundle.regimes["us.hipaa"], effective=NOW.replace(year=2027))
    told = report(replace(bundle, regimes={**bundle.regimes, "us.hipaa": later}))
    assert told["regimes"] == ["br.lgpd", "eu.gdpr"]
    assert told["regimes_to_come"] == {"us.hipaa": "2027-12-20"}
    all_later = {name: replace(regime, effective=NOW.replace(year=2027)) for name, regime in bundle.regimes.items()}
    assert report(replace(bundle, regimes=all_later))["regimes"] == "none in force: every exchange stays on-prem"


def test_the_ledger_s_time_counts_where_the_clock_runs_behind(report: Report, bundle: Bundle) -> None:
    class Ahead(FakeLedger):
        def last_at(self) -> float:
            return NOW.timestamp()

    later = replace(bundle.regimes["us.hipaa"], effective=NOW)
    of = replace(bundle, regimes={**bundle.regimes, "us.hipaa": later})
    assert report(of, now=lambda: 0.0)["regimes"] == "none in force: every exchange stays on-prem"
    assert "us.hipaa" in report(of, now=lambda: 0.0, ledger=Ahead())["regimes"]


def test_a_bundle_under_which_nothing_leaves_is_said_to_be_one(report: Report, bundle: Bundle) -> None:
    assert report(replace(bundle, onprem_only="stale"))["onprem_only"] == "stale"
    early = replace(bundle, effective=NOW.replace(year=2027))
    assert report(early)["onprem_only"] == "the bundle holds from 2027-12-20"


def test_what_is_down_is_said(report: Report) -> None:
    told = report(onprem=FakeOnPrem(up=False), external=FakeExternal(up=False), analyzer=FakeAnalyzer(down="hung"))
    assert told["ready"] is False
    assert set(told["not_ready"]) == {"detector", "onprem"}
    assert told["destinations"] == {"medgemma": "down", "eu-cloud": "down"}


def test_refused_files_are_said_and_the_gateway_stays_ready(report: Report) -> None:
    told = report(policy=lambda: {"policy_refused": {"why": "site.yaml:1: PG003 changed"}})
    assert told["ready"] is True
    assert told["policy_refused"]["why"] == "site.yaml:1: PG003 changed"


def test_the_site_of_these_tests_is_the_shipped_one(tmp_path: Path) -> None:
    assert set(demo_bundle(tmp_path).destinations) == {"medgemma", "eu-cloud"}
