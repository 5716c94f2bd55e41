"""The gateway has its checkpoints cosigned, says when that fails, and stops when a witness contradicts it."""

from __future__ import annotations

import asyncio
import http.server
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phigate.errors import LedgerStateError, SettingsError, UnavailableError
from phigate.store.cosigning import WitnessAt, WitnessRules, check_places, post
from phigate.store.duties import Rhythm
from phigate.store.key_folder import ledger_keys, read_keyring
from phigate.store.ledger import StoreLedger
from phigate.store.open import open_ledger
from phigate.store.source import DatabaseSource
from phigate.store.witness_trust import distrust_witness, trust_witness
from phigate.tlog.keyring import Role, open_keyring
from phigate.tlog.report import Report, Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.a_witness import AWitness
from tests.store.drafts import ORIGIN, an_intent, an_outcome

pytestmark = pytest.mark.anyio
QUICK = Rhythm(checkpoint_s=0.02)


@pytest.fixture
def witness(tmp_path: Path) -> AWitness:
    made = AWitness(tmp_path)
    ledger_keys(made.keys, origin=ORIGIN, now=time.time())
    trust_witness(made.keys, made.key.to_text(), quorum=None, now=time.time())
    return made


def a_ledger(folder: Path, *witnesses: AWitness, rhythm: Rhythm = QUICK, **rules: Any) -> StoreLedger:
    rules = {"every_s": 0.02, "stale_s": 60.0} | rules
    ledger = open_ledger(
        f"sqlite:///{folder}/ledger.db",
        keys_folder=folder / "keys",
        origin=ORIGIN,
        replica="gw",
        min_free_bytes=0,
        rhythm=rhythm,
        witnesses=WitnessRules(at=tuple(each.at for each in witnesses), **rules),
    )
    assert ledger.cosigning is not None
    posts = {each.at: each.post for each in witnesses}
    ledger.cosigning.send = lambda place, data, timeout_s: posts[place](place, data, timeout_s)
    return ledger


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("expected it within five seconds")


def cosigned_size(folder: Path) -> int:
    with DatabaseSource(f"sqlite:///{folder}/ledger.db") as source:
        note = source.newest_cosigned()
    return int(note.split(b"\n")[1]) if note else 0


def checked(folder: Path) -> Report:
    with DatabaseSource(f"sqlite:///{folder}/ledger.db") as source:
        return verify(source, Demand())


async def test_checkpoints_are_cosigned_and_the_cosignatures_are_kept(tmp_path: Path, witness: AWitness) -> None:
    async with a_ledger(tmp_path, witness) as ledger:
        receipt = await ledger.append(an_intent())
        await until(lambda: cosigned_size(tmp_path) > receipt.index)
        assert ledger.ready() is None
        assert ledger.alarm() is None
        assert ledger.gauges()["ledger_witness_age_seconds"] < 5
    report = checked(tmp_path)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    assert report.quorum == 1
    assert report.witnessed is not None
    assert report.witnessed.size > receipt.index
    async with a_ledger(tmp_path, witness) as ledger:  # goes on from the size that was cosigned
        receipt = await ledger.append(an_intent())
        await until(lambda: cosigned_size(tmp_path) > receipt.index)
    assert checked(tmp_path).verdict is Verdict.VERIFIED


async def test_a_quorum_of_two_needs_both(tmp_path: Path, witness: AWitness) -> None:
    second = AWitness(tmp_path, "auditors.test")
    trust_witness(witness.keys, second.key.to_text(), quorum=2, now=time.time())
    second.down = True
    async with a_ledger(tmp_path, witness, second, stale_s=0.2) as ledger:
        await ledger.append(an_intent())
        await until(lambda: ledger.alarm() is not None)
        assert cosigned_size(tmp_path) == 0
        second.down = False
        await until(lambda: ledger.alarm() is None and cosigned_size(tmp_path) > 0)
    report = checked(tmp_path)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    assert report.witnessed is not None
    assert report.witnessed.witnesses == 2


