"""A value cut in pieces by the edges of parts and messages leaves in none of them, whoever overlooked it first."""

import json
from typing import Any

import pytest

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from tests.exchange import Script
from tests.fakes import FakeAnalyzer

pytestmark = pytest.mark.anyio
SSN = "123-45-6789"


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


CUTS: dict[str, list[dict[str, Any]]] = {
    "two parts of one message": [user("My SSN is 123-45-", "6789, is it not?")],
    "three parts of one message": [user("My SSN is 123-", "45-", "6789, is it not?")],
    "two messages": [user("My SSN is 123-45-"), user("6789, is it not?")],
    "two messages and an answer between": [
        user("My SSN is 123-45-"),
        {"role": "assistant", "content": "And then?"},
        user("6789"),
    ],
    "a message with blanks at its edge": [user("My SSN is 123-45- "), user("\n6789")],
    "plain content beside parts": [{"role": "user", "content": "My SSN is 123-45"}, user("-6789")],
    "one says the head and the other the tail": [
        user("It begins with 123-45-"),
        {"role": "assistant", "content": "6789!"},
    ],
}


@pytest.mark.parametrize("first", [True, False], ids=["found at once", "found by the second look"])
@pytest.mark.parametrize("cut", CUTS)
async def test_no_piece_of_a_value_leaves(bundle: Bundle, cut: str, *, first: bool) -> None:
    missed = frozenset() if first else frozenset({SSN})
    script = Script(bundle, analyzer=FakeAnalyzer({SSN: EntityType.US_SSN}, missed=missed))
    script.answers("Rest.")
    await script.send({"model": "gpt-5", "messages": CUTS[cut]})
    (call,) = script.external.calls
    sent = json.dumps(call[1])
    assert "123" not in sent
    assert "6789" not in sent
