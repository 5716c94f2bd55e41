from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from phigate.tlog.checkpoint import Checkpoint
from phigate.tlog.errors import CheckError, FormatError, GapError, IncompleteError, TlogError
from phigate.tlog.export import ExportSource, export, policy
from phigate.tlog.merkle import TreeSize, leaf_hash
from phigate.tlog.note import sign_note
from phigate.tlog.report import Verdict
from phigate.tlog.tile import TileID, tiles_of
from phigate.tlog.verify import Demand, verify
from tests.tlog.logs import LOG, ORIGIN, WITNESSES, LogBuilder, MemorySource, keyring, signed_keyring
from tests.tlog.shared import vectors

PINNED = Demand(pinned=keyring().fingerprint)
LOG_700 = LogBuilder()
BOOT = LOG_700.start()
LOG_700.exchanges(BOOT, 300)
EARLY = LOG_700.publish()
LOG_700.exchanges(BOOT, 49)
NEWEST = LOG_700.publish(witnesses=1)
FILES = list(export(MemorySource.of(LOG_700), NEWEST))


def source(files: dict[str, bytes]) -> ExportSource:
    return ExportSource(files.get)


def test_an_export_is_a_tiled_log_that_verifies() -> None:
    files = dict(FILES)
    assert files.keys() == {
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/188",
        *(tile.path for tile in tiles_of(TreeSize(700))),
        "keyring.note",
        "policy",
        "manifest.json",
        "checkpoint",
    }
    report = verify(source(files), PINNED)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    assert (report.size, report.uncovered) == (700, 0)
    assert report.witnessed is not None


def test_an_export_at_an_earlier_checkpoint_holds_no_more() -> None:
    report = verify(source(dict(export(MemorySource.of(LOG_700), EARLY))), PINNED)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    assert report.size == 602


def test_the_same_log_gives_the_same_files_in_the_same_order() -> None:
    again = list(export(MemorySource.of(LOG_700), NEWEST))
    assert again == FILES
    assert list(export(source(dict(FILES)), NEWEST)) == FILES
    assert FILES[-1] == ("checkpoint", NEWEST)


def test_the_manifest_counts_and_digests_the_files_before_it() -> None:
    manifest = json.loads(dict(FILES)["manifest.json"])
    before = [(path, data) for path, data in FILES if path not in {"manifest.json", "checkpoint"}]
    lines = "".join(f"{sha256(data).hexdigest()}  {path}\n" for path, data in before)
    assert manifest["digest"] == "sha256:" + sha256(lines.encode()).hexdigest()
    assert (manifest["files"], manifest["bytes"]) == (len(before), sum(len(data) for _, data in before))
    assert (manifest["origin"], manifest["size"]) == (ORIGIN, 700)


def test_no_log_is_exported_under_a_checkpoint_that_it_does_not_lead_to() -> None:
    for wrong in (LOG_700.head(root=leaf_hash(b"")), LOG_700.head(size=500, root=leaf_hash(b""))):
        paths: list[str] = []
        with pytest.raises(CheckError, match="not to the checkpoint"):
            paths.extend(path for path, _ in export(MemorySource.of(LOG_700), wrong))
        assert paths
        assert "checkpoint" not in paths
    short = MemorySource(LOG_700.entries[:650], [])
    with pytest.raises(CheckError, match="the entries lead to 650:"):
        list(export(short, NEWEST))
    other = sign_note(Checkpoint("elsewhere", TreeSize(1), leaf_hash(b"")).to_text(), [(LOG.key, LOG.sign)])
    with pytest.raises(CheckError, match=f"expected a checkpoint of {ORIGIN}, found one of elsewhere"):
        list(export(short, other.to_bytes()))


def test_a_log_without_keyring_is_exported_without() -> None:
    paths = [path for path, _ in export(replace(MemorySource.of(LOG_700), keyring_note=None), NEWEST)]
    assert not {"keyring.note", "policy"} & set(paths)


