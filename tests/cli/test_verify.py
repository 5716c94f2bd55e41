from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from phigate.cli import verify as command
from phigate.cli.verify import counter, main, pinned
from phigate.cli.verify_sources import SQLiteSource, open_source
from phigate.store.open import open_ledger
from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.errors import IncompleteError
from phigate.tlog.export import export
from phigate.tlog.keyring import fingerprint
from phigate.tlog.merkle import TreeSize, inclusion_proof
from phigate.tlog.proof import Proof
from tests.store.drafts import an_intent, an_outcome
from tests.tlog import naive
from tests.tlog.logs import LOG, ORIGIN, ROOT, LogBuilder, MemorySource, keyring, signed_keyring
from tests.tlog.stored import in_archive, in_folder, in_sqlite

KEY = keyring().fingerprint


def sound(exchanges: int = 150) -> LogBuilder:
    log = LogBuilder()
    boot = log.start()
    log.exchanges(boot, exchanges)
    log.publish(witnesses=1)
    return log


SOUND = sound()
FILES = list(export(MemorySource.of(SOUND), SOUND.heads[0][1]))


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    status = main([str(each) for each in arguments])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


@pytest.fixture(params=["folder", "tar", "tar.gz", "tar below a folder", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    match request.param:
        case "folder":
            return in_folder(FILES, tmp_path / "export")
        case "tar":
            return in_archive(FILES, tmp_path / "export.tar")
        case "tar.gz":
            return in_archive(FILES, tmp_path / "export.tar.gz")
        case "tar below a folder":
            return in_archive(FILES, tmp_path / "export.tar", below="./2026h2/")
    return in_sqlite(MemorySource.of(SOUND), tmp_path / "ledger.db")


def test_a_log_is_verified_wherever_it_lies(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, "--key", KEY, place)
    assert (status, text.split(":")[0]) == (0, "VERIFIED"), text
    status, text = run(capsys, place, "--json")
    report = json.loads(text)
    assert status == 0
    assert report["key"] == {"pinned": False, "fingerprint": KEY, "keyring_version": 1}
    assert (report["size"], report["verdict"], report["origin"]) == (302, "verified", ORIGIN)


def test_each_verdict_has_its_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = in_folder(FILES, tmp_path / "export")
    later = sound()
    later.exchanges(later.new_boot(), 1)
    newer = tmp_path / "newer"
    newer.write_bytes(later.head())
    assert run(capsys, folder, "--checkpoint", newer)[0] == 3
    assert run(capsys, folder, "--quorum", "2")[0] == 4
    assert run(capsys, folder, "--witnessed-within", "60")[0] in {0, 4}
    status, text = run(capsys, folder, "--key", "sha256:" + "0" * 64)
    assert (status, "expected a keyring of root" in text) == (1, True)
    (folder / "tile/entries/000").rename(tmp_path / "away")
    status, text = run(capsys, folder)
    assert (status, "tile/entries/000 is not there" in text) == (2, True)
    data = (tmp_path / "away").read_bytes()
    (folder / "tile/entries/000").write_bytes(data.replace(b'"seq":9', b'"seq":8', 1))
    status, text = run(capsys, folder)
    assert (status, "first bad entry: 9" in text) == (1, True), text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: source"),
        (["x", "--workers", "0"], "at least one worker"),
        (["x", "--workers", "many"], "invalid int value"),
        (["x", "--quorum", "-1"], "a quorum from 0"),
        (["x", "--key", "rubbish"], "expected --key as sha256"),
        (["x", "--key", "sha256:" + "G" * 64], "expected --key as sha256"),
        (["x", "--keyring", "/nowhere"], "/nowhere cannot be read: No such file"),
        (["x", "--checkpoint", "/nowhere"], "/nowhere cannot be read"),
        (["x", "--proof", "/nowhere"], "/nowhere cannot be read"),
        (["x", "--introduced-by", "a", "b"], "beside --proof alone"),
        (["x", "--unknown"], "unrecognized arguments"),
    ],
)
def test_a_command_line_that_makes_no_sense_exits_with_64(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "x" in arguments and "--proof" in arguments:
        arguments = [__file__, *arguments[1:]]
    try:
        status: object = main(arguments)
    except SystemExit as error:
        status = error.code
    printed = capsys.readouterr()
    assert (status, message in printed.err) == (64, True), printed.err


def test_what_is_no_log_is_incomplete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, tmp_path / "nowhere")
    assert (status, "found nothing" in text) == (2, True)
    status, text = run(capsys, tmp_path)
    assert (status, "expected a file checkpoint, found none" in text) == (2, True)
    rubbish = tmp_path / "rubbish"
    for data in (b"", b"rubbish" * 500, b"\x1f\x8brubbish", b"\xfd7zXZ\x00", b"SQLite format 3\x00" + b"?" * 2000):
        rubbish.write_bytes(data)
        assert run(capsys, rubbish)[0] == 2, data[:20]
    status, text = run(capsys, in_folder(FILES, tmp_path / "e"), "--origin", "other.example/log")
    assert (status, f"expected the log other.example/log, found {ORIGIN}" in text) == (2, True)