# -- 21: witness down, stale, wrong key ----------------------------------------------------------------------------


async def test_a_silent_witness_is_an_alarm_where_the_site_goes_on(
    tmp_path: Path, witness: AWitness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="phigate")
    async with a_ledger(tmp_path, witness, stale_s=0.2) as ledger:
        witness.down = True
        await until(lambda: ledger.alarm() is not None)
        assert "within 0.2 s, found none since" in str(ledger.alarm())
        assert ledger.ready() is None
        await ledger.append(an_intent())
        age = ledger.gauges()["ledger_witness_age_seconds"]
        await until(lambda: ledger.gauges()["ledger_witness_age_seconds"] > age)
        await until(lambda: '"event":"witness_stale"' in caplog.text)
        witness.down = False
        await until(lambda: ledger.alarm() is None)
        await until(lambda: '"event":"witness_fresh"' in caplog.text)
    assert caplog.text.count('"event":"witness_failed","code":"unreachable"') == 1


async def test_a_silent_witness_stops_new_exchanges_where_the_site_says_so(tmp_path: Path, witness: AWitness) -> None:
    async with a_ledger(tmp_path, witness, stale_s=0.2, refuse=True) as ledger:
        draft = an_intent()
        intent = await ledger.append(draft)
        witness.down = True
        await until(lambda: ledger.ready() is not None)
        with pytest.raises(UnavailableError, match="takes no new exchange: expected cosignatures of 1") as raised:
            await ledger.append(an_intent())
        assert raised.value.code == "witness_stale"
        await ledger.append(an_outcome(draft.rid, intent))  # what runs may end
        witness.down = False
        await until(lambda: ledger.ready() is None)
        await ledger.append(an_intent())
    assert checked(tmp_path).kinds["loss"] >= 1


async def test_the_age_of_the_last_cosignature_counts_over_a_restart(tmp_path: Path, witness: AWitness) -> None:
    witness.now = int(time.time()) - 1000
    async with a_ledger(tmp_path, witness) as ledger:
        await until(lambda: cosigned_size(tmp_path) > 0)
    witness.down = True
    async with a_ledger(tmp_path, witness, stale_s=300.0, refuse=True) as ledger:
        with pytest.raises(UnavailableError, match="found none since"):
            await ledger.append(an_intent())


async def test_a_cosignature_by_another_key_is_none(tmp_path: Path, witness: AWitness) -> None:
    other = AWitness(tmp_path, "stranger.test")

    def answer(data: bytes) -> tuple[int, bytes]:
        other.keys = witness.keys
        return other.post(other.at, data, 1.0)

    witness.answer = answer
    async with a_ledger(tmp_path, witness, stale_s=0.2) as ledger:
        await until(lambda: ledger.alarm() is not None)
        assert ledger.gauges()["ledger_witness_failures"] > 0
    assert cosigned_size(tmp_path) == 0


# -- 16, 20: a witness that knows another history --------------------------------------------------------------------


async def test_a_restored_backup_is_refused_at_start_by_the_witness_alone(tmp_path: Path, witness: AWitness) -> None:
    async with a_ledger(tmp_path, witness) as ledger:
        await ledger.append(an_intent())
    for name in ("ledger.db", "keys"):
        copy = shutil.copytree if (tmp_path / name).is_dir() else shutil.copy
        copy(tmp_path / name, tmp_path / f"backup-{name}")
    async with a_ledger(tmp_path, witness) as ledger:
        for _ in range(20):
            await ledger.append(an_intent())
        await until(lambda: cosigned_size(tmp_path) > 20)
    (tmp_path / "ledger.db").unlink()
    shutil.rmtree(tmp_path / "keys")  # whoever restores everything, the anchor as well, is left with the witness
    (tmp_path / "backup-ledger.db").rename(tmp_path / "ledger.db")
    (tmp_path / "backup-keys").rename(tmp_path / "keys")
    with pytest.raises(LedgerStateError, match=r"compliance\.test cosigned a head of size \d+, the database has"):
        await a_ledger(tmp_path, witness).start()


