"""Reviews of break-glass: by a second person, signed with that person's key, about one entry; anything else is void."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.audit.pseudonyms import Pseudonyms
from phigate.audit.record import Kind
from phigate.audit.review import Call, calls, review, reviewer
from phigate.audit.schema import check
from phigate.errors import SettingsError
from phigate.policy.lock import TrustedKey, public_bytes

NAMES = Pseudonyms(b"r" * 32)
CAROL, DAVE = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
TRUST = (
    TrustedKey(public_bytes(CAROL), "dpo", "carol"),
    TrustedKey(public_bytes(DAVE), "security", "dave"),
)
RID = "0197a2b4-0000-7000-8000-000000000001"
LEAF = bytes(range(32))
GLASS: dict[str, Any] = {
    "kind": "break_glass",
    "rid": RID,
    "app": "icu",
    "actor": NAMES.person("dave"),
    "review_by": "2026-12-18T00:00:00.000000Z",
}
LOG = "audit.test/phigate"
CALL = Call(LOG, 4, LEAF, GLASS)
INTENT: dict[str, Any] = {"kind": "intent", "rid": RID, "destination": {"id": "eu-cloud", "form": "scrubbed"}}
OPEN, LATE = "2026-12-17T23:59:59.000000Z", "2026-12-18T00:00:01.000000Z"


def written(by: TrustedKey = TRUST[0], key: Ed25519PrivateKey = CAROL, **changed: Any) -> dict[str, Any]:
    draft = review(CALL, verdict="justified", by=by, key=key, names=NAMES)
    check(draft)
    return {"kind": draft.kind.value, **draft.fields, **changed}


def read(*more: dict[str, Any], trust: tuple[TrustedKey, ...] = TRUST) -> Call:
    entries = [
        (LOG, 4, LEAF, GLASS),
        (LOG, 5, bytes(32), INTENT),
        *((LOG, 6 + n, bytes(32), each) for n, each in enumerate(more)),
    ]
    (call,) = calls(entries, trust=trust, names=NAMES)
    return call


def test_a_review_by_a_second_person_counts() -> None:
    draft = review(CALL, verdict="not_justified", by=TRUST[0], key=CAROL, names=NAMES)
    assert (draft.kind, draft.rid, draft.fields["idx"]) == (Kind.REVIEW, RID, 4)
    assert "carol" not in repr(draft.fields)
    call = read(written())
    assert (call.state(LATE), call.void, call.sent) == ("reviewed", [], ["eu-cloud scrubbed"])
    assert call.reviews[0]["verdict"] == "justified"
    assert call.record_id == "audit.test/phigate#4"


def test_a_call_without_a_review_is_open_and_then_overdue() -> None:
    assert read().state(OPEN) == "open"
    assert read().state(LATE) == "overdue"


def test_who_broke_the_glass_cannot_review_it() -> None:
    with pytest.raises(SettingsError, match="a second person does"):
        review(CALL, verdict="justified", by=TRUST[1], key=DAVE, names=NAMES)
    # Nor by writing the entry without asking.
    other = Call(LOG, 4, LEAF, {**GLASS, "actor": "u-somebody"})
    draft = review(other, verdict="justified", by=TRUST[1], key=DAVE, names=NAMES)
    call = read({"kind": "review", **draft.fields})
    assert (call.void, call.state(LATE)) == (["it is by the one who broke the glass"], "overdue")


VOID: dict[str, tuple[dict[str, Any], tuple[TrustedKey, ...], str]] = {
    "no signature": ({"kind": "review", "leaf": LEAF.hex(), "actor": "u-x", "verdict": "justified", "idx": 4}, TRUST,
                     "it bears no signature"),
    "unknown key": (written(), TRUST[1:], "its key is not trusted in this role"),
    "another role": (written(role="security"), TRUST, "its key is not trusted in this role"),
    "revoked key": (written(), (replace(TRUST[0], revoked=True),), "its key was revoked"),
    "another name": (written(actor=NAMES.person("erin")), TRUST, "its key belongs to another person"),
    "no name any more": (written(), (replace(TRUST[0], name=""),), "its key belongs to another person"),
    "another verdict": (written(verdict="not_justified"), TRUST, "its signature does not fit"),
    "another signature": (written(sig="00" * 64), TRUST, "its signature does not fit"),
}  # fmt: skip


@pytest.mark.parametrize("case", VOID)
def test_what_does_not_hold_does_not_count(case: str) -> None:
    fields, trust, why = VOID[case]
    call = read(fields, trust=trust)
    assert (call.void, call.reviews) == ([why], [])


def test_a_review_of_another_entry_says_nothing_of_this_one() -> None:
    assert read(written(leaf="11" * 32)).state(LATE) == "overdue"


def test_an_exchange_without_a_call_is_none_of_this() -> None:
    assert calls([(LOG, 0, LEAF, INTENT), (LOG, 1, LEAF, {"kind": "heartbeat"})], trust=TRUST, names=NAMES) == []


def test_a_reviewer_is_trusted_named_and_not_revoked() -> None:
    assert reviewer(TRUST, public_bytes(CAROL)) is TRUST[0]
    with pytest.raises(SettingsError, match="none of policy_keys"):
        reviewer(TRUST, bytes(32))
    with pytest.raises(SettingsError, match="none of policy_keys"):
        reviewer((replace(TRUST[0], revoked=True),), public_bytes(CAROL))
    with pytest.raises(SettingsError, match="has no name"):
        reviewer((replace(TRUST[0], name=""),), public_bytes(CAROL))