def test_a_log_of_more_than_65_536_entries_has_a_second_level() -> None:
    entries = [b"%d" % i for i in range(65_536 + 300)]
    log = LogBuilder(entries=entries)
    files = dict(export(MemorySource(entries, []), log.head()))
    assert {"tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1", "tile/0/257.p/44"} <= files.keys()
    assert {tile.path for tile in tiles_of(TreeSize(len(entries)))} <= files.keys()


@pytest.mark.parametrize("path", [path for path, _ in FILES if path not in {"policy", "manifest.json"}])
def test_a_flipped_bit_in_any_file_is_found(path: str) -> None:
    data = dict(FILES)[path]
    for at in (0, len(data) // 2, len(data) - 1):
        files = {**dict(FILES), path: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]}
        try:
            report = verify(source(files), PINNED)
        except TlogError:
            continue  # the checkpoint is read before anything is verified
        assert report.verdict is Verdict.TAMPERED, report.to_text()


@pytest.mark.parametrize("path", [path for path, _ in FILES if path not in {"policy", "manifest.json", "checkpoint"}])
def test_a_file_that_is_not_there_makes_the_export_incomplete(path: str) -> None:
    files = {name: data for name, data in FILES if name != path}
    report = verify(source(files), PINNED)
    assert report.verdict is Verdict.INCOMPLETE, report.to_text()


def test_without_a_checkpoint_there_is_no_log() -> None:
    with pytest.raises(IncompleteError, match="expected a file checkpoint, found none"):
        source({})
    with pytest.raises(FormatError):
        source({"checkpoint": b"rubbish"})


def test_a_bundle_of_the_wrong_length_is_named_by_its_first_entry() -> None:
    files = dict(FILES)
    files["tile/entries/001"] = files["tile/entries/001"][:-1]
    report = verify(source(files), PINNED)
    assert (report.verdict, report.first_bad) == (Verdict.TAMPERED, 256)
    with pytest.raises(GapError, match="tile/entries/001: expected whole entries"):
        list(source(files).stretches())


def test_a_full_tile_stands_in_for_the_partial_one_that_a_growing_log_dropped() -> None:
    later = LogBuilder(entries=list(LOG_700.entries))
    boot = BOOT
    later.exchanges(boot, 100)
    grown = dict(export(MemorySource.of(later), later.head()))
    files = {**grown, "checkpoint": NEWEST}
    assert "tile/entries/002.p/188" not in files
    for path in ("tile/1/000.p/2", "tile/1/000.p/3"):
        files[path] = dict(FILES).get(path, files.get(path, b""))
    report = verify(source(files), PINNED)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    files["tile/0/002"] = b"short"
    assert source(files).tile(TileID(0, 2, 188)) == b"short"
    assert verify(source(files), PINNED).verdict is Verdict.TAMPERED


def test_the_policy_file_is_one_that_other_verifiers_read() -> None:
    assert policy(keyring(), ORIGIN).decode() == (
        f"log {LOG.key.to_text()}\n"
        + "".join(f"witness w{n} {w.key.to_text()}\n" for n, w in enumerate(WITNESSES, 1))
        + "quorum none\n"
    )
    assert policy(keyring(quorum=2), ORIGIN).decode().endswith("group witnesses 2 w1 w2 w3\nquorum witnesses\n")


def test_the_log_of_tessera_is_read_and_exported_byte_for_byte() -> None:
    folder = vectors("tessera-log")

    def read(path: str) -> bytes | None:
        file = folder / path
        return file.read_bytes() if file.is_file() else None

    tessera = ExportSource(read)
    assert (tessera.origin, tessera.size) == ("example.com/log/testdata", 15)
    note = (folder / "checkpoint").read_bytes()
    files = dict(export(tessera, note))
    assert files["tile/0/000.p/15"] == read("tile/0/000.p/15")
    assert files["tile/entries/000.p/15"] == read("tile/entries/000.p/15")
    # Its entries are no records of ours: the tree verifies, and nothing is claimed for what it holds.
    report = verify(tessera, replace(PINNED, keyring=signed_keyring()))
    assert report.verdict is Verdict.TAMPERED
