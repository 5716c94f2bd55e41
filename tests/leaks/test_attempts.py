"""Every attempt has its outcome, whatever became of it, in a form that the ledger takes."""

import pytest

from phigate.audit.record import Kind
from phigate.errors import BadReplyError, PeerError, UnavailableError
from phigate.policy.bundle import Bundle
from tests.exchange import Script

pytestmark = pytest.mark.anyio
FAILURES: dict[str, PeerError] = {
    "nothing left": UnavailableError("down", code="upstream_unreachable", sent=(0, b"")),
    "nobody knows": UnavailableError("down", code="upstream_timeout", sent=None),
    "all of it left": BadReplyError("bad", code="bad_reply", sent=(12, b"m" * 32)),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failed_attempt_has_an_outcome(bundle: Bundle, name: str) -> None:
    error = FAILURES[name]
    script = Script(bundle)
    script.external.error = script.onprem.error = error
    with pytest.raises(UnavailableError, match="no model"):
        await script.say("How long is amoxicillin given?")
    kinds = script.kinds
    assert kinds == [Kind.INTENT, Kind.OUTCOME, Kind.INTENT, Kind.OUTCOME, Kind.REFUSAL]
    statuses = [draft.fields["status"] for draft in script.ledger.drafts if draft.kind is Kind.OUTCOME]
    assert len(set(statuses)) == 1
    assert (statuses[0] == "not_sent") is (name == "nothing left")