async def test_a_fork_of_the_same_length_stops_a_running_gateway(
    tmp_path: Path, witness: AWitness, caplog: pytest.LogCaptureFixture
) -> None:
    twin = tmp_path / "twin"
    async with a_ledger(tmp_path, witness) as ledger:
        await ledger.append(an_intent())
        await until(lambda: cosigned_size(tmp_path) > 0)
    twin.mkdir()
    shutil.copy(tmp_path / "ledger.db", twin)
    shutil.copytree(tmp_path / "keys", twin / "keys")
    async with a_ledger(tmp_path, witness) as ledger:
        for _ in range(3):
            await ledger.append(an_intent())
        await until(lambda: cosigned_size(tmp_path) > 6)
    # The same keys sign a second history, longer than what the witness knows, while the witness cannot be reached.
    witness.down = True
    async with a_ledger(twin, witness) as ledger:
        for _ in range(20):
            await ledger.append(an_intent())
        witness.down = False
        await until(lambda: ledger.ready() is not None)
        assert "fork suspected: the witness compliance.test cosigned a head of size" in str(ledger.ready())
        with pytest.raises(UnavailableError, match="do not continue"):
            await ledger.append(an_intent())
        await until(lambda: '"event":"fork_suspected"' in caplog.text)
        assert ledger.gauges()["ledger_fork_suspected"] == 1.0
    assert witness.state.heads()[0].evidence, "the witness keeps the second head as proof"


async def test_a_witness_that_is_ahead_because_another_replica_was_quicker_is_no_fork(
    tmp_path: Path, witness: AWitness
) -> None:
    async with a_ledger(tmp_path, witness, rhythm=Rhythm(checkpoint_s=1.0)) as ledger:
        receipt = await ledger.append(an_intent())
        # It says so before this replica has signed that head itself.
        witness.answer = lambda _: (409, f"{receipt.size}\n".encode())
        asked = witness.asked
        await until(lambda: witness.asked > asked + 2)
        assert ledger.ready() is None
        witness.answer = None
        await until(lambda: cosigned_size(tmp_path) > receipt.index)


async def test_a_witness_that_only_says_busy_is_asked_three_times_a_round(tmp_path: Path, witness: AWitness) -> None:
    async with a_ledger(tmp_path, witness) as ledger:
        sizes = iter([1, 2] * 1000)
        witness.answer = lambda _: (409, f"{next(sizes)}\n".encode())
        await until(lambda: ledger.gauges()["ledger_witness_failures"] > 0)
        assert ledger.ready() is None


# -- settings --------------------------------------------------------------------------------------------------------


async def test_a_witness_that_the_keyring_does_not_list_is_refused(tmp_path: Path) -> None:
    stranger = AWitness(tmp_path)
    with pytest.raises(SettingsError, match="list its key with phigate witness trust VKEY"):
        a_ledger(tmp_path, stranger)


async def test_a_quorum_needs_as_many_addresses(tmp_path: Path, witness: AWitness) -> None:
    second = AWitness(tmp_path, "auditors.test")
    trust_witness(witness.keys, second.key.to_text(), quorum=2, now=time.time())
    with pytest.raises(SettingsError, match="expected the addresses of 2 witnesses, as the keyring asks, found 1"):
        a_ledger(tmp_path, witness)