def test_an_archive_in_which_a_name_stands_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, in_archive([*FILES, FILES[0]], tmp_path / "twice.tar"))
    assert (status, "each file once in the archive, found tile/entries/000 twice" in text) == (2, True)
    two = [(f"{n}/{path}", data) for n in (1, 2) for path, data in FILES]
    status, text = run(capsys, in_archive(two, tmp_path / "two.tar"))
    assert (status, "found several checkpoints" in text) == (2, True)


def test_links_and_folders_in_an_archive_are_no_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = in_archive([f for f in FILES if f[0] != "keyring.note"], tmp_path / "a.tar")
    with tarfile.open(place, "a") as archive:
        link = tarfile.TarInfo("keyring.note")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    status, text = run(capsys, place)
    assert (status, "expected a keyring, found none" in text) == (2, True)


def test_a_huge_file_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = in_folder(FILES, tmp_path / "export")
    with (folder / "tile/entries/000").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    status, text = run(capsys, folder)
    assert (status, "to have at most 67108864 bytes" in text) == (2, True)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2 * 1024 * 1024)
    assert run(capsys, folder, "--keyring", tmp_path / "huge")[0] == 64


# -- SQLite --------------------------------------------------------------------------------------------------------


def changed(place: Path, sql: str, *values: Any) -> Path:
    with sqlite3.connect(place) as db:
        db.execute(sql, values)
    db.close()
    return place


def test_a_database_that_was_written_to_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fresh = iter(in_sqlite(MemorySource.of(SOUND), tmp_path / f"{n}.db") for n in range(9))
    status, text = run(capsys, changed(next(fresh), "DELETE FROM ledger_entry WHERE idx = 17"))
    assert (status, "entry 17: expected entry 17, found none" in text) == (1, True)
    status, text = run(capsys, changed(next(fresh), "DELETE FROM ledger_entry WHERE idx >= 290"))
    assert (status, "entry 290: expected entry 290, found none" in text) == (1, True)
    status, text = run(capsys, changed(next(fresh), "UPDATE ledger_entry SET kind = 'refusal' WHERE idx = 40"))
    assert (status, "entry 40: the columns" in text) == (1, True)
    status, text = run(capsys, changed(next(fresh), "UPDATE ledger_head SET size = 200"))
    assert (status, "the log signed 302 entries, 200 are there" in text) == (1, True), text
    status, text = run(capsys, changed(next(fresh), "DELETE FROM ledger_tile"))
    assert (status, "tile/0/000 is not there" in text) == (2, True)
    status, text = run(capsys, changed(next(fresh), "DROP TABLE ledger_entry"))
    assert (status, "the database cannot be read: OperationalError" in text) == (2, True)
    status, text = run(capsys, changed(next(fresh), "DELETE FROM ledger_anchor"))
    assert (status, "expected a keyring, found none" in text) == (2, True)


