"""A damaged folder, archive or database is reported by the verifier, whatever was done to it, and never breaks it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.cli.verify_sources import open_source
from phigate.tlog import canonical
from phigate.tlog.errors import IncompleteError, TlogError
from phigate.tlog.export import export
from phigate.tlog.report import Verdict
from phigate.tlog.verify import Demand, verify
from tests.fuzz.mutations import bent
from tests.tlog.logs import LogBuilder, MemorySource
from tests.tlog.stored import in_archive, in_folder, in_sqlite


def _source() -> tuple[MemorySource, dict[str, bytes]]:
    log = LogBuilder()
    log.exchanges(log.start(), 4)
    log.publish(witnesses=1)
    source = MemorySource.of(log)
    return source, dict(export(source, log.heads[-1][1]))


def _stored() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as below:
        folder = Path(below)
        return {
            "tar": in_archive(FILES.items(), folder / "log.tar").read_bytes(),
            "gz": in_archive(FILES.items(), folder / "log.gz").read_bytes(),
            "sqlite": in_sqlite(SOURCE, folder / "log.db").read_bytes(),
        }


SOURCE, FILES = _source()
STORED = _stored()


def verdict(place: Path) -> Verdict | None:
    """Verify and print what lies at a path; None where it is no log."""
    try:
        with open_source(place) as source:
            report = verify(source, Demand())
    except TlogError:
        return None
    assert report.to_text()
    assert canonical.encode(report.to_json())
    return report.verdict


@pytest.mark.parametrize("kind", STORED)
def test_an_undamaged_one_is_verified(kind: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(STORED[kind])
    assert verdict(tmp_path / "log") is Verdict.VERIFIED


@pytest.mark.parametrize("kind", STORED)
@given(data=st.data())
def test_a_damaged_one_never_breaks_the_verifier(kind: str, data: st.DataObject) -> None:
    drawn = data.draw(bent([STORED[kind]]))
    with tempfile.TemporaryDirectory() as below:
        place = Path(below) / "log"
        place.write_bytes(drawn)
        verdict(place)


@given(st.data())
def test_a_damaged_file_of_an_export_is_found(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in FILES if path not in {"manifest.json", "policy"}]))
    drawn = data.draw(bent([FILES[path]]))
    with tempfile.TemporaryDirectory() as below:
        folder = in_folder({**FILES, path: drawn}.items(), Path(below) / "log")
        assert drawn == FILES[path] or path in {"checkpoint", "keyring.note"} or verdict(folder) is not Verdict.VERIFIED
        verdict(folder)
        shutil.rmtree(folder)


def test_a_pipe_in_an_export_is_not_waited_for(tmp_path: Path) -> None:
    folder = in_folder(FILES.items(), tmp_path / "log")
    (folder / "checkpoint").unlink()
    os.mkfifo(folder / "checkpoint")
    with (
        pytest.raises(IncompleteError, match="expected a file at checkpoint, found a pipe or a device"),
        open_source(folder),
    ):
        pass


def test_a_schema_that_is_no_text_is_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(STORED["sqlite"].replace(b"leaf BLOB, PRIMARY KEY", b"leaf BLOB, PRIMARY \xcbEY"))
    with (
        pytest.raises(IncompleteError, match="the database cannot be read: UnicodeDecodeError"),
        open_source(tmp_path / "log"),
    ):
        pass
