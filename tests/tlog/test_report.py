from __future__ import annotations

import itertools
import json

from phigate.tlog.canonical import encode
from phigate.tlog.report import MAX_PROBLEMS, Head, Report, Verdict

FULL = Report(
    origin="audit.example/log",
    size=7,
    root=b"\x01" * 32,
    pinned=True,
    fingerprint="sha256:00",
    keyring_version=3,
    quorum=1,
    heads=2,
    newest=Head(7, b"\x01" * 32),
    witnessed=Head(6, b"\x02" * 32, 2, 1790000000),
    kinds={"outcome": 3, "intent": 3, "genesis": 1},
    boots=1,
    first_ts="2026-01-01",
    last_ts="2026-01-02",
    open_intents=[3, 5],
    previous={"origin": "before"},
    closed=True,
)


def test_the_gravest_verdict_stands() -> None:
    order = [Verdict.TAMPERED, Verdict.FORK, Verdict.INCOMPLETE, Verdict.POLICY]
    for a, b in itertools.combinations(order, 2):
        report = Report()
        report.add(b, "lesser")
        report.add(a, "graver")
        assert report.verdict is a
    assert Report().verdict is Verdict.VERIFIED
    assert [int(v) for v in Verdict] == [0, 1, 2, 3, 4]


def test_the_first_bad_entry_is_the_lowest_that_is_named() -> None:
    report = Report()
    assert report.first_bad == -1
    report.add(Verdict.TAMPERED, "the head")
    report.add(Verdict.TAMPERED, "later", 9)
    report.add(Verdict.TAMPERED, "first", 4)
    assert report.first_bad == 4
    assert report.to_json()["first_bad"] == 4
    assert "first bad entry: 4" in report.to_text()


def test_problems_are_said_once_and_bounded() -> None:
    report = Report()
    for index in range(60):
        report.add(Verdict.TAMPERED, "x", index)
        report.add(Verdict.TAMPERED, "x", min(index, MAX_PROBLEMS - 1))
    assert len(report.problems) == MAX_PROBLEMS
    assert report.more_problems == 10
    assert "- and 10 more" in report.to_text()


def test_the_json_has_no_null_and_says_everything() -> None:
    body = FULL.to_json()
    encode(body)
    assert json.loads(json.dumps(body)) == body
    assert body["verdict"] == "verified"
    assert body["exit"] == 0
    assert body["newest_head"] == {"size": 7, "root": "01" * 32}
    assert body["witnessed_head"] == {"size": 6, "root": "02" * 32, "witnesses": 2, "witnessed_at": 1790000000}
    assert body["previous"] == {"origin": "before"}
    assert body["open_intents"] == {"count": 2, "first": [3, 5]}
    bare = Report().to_json()
    encode(bare)
    assert not {"newest_head", "witnessed_head", "previous", "first_bad", "fork"} & bare.keys()


def test_one_page_of_text_for_a_person() -> None:
    text = FULL.to_text()
    assert text.startswith("VERIFIED: every entry, hash and signature checks\n\nlog            audit.example/log\n")
    assert "NOT PINNED" not in text
    assert "signed heads   2, newest of size 7" in text
    assert "witnesses      2 at size 6, time 1790000000 (quorum 1)" in text
    assert "exchanges      3, 2 without outcome" in text
    assert "segment        closed" in text
    assert text.count("\n") < 60


def test_an_unpinned_key_is_said_first() -> None:
    report = Report()
    report.add(Verdict.POLICY, "why")
    report.warnings.append("look")
    assert report.to_text() == (
        "POLICY: sound, and less than the policy asks for\n"
        "KEY NOT PINNED: the keyring beside the log was believed; compare its fingerprint by hand\n\n"
        "entries        none\nsigned heads   0\nwitnesses      none (quorum 0)\nexchanges      0, 0 without outcome\n"
        "boots          0\nsegment        open\n\n- policy: why\nnote: look\n"
    )


def test_a_fork_shows_both_heads_as_they_were_signed() -> None:
    report = Report(fork=("ein Kopf: größer\n".encode(), b"another\n"))
    assert "ein Kopf: größer\n\nanother\n" in report.to_text()
    assert report.to_json()["fork"] == ["ZWluIEtvcGY6IGdyw7bDn2VyCg==", "YW5vdGhlcgo="]
    report.fork = (b"alone\n", b"")
    assert report.to_text().endswith("alone\n")


def test_an_entry_is_named_even_where_the_roots_behind_it_fill_the_list() -> None:
    report = Report()
    for size in range(MAX_PROBLEMS + 3):
        report.add(Verdict.TAMPERED, f"the root at {size} is another")
    report.add(Verdict.TAMPERED, "the entry does not hash to its place", 300)
    assert report.first_bad == 300
    assert (len(report.problems), report.more_problems) == (MAX_PROBLEMS, 4)
    for index in range(MAX_PROBLEMS + 3):
        report.add(Verdict.TAMPERED, "the entry does not hash to its place", index)
    assert report.first_bad == 0
    assert len(report.problems) == MAX_PROBLEMS
