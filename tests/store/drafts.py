"""Drafts as an exchange makes them, with ids that are new."""

from __future__ import annotations

from phigate.audit.record import JSON, Draft, Kind, Receipt, Status
from phigate.store.open import new_id

ORIGIN = "audit.test/phigate/2026h2"
FIELDS: dict[str, JSON] = {
    "app": "triage",
    "tenant": "us-north",
    "detector": "presidio@2.2,layers@1",
    "complete": True,
    "found": {"PERSON": [3, 9], "MRN": [1, 10]},
    "attachments": "none",
    "policy": "sha256:" + "a" * 64,
    "regimes": [["us.hipaa", "2026.1"]],
    "rules": ["hipaa.scrub-baa"],
    "mode": "send_scrubbed",
    "forms": {"medgemma": "raw", "eu-cloud": "scrubbed", "us-cloud": "no"},
    "destination": {"id": "eu-cloud", "kind": "external", "form": "scrubbed", "model": "gpt-5", "country": "DE"},
    "operators": {"PERSON": {"token": 3}, "MRN": {"token": 1}},
    "purpose": "treatment",
    "in": {"n": 1234, "mac": "b" * 64},
}


def an_intent(rid: str = "", attempt: int = 1) -> Draft:
    return Draft(Kind.INTENT, FIELDS, rid or new_id(), attempt)


def an_outcome(rid: str, intent: Receipt, *, status: Status = Status.OK, attempt: int = 1) -> Draft:
    fields: dict[str, JSON] = {"intent": {"idx": intent.index, "leaf": intent.leaf.hex()}, "status": status.value}
    return Draft(Kind.OUTCOME, fields, rid, attempt)
