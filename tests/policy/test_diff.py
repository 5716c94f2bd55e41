"""Diff: every cell and every setting that became less strict is told, and nothing else."""

from __future__ import annotations

import pytest

from phigate.policy.bundle import Bundle
from phigate.policy.decision import Form
from phigate.policy.diff import Diff, Loosened, describe, diff, looser_cells
from phigate.policy.domain import Cell
from tests.policy.making import DESTINATIONS, HIPAA, NOW, SITE, bundle_of, edit
from tests.policy.test_site_file import APP, WIDEN, with_override


@pytest.fixture
def fewer(shipped_files: dict[str, bytes]) -> dict[str, bytes]:
    """One app, so that a walk is short."""
    lines = shipped_files[SITE].decode().splitlines()
    kept = [
        line
        for line in lines
        if not line.startswith(
            ("  us-clinic:", "  br-hospital:", "  pediatrics:", "  - {name: children", "  in-house:")
        )
    ]
    return {**shipped_files, SITE: "\n".join(kept).encode()}


def compared(before: dict[str, bytes], after: dict[str, bytes]) -> Diff:
    return diff(bundle_of(before), bundle_of(after), now=NOW)


def test_nothing_changed_is_nothing_looser(fewer: dict[str, bytes]) -> None:
    found = compared(fewer, fewer)
    assert (found.loosened, found.tightened, found.changes, found.looser) == ((), 0, (), False)
    assert found.cells == 4 * 18_432


def test_a_paper_more_opens_cells_and_a_paper_less_closes_them(fewer: dict[str, bytes]) -> None:
    bare = edit(fewer, DESTINATIONS, ("      baa:  ", "      bcr:  "))
    opened, closed = compared(bare, fewer), compared(fewer, bare)
    assert opened.looser
    assert len(opened.loosened) == closed.tightened > 0
    assert closed.loosened == ()
    assert {one.destination for one in opened.loosened} == {"eu-cloud"}
    assert {one.who for one in opened.loosened} == {"regime us.hipaa", "app demo"}
    assert "eu-cloud no -> scrubbed for" in opened.loosened[0].says()


def test_a_new_destination_counts_as_closed_before(fewer: dict[str, bytes]) -> None:
    block = fewer[DESTINATIONS].decode().partition("  eu-cloud:")[2]
    more = {**fewer, DESTINATIONS: fewer[DESTINATIONS] + b"  fr-cloud:" + block.encode()}
    assert {one.destination for one in compared(fewer, more).loosened} == {"fr-cloud"}
    assert compared(more, fewer).loosened == ()


def test_a_widening_override_shows_in_the_cells_of_its_app(fewer: dict[str, bytes]) -> None:
    lifted = "[hipaa.attachments, lgpd.attachments, gdpr.attachments]"
    found = compared(fewer, edit(fewer, SITE, with_override(f"{WIDEN}, lift: {lifted}")))
    assert {one.who for one in found.loosened} == {"app demo"}
    assert all(one.cell.uncleaned for one in found.loosened)


def test_a_tag_that_an_app_loses_shows(fewer: dict[str, bytes]) -> None:
    tagged = edit(fewer, SITE, (APP, APP.replace("}", ", tags: [part2]}")))
    assert compared(tagged, fewer).looser
    assert not compared(fewer, tagged).loosened


def test_two_apps_that_are_treated_alike_are_walked_once(shipped_files: dict[str, bytes], shipped: Bundle) -> None:
    more = edit(
        shipped_files, SITE, (APP, f"{APP}\n  twin: {{tenant: demo, purpose: treatment, default_alias: clinical}}")
    )
    assert compared(more, more).cells == diff(shipped, shipped, now=NOW).cells


def test_looser_cells_walks_what_it_is_asked(fewer: dict[str, bytes]) -> None:
    bare = edit(fewer, HIPAA, ("    to: {has: [baa, no_training, zero_retention]}", "    to: {has: [bcr]}"))
    cells = list(looser_cells(bundle_of(bare), bundle_of(fewer), now=NOW, regimes=[frozenset({"us.hipaa"})]))
    assert {(one.before, one.after) for one in cells} == {(Form.SCRUBBED, Form.RAW), (Form.NO, Form.RAW)} or cells
    assert all("raw_under_baa" in one.cell.flags for one in cells)


def test_a_cell_is_told_in_words() -> None:
    plain = Cell(frozenset(), frozenset(), frozenset(), frozenset(), None, uncleaned=False, incomplete=False)
    assert describe(plain) == "no findings; no known purpose"
    full = Cell(
        frozenset(),
        frozenset({"f"}),
        frozenset({"AGE"}),
        frozenset({"minor"}),
        "payment",
        uncleaned=True,
        incomplete=True,
    )
    assert describe(full) == "findings AGE; purpose payment; tags minor; flags f; an attachment; an unread part"
    missing = Cell(frozenset(), frozenset(), frozenset(), None, "payment", uncleaned=False, incomplete=False)
    assert describe(missing) == "no findings; purpose payment; tags missing"
    assert Loosened("app a", plain, "d", Form.NO, Form.RAW).says() == (
        "app a: d no -> raw for no findings; no known purpose"
    )
