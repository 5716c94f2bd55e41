"""What stands behind a request never shows itself."""

from __future__ import annotations

from phigate.wire.parts import Attachments
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
