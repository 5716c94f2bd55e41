from hypothesis import given
from hypothesis import strategies as st

from phigate.analysis import Analysis, PartAnalysis, Unread
from phigate.deid.seams import Seam, seams, stitched
from phigate.finding import EntityType, Finding
from phigate.phi import PHIText
from phigate.wire.parts import Part, PartKind

NOTHING = PartAnalysis((), "en")


def parts(*texts: str, pointer: str = "/messages/0/content/{}/text") -> list[Part]:
    return [Part(n, pointer.format(n), PHIText(t), PartKind.TEXT, "user") for n, t in enumerate(texts)]


def said(*texts: str, roles: str = "") -> list[Part]:
    """Return one message a text; ``roles`` are the first letters of who says each, users all by default."""
    names = {"u": "user", "a": "assistant", "s": "system"}
    given_roles = [names[letter] for letter in roles or "u" * len(texts)]
    return [
        Part(n, f"/messages/{n}/content", PHIText(text), PartKind.TEXT, role)
        for n, (text, role) in enumerate(zip(texts, given_roles, strict=True))
    ]


def joined(found: list[Seam]) -> list[str]:
    return [seam.joined.text.reveal() for seam in found]


def analysed(found: list[Seam], *values: str) -> Analysis:
    """Return what a detector that knows these values says of the joined texts."""
    return Analysis(
        tuple(
            PartAnalysis(
                tuple(
                    Finding(text.index(value), text.index(value) + len(value), EntityType.MRN, 0.9)
                    for value in values
                    if value in text
                ),
                "en",
            )
            for text in joined(found)
        ),
        "x@1",
    )


def covered(given_parts: list[Part], *values: str, crossing: bool = False) -> list[list[str]]:
    """Return what of each part is covered once the seams were looked at."""
    edges = seams(given_parts)
    whole = Analysis((NOTHING,) * len(given_parts), "x@1")
    out = stitched(whole, edges, analysed(edges, *values), crossing=crossing)
    return [
        [part.text.reveal()[f.start : f.end] for f in result.findings]
        for part, result in zip(given_parts, out.parts, strict=True)
    ]


def test_neighbouring_text_parts_of_one_message_have_a_seam() -> None:
    (seam,) = seams(parts("MRN 4821", "0377, please"))
    assert seam.joined.text.reveal() == "MRN 48210377, please"
    assert [(piece.place, piece.start, piece.size, piece.skipped) for piece in seam.pieces] == [
        (0, 0, 8, 0),
        (1, 8, 12, 0),
    ]


def test_neighbours_that_hold_nothing_of_one_thing_have_none() -> None:
    assert seams(said("a fever", "and a cough")) == []
    assert seams(said("what is a fever", "a rise of temperature", roles="ua")) == []
    assert seams(said("take two. ", "Then rest", "and drink", roles="uau")) == []
    assert seams(parts("one")) == []
    assert seams([]) == []
    names = [Part(0, "/messages/0/name", PHIText("123-45-"), PartKind.NAME, "user"), *said("6789")]
    assert seams(names) == []
    document = [Part(0, "/messages/0/content#/a", PHIText("123-45-"), PartKind.TEXT, "tool"), *said("6789")]
    assert seams(document) == []


def test_what_ends_one_message_and_begins_the_next_is_read_as_one() -> None:
    assert joined(seams(said("my SSN is 123-45-", "6789 please"))) == [
        "my SSN is 123-45-6789 please",
        "my SSN is 123-45- 6789 please",
    ]
    assert covered(said("my SSN is 123-45-", "6789 please"), "123-45-6789") == [["123-45-"], ["6789"]]
    assert covered(said("my SSN is 123 45", "6789 please"), "123 45 6789") == [["123 45"], ["6789"]]
    assert covered(said("my SSN is 123-45 \n", " -6789"), "123-45-6789") == [["123-45"], ["-6789"]]


def test_what_others_say_between_hides_nothing() -> None:
    conversation = said("my SSN is 123-45-", "And then?", "6789", "Thanks.", roles="uaua")
    assert covered(conversation, "123-45-6789") == [["123-45-"], [], ["6789"], []]
    silent = said("SSN 123-45-", "", "6789", roles="uau")
    assert len(seams([silent[0], silent[2]])) == 2
    assert covered(said("SSN 123-45-", "6789, is it?", roles="ua"), "123-45-6789") == [["123-45-"], ["6789"]]


