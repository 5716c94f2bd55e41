from phigate.analysis import Analysis, PartAnalysis, Unread
from phigate.deid.seams import seams, stitched
from phigate.finding import EntityType, Finding
from phigate.phi import PHIText
from phigate.wire.parts import Part, PartKind


def parts(*texts: str, pointer: str = "/messages/0/content/{}/text") -> list[Part]:
    return [Part(n, pointer.format(n), PHIText(t), PartKind.TEXT, "user") for n, t in enumerate(texts)]


def test_neighbouring_text_parts_of_one_message_have_a_seam() -> None:
    (seam,) = seams(parts("MRN 4821", "0377, please"))
    assert seam.joined.text.reveal() == "MRN 48210377, please"
    assert (seam.left, seam.right, seam.cut) == (0, 1, 8)


def test_other_neighbours_have_none() -> None:
    assert seams(parts("a", "b", pointer="/messages/{}/content")) == []
    assert seams(parts("a", "b", pointer="/messages/{}/content/0/text")) == []
    assert seams(parts("one")) == []


def test_a_finding_that_crosses_is_covered_on_both_sides() -> None:
    long = "ü" * 500
    edges = seams(parts(f"{long} MRN 4821", "0377, please"))
    (seam,) = edges
    text = seam.joined.text.reveal()
    at = text.index("48210377")
    crossing = Finding(at, at + 8, EntityType.MRN, 0.9)
    beside = Finding(0, 3, EntityType.PERSON, 0.9)
    known = Finding(0, 2, EntityType.PERSON, 0.5)
    whole = Analysis((PartAnalysis((known,), "en"), PartAnalysis((), "en")), "x@1")
    joined = Analysis((PartAnalysis((beside, crossing), "en", frozenset({Unread.TIMEOUT})),), "x@1")
    out = stitched(whole, edges, joined)
    assert [(f.start, f.end) for f in out.parts[0].findings] == [(0, 2), (505, 509)]
    assert [(f.start, f.end) for f in out.parts[1].findings] == [(0, 4)]
    assert not out.complete
