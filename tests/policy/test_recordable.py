"""What policy files may name is what the ledger can record: neither more, nor less."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phigate.audit.shapes import CODE, ID, VERSION
from phigate.policy.recordable import is_code, is_name, is_version
from tests.policy.making import DESTINATIONS, HIPAA, SITE, edit, problems

WORDS = st.one_of(
    st.text(max_size=12), st.text("ab1.:/+-_@*", max_size=14), st.from_regex(r"[a-z]?[0-9]{7,11}[a-z]?", fullmatch=True)
)


@given(WORDS)
@example("a" * 128)
@example("a" * 129)
@example("123456789")
@example("a12345678")
@example("a\n")
@example("é")
@example("٣" * 3 + "a")
def test_the_loader_and_the_ledger_agree(word: str) -> None:
    assert is_name(word) == ID.holds(word)
    assert is_version(word) == VERSION.holds(word)
    assert is_code(word) == CODE.holds(word)


APP = "  demo: {tenant: demo, purpose: treatment, default_alias: clinical}"
BAD: dict[str, tuple[str, tuple[str, str], str]] = {
    "app with a long number": (SITE, (APP, f"{APP}\n  unit-123456789: {{tenant: demo, default_alias: clinical}}"),
                               "the app 'unit-123456789'"),
    "app without a letter": (SITE, (APP, f'{APP}\n  "2026": {{tenant: demo, default_alias: clinical}}'),
                             "the app '2026'"),
    "tenant of an address": (SITE, ("{tenant: us-clinic,", "{tenant: a@b,"), "the tenant 'a@b'"),
    "rule with a long number": (HIPAA, ("id: hipaa.no-phi", "id: hipaa.123456789"), "the rule 'hipaa.123456789'"),
    "regime version": (HIPAA, ('version: "2026.11.0"', 'version: "2026.11.0.1.9*"'), "the version"),
    "model": (DESTINATIONS, ("name: gpt-eu", "name: gpt@eu"), "the model 'gpt@eu'"),
    "region": (DESTINATIONS, ("region: sweden-1", 'region: "Sweden Central"'), "the region 'Sweden Central'"),
    "tag": (SITE, ("flags: {raw", 'tags: ["vip patient"]\nflags: {raw'), "the tag 'vip patient'"),
    "alias": (SITE, ("  local: [med", "  all@home: [medgemma/medgemma-27b-it]\n  local: [med"), "the alias 'all@home'"),
    "reason": (SITE, ("reasons: [life_threat]", "reasons: [life-threat]"), "the reason 'life-threat'"),
    "role": (SITE, ("roles: [attending, icu]", 'roles: ["on call"]'), "the role 'on call'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_name_that_no_entry_could_hold_is_refused_with_its_place(case: str, shipped_files: dict[str, bytes]) -> None:
    file, change, says = BAD[case]
    found = problems(edit(shipped_files, file, change))
    hits = [message for code, message in found if code == "PG001" and says in message]
    assert len(hits) == 1, found
    assert hits[0].startswith(f"{file}:")
    assert "cannot stand in the ledger" in hits[0]


def test_an_override_is_named_like_all_else(shipped_files: dict[str, bytes]) -> None:
    row = "overrides:\n  - {id: x@y, match: {app: demo}, limit: keep_onprem}"
    found = problems(edit(shipped_files, SITE, ("overrides: []", row)))
    assert any("the override 'x@y' cannot stand in the ledger" in message for _, message in found)


def test_a_site_without_break_glass_has_no_words_of_it(shipped_files: dict[str, bytes]) -> None:
    text = shipped_files[SITE].decode()
    without = "\n".join(line for line in text.splitlines() if not line.startswith("break_glass")) + "\n"
    assert problems({**shipped_files, SITE: without.encode()}) == []


def test_the_shipped_names_can_all_be_recorded(shipped_files: dict[str, bytes]) -> None:
    assert problems(shipped_files) == []
