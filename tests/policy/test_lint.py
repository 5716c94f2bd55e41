"""Lint: for every code a bundle that has the fault and one that has not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from phigate.errors import PolicyFileError
from phigate.finding import ENTITY_TABLE, EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.lint import Lint, line_text, lint, of_error, results_of
from phigate.policy.lint_cells import Outlook
from phigate.policy.lint_codes import CODES, Level
from tests.policy.making import DESTINATIONS, GDPR, HIPAA, LGPD, NOW, SITE, bundle_of, edit
from tests.policy.test_site_file import WIDEN, with_override

OUTLOOK = Outlook(NOW)
AGE_ROW = '  - {types: [AGE], class: quasi, threshold: {default: 0.40}, transform: age90, cite: "(C)"}\n'
RULE = "  - {id: hipaa.part2,"
READING = {
    "PG001",
    "PG002",
    "PG003",
    "PG011",
    "PG012",
    "PG013",
    "PG023",
    "PG033",
    "PG040",
    "PG041",
    "PG060",
    "PG062",
}


def found(bundle: Bundle, outlook: Outlook = OUTLOOK) -> dict[str, list[Lint]]:
    by_code: dict[str, list[Lint]] = {}
    for one in lint(bundle, outlook):
        by_code.setdefault(one.code, []).append(one)
    return by_code


def test_the_shipped_bundle_has_no_error_and_two_warnings(shipped: Bundle) -> None:
    assert {code: len(lints) for code, lints in found(shipped).items()} == {"PG064": 2}


LIMIT = "  - {{id: x.dead, effect: limit, mode: keep_onprem, when: {when}, cite: x}}\n"
FAULTS: dict[str, tuple[str, tuple[tuple[str, str], ...], str, str]] = {
    "PG010": (HIPAA, ((AGE_ROW, ""),), "error", "us.hipaa: AGE has no row"),
    "PG014": (
        HIPAA,
        (
            (
                "[DATE, DOB], class: quasi, threshold: {default: 0.40}, transform: year",
                "[DATE, DOB], class: quasi, threshold: {default: 0.40}, transform: date_shift",
            ),
        ),
        "error",
        "date_shift is no removal",
    ),
    "PG014 hash": (
        HIPAA,
        (('transform: token, cite: "(D)', 'transform: hash_keyed, cite: "(D)'),),
        "error",
        "hash_keyed is no removal",
    ),
    "PG014 age": (HIPAA, (("transform: age90", "transform: keep"),), "error", "AGE: keep is no removal"),
    "PG014 zip": (HIPAA, (("tables: {zip3: census-2020, ages: hipaa-89}\n", ""),), "error", "postal3 needs tables"),
    "PG014 unmapped": (HIPAA, ((AGE_ROW, ""),), "error", "(C) AGE is not mapped"),
    "PG014 harmless": (
        HIPAA,
        (("types: [AGE], class: quasi", "types: [AGE], class: operational"),),
        "error",
        "is called operational",
    ),
    "PG015": (HIPAA, (("method: safe_harbor", "method: expert_determination"),), "error", "without the opinion"),
    "PG020": (
        DESTINATIONS,
        (("    country: SE  # where inference runs\n", ""), ("    region_pinned: true\n", "")),
        "error",
        "eu-cloud lacks country, region_pinned: true",
    ),
    "PG020 unreached": (
        DESTINATIONS,
        (("    region: sweden-1\n", ""), ("      no_training:", "      bcr:")),
        "warn",
        "no permit that names PHI reaches it",
    ),
    "PG021": (
        DESTINATIONS,
        (('signed: "2026-01-10", expires: "2028-01-10"', 'signed: "2025-01-10", expires: "2026-12-15"'),),
        "error",
        "baa expired on 2026-12-15",
    ),
    "PG021 revoked": (
        DESTINATIONS,
        (("covers: [chat]}", "covers: [chat], revoked: true}"),),
        "error",
        "baa is revoked",
    ),
    "PG021 unsigned": (
        DESTINATIONS,
        (('signed: "2026-01-10"', 'signed: "2027-01-10"'),),
        "error",
        "signed only from 2027-01-10",
    ),
    "PG022": (
        DESTINATIONS,
        (('expires: "2028-01-10"', 'expires: "2027-02-13"'),),
        "warn",
        "expires on 2027-02-13, in 60 days",
    ),
    "PG024": (
        DESTINATIONS,
        (("- {name: gpt-eu,", "- gpt-two\n      - {name: gpt-eu,"), ("covers: [chat]}", "covers: [chat, gpt-eu]}")),
        "error",
        "baa does not cover gpt-two at chat",
    ),
    "PG025": (
        HIPAA,
        (("    to: {has: [no_training]}", "    to: {has: [baa]}"),),
        "error",
        "lets PHI out without no_training",
    ),
    "PG026": (
        LGPD,
        (("to: {has: [dpa, no_training], transfer_ok: true}", "to: {has: [dpa, no_training]}"),),
        "error",
        "omits transfer_ok",
    ),
    "PG031": (
        HIPAA,
        ((RULE, LIMIT.format(when="{site_flag: raw_under_baa}") + RULE),),
        "warn",
        "hipaa.raw-baa: wherever it matches",
    ),
    "PG032": (
        HIPAA,
        (
            (
                "{name: psychotherapy notes stay, given: {findings: [], tags: [psychotherapy_notes]}",
                "{name: psychotherapy notes stay, given: {findings: [], tags: [part2]}",
            ),
            ("rule: hipaa.psych-notes}}", "rule: hipaa.part2}}"),
        ),
        "warn",
        "hipaa.psych-notes: no test in which it matches",
    ),
    "PG034": (
        HIPAA,
        (
            (
                "residual: {factor: 0.7, detectors: other_set, vault_exact: true, max_quasi_types: 3, on_dirty: ",
                "# ",
            ),
        ),
        "error",
        "the regime has no residual",
    ),
    "PG042": (
        SITE,
        (with_override(WIDEN.replace("2027-03-31", "2027-12-31") + ", lift: [hipaa.attachments]"),),
        "warn",
        "override x.y widens until 2027-12-31",
    ),
    "PG042 flag": (
        SITE,
        (("raw_under_baa: false", 'raw_under_baa: {approved_by: dpo, expires: "2029-01-01", ticket: T}'),),
        "warn",
        "flag raw_under_baa widens",
    ),
    "PG044": (
        GDPR,
        (("retention: {min_days: 183,", "retention: {min_days: 183, max_days: 400,"),),
        "error",
        "us.hipaa keeps 2192 days, eu.gdpr allows 400",
    ),
    "PG050": (
        GDPR,
        (
            (
                "[STREET, CITY, COUNTY, LOCATION, GEOCODE], class: quasi, threshold: {default: 0.45}, transform: state",
                "[STREET, CITY, COUNTY, LOCATION, GEOCODE], class: quasi, threshold: {default: 0.45}, transform: token",
            ),
        ),
        "warn",
        "STREET is redacted: br.lgpd state, eu.gdpr token, us.hipaa state",
    ),
    "PG051": (
        DESTINATIONS,
        (("      dpa:  ", "      bcr:  "),),
        "warn",
        "leaves br-hospital, pediatrics no model outside",
    ),
    "PG052": (
        DESTINATIONS,
        (
            ("kind: onprem  #", "kind: external  #"),
            ('endpoint: "http://127.0.0.1:8001/v1"', 'endpoint: "http://127.0.0.1:8001/v1"\n    provider: openai'),
        ),
        "error",
        "no destination of kind onprem",
    ),
    "PG063": (
        LGPD,
        (
            (
                "[DATE, DOB], class: quasi, threshold: {default: 0.40}, transform: token",
                "[DATE, DOB], class: quasi, threshold: {default: 0.40}, transform: date_shift",
            ),
        ),
        "error",
        "lgpd.scrub-operator restores replies, and DATE is shifted",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_has_its_code_and_the_shipped_bundle_has_not(
    case: str, shipped: Bundle, shipped_files: dict[str, bytes]
) -> None:
    name, changes, level, says = FAULTS[case]
    code = case.partition(" ")[0]
    assert code not in found(shipped)
    told = [one for one in found(bundle_of(edit(shipped_files, name, *changes)))[code] if says in one.problem]
    assert told, found(bundle_of(edit(shipped_files, name, *changes)))
    assert {one.level.value for one in told} == {level}
    assert all(one.why and one.mend and one.line >= 1 and one.file for one in told)
    assert code == "PG052" or any(one.text for one in told)


def test_every_code_of_the_table_is_tested_or_comes_from_reading() -> None:
    here = {case.partition(" ")[0] for case in FAULTS} | {"PG016", "PG017", "PG030", "PG043", "PG061", "PG064"}
    assert here | READING == set(CODES)


def test_a_threshold_above_the_measured_one_is_told(shipped: Bundle) -> None:
    outlook = replace(OUTLOOK, languages=frozenset({"en"}), calibrated={(EntityType.PERSON, "en"): 0.36})
    told = found(shipped, outlook)["PG016"]
    assert [one.problem for one in told] == [
        "eu.gdpr: PERSON in en counts from 0.4, measured up to 0.36",
        "br.lgpd: PERSON in en counts from 0.4, measured up to 0.36",
    ]
    assert "PG016" not in found(shipped, replace(outlook, languages=frozenset({"pt"})))


def test_an_identifier_that_nothing_finds_in_a_language_is_an_error(shipped: Bundle) -> None:
    every: dict[EntityType, frozenset[str]] = {t: frozenset({"en", "pt"}) for t in EntityType}
    fewer = {**every, EntityType.MRN: frozenset({"pt"})}
    english = frozenset({"en"})
    told = found(shipped, replace(OUTLOOK, languages=english, finds=fewer))
    assert {one.problem for one in told["PG017"]} == {
        f"{name}: MRN in en is direct, and nothing finds it" for name in ("us.hipaa", "br.lgpd", "eu.gdpr")
    }
    assert not {"PG017", "PG064"} & found(shipped, replace(OUTLOOK, languages=english, finds=every)).keys()


def test_a_type_that_no_recognizer_finds_is_told_where_a_rule_asks_for_it(shipped: Bundle) -> None:
    assert ENTITY_TABLE[EntityType.GENETIC].recognizer == "none"
    assert {one.file for one in found(shipped)["PG064"]} == {GDPR, LGPD}
    assert all(one.level is Level.WARN for one in found(shipped)["PG064"])


def test_a_denied_type_needs_a_row(shipped: Bundle) -> None:
    regime = shipped.regimes["us.hipaa"]
    rows: dict[EntityType, Any] = {t: r for t, r in regime.entities.items() if t is not EntityType.RELIGION}
    poorer = {**shipped.regimes, "us.hipaa": replace(regime, entities=rows)}
    bundle = replace(shipped, regimes=poorer, detector=replace(shipped.detector, deny={"x": EntityType.RELIGION}))
    assert [one.problem for one in found(bundle)["PG010"]] == ["us.hipaa: RELIGION has no row"]


def test_a_short_widening_is_an_exception(shipped_files: dict[str, bytes]) -> None:
    bundle = bundle_of(edit(shipped_files, SITE, with_override(f"{WIDEN}, lift: [hipaa.attachments]")))
    assert "PG042" not in found(bundle)


def test_a_shadow_runs_thirty_days_at_most(shipped: Bundle) -> None:
    assert "PG061" in found(shipped, replace(OUTLOOK, shadow_since=NOW - timedelta(days=31)))
    assert "PG061" not in found(shipped, replace(OUTLOOK, shadow_since=NOW - timedelta(days=30)))


def test_a_malformed_test_counts_for_nothing(shipped_files: dict[str, bytes]) -> None:
    files = edit(
        shipped_files,
        HIPAA,
        ("{name: raw image stays, given: {findings: []", "{name: raw image stays, given: {finding: []"),
    )
    bundle = bundle_of(files)
    assert len(results_of(bundle)) == len(results_of(bundle_of(shipped_files))) - 1


def test_a_problem_of_reading_shows_its_line() -> None:
    files = {"a.yaml": b"x: 1\n  y: 2\n"}
    told = of_error(PolicyFileError("p", file="a.yaml", line=2, code="PG033"), files)
    assert (told.text, told.level, told.code) == ("y: 2", Level.ERROR, "PG033")
    assert (line_text(files, "a.yaml", 9), line_text(files, "b.yaml", 1)) == ("", "")


def test_time_passing_makes_no_error_but_the_calendar_ones(shipped: Bundle) -> None:
    late = replace(OUTLOOK, now=datetime(2040, 1, 1, tzinfo=UTC))
    errors = {code for code, lints in found(shipped, late).items() if any(x.level is Level.ERROR for x in lints)}
    assert errors == {"PG021"}