def test_an_identifier_in_three_pieces_is_covered_in_each() -> None:
    assert covered(said("SSN 123-", "45-", "6789"), "123-45-6789") == [["123-"], ["45-"], ["6789"]]
    assert covered(said("SSN 123-", "go on", "45-", "yes", "6789", roles="uauau"), "123-45-6789") == [
        ["123-"],
        [],
        ["45-"],
        [],
        ["6789"],
    ]
    assert covered(parts("SSN 123-", "45-", "6789"), "123-45-6789") == [["123-"], ["45-"], ["6789"]]


def test_an_address_is_cut_at_its_sign() -> None:
    assert covered(said("write to ana.prado", "@mail.example"), "ana.prado@mail.example") == [
        ["ana.prado"],
        ["@mail.example"],
    ]
    assert seams(said("", "@mail.example")) == []


def test_a_question_labels_its_answer_and_a_label_may_come_later() -> None:
    assert covered(said("What is your MRN?", "4821", roles="au"), "4821") == [[], ["4821"]]
    assert covered(said("Name:", "ana prado", roles="au"), "ana prado") == [[], ["ana prado"]]
    assert covered(said("48210377", "that was my MRN"), "48210377") == [["48210377"], []]
    assert covered(said("What is your MRN?", "4821", roles="au"), "4821", crossing=True) == [[], []]
    assert covered(parts("SSN", "123456789 is it"), "123456789") == [[], ["123456789"]]


def leaf(pointer: str, *texts: str) -> list[Part]:
    return [Part(n, pointer.format(n), PHIText(text), PartKind.TEXT, "tool") for n, text in enumerate(texts)]


def test_members_of_one_list_or_object_are_read_together_where_one_goes_on() -> None:
    assert covered(leaf("/messages/0/content#/a{}", "123-45-", "6789"), "123-45-6789") == [["123-45-"], ["6789"]]
    assert covered(leaf("/stop/{}", "123-45- ", "6789"), "123-45- 6789") == [["123-45- "], ["6789"]]
    assert covered(leaf("/messages/0/content#/rows/{}/x", "123-45-", "6789"), "123-45-6789") == [["123-45-"], ["6789"]]
    assert seams(leaf("/messages/0/content#/{}", "12", "13", "14")) == []
    assert seams(leaf("/messages/0/content#/{}", "12-", "a")) == []
    apart = leaf("/messages/0/content#/a/x", "123-45-") + leaf("/messages/0/content#/b/y", "6789")
    assert seams(apart) == []


def test_what_the_cut_of_a_long_text_may_have_made_does_not_count() -> None:
    long = "x" * 500
    both = parts(f"{long}12345678", f"87654321{long}")
    left, right = f"{long}12345678"[-120:][:9], f"87654321{long}"[:120][-9:]
    far = parts("a 12345678 " + "b" * 60, "c" * 60 + " 87654321 d")
    assert covered(both, left, right) == [[], []]
    assert covered(far, "12345678", "87654321") == [[], []]


def test_a_finding_that_crosses_is_covered_on_both_sides() -> None:
    long = "ü" * 500
    edges = seams(parts(f"{long} MRN 4821", "0377, please"))
    (seam,) = edges
    at = seam.joined.text.reveal().index("48210377")
    crossing = Finding(at, at + 8, EntityType.MRN, 0.9)
    beside = Finding(0, 3, EntityType.PERSON, 0.9)
    known = Finding(0, 2, EntityType.PERSON, 0.5)
    whole = Analysis((PartAnalysis((known,), "en"), PartAnalysis((), "en")), "x@1")
    found = Analysis((PartAnalysis((beside, crossing, crossing), "en", frozenset({Unread.TIMEOUT})),), "x@1")
    out = stitched(whole, edges, found)
    assert [(f.start, f.end) for f in out.parts[0].findings] == [(0, 2), (505, 509)]
    assert [(f.start, f.end) for f in out.parts[1].findings] == [(0, 4)]
    assert [part.unread for part in out.parts] == [frozenset({Unread.TIMEOUT})] * 2


@given(st.from_regex(r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}", fullmatch=True), st.data())
def test_wherever_a_number_is_cut_it_is_whole_in_some_joined_text(number: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(number) - 1))
    left, right = f"my SSN is {number[:at]}", f"{number[at:]} please"
    for pieces in (parts(left, right), said(left, right), said(left, "and?", right, roles="uau")):
        texts = joined(seams(pieces))
        assert any(number in text or number.replace(" ", "") in text for text in texts)
