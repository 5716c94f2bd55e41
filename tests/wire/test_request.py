"""What stands behind a request never shows itself."""

from __future__ import annotations

import json

import pytest

from phigate.wire import chat
from phigate.wire.parts import Attachments, Limits
from phigate.wire.request import ChatRequest, Nested, Origin, Site, Stray
from phigate.wire.strict import JSON


def test_neither_a_request_nor_what_it_was_read_from_shows_text() -> None:
    tree: dict[str, JSON] = {"user": "Zeferina"}
    nested = Nested(tree, "user", None, ["Zeferina"])
    origin = Origin(
        tree, (Site(tree, "user", nested, "user", foreign=False, typed=False),), (Stray(tree, "a", "a", "*"),)
    )
    request = ChatRequest((), "Zeferina", False, 1, frozenset(), Attachments.NONE, origin)
    assert "Zeferina" not in repr(request) + repr(origin) + repr(nested)


def test_requests_are_equal_by_what_they_say_and_not_by_what_they_were_read_from() -> None:
    one, other = (ChatRequest((), "m", False, 1, frozenset(), Attachments.NONE, Origin({}, (), ())) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, 100),
        ({"max_tokens": 50}, 150),
        ({"max_tokens": 50, "max_completion_tokens": 70}, 170),
        ({"max_tokens": 50, "max_completion_tokens": None}, 150),
        ({"max_tokens": 10**12}, 104),
        ({"max_tokens": -5}, 100),
    ],
)
def test_a_request_says_about_how_much_context_it_needs(fields: dict[str, object], tokens: int) -> None:
    said = {"model": "m", "messages": [{"role": "user", "content": "é" * 300}], **fields}
    body = json.dumps(said).encode()
    assert abs(chat.parse(body, limits=Limits()).tokens - tokens) <= 1
