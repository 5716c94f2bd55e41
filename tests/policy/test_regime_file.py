"""Regime files: what a law's file may say, and what each mistake in it is called."""

from __future__ import annotations

import pytest

from phigate.finding import EntityClass, EntityType
from phigate.policy.decision import Operator
from phigate.policy.load import read
from tests.policy.making import GDPR, HIPAA, LGPD, bundle_of, edit, problems

PERMIT = '    cite: "45 CFR 164.502(e), 164.504(e), 164.502(b)"\n'
WRONG: dict[str, tuple[str, str, str, str, str]] = {
    "unknown key": (HIPAA, "tables:", "tabels:", "PG001", "did you mean 'tables'?"),
    "unknown version": (HIPAA, "regime/v1", "regime/v2", "PG001", "unknown word 'regime/v2'"),
    "no regime": (HIPAA, "regime: {id: us.hipaa", "x: {id: us.hipaa", "PG001", "the key 'regime' is missing"),
    "unknown method": (HIPAA, "method: safe_harbor", "method: safe_habor", "PG001", "did you mean 'safe_harbor'?"),
    "type twice": (HIPAA, "types: [AGE]", "types: [AGE, DOB]", "PG011", "DOB has a row already"),
    "type twice in a row": (HIPAA, "types: [AGE]", "types: [AGE, AGE]", "PG001", "'AGE' stands twice"),
    "unknown type": (HIPAA, "types: [AGE]", "types: [AEG]", "PG001", "did you mean 'AGE'?"),
    "identifier kept": (
        HIPAA,
        'transform: token, cite: "(D)',
        'transform: keep, cite: "(D)',
        "PG012",
        "PHONE is direct",
    ),
    "special kept": (HIPAA, 'transform: redact, cite: "(P)', 'transform: keep, cite: "(P)', "PG012", "is special"),
    "no operator": (HIPAA, ', transform: age90, cite: "(C)"', ', cite: "(C)"', "PG013", "the row has no operator"),
    "operator of another family": (HIPAA, "transform: age90", "transform: year", "PG001", "of the family age"),
    "no threshold": (HIPAA, "threshold: {default: 0.40}, transform: age90", "transform: age90", "PG001", "'threshold'"),
    "threshold over one": (HIPAA, "{default: 0.40, en: 0.35}", "{default: 1.4}", "PG001", "a number from 0 to 1"),
    "threshold of an eighth language": (HIPAA, "en: 0.35", "sv: 0.35", "PG001", "unknown key 'sv'"),
    "rule without id": (HIPAA, "- id: hipaa.no-phi\n    effect", "- effect", "PG033", "the rule has no id"),
    "rule without cite": (HIPAA, PERMIT, "", "PG033", "the rule has no cite"),
    "rule twice": (HIPAA, "id: hipaa.raw-baa", "id: hipaa.no-phi", "PG033", "'hipaa.no-phi' stands already"),
    "permit of a limit": (HIPAA, "mode: send_raw", "mode: block", "PG001", "unknown word 'block'"),
    "limit of a permit": (
        HIPAA,
        "floor: true, mode: keep_onprem, when: {tag_any: [part2]}",
        "mode: send_raw, when: {tag_any: [part2]}",
        "PG001",
        "unknown word 'send_raw'",
    ),
    "raw for nothing found": (
        HIPAA,
        "mode: send_scrubbed\n    when: {phi: none}",
        "mode: send_raw\n    when: {phi: none}",
        "PG001",
        "finding nothing is no proof",
    ),
    "permit that asks for a finding": (
        HIPAA,
        "when: {phi: none}",
        "when: {phi: none, finding_any: [AGE]}",
        "PG001",
        "what is found may only tighten",
    ),
    "permit that asks for an attachment": (
        HIPAA,
        "when: {phi: none}",
        "when: {phi: none, attachments: uncleaned}",
        "PG001",
        "what is found may only tighten",
    ),
    "permit without phi": (HIPAA, "when: {phi: none}", "when: {}", "PG001", "a permit says phi"),
    "limit for nothing found": (HIPAA, "when: {tag_any: [part2]}", "when: {phi: none}", "PG001", "would then loosen"),
    "limit with to": (
        HIPAA,
        "when: {tag_any: [part2]},",
        "when: {tag_any: [part2]}, to: {has: [baa]},",
        "PG001",
        "holds for every destination",
    ),
    "rule without when": (HIPAA, "when: {tag_any: [part2]}, ", "", "PG001", "the key 'when' is missing"),
    "permit without to": (HIPAA, "    to: {has: [baa, no_training, zero_retention]}\n", "", "PG001", "'to' is missing"),
    "permit to anyone with PHI": (
        HIPAA,
        "to: {has: [baa, no_training, zero_retention]}",
        "to: {any: true}",
        "PG033",
        "widening override",
    ),
    "permit to anyone": (HIPAA, "to: {has: [baa, no_training]}", "to: {any: true}", "PG040", "widening override"),
    "permit to anyone and papers": (
        HIPAA,
        "to: {has: [baa, no_training]}",
        "to: {any: true, has: [baa]}",
        "PG001",
        "stands alone",
    ),
    "permit to no one": (HIPAA, "to: {has: [baa, no_training]}", "to: {}", "PG001", "expected has: [papers]"),
    "unknown paper": (HIPAA, "has: [baa, no_training]}", "has: [baaa, no_training]}", "PG001", "did you mean 'baa'?"),
    "unknown purpose": (
        HIPAA,
        "purpose_in: [treatment,",
        "purpose_in: [treatmnet,",
        "PG001",
        "did you mean 'treatment'",
    ),
    "duty that nobody fulfils": (
        HIPAA,
        "human_duties: [sample_human_review]",
        "human_duties: []",
        "PG062",
        "nothing in the program fulfils sample_human_review",
    ),
    "unknown obligation": (HIPAA, "[min_necessary, log_disclosure]", "[min_necessary, log_all]", "PG001", "'log_all'"),
    "open default": (
        HIPAA,
        "default: {mode: keep_onprem}",
        "default: {mode: send_scrubbed}",
        "PG034",
        "found send_scrubbed",
    ),
    "open on error": (HIPAA, "on_error: {mode: block}", "on_error: {mode: send_raw}", "PG034", "found send_raw"),
    "no default": (HIPAA, "default: {mode: keep_onprem}\n", "", "PG001", "the key 'default' is missing"),
    "search switched off": (HIPAA, "vault_exact: true", "vault_exact: false", "PG001", "cannot be switched off"),
    "unknown basis": (LGPD, "legal_basis: {treatment", "legal_basis: {treatmnt", "PG001", "did you mean 'treatment'"),
    "basis without a citation": (LGPD, 'life: "Art. 11, II, e"', "life: 11", "PG001", "expected a citation"),
    "country in words": (LGPD, "free: [BR]", "free: [Brazil]", "PG001", "two-letter country codes"),
    "shift without a range": (LGPD, "range_days: 365, ", "", "PG001", "'range_days' is missing"),
    "token made from the value": (GDPR, "source: random", "source: hash", "PG001", "unknown word 'hash'"),
    "test without a name": (HIPAA, "{name: raw image stays, given", "{given", "PG001", "rows with a name"),
    "no doc of the opinion": (
        HIPAA,
        "method: safe_harbor}",
        "method: expert_determination, expert: {doc: x}}",
        "PG023",
        "expected sha256:",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_has_its_code_and_its_remedy(case: str, shipped_files: dict[str, bytes]) -> None:
    name, old, new, code, says = WRONG[case]
    found = problems(edit(shipped_files, name, (old, new)))
    told = [message for c, message in found if c == code and says in message]
    assert told, found
    assert told[0].startswith(f"{name}:")


def test_all_problems_are_found_in_one_reading(shipped_files: dict[str, bytes]) -> None:
    files = edit(shipped_files, HIPAA, ("tables:", "tabels:"), ("method: safe_harbor", "method: x"))
    assert len(problems(edit(files, LGPD, ("retention:", "retenion:")))) >= 4


def test_a_regime_reads_as_it_stands(shipped_files: dict[str, bytes]) -> None:
    extra = (
        "default: {mode: keep_onprem}",
        "default: {mode: block}\nchangelog:\n  - {version: '2026.11.0', change: first}",
    )
    more = ('retention: {min_days: 2192, cite: "45', 'retention: {min_days: 2192, max_days: 4000, cite: "45')
    expert = (
        "method: safe_harbor}",
        'method: expert_determination, expert: {doc: "sha256:00aa", expires: "2030-01-01"}}',
    )
    regime = bundle_of(edit(shipped_files, HIPAA, extra, more, expert)).regimes["us.hipaa"]
    assert (regime.default_block, regime.changelog, regime.retention_max_days) == (True, ("2026.11.0",), 4000)
    assert regime.expert_doc == "sha256:00aa"
    assert regime.expert_expires is not None
    person = regime.entities[EntityType.PERSON]
    assert (person.entity_class, person.operator) == (EntityClass.DIRECT, Operator.TOKEN)
    assert person.thresholds == {"": 0.4, "en": 0.35}
    assert regime.zip3 == "census-2020"
    assert len(regime.cases) == 17


def test_a_regime_without_optional_keys_is_the_strictest(shipped_files: dict[str, bytes]) -> None:
    text = shipped_files[HIPAA].decode()
    kept = [line for line in text.splitlines() if not line.startswith(("tables:", "token:", "residual:"))]
    regime = bundle_of({**shipped_files, HIPAA: "\n".join(kept).encode()}).regimes["us.hipaa"]
    assert (regime.zip3, regime.token_scope, regime.residual.factor, regime.residual.max_quasi_types) == (
        "",
        "conversation",
        0.0,
        0,
    )


def test_a_file_without_anything_is_all_problems(shipped_files: dict[str, bytes]) -> None:
    reading = read({**shipped_files, HIPAA: b"phigate: regime/v1\n"})
    assert len(reading.problems) > 5


def test_an_empty_type_row_has_no_types(shipped_files: dict[str, bytes]) -> None:
    files = edit(shipped_files, HIPAA, ("  - {types: [AGE], ", "  - {"))
    assert any("'types' is missing" in message for _, message in problems(files))
