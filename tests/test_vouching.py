"""Signed contexts and break-glass through the gateway: what the EHR signs counts, what it did not is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.analysis import Unread
from phigate.audit.record import Draft, Kind
from phigate.audit.schema import check
from phigate.audit.shapes import TAG, is_id
from phigate.errors import AuthenticationError, PhigateError, RefusedError, UnavailableError
from phigate.finding import EntityType
from phigate.policy.bundle import Bundle, ContextKey, DateShift
from phigate.policy.context import seal
from phigate.policy.decision import Operator
from tests.exchange import AUDIENCE, NOW, Script, demo_bundle

pytestmark = pytest.mark.anyio
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOTE = "Patient Maria Souza has had a cough for three days and asks what to do about it, please advise her today."
GLASS: dict[str, Any] = {"user": "dr-house", "role": "attending", "glass": {"reason": "life_threat"}}
APPS = frozenset({"demo", "us-clinic", "br-hospital", "pediatrics"})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    made = demo_bundle(tmp_path_factory.mktemp("site"))
    keys = (ContextKey("k1", KEY.public_key().public_bytes_raw(), "ehr", APPS),)
    return replace(made, site=replace(made.site, context_keys=keys))


@pytest.fixture
def script(bundle: Bundle) -> Script:
    made = Script(bundle)
    made.answers("Rest.")
    return made


def signed(app: str = "demo", *, key: Ed25519PrivateKey = KEY, kid: str = "k1", **claims: Any) -> str:
    whole = {
        "iss": "ehr",
        "aud": AUDIENCE,
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(minutes=2)).timestamp()),
        "jti": "one",
        "app": app,
        **claims,
    }
    return seal(whole, kid=kid, key=key)


def rows(draft: Draft, name: str) -> list[list[str]]:
    value: Any = draft.fields[name]
    return [[str(each) for each in row] for row in value]


async def test_tags_that_the_ehr_signs_limit(script: Script) -> None:
    reply = await script.say(NOTE, signed(tags=["part2"]))
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    intent = script.entry(Kind.INTENT)
    check(intent)
    assert intent.fields["tags"] == ["part2"]
    assert "hipaa.part2" in str(intent.fields["rules"])
    assert script.external.calls == []


async def test_a_purpose_that_the_ehr_signs_counts_in_place_of_the_app_s(script: Script) -> None:
    await script.say(NOTE, signed(purpose="marketing"))
    assert (script.entry(Kind.INTENT).fields["purpose"], script.external.calls) == ("marketing", [])


async def test_patient_and_user_are_recorded_as_pseudonyms_alone(script: Script) -> None:
    await script.say(NOTE, signed(sub="MRN 48210377", user="maria.souza@hospital.example"))
    intent = script.entry(Kind.INTENT)
    check(intent)
    ((source, tag),) = rows(intent, "subj")
    assert source == "declared"
    assert TAG.holds(tag)
    assert is_id(intent.fields["actor"])
    assert "48210377" not in repr(script.ledger.drafts)
    assert "souza" not in repr(script.ledger.drafts).lower()
    assert "48210377" not in json.dumps(script.external.calls[0][1])


async def test_a_patient_who_is_named_by_nobody_is_found_by_a_number_and_never_by_a_name(script: Script) -> None:
    script.analyzer.words |= {"48210377": EntityType.MRN, "Ana Lima": EntityType.PERSON}
    await script.say("Ana Lima, MRN 48210377, again 48210377")
    ((source, tag),) = rows(script.entry(Kind.INTENT), "subj")
    assert source == "found"
    assert TAG.holds(tag)
    assert "48210377" not in repr(script.ledger.drafts)


async def test_an_exchange_that_could_not_be_accounted_for_goes_nowhere(script: Script) -> None:
    script.subjects.down = True
    with pytest.raises(UnavailableError) as caught:
        await script.say(NOTE, signed(sub="P-77"))
    assert caught.value.code == "vault_unavailable"
    assert script.entry(Kind.REFUSAL).fields["reason"] == "vault_unavailable"
    assert (script.external.calls, script.onprem.calls) == ([], [])


async def test_one_patient_has_another_tag_in_the_next_exchange(script: Script) -> None:
    await script.say(NOTE, signed(sub="P-77"))
    await script.say(NOTE, signed(sub="P-77", jti="two"))
    tags = [str(d.fields["subj"]) for d in script.ledger.drafts if d.kind is Kind.INTENT]
    assert len(set(tags)) == 2


BAD: dict[str, tuple[str, str]] = {
    "forged": (signed(key=OTHER), "context_signature"),
    "of an unknown key": (signed(kid="k9"), "context_key_unknown"),
    "expired": (signed(exp=int(NOW.timestamp()) - 120, iat=int(NOW.timestamp()) - 200), "context_expired"),
    "from tomorrow": (
        signed(iat=int(NOW.timestamp()) + 86_400, exp=int(NOW.timestamp()) + 86_460),
        "context_expired",
    ),
    "for another gateway": (signed(aud="audit.elsewhere/phigate"), "context_audience"),
    "for another app": (signed(app="us-clinic"), "context_app"),
    "for another body": (signed(body="0" * 64), "context_body"),
    "that is none": ("none", "context_malformed"),
    "that is empty": ("", "context_malformed"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_context_that_does_not_hold_is_refused_with_an_entry(script: Script, case: str) -> None:
    token, code = BAD[case]
    with pytest.raises(AuthenticationError) as raised:
        await script.say(NOTE, token)
    assert (raised.value.code, raised.value.status) == (code, 401)
    refusal = script.entry(Kind.REFUSAL)
    check(refusal)
    assert (refusal.fields["reason"], refusal.fields["app"], script.kinds) == (code, "demo", [Kind.REFUSAL])
    assert script.metrics.counts["contexts_refused", (("reason", code),)] == 1
    assert (script.external.calls, script.onprem.calls, script.analyzer.seen) == ([], [], [])


async def test_a_context_is_taken_once(script: Script) -> None:
    token = signed(tags=[])
    await script.say(NOTE, token)
    with pytest.raises(AuthenticationError) as raised:
        await script.say(NOTE, token)
    assert raised.value.code == "context_replayed"
    assert script.kinds == [Kind.INTENT, Kind.OUTCOME, Kind.REFUSAL]
    assert len(script.external.calls) == 1


async def test_a_context_that_cannot_be_remembered_is_refused(script: Script) -> None:
    script.replays.down = True
    with pytest.raises(UnavailableError):
        await script.say(NOTE, signed())
    assert script.entry(Kind.REFUSAL).fields["reason"] == "state_unavailable"


async def test_tags_that_must_come_and_do_not_make_limits_match(script: Script) -> None:
    app = replace(script.bundle.apps["demo"], tags_required=True)
    script.bundle = replace(script.bundle, digest="sha256:" + "1" * 64, apps={**script.bundle.apps, "demo": app})
    with pytest.raises(RefusedError):  # lgpd.patient-refused blocks: nobody said that the patient did not refuse
        await script.say(NOTE)
    script.held.held.clear()  # what was held back once stays at home for a day, whatever is signed later
    reply = await script.say(NOTE, signed(tags=[]))
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"


async def test_tags_that_nobody_knows_make_limits_match(script: Script) -> None:
    with pytest.raises(RefusedError):
        await script.say(NOTE, signed(tags=["Maria Souza"]))
    assert "Souza" not in repr(script.ledger.drafts)


# -- break-glass -----------------------------------------------------------------------------------------------


def emergency(**more: Any) -> str:
    return signed("pediatrics", **{**GLASS, **more})


@pytest.fixture
def child(script: Script) -> Script:
    """An app whose requests stay at home because of a limit that is no floor."""
    script.app = "pediatrics"
    return script


async def test_without_an_emergency_the_child_s_note_stays(child: Script) -> None:
    reply = await child.say(NOTE, signed("pediatrics", user="dr-house", role="attending"))
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    child.onprem.up = False
    with pytest.raises(UnavailableError):
        await child.say(NOTE)
    assert child.external.calls == []


async def test_home_is_tried_first_and_the_call_is_recorded_before_anything_is_sent(child: Script) -> None:
    reply = await child.say(NOTE, emergency())
    assert (reply.headers["x-phigate-destination"], child.external.calls) == ("medgemma", [])
    assert child.kinds == [Kind.BREAK_GLASS, Kind.INTENT, Kind.OUTCOME]


async def test_where_home_is_down_one_door_opens_one_step(child: Script) -> None:
    child.onprem.up = False
    reply = await child.say(NOTE, emergency())
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"
    assert "Souza" not in json.dumps(child.external.calls[0][1])
    called, intent = child.entry(Kind.BREAK_GLASS), child.entry(Kind.INTENT)
    check(called)
    check(intent)
    assert called.rid == intent.rid
    assert called.fields["actor"] == intent.fields["actor"]
    assert "dr-house" not in repr(child.ledger.drafts)
    assert (called.fields["role"], called.fields["reason"], called.fields["form"]) == (
        "attending",
        "life_threat",
        "scrubbed",
    )
    assert called.fields["until"] == "2026-12-20T00:30:00.000000Z"
    assert called.fields["review_by"] == "2026-12-23T00:00:00.000000Z"
    assert "break_glass" in str(intent.fields["flags"])
    assert child.metrics.counts["break_glass", (("result", "granted"),)] == 1


async def test_a_clock_that_runs_ahead_within_bounds_delays_no_emergency(child: Script) -> None:
    child.onprem.up = False
    reply = await child.say(NOTE, emergency(iat=int(NOW.timestamp()) + 50))
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"
    assert child.entry(Kind.BREAK_GLASS).fields["until"] == "2026-12-20T00:30:00.000000Z"


async def test_the_call_after_a_first_attempt_that_found_nobody_is_heard(child: Script) -> None:
    child.onprem.up = False
    with pytest.raises(UnavailableError):
        await child.say(NOTE)
    reply = await child.say(NOTE, emergency())
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"


@pytest.mark.parametrize(
    "more",
    [
        {"role": "nurse"},
        {"glass": {"reason": "curiosity"}},
        {"tags": ["ai_refused"]},
    ],
    ids=["role", "reason", "floor"],
)
async def test_what_the_site_does_not_grant_opens_nothing(child: Script, more: dict[str, Any]) -> None:
    child.onprem.up = False
    with pytest.raises((UnavailableError, RefusedError)):
        await child.say(NOTE, emergency(**more))
    assert child.external.calls == []
    assert Kind.BREAK_GLASS not in child.kinds
    assert child.metrics.counts["break_glass", (("result", "refused"),)] == 1


async def test_no_emergency_crosses_an_unread_part_or_an_attachment(child: Script) -> None:
    child.onprem.up = False
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    body = {"model": "x", "messages": [{"role": "user", "content": [{"type": "text", "text": NOTE}, image]}]}
    with pytest.raises(PhigateError):
        await child.send(body, emergency())
    assert (child.external.calls, Kind.BREAK_GLASS in child.kinds) == ([], False)
    child.analyzer.unread = {"/messages/0/content": Unread.TIMEOUT}
    with pytest.raises(PhigateError):
        await child.say(NOTE, emergency(jti="two"))
    assert (child.external.calls, Kind.BREAK_GLASS in child.kinds) == ([], False)


async def test_a_call_that_cannot_be_recorded_opens_nothing(child: Script) -> None:
    child.onprem.up = False
    child.ledger.fail_from = 0
    with pytest.raises(UnavailableError):
        await child.say(NOTE, emergency())
    assert child.external.calls == []


async def test_raw_is_one_step_from_scrubbed_and_never_two_from_no(script: Script) -> None:
    script.onprem.up = False
    raw = {**GLASS, "glass": {"reason": "life_threat", "form": "raw"}}
    reply = await script.say(NOTE, signed(**raw))
    assert reply.headers["x-phigate-mode"] == "send_raw"
    script.app = "pediatrics"
    reply = await script.say(NOTE, signed("pediatrics", jti="two", **raw))
    assert reply.headers["x-phigate-mode"] == "send_scrubbed"


# -- keys of operators -----------------------------------------------------------------------------------------

VISITS = "Maria Souza came on 2026-11-02 and again on 2026-11-12; please write the summary of both visits for her file."


def shifting(bundle: Bundle, operator: Operator = Operator.DATE_SHIFT) -> Bundle:
    """Return a bundle whose apps are under one regime that shifts dates."""
    lgpd = bundle.regimes["br.lgpd"]
    entities = dict(lgpd.entities)
    entities[EntityType.DATE] = replace(entities[EntityType.DATE], operator=operator)
    entities[EntityType.PERSON] = replace(entities[EntityType.PERSON], operator=Operator.HASH_KEYED)
    shifted = replace(lgpd, entities=entities, date_shift=DateShift(30))
    return replace(bundle, digest="sha256:" + "2" * 64, regimes={**bundle.regimes, "br.lgpd": shifted})


async def sent(script: Script, context: str | None) -> str:
    before = len(script.external.calls)
    await script.say(VISITS, context)
    return str(script.external.calls[before][1]["messages"][0]["content"])  # type: ignore[index]


@pytest.fixture
def hospital(script: Script) -> Script:
    script.app, script.bundle = "br-hospital", shifting(script.bundle)
    script.analyzer.words = {
        "2026-11-02": EntityType.DATE,
        "2026-11-12": EntityType.DATE,
        "Maria Souza": EntityType.PERSON,
    }
    return script


def dates(text: str) -> list[str]:
    return [word.strip(";.,") for word in text.split() if word.startswith(("2026-", "2025-"))]


async def test_dates_of_one_patient_move_alike_in_every_exchange(hospital: Script) -> None:
    one = dates(await sent(hospital, signed("br-hospital", sub="P-77")))
    again = dates(await sent(hospital, signed("br-hospital", sub="P-77", jti="two")))
    others = [
        tuple(dates(await sent(hospital, signed("br-hospital", sub=f"P-{n}", jti=f"more-{n}")))) for n in range(6)
    ]
    assert one == again
    assert len({*others, tuple(one)}) > 4  # of sixty offsets two patients may share one
    assert "2026-11-02" not in one
    first, second = (date.fromisoformat(each) for each in one)
    assert (second - first).days == 10
    assert 0 < abs((first - date(2026, 11, 2)).days) <= 30


async def test_without_a_patient_the_year_alone_stays(hospital: Script) -> None:
    text = await sent(hospital, None)
    assert "2026-11" not in text
    assert "on 2026 and" in text


async def test_where_the_regime_says_so_nothing_stays(hospital: Script) -> None:
    lgpd = hospital.bundle.regimes["br.lgpd"]
    strict = replace(lgpd, date_shift=DateShift(30, or_year=False))
    hospital.bundle = replace(
        hospital.bundle, digest="sha256:" + "3" * 64, regimes={**hospital.bundle.regimes, "br.lgpd": strict}
    )
    assert "2026" not in await sent(hospital, None)


async def test_a_keyed_hash_is_equal_for_one_tenant_and_no_name(hospital: Script) -> None:
    one, other = await sent(hospital, None), await sent(hospital, signed("br-hospital", sub="P-77"))
    assert "[PERSON~" in one
    mark = one[one.index("[PERSON~") : one.index("]") + 1]
    assert mark in other
    assert "Souza" not in one


async def test_the_table_of_postal_codes_stands_in_the_record(script: Script) -> None:
    script.app = "us-clinic"
    script.analyzer.words = {"10001": EntityType.ZIP}
    await script.say("The patient lives in 10001 and asks for the nearest clinic that treats a cough, please advise.")
    intent = script.entry(Kind.INTENT)
    check(intent)
    ((kind, vintage, digest),) = rows(intent, "tables")
    assert (kind, vintage, str(digest)[:7]) == ("zip3", "census-2020", "sha256:")
    assert "lives in 100 and" in str(script.external.calls[0][1])


async def test_the_union_table_is_used_where_one_regime_asks_for_it(script: Script) -> None:
    hipaa = replace(script.bundle.regimes["us.hipaa"], zip3="census-2000-2020-union")
    script.bundle = replace(
        script.bundle, digest="sha256:" + "4" * 64, regimes={**script.bundle.regimes, "us.hipaa": hipaa}
    )
    script.app = "us-clinic"
    script.analyzer.words = {"06301": EntityType.ZIP}
    await script.say("The patient lives in 06301 and asks for the nearest clinic that treats a cough, please advise.")
    assert "lives in 000 and" in str(script.external.calls[0][1])
    assert "census-2000-2020-union" in str(script.entry(Kind.INTENT).fields["tables"])


async def test_a_shadow_is_handed_facts_and_decision(script: Script) -> None:
    handed: list[Any] = []
    script.shadow = lambda *what: handed.append(what)
    await script.say(NOTE)
    ((rid, facts, decision),) = handed
    assert (rid, facts.app, decision.bundle) == (script.entry(Kind.INTENT).rid, "demo", script.bundle.digest)
    assert "Souza" not in repr(handed)


def test_the_bundle_of_these_tests_is_the_shipped_one(tmp_path: Path) -> None:
    assert demo_bundle(tmp_path).site.break_glass is not None
