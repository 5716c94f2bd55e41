"""Shadow mode: differences are counted and recorded, in a task of its own, and nothing it does reaches an exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from phigate.app import shadowing as module
from phigate.app.shadowing import Shadowing
from phigate.audit.record import Kind
from phigate.audit.schema import check
from phigate.finding import EntityType
from phigate.metrics import PrometheusMetrics
from phigate.policy.bundle import Bundle
from phigate.policy.decide import decide
from phigate.store.bundles import BundleArchive, FolderBundles, write_site
from phigate.store.shadow_folder import ShadowFolder
from tests.fakes import FakeLedger
from tests.policy.making import facts

pytestmark = pytest.mark.anyio
RID = "0197a2b4-0000-7000-8000-000000000001"
ASKED = facts(EntityType.PERSON)


class World:
    def __init__(self, tmp_path: Path, *, every_s: float = 3600.0) -> None:
        self.place = tmp_path / "shadow"
        self.ledger = FakeLedger()
        self.metrics = PrometheusMetrics()
        self.archive = BundleArchive(tmp_path / "kept")
        self.folder = ShadowFolder(self.place)
        self.shadowing = Shadowing(
            self.folder, ledger=self.ledger, archive=self.archive, metrics=self.metrics, every_s=every_s
        )

    def counted(self, shade: str) -> float:
        for line in self.metrics.render().decode().splitlines():
            if line.startswith(f'phigate_shadow_decisions_total{{shade="{shade}"}}'):
                return float(line.rpartition(" ")[2])
        return 0.0


@pytest.fixture
def enforced(tmp_path: Path) -> Bundle:
    write_site(tmp_path / "p", endpoints={}, today=date(2026, 12, 1))
    write_site(tmp_path / "shadow", endpoints={}, today=date(2026, 12, 1))
    return FolderBundles(tmp_path / "p", dev=True).current()


def tighten(place: Path) -> None:
    text = (place / "destinations.yaml").read_text()
    (place / "destinations.yaml").write_text(text.replace("      baa:  ", "      bcr:  "))
    site = (place / "site.yaml").read_text()
    closed = site[: site.index("tests:")] + "tests: []\n"
    (place / "site.yaml").write_text(closed)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come")


async def test_a_difference_is_counted_and_recorded(enforced: Bundle, tmp_path: Path) -> None:
    tighten(tmp_path / "shadow")
    world = World(tmp_path)
    await world.shadowing.start()
    decision = decide(enforced, ASKED)
    world.shadowing.note(RID, ASKED, decision)
    assert world.ledger.drafts == []  # nothing happens before the exchange goes on
    await until(lambda: world.counted("stricter") == 1)
    (draft,) = world.ledger.drafts
    check(draft)
    shadow = world.folder.current()
    assert shadow is not None
    assert (draft.kind, draft.rid) == (Kind.SHADOW, RID)
    assert draft.fields["policy"] == shadow.digest
    assert (draft.fields["mode"], draft.fields["shade"]) == ("keep_onprem", "stricter")
    assert draft.fields["forms"] == {"medgemma": "raw", "eu-cloud": "no"}
    assert world.archive.read(shadow.digest).digest == shadow.digest
    assert world.shadowing.state() == {"shadow": shadow.digest}
    await world.shadowing.close()


async def test_the_same_decision_is_counted_and_not_recorded(enforced: Bundle, tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.shadowing.start()
    world.shadowing.note(RID, ASKED, decide(enforced, ASKED))
    await until(lambda: world.counted("same") == 1)
    assert world.ledger.drafts == []
    await world.shadowing.close()


async def test_what_waits_at_the_end_is_still_compared(enforced: Bundle, tmp_path: Path) -> None:
    tighten(tmp_path / "shadow")
    world = World(tmp_path)
    world.shadowing.note(RID, ASKED, decide(enforced, ASKED))
    await world.shadowing.close()
    assert [draft.kind for draft in world.ledger.drafts] == [Kind.SHADOW]


async def test_more_than_it_can_take_is_dropped_and_counted(enforced: Bundle, tmp_path: Path) -> None:
    world = World(tmp_path)
    decision = decide(enforced, ASKED)
    for _ in range(module._WAITING + 3):
        world.shadowing.note(RID, ASKED, decision)
    assert world.counted("dropped") == 3


async def test_a_shadow_that_breaks_is_counted(
    enforced: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    await world.shadowing.start()
    monkeypatch.setattr(module, "shadowed", lambda *_: 1 / 0)
    world.shadowing.note(RID, ASKED, decide(enforced, ASKED))
    await until(lambda: world.counted("failed") == 1)
    monkeypatch.undo()
    world.shadowing.note(RID, ASKED, decide(enforced, ASKED))
    await until(lambda: world.counted("same") == 1)
    await world.shadowing.close()


async def test_a_ledger_that_fails_loses_the_entry_and_counts_it(enforced: Bundle, tmp_path: Path) -> None:
    tighten(tmp_path / "shadow")
    world = World(tmp_path)
    world.ledger.fail_from = 0
    await world.shadowing.start()
    world.shadowing.note(RID, ASKED, decide(enforced, ASKED))
    await until(lambda: "phigate_ledger_errors_total{" in world.metrics.render().decode())
    await world.shadowing.close()


async def test_without_a_shadow_nothing_is_kept(enforced: Bundle, tmp_path: Path) -> None:
    (tmp_path / "shadow" / "site.yaml").write_text("phigate: site/v1\nx: 1\n")
    world = World(tmp_path)
    await world.shadowing.start()
    world.shadowing.note(RID, ASKED, decide(enforced, ASKED))
    assert world.shadowing._handed.empty()
    assert world.shadowing.state()["shadow"].startswith("none: ")
    assert "phigate_shadow_refused 1.0" in world.metrics.render().decode()
    await world.shadowing._one(RID, ASKED, decide(enforced, ASKED))
    assert world.ledger.drafts == []
    await world.shadowing.close()


async def test_it_follows_its_folder(enforced: Bundle, tmp_path: Path) -> None:
    world = World(tmp_path, every_s=0.02)
    await world.shadowing.start()
    first = world.folder.current()
    tighten(tmp_path / "shadow")
    await until(lambda: world.folder.current() is not first)
    shadow = world.folder.current()
    assert shadow is not None
    await until(lambda: shadow.digest in world.archive.digests())
    await world.shadowing.close()