@pytest.mark.parametrize(
    ("sql", "status", "message"),
    [
        ("UPDATE ledger_entry SET entry = 99999999999999 WHERE idx = 3", 1, "first bad entry: 3"),
        ("UPDATE ledger_entry SET entry = NULL WHERE idx = 3", 1, "first bad entry: 3"),
        ("UPDATE ledger_entry SET leaf = NULL WHERE idx = 3", 1, "first bad entry: 3"),
        ("UPDATE ledger_entry SET rid = 7 WHERE idx = 3", 1, "first bad entry: 3"),
        ("UPDATE ledger_entry SET eid = CAST(x'ff' AS TEXT) WHERE idx = 3", 1, "first bad entry: 3"),
        ("UPDATE ledger_entry SET idx = 'x' WHERE idx = 3", 1, "first bad entry: 3"),
        ("UPDATE ledger_checkpoint SET note = 99999999999999", 1, "the checkpoint of size 302"),
        ("UPDATE ledger_checkpoint SET size = 'x'", 2, "expected a number where a size belongs"),
        ("UPDATE ledger_tile SET hashes = 'x'", 1, "tile/0/000"),
        ("UPDATE ledger_batch SET root = 1.5", 1, "at the commit of size 3 is another"),
        ("UPDATE ledger_batch SET size = -size", 0, "VERIFIED"),
        ("UPDATE ledger_head SET size = 'x'", 2, "expected a number where a size belongs"),
        ("UPDATE ledger_head SET size = -1", 2, "expected a number where a size belongs"),
        ("UPDATE ledger_head SET root = 'x'", 1, "the root that is kept for size 302"),
        ("UPDATE ledger_anchor SET blob = 99999999999999", 1, "the keyring: expected an empty line"),
    ],
)
def test_values_of_another_type_break_nothing(
    sql: str, status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, text = run(capsys, changed(in_sqlite(MemorySource.of(SOUND), tmp_path / "a.db"), sql))
    assert (found, message in text) == (status, True), text


def test_an_edit_before_a_gap_is_the_first_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = changed(in_sqlite(MemorySource.of(SOUND), tmp_path / "a.db"), "DELETE FROM ledger_entry WHERE idx = 17")
    status, text = run(capsys, changed(place, "UPDATE ledger_entry SET kind = 'x' WHERE idx = 5"))
    assert (status, "first bad entry: 5" in text, "entry 17" in text) == (1, True, True), text
    folder = in_folder(FILES, tmp_path / "e")
    data = (folder / "tile/entries/000").read_bytes()
    (folder / "tile/entries/000").write_bytes(data.replace(b'"seq":9', b'"seq":8', 1))
    (folder / "tile/entries/001.p/46").unlink()
    status, text = run(capsys, folder)
    assert (status, "first bad entry: 9" in text, "tile/entries/001.p/46 is not there" in text) == (1, True, True), text


def test_one_of_several_logs_is_named_by_its_origin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = in_sqlite(MemorySource.of(SOUND), tmp_path / "a.db")
    other = MemorySource([], [], origin="other.example/log", columns=[])
    in_sqlite(other, place, log_id=2)
    status, text = run(capsys, place)
    assert (status, f"found {ORIGIN}, other.example/log" in text) == (2, True)
    assert run(capsys, place, "--origin", ORIGIN)[0] == 0
    status, text = run(capsys, place, "--origin", "third")
    assert (status, "expected a log third in the database, found none" in text) == (2, True)


def test_nothing_is_written_beside_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = in_sqlite(MemorySource.of(SOUND), tmp_path / "a b%20#.db")
    tmp_path.chmod(0o500)
    before = place.read_bytes()
    assert run(capsys, place)[0] == 0
    assert [each.name for each in tmp_path.iterdir()] == [place.name]
    assert place.read_bytes() == before
    tmp_path.chmod(0o700)


def test_a_log_that_grows_while_it_is_read_is_no_fork(tmp_path: Path) -> None:
    place = tmp_path / "live.db"
    with sqlite3.connect(place) as db:
        db.execute("PRAGMA journal_mode=WAL")
    db.close()
    in_sqlite(MemorySource.of(SOUND), place)
    writer = sqlite3.connect(place)
    source = SQLiteSource(place)
    writer.execute("INSERT INTO ledger_checkpoint VALUES (1, 999, ?)", (b"of later entries",))
    writer.commit()
    assert [size for size, _ in source.checkpoints()] == [302]
    assert source.size == 302
    source.close()
    writer.close()


def test_the_ledger_of_a_running_gateway_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"

    async def exchanges() -> None:
        ledger = open_ledger(url, keys_folder=tmp_path / "keys", origin=ORIGIN, replica="gw", min_free_bytes=0)
        async with ledger:
            for _ in range(40):
                draft = an_intent()
                await ledger.append(an_outcome(draft.rid, await ledger.append(draft)))
            status, text = run(capsys, tmp_path / "ledger.db")
            assert (status, "exchanges      40, 0 without outcome" in text) == (0, True), text

    anyio.run(exchanges)
    status, text = run(capsys, tmp_path / "ledger.db", "--keyring", tmp_path / "keys/keyring.note", "--json")
    report = json.loads(text)
    assert (status, report["heads"]["uncovered"], report["entries"]["key"]) == (0, 0, 2), text
    status, _ = run(capsys, tmp_path / "ledger.db", "--key", report["key"]["fingerprint"])
    assert status == 0


# -- one entry -----------------------------------------------------------------------------------------------------


def test_one_entry_is_checked_by_its_proof(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = SignedCheckpoint.from_bytes(SOUND.heads[0][1])
    for index in (1, 9):
        path = inclusion_proof(index=index, size=TreeSize(302), node=partial(naive.node, SOUND.entries))
        (tmp_path / f"{index}.entry").write_bytes(SOUND.entries[index])
        (tmp_path / f"{index}.tlog-proof").write_bytes(Proof(index, path, head).to_bytes())
    proof = ("--proof", tmp_path / "9.tlog-proof", tmp_path / "9.entry")
    assert run(capsys, *proof)[0] == 2
    (tmp_path / "keyring.note").write_bytes(signed_keyring())
    status, text = run(capsys, *proof, "--key", KEY)
    assert (status, "its key entry was not given" in text) == (0, True), text
    introduced = ("--introduced-by", tmp_path / "1.entry", tmp_path / "1.tlog-proof")
    status, text = run(capsys, *proof, "--key", KEY, *introduced)
    assert (status, "not given" in text) == (0, False), text
    assert run(capsys, "--proof", tmp_path / "9.tlog-proof", tmp_path / "1.entry")[0] == 1


# -- around it -----------------------------------------------------------------------------------------------------


def test_a_single_root_can_be_pinned_by_its_vkey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pinned(ROOT.key.to_text()) == fingerprint([ROOT.key], 1) == KEY
    folder = in_folder(FILES, tmp_path)
    assert run(capsys, folder, "--key", ROOT.key.to_text())[0] == 0
    assert run(capsys, folder, "--key", LOG.key.to_text())[0] == 1


def test_progress_is_one_line_that_is_rewritten() -> None:
    written: list[str] = []
    show = counter(written.append, columns=80)
    show(0, 4)
    show(2, 4)
    show(4, 4)
    assert written[1] == "\r[" + "#" * 20 + " " * 20 + "] 2 of 4 entries"
    assert written[2].endswith("] 4 of 4 entries\n")
    show(0, 0)
    assert "0 of 0" in written[3]


def test_progress_is_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command._progress(quiet=False) is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert command._progress(quiet=True) is None


def test_a_verifier_that_breaks_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "verify_log", broken)
    status, text = run(capsys, in_folder(FILES, tmp_path))
    assert (status, "ZeroDivisionError" in text, "this says nothing about the log" in text) == (2, True, True)


def test_all_cores_give_the_verdict_that_one_gives(tmp_path: Path) -> None:
    log = sound(9000)
    folder = in_folder(export(MemorySource(log.entries, log.heads), log.heads[0][1]), tmp_path / "big")
    for workers in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "phigate.cli.verify", str(folder), "--json", "--workers", workers],
            capture_output=True,
            check=False,
        )
        report = json.loads(done.stdout)
        assert (done.returncode, report["size"], report["entries"]["intent"]) == (0, 18002, 9000), done.stderr


def test_the_source_of_a_folder_is_closed_after_use(tmp_path: Path) -> None:
    with open_source(in_folder(FILES, tmp_path), origin=ORIGIN) as source:
        assert source.size == 302
    with pytest.raises(IncompleteError), open_source(tmp_path / "nothing"):
        pass
