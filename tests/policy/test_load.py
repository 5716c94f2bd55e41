"""Loading: what files say across each other, what the lock must say of them, and that no clock is asked."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.errors import PolicyFileError
from phigate.policy.load import load, read
from phigate.policy.lock import FILE, TrustedKey, public_bytes, sign, write_lock
from phigate.policy.plan import plan_of
from phigate.store.bundles import make_lock
from tests.policy.making import DESTINATIONS, HIPAA, LGPD, SITE, bundle_of, edit, problems
from tests.policy.test_site_file import APP, WIDEN, with_override

KEYS = {
    role: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)
    for n, role in enumerate(("security", "dpo", "compliance"), start=1)
}
TRUST = tuple(TrustedKey(public_bytes(key), role) for role, key in KEYS.items())


def signed(files: dict[str, bytes], *roles: str, effective: str = "2026-12-01") -> dict[str, bytes]:
    lock = make_lock(files, effective=effective)
    for role in roles:
        lock = sign(lock, role=role, key=KEYS[role])
    return {**files, FILE: write_lock(lock)}


def refusal(files: dict[str, bytes]) -> PolicyFileError:
    with pytest.raises(PolicyFileError) as raised:
        load(files, trust=TRUST)
    return raised.value


def test_two_roles_make_a_bundle(shipped_files: dict[str, bytes]) -> None:
    files = signed(shipped_files, "security", "dpo")
    bundle = load(files, trust=TRUST)
    assert bundle.signed_by == ("dpo", "security")
    assert bundle.digest.startswith("sha256:")
    assert bundle.files == files
    assert bundle.effective.isoformat() == "2026-12-01T00:00:00+00:00"


def test_without_a_lock_nobody_answers(shipped_files: dict[str, bytes]) -> None:
    files = {name: data for name, data in shipped_files.items() if name != FILE}
    assert (refusal(files).code, refusal(files).file) == ("PG002", FILE)


def test_a_changed_file_is_refused(shipped_files: dict[str, bytes]) -> None:
    files = signed(shipped_files, "security", "dpo")
    assert refusal(edit(files, HIPAA, ("default: 0.40, en: 0.35", "default: 0.90"))).code == "PG003"


def test_a_comment_changes_nothing(shipped_files: dict[str, bytes]) -> None:
    files = signed(shipped_files, "security", "dpo")
    noted = {**files, HIPAA: b"# a note\n" + files[HIPAA]}
    assert load(noted, trust=TRUST).digest == load(files, trust=TRUST).digest


def test_a_missing_and_an_added_file_are_refused(shipped_files: dict[str, bytes]) -> None:
    files = signed(shipped_files, "security", "dpo")
    lgpd = files.pop(LGPD)
    unbound = edit(files, SITE, ('  - {match: {tenant: "br-*"}, regimes: [br.lgpd]}\n', ""))
    assert "is not there" in str([str(p) for p in (refusal(unbound), *refusal(unbound).more)])
    files[LGPD] = lgpd
    files["regimes/copy.yaml"] = lgpd.replace(b"id: br.lgpd", b"id: br.copy")
    assert refusal(files).code == "PG003"


def test_problems_of_files_come_before_those_of_the_lock(shipped_files: dict[str, bytes]) -> None:
    files = edit(signed(shipped_files, "security", "dpo"), HIPAA, ("tables:", "tabels:"))
    assert refusal(files).code == "PG001"


def test_no_clock_is_asked(shipped_files: dict[str, bytes]) -> None:
    old = edit(
        shipped_files,
        DESTINATIONS,
        ('signed: "2026-01-10", expires: "2028-01-10"', 'signed: "1999-01-01", expires: "2000-01-01"'),
    )
    assert load(signed(old, "security", "dpo", effective="2001-01-01"), trust=TRUST).destinations["eu-cloud"].attest


def test_a_widening_needs_the_signature_of_its_approver(shipped_files: dict[str, bytes]) -> None:
    files = edit(shipped_files, SITE, with_override(f"{WIDEN}, lift: [hipaa.attachments]"))
    assert load(signed(files, "security", "dpo"), trust=TRUST).site.overrides
    told = refusal(signed(files, "security", "compliance"))
    assert (told.code, "its approver dpo did not sign" in told.problem) == ("PG040", True)
    flags = edit(
        shipped_files,
        SITE,
        ("raw_under_baa: false", 'raw_under_baa: {approved_by: dpo, expires: "2027-01-01", ticket: T}'),
    )
    assert refusal(signed(flags, "security", "compliance")).code == "PG040"
    assert load(signed(flags, "security", "dpo"), trust=TRUST).site.flags == {"raw_under_baa"}


def test_a_development_signature_answers_for_widenings_too(shipped_files: dict[str, bytes]) -> None:
    from phigate.policy.lock import DEVELOPMENT, development_key

    files = edit(shipped_files, SITE, with_override(f"{WIDEN}, lift: [hipaa.attachments]"))
    lock = sign(make_lock(files, effective="2026-12-01"), role=DEVELOPMENT, key=development_key())
    assert load({**files, FILE: write_lock(lock)}, dev=True).site.overrides


WRONG: dict[str, tuple[str, str, str, str, str]] = {
    "tag that nobody declares": (HIPAA, "tag_any: [part2]", "tag_any: [partt2]", "PG001", "did you mean 'part2'?"),
    "flag that nobody declares": (
        SITE,
        "flags: {raw_under_baa: false, ",
        "flags: {",
        "PG001",
        "does not declare the flag",
    ),
    "transfer_ok without transfer": (
        HIPAA,
        "to: {has: [baa, no_training]}",
        "to: {has: [baa], transfer_ok: true}",
        "PG001",
        "needs the key transfer",
    ),
    "alias to nowhere": (SITE, "local: [medgemma/", "local: [medgema/", "PG001", "did you mean 'medgemma'?"),
    "alias to an unlisted model": (
        SITE,
        "local: [medgemma/medgemma-27b-it]",
        "local: [medgemma/medgemma-4b]",
        "PG001",
        "lists no model 'medgemma-4b'",
    ),
    "app under an unknown regime": (
        SITE,
        APP,
        APP.replace("tenant", "regimes: [us.hippa], tenant"),
        "PG001",
        "did you mean 'us.hipaa'?",
    ),
    "app with an unknown alias": (
        SITE,
        "aliases: [local]",
        "aliases: [lokal, local]",
        "PG001",
        "did you mean 'local'?",
    ),
    "default alias that it may not use": (
        SITE,
        "aliases: [local], default_alias: local",
        "aliases: [local], default_alias: clinical",
        "PG001",
        "none of its aliases",
    ),
    "app without a default": (SITE, APP, APP.replace(", default_alias: clinical", ""), "PG001", "strict_models: true"),
    "bind of an unknown regime": (
        SITE,
        'tenant: "us-*"}, regimes: [us.hipaa]',
        'tenant: "us-*"}, regimes: [us.x]',
        "PG001",
        "unknown regime 'us.x'",
    ),
    "context key of an unknown app": (
        SITE,
        "max_stale_hours: 24",
        f"context_keys: [{{kid: k, key: 'ed25519:{'A' * 43}=', issuer: e, apps: [nobody]}}]",
        "PG001",
        "unknown app 'nobody'",
    ),
    "override of an unknown permit": (
        SITE,
        *with_override(f"{WIDEN}, accept: {{rule: x.y, any: true}}"),
        "PG001",
        "unknown permit",
    ),
    "override of an unknown limit": (
        SITE,
        *with_override(f"{WIDEN}, lift: [hipaa.atachments]"),
        "PG001",
        "did you mean 'hipaa.attachments'?",
    ),
    "override across a floor": (SITE, *with_override(f"{WIDEN}, lift: [hipaa.part2]"), "PG041", "is a floor"),
    "override of an unknown app": (
        SITE,
        "overrides: []",
        "overrides: [{id: x, match: {app: demoo}, limit: block}]",
        "PG001",
        "did you mean 'demo'?",
    ),
    "override to a foreign operator": (SITE, *with_override("transform: {PERSON: year}"), "PG001", "of the family id"),
    "override that keeps a name": (
        SITE,
        *with_override(f"{WIDEN}, transform: {{PERSON: keep}}"),
        "PG012",
        "would be kept",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_one_file_says_another_must_know(case: str, shipped_files: dict[str, bytes]) -> None:
    name, old, new, code, says = WRONG[case]
    found = problems(edit(shipped_files, name, (old, new)))
    assert [m for c, m in found if c == code and says in m], found


def test_an_override_by_pattern_needs_no_app_of_that_name(shipped_files: dict[str, bytes]) -> None:
    files = edit(shipped_files, SITE, ("overrides: []", "overrides: [{id: x, match: {app: 'cardio-*'}, limit: block}]"))
    assert bundle_of(files).site.overrides
    files = edit(shipped_files, SITE, with_override("transform: {AGE: redact}"))
    assert bundle_of(files).site.overrides


@pytest.mark.parametrize("name", [SITE, DESTINATIONS])
def test_a_missing_file_is_named(name: str, shipped_files: dict[str, bytes]) -> None:
    files = {key: data for key, data in shipped_files.items() if key != name}
    assert any(m.startswith(f"{name}:1: the file is missing") for _, m in problems(files))


def test_a_bundle_without_regimes_is_refused(shipped_files: dict[str, bytes]) -> None:
    files = {name: data for name, data in shipped_files.items() if not name.startswith("regimes/")}
    assert any("expected at least one regime" in m for _, m in problems(files))


def test_two_files_of_one_regime_are_refused(shipped_files: dict[str, bytes]) -> None:
    files = {**shipped_files, "regimes/again.yaml": shipped_files[HIPAA]}
    assert any("stands in regimes/again.yaml already" in m for _, m in problems(files))


def test_a_stray_file_and_too_many_files_are_refused(shipped_files: dict[str, bytes]) -> None:
    assert any("no file of a bundle" in m for _, m in problems({**shipped_files, "regimes/Ä.yaml": b"a: 1\n"}))
    many = {f"regimes/r{n}.yaml": b"a: 1\n" for n in range(70)}
    assert any("at most 64 files" in m for _, m in problems({**shipped_files, **many}))


def test_a_file_that_does_not_parse_is_one_problem_among_others(shipped_files: dict[str, bytes]) -> None:
    assert any("an anchor" in m for _, m in problems({**shipped_files, HIPAA: b"a: &x 1\n"}))


def test_examples_are_optional(shipped_files: dict[str, bytes]) -> None:
    files = {name: data for name, data in shipped_files.items() if name != "examples.yaml"}
    assert bundle_of(files).examples == {}


def test_recognizers_of_a_site_ride_in_the_bundle(shipped_files: dict[str, bytes]) -> None:
    text = b"recognizers:\n  - {name: ward, supported_entity: UNIQUE_ID}\n"
    bundle = bundle_of({**shipped_files, "recognizers.yaml": text})
    assert bundle.detector.custom == text.decode()
    found = problems({**shipped_files, "recognizers.yaml": b"recognisers: []\n"})
    assert any("expected the key recognizers" in m for _, m in found)
    found = problems({**shipped_files, "recognizers.yaml": b"recognizers: x\n"})
    assert any("expected the key recognizers" in m for _, m in found)


def test_nothing_at_all_is_refused() -> None:
    assert read({}).bundle is None
    assert len(read({}).problems) == 2


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("medgemma", ""),
        ("medgema", "unknown destination 'medgema'; did you mean 'medgemma'?"),
        ("eu-cloud", "eu-cloud is outside; the second reader stands in the house"),
    ],
)
def test_a_second_reader_stands_in_the_house(shipped_files: dict[str, bytes], name: str, problem: str) -> None:
    files = edit(shipped_files, HIPAA, ("on_dirty: keep_onprem", f"on_dirty: keep_onprem, reader: {name}"))
    found = [words for _, words in problems(files) if "reader" in words]
    assert found == ([f"{HIPAA}:1: residual.reader: {problem}"] if problem else [])


def test_a_second_reader_answers_by_a_schema(shipped_files: dict[str, bytes]) -> None:
    files = edit(shipped_files, HIPAA, ("on_dirty: keep_onprem", "on_dirty: keep_onprem, reader: medgemma"))
    files = edit(files, DESTINATIONS, ("logprobs, json_schema], context: 131072", "logprobs], context: 131072"))
    assert [words for _, words in problems(files)] == [
        f"{HIPAA}:1: residual.reader: no model of medgemma can json_schema, by which the reader answers"
    ]


def test_readers_of_all_bound_regimes_must_find_nothing(shipped_files: dict[str, bytes]) -> None:
    keep = "on_dirty: keep_onprem"
    bundle = bundle_of(edit(shipped_files, HIPAA, (keep, f"{keep}, reader: medgemma")))
    assert plan_of(bundle, "demo").residual.readers == {"medgemma"}
    assert plan_of(bundle, "br-hospital").residual.readers == frozenset()
    assert plan_of(bundle_of(shipped_files), "demo").residual.readers == frozenset()
