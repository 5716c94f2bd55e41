"""Bundles in force: each has its entry first, a bad change leaves the good one, and all of it can be seen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from phigate.app.activation import Activation
from phigate.audit.record import Draft, Kind, Receipt
from phigate.audit.schema import check
from phigate.errors import SettingsError, UnavailableError
from phigate.metrics import PrometheusMetrics
from phigate.policy.bundle import Bundle
from phigate.store.bundles import BundleArchive, FolderBundles, write_site
from tests.fakes import FakeLedger
from tests.store.test_bundles import Clock, change

pytestmark = pytest.mark.anyio
CHANGE = ("site.yaml", "max_stale_hours: 24", "max_stale_hours: 12")
UNSIGNED = ("site.yaml", "max_stale_hours: 24", "max_stale_hours: 11")


@dataclass
class World:
    """A folder, what watches it, and what can be seen of both."""

    folder: Path
    bundles: FolderBundles
    ledger: FakeLedger
    archive: BundleArchive
    metrics: PrometheusMetrics
    clock: Clock
    usable: list[Callable[[Bundle], None]] = field(default_factory=list)

    def activation(self, *, every_s: float = 3600.0) -> Activation:
        return Activation(
            self.bundles,
            ledger=self.ledger,
            archive=self.archive,
            metrics=self.metrics,
            software="phigate/test",
            usable=self._usable,
            every_s=every_s,
        )

    def _usable(self, bundle: Bundle) -> None:
        for each in self.usable:
            each(bundle)

    def metric(self, line: str) -> bool:
        return line in self.metrics.render().decode().splitlines()

    @property
    def configs(self) -> list[Draft]:
        return [draft for draft in self.ledger.drafts if draft.kind is Kind.CONFIG]


@pytest.fixture
def world(tmp_path: Path) -> World:
    write_site(tmp_path / "p", endpoints={}, today=date(2026, 12, 1))
    clock = Clock()
    bundles = FolderBundles(tmp_path / "p", dev=True, now=clock)
    return World(tmp_path / "p", bundles, FakeLedger(), BundleArchive(tmp_path / "kept"), PrometheusMetrics(), clock)


async def test_the_bundle_of_the_start_has_its_entry_and_its_files_are_kept(world: World) -> None:
    activation = world.activation()
    await activation.start()
    digest = world.bundles.current().digest
    assert [draft.fields["policy"] for draft in world.configs] == [digest]
    assert "previous" not in world.configs[0].fields
    check(world.configs[0])
    assert world.archive.read(digest).digest == digest
    assert world.metric("phigate_policy_refused 0.0")
    assert activation.state() == {}
    await activation.close()
    await activation.close()


async def test_a_gateway_that_cannot_record_its_bundle_does_not_start(world: World) -> None:
    world.ledger.fail_from = 0
    with pytest.raises(UnavailableError):
        await world.activation().start()


async def test_a_bundle_that_this_program_cannot_run_stops_the_start(world: World) -> None:
    def refuse(_: Bundle) -> None:
        raise SettingsError("no such provider")

    world.usable.append(refuse)
    with pytest.raises(SettingsError, match="no such provider"):
        await world.activation().start()


async def test_a_change_is_recorded_before_any_exchange_obeys_it(world: World) -> None:
    activation = world.activation()
    await activation.start()
    old = world.bundles.current()
    change(world.folder, *CHANGE)
    in_force_when_written: list[Bundle] = []

    class Watching(FakeLedger):
        async def append(self, draft: Draft) -> Receipt:
            in_force_when_written.append(world.bundles.current())
            return await world.ledger.append(draft)

    activation._ledger = Watching()
    await activation.look()
    new = world.bundles.current()
    assert in_force_when_written == [old]
    assert new.site.max_stale_hours == 12
    assert world.configs[-1].fields["previous"] == old.digest
    assert world.configs[-1].fields["policy"] == new.digest
    check(world.configs[-1])
    assert set(world.archive.digests()) == {old.digest, new.digest}
    assert world.metric('phigate_policy_changes_total{result="activated"} 1.0')
    await activation.close()


async def test_a_change_whose_entry_fails_waits_and_is_taken_later(world: World) -> None:
    activation = world.activation()
    await activation.start()
    old = world.bundles.current()
    change(world.folder, *CHANGE)
    world.ledger.fail_from = 1
    await activation.look()
    assert world.bundles.current() is old
    assert world.metric('phigate_ledger_errors_total{code="ledger_unavailable"} 1.0')
    world.ledger.fail_from = None
    await activation.look()
    assert world.bundles.current().site.max_stale_hours == 12
    await activation.close()


async def test_a_refused_change_raises_the_alarm_and_tells_its_report(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    activation = world.activation()
    await activation.start()
    old = world.bundles.current()
    change(world.folder, *UNSIGNED, signed=False)
    await activation.look()
    await activation.look()
    assert world.bundles.current() is old
    assert len(world.configs) == 1
    assert world.metric("phigate_policy_refused 1.0")
    assert world.metric('phigate_policy_changes_total{result="refused"} 1.0')
    told = activation.state()["policy_refused"]
    assert "PG003" in told["why"]
    assert (told["problems"], told["since"]) == (1, "2026-12-15T02:00:00Z")
    assert told["nothing_leaves_from"] == "2026-12-16T02:00:00Z"
    assert capsys.readouterr().err.count("site.yaml:1: PG003") == 1
    world.clock.at += 24 * 3600
    await activation.look()
    assert world.metric("phigate_policy_stale 1.0")
    change(world.folder, "site.yaml", "max_stale_hours: 11", "max_stale_hours: 24", signed=False)
    await activation.look()
    assert world.metric("phigate_policy_refused 0.0")
    assert world.metric("phigate_policy_stale 0.0")
    assert activation.state() == {}
    await activation.close()


async def test_a_change_that_this_program_cannot_run_is_refused(world: World) -> None:
    activation = world.activation()
    await activation.start()

    def refuse(bundle: Bundle) -> None:
        if bundle.site.max_stale_hours == 12:
            raise SettingsError("`far` names a provider that is not offered")

    world.usable.append(refuse)
    change(world.folder, *CHANGE)
    await activation.look()
    assert world.bundles.current().site.max_stale_hours == 24
    assert "not offered" in activation.state()["policy_refused"]["why"]
    await activation.close()


async def test_several_problems_are_one_alarm(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    activation = world.activation()
    await activation.start()
    change(world.folder, "site.yaml", "max_stale_hours: 24", "max_stale: 24")
    change(world.folder, "destinations.yaml", "country: SE", "land: SE")
    await activation.look()
    assert activation.state()["policy_refused"]["problems"] == 2
    assert world.metric('phigate_policy_changes_total{result="refused"} 1.0')
    assert capsys.readouterr().err.count("PG0") == 2
    await activation.close()


async def test_a_failed_test_is_named_in_the_report(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    activation = world.activation()
    await activation.start()
    change(
        world.folder,
        "site.yaml",
        "the demo keeps an image, app: demo, given: {findings: [], attachments: uncleaned}",
        "the demo keeps an image, app: demo, given: {findings: []}",
    )
    await activation.look()
    assert "test failed: the demo keeps an image" in capsys.readouterr().err
    await activation.close()


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come")


async def test_the_folder_is_watched(world: World) -> None:
    activation = world.activation(every_s=0.02)
    await activation.start()
    change(world.folder, *CHANGE)
    await _until(lambda: world.bundles.current().site.max_stale_hours == 12)
    await activation.close()


async def test_sighup_looks_at_once(world: World) -> None:
    activation = world.activation()
    await activation.start()
    change(world.folder, *CHANGE)
    os.kill(os.getpid(), signal.SIGHUP)
    await _until(lambda: world.bundles.current().site.max_stale_hours == 12)
    await activation.close()


async def test_a_full_disk_leaves_the_bundle_in_force(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    activation = world.activation(every_s=0.02)
    await activation.start()

    class Full(BundleArchive):
        def keep(self, bundle: Bundle) -> Path:
            raise OSError(28, "no space left on device")

    activation._archive = Full(world.folder)
    change(world.folder, *CHANGE)
    await _until(lambda: 'result="failed"' in world.metrics.render().decode())
    assert world.bundles.current().site.max_stale_hours == 24
    activation._archive = world.archive
    await _until(lambda: world.bundles.current().site.max_stale_hours == 12)
    await activation.close()