def test_witnesses_are_listed_and_taken_out_in_new_keyrings(tmp_path: Path, witness: AWitness) -> None:
    found = read_keyring(witness.keys)
    assert found is not None
    assert (found[0].version, found[0].quorum) == (2, 1)
    assert [each.key for each in found[0].listed(Role.WITNESS)] == [witness.key]
    with pytest.raises(SettingsError, match="in the keyring already"):
        trust_witness(witness.keys, witness.key.to_text(), quorum=None, now=time.time())
    with pytest.raises(SettingsError, match="that `phigate witness vkey` prints"):
        trust_witness(witness.keys, witness.signer.key.to_text(), quorum=None, now=time.time())
    with pytest.raises(SettingsError, match="expected a quorum from 0 to 2, found 3"):
        trust_witness(witness.keys, AWitness(tmp_path, "b.test").key.to_text(), quorum=3, now=time.time())
    with pytest.raises(SettingsError, match="found none of the name nobody"):
        distrust_witness(witness.keys, "nobody", quorum=None, now=time.time())
    left = distrust_witness(witness.keys, witness.at.name, quorum=None, now=time.time())
    assert (left.version, left.quorum, left.listed(Role.WITNESS)) == (3, 0, ())
    assert open_keyring((witness.keys / "keyring-3.note").read_bytes()) == left
    with pytest.raises(SettingsError, match="found none: start the gateway once"):
        distrust_witness(tmp_path / "nowhere-keys", "x", quorum=None, now=time.time())


@pytest.mark.parametrize(
    "url",
    ["http://compliance.test", "https://", "https://a:b@compliance.test", "https://w.test/?x=1", "ftp://w.test", "w"],
)
def test_a_witness_that_a_stranger_could_play_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="expected https://"):
        check_places([WitnessAt("w", url)])
    check_places([WitnessAt("w", "https://w.test:8443/witness"), WitnessAt("w", "http://127.0.0.1:9")])


# -- the wire --------------------------------------------------------------------------------------------------------


class _Answering(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.seen.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        if self.path == "/moved/add-checkpoint":
            self.send_response(302)
            self.send_header("location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 1_000_000)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    seen: list[tuple[str, bytes]] = []
    handler = type("Handler", (_Answering,), {"seen": seen})
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=served.serve_forever, args=(0.01,))
    thread.start()
    yield served.server_address[1], seen
    served.shutdown()
    thread.join()
    served.server_close()


def test_a_request_goes_to_the_witness_and_to_nobody_it_names(server: tuple[int, list[tuple[str, bytes]]]) -> None:
    port, seen = server
    status, body = post(WitnessAt("w", f"http://127.0.0.1:{port}/w/"), b"data", 2.0)
    assert (status, len(body)) == (200, 64 * 1024), "an endless answer is cut"
    assert post(WitnessAt("w", f"http://127.0.0.1:{port}/moved"), b"data", 2.0)[0] == 302
    assert [path for path, _ in seen] == ["/w/add-checkpoint", "/moved/add-checkpoint"]


def test_a_witness_that_cannot_be_reached_is_an_error_of_ours(server: tuple[int, list[tuple[str, bytes]]]) -> None:
    with pytest.raises(UnavailableError, match="witness w cannot be reached") as raised:
        post(WitnessAt("w", "http://127.0.0.1:1"), b"data", 0.5)
    assert raised.value.code == "unreachable"
    with pytest.raises(UnavailableError, match="witness w: TLS fails") as raised:
        post(WitnessAt("w", f"https://127.0.0.1:{server[0]}"), b"data", 0.5)
    assert raised.value.code == "tls"


async def test_a_database_that_cannot_be_read_is_counted_and_passes(tmp_path: Path, witness: AWitness) -> None:
    async with a_ledger(tmp_path, witness) as ledger:
        assert ledger.cosigning is not None
        ledger.cosigning.database = f"sqlite:///{tmp_path}/nowhere.db"
        await until(lambda: ledger.gauges()["ledger_witness_failures"] > 0)
        ledger.cosigning.database = f"sqlite:///{tmp_path}/ledger.db"
        receipt = await ledger.append(an_intent())
        await until(lambda: cosigned_size(tmp_path) > receipt.index)


def test_what_was_cosigned_cannot_be_changed(tmp_path: Path, witness: AWitness) -> None:
    async def run() -> None:
        async with a_ledger(tmp_path, witness):
            await until(lambda: cosigned_size(tmp_path) > 0)

    asyncio.run(run())
    with sqlite3.connect(tmp_path / "ledger.db") as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE ledger_anchor SET blob = x'00' WHERE type = 'cosigned'")
    connection.close()
