"""Lint over the abstract domain: rules that never act, looser versions without a word, apps without a door."""

from __future__ import annotations

from dataclasses import replace

from phigate.policy.bundle import Bundle
from phigate.policy.lint_cells import CELL_CHECKS, Outlook, bound_together
from tests.policy.making import DESTINATIONS, HIPAA, NOW, SITE, bundle_of, edit

OUTLOOK = Outlook(NOW)


def found(bundle: Bundle, outlook: Outlook = OUTLOOK) -> dict[str, list[str]]:
    by_code: dict[str, list[str]] = {}
    for check in CELL_CHECKS:
        for code, problem, _, _ in check(bundle, outlook):
            by_code.setdefault(code, []).append(problem)
    return by_code


def test_the_shipped_rules_all_act_and_every_app_has_a_door(shipped: Bundle) -> None:
    assert found(shipped) == {}
    assert [sorted(names) for names in bound_together(shipped)] == [
        ["br.lgpd"],
        ["br.lgpd", "eu.gdpr", "us.hipaa"],
        ["us.hipaa"],
    ]


def test_a_permit_that_a_limit_always_closes_is_told(shipped_files: dict[str, bytes]) -> None:
    limit = "  - {id: x.dead, effect: limit, mode: keep_onprem, when: {site_flag: raw_under_baa}, cite: x}\n"
    files = edit(shipped_files, HIPAA, ("  - {id: hipaa.part2,", f"{limit}  - {{id: hipaa.part2,"))
    assert found(bundle_of(files)) == {"PG031": ["hipaa.raw-baa: wherever it matches, a limit closes"]}
    lifted = limit.replace("keep_onprem", "send_scrubbed")
    files = edit(shipped_files, HIPAA, ("  - {id: hipaa.part2,", f"{lifted}  - {{id: hipaa.part2,"))
    assert found(bundle_of(files)) == {}


def test_an_app_without_a_door_is_told(shipped_files: dict[str, bytes]) -> None:
    files = edit(shipped_files, DESTINATIONS, ("      dpa:  ", "      bcr:  "))
    told = found(bundle_of(files))["PG051"]
    assert told[0] == "br.lgpd leaves br-hospital, pediatrics no model outside"
    assert SITE not in told[0]


def test_a_rule_that_no_request_matches_is_an_error(shipped: Bundle) -> None:
    regime = shipped.regimes["us.hipaa"]
    never = replace(regime.rules[4], id="x.no", when=replace(regime.rules[4].when, tag_any=("unheard",)))
    bundle = replace(shipped, regimes={**shipped.regimes, "us.hipaa": replace(regime, rules=(*regime.rules, never))})
    assert found(bundle)["PG030"] == ["x.no: no request matches it"]


def test_a_looser_version_needs_a_word_in_its_changelog(shipped: Bundle, shipped_files: dict[str, bytes]) -> None:
    change = ("    to: {has: [baa, no_training, zero_retention]}", "    to: {has: [baa, no_training]}")
    bare = edit(shipped_files, DESTINATIONS, ("      zero_retention:", "      bcr:"))
    looser = edit(bare, HIPAA, change)
    outlook = replace(OUTLOOK, previous=bundle_of(bare))
    told = found(bundle_of(looser), outlook)["PG043"]
    assert "us.hipaa@2026.11.0 is looser" in told[0]
    assert "eu-cloud scrubbed -> raw" in told[0]
    noted = edit(looser, HIPAA, ("default: {mode", "changelog: [{version: '2026.11.0', change: less}]\ndefault: {mode"))
    assert "PG043" not in found(bundle_of(noted), outlook)
    assert "PG043" not in found(shipped, replace(OUTLOOK, previous=shipped))
    newcomer = replace(shipped, regimes={k: v for k, v in shipped.regimes.items() if k != "us.hipaa"})
    assert "PG043" not in found(bundle_of(looser), replace(OUTLOOK, previous=newcomer))
