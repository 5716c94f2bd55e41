"""Where phigate-verify reads a log from: an export in a folder or an archive, or a SQLite file. Standard library only.

All of it is read-only, and none of it is trusted: see `tlog.source`.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import sqlite3
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import merge
from pathlib import Path
from typing import IO, Any, Final

from phigate.tlog.errors import FormatError, GapError, IncompleteError
from phigate.tlog.export import CHECKPOINT, ExportSource, Read
from phigate.tlog.source import STRETCH, Columns, Source, Stretch
from phigate.tlog.tile import WIDTH, TileID

_SQLITE_MAGIC: Final = b"SQLite format 3\x00"
# A header of a header of a header … is read by recursion, and numbers in headers are not checked before they are used.
_UNREADABLE: Final = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, RecursionError)
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024  # a full bundle of the largest entries has 16 MiB


@contextmanager
def open_source(place: Path, *, origin: str | None = None) -> Iterator[Source]:
    """Open whatever lies at a path. Raises `IncompleteError` where nothing is, `FormatError` for what is no log."""
    if place.is_dir():
        yield of_origin(ExportSource(folder_reader(place)), origin)
    elif not place.is_file():
        raise IncompleteError(f"expected a folder, an archive or a SQLite file at {place}, found nothing")
    elif _begins(place, _SQLITE_MAGIC):
        source = SQLiteSource(place, origin=origin)
        try:
            yield source
        finally:
            source.close()
    else:
        with _open_archive(place) as archive:
            yield of_origin(ExportSource(archive_reader(archive)), origin)


def of_origin(source: ExportSource, origin: str | None) -> ExportSource:
    """Return the source. Raises `IncompleteError` where it is another log than the one expected, if one is."""
    if origin is not None and source.origin != origin:
        raise IncompleteError(f"expected the log {origin}, found {source.origin}")
    return source


def _begins(place: Path, magic: bytes) -> bool:
    with place.open("rb") as file:
        return file.read(len(magic)) == magic


def folder_reader(folder: Path) -> Read:
    """Return a reader of the files below a folder."""

    def read(path: str) -> bytes | None:
        file = folder / path
        try:
            known = file.stat()
            if not stat.S_ISREG(known.st_mode) and not stat.S_ISDIR(known.st_mode):
                raise IncompleteError(f"expected a file at {path}, found a pipe or a device")  # which may never end
            if known.st_size > _MAX_FILE_BYTES:
                raise IncompleteError(f"expected {path} to have at most {_MAX_FILE_BYTES} bytes, found more")
            return file.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise IncompleteError(f"{path} cannot be read: {error.strerror}") from error

    return read


@contextmanager
def _open_archive(place: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar archive. A compressed one is unpacked to a temporary file first: reading it goes back and forth."""
    with tempfile.TemporaryFile() as plain:
        try:
            _unpack(place, plain)
            archive = tarfile.open(fileobj=plain)  # noqa: SIM115 - closed below
        except _UNREADABLE as error:
            raise FormatError(f"expected an export folder, a tar archive of one or a SQLite file at {place}") from error
        with archive:
            yield archive


def _unpack(place: Path, plain: IO[bytes]) -> None:
    for magic, opened in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open), (b"", open)):
        if _begins(place, magic):
            with opened(place, "rb") as packed:
                shutil.copyfileobj(packed, plain)
            plain.seek(0)
            return


def archive_reader(archive: tarfile.TarFile) -> Read:
    """Return a reader of the files of an archive. Raises `FormatError` where a name stands twice."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in _members(archive):
        name = member.name.removeprefix("./")
        if not member.isfile():
            continue
        if name in members:
            raise FormatError(f"expected each file once in the archive, found {name} twice")
        members[name] = member
    roots = [name.removesuffix(CHECKPOINT) for name in members if name.split("/")[-1] == CHECKPOINT]
    if len(roots) > 1:
        raise FormatError("expected one log in the archive, found several checkpoints")
    root = roots[0] if roots else ""

    def read(path: str) -> bytes | None:
        member = members.get(root + path)
        if member is None:
            return None
        if member.size > _MAX_FILE_BYTES:
            raise IncompleteError(f"expected {path} to have at most {_MAX_FILE_BYTES} bytes, found more")
        try:
            file = archive.extractfile(member)
            return file.read() if file else None
        except _UNREADABLE as error:
            raise IncompleteError(f"{path} cannot be read: the archive is cut or damaged") from error

    return read


def _members(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    try:
        return archive.getmembers()
    except _UNREADABLE as error:
        raise FormatError("expected a whole tar archive, found one that is cut or damaged") from error


class SQLiteSource:
    """One log of a ledger's SQLite file, opened so that nothing can be written."""

    keeps_partial_tiles = False

    def __init__(self, place: Path, *, origin: str | None = None) -> None:
        # Without a WAL beside it nobody writes, and a folder that cannot be written to is no hindrance.
        mode = "mode=ro" if place.with_name(f"{place.name}-wal").exists() else "mode=ro&immutable=1"
        self._connection = sqlite3.connect(f"{place.absolute().as_uri()}?{mode}", uri=True, timeout=5.0)
        self._all("PRAGMA trusted_schema=OFF")
        # Text that is no text must not end the reading: compared to the entry, it is found to be another.
        self._connection.text_factory = lambda data: data.decode("utf-8", "replace")
        # A running gateway goes on writing. The largest checkpoint is taken before the head: whatever was signed by
        # then must stand in the log, and what is signed later is not this verification's business.
        signed = {
            log_id: self._all("SELECT MAX(size) FROM ledger_checkpoint WHERE log_id = ?", log_id)[0][0]
            for (log_id,) in self._all("SELECT log_id FROM ledger_head")
        }
        heads = [
            row
            for row in self._all("SELECT origin, log_id, size, root FROM ledger_head ORDER BY log_id")
            if origin is None or row[0] == origin
        ]
        if not heads:
            raise IncompleteError(f"expected a log{f' {origin}' if origin else ''} in the database, found none")
        if len(heads) > 1:
            raise IncompleteError(f"expected one log or its origin, found {', '.join(row[0] for row in heads)}")
        self.origin: str = heads[0][0]
        self._log_id: int = heads[0][1]
        self.size: int = _number(heads[0][2])
        self.root: bytes | None = _blob(heads[0][3])
        self._signed = _number(signed.get(self._log_id) or 0)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def keyring(self) -> bytes | None:
        """Return the newest keyring that the database keeps."""
        rows = self._all(
            "SELECT blob FROM ledger_anchor WHERE log_id = ? AND type = 'keyring' ORDER BY size DESC LIMIT 1",
            self._log_id,
        )
        return _blob(rows[0][0]) if rows else None

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Yield size and note of every checkpoint that was there when this was opened, cosigned ones as well."""
        signed = self._pages("ledger_checkpoint", "note", upto=self._signed)
        cosigned = self._pages("ledger_anchor", "blob", upto=self._signed, only="AND type = 'cosigned'")
        return merge(signed, cosigned, key=lambda head: head[0])

    def batches(self) -> Iterator[tuple[int, bytes]]:
        """Yield size and root after each commit."""
        return self._pages("ledger_batch", "root", upto=self.size)

    def stretches(self) -> Iterator[Stretch]:
        """Yield all entries in order. Raises `GapError` where one is missing."""
        for start in range(0, self.size, STRETCH):
            end = min(start + STRETCH, self.size)
            rows = self._all(
                "SELECT idx, entry, leaf, eid, kind, rid, attempt FROM ledger_entry"
                " WHERE log_id = ? AND idx >= ? AND idx < ? ORDER BY idx",
                self._log_id,
                start,
                end,
            )
            whole = next((n for n, row in enumerate(rows) if row[0] != start + n), len(rows))
            if whole:  # what stands before a gap is checked as well
                entries = tuple(_blob(row[1]) for row in rows[:whole])
                yield Stretch(start, entries, tuple(_columns(row) for row in rows[:whole]))
            if whole != end - start:
                raise GapError(f"expected entry {start + whole}, found none", index=start + whole)

    def tile(self, tile: TileID) -> bytes | None:
        """Return a full tile; None where the database keeps none."""
        if tile.width != WIDTH:
            return None
        rows = self._all(
            "SELECT hashes FROM ledger_tile WHERE log_id = ? AND level = ? AND n = ?",
            self._log_id,
            tile.level,
            tile.index,
        )
        return _blob(rows[0][0]) if rows else None

    def _pages(self, table: str, column: str, *, upto: int, only: str = "") -> Iterator[tuple[int, bytes]]:
        sql = f"SELECT size, {column} FROM {table} WHERE log_id = ? AND size > ? AND size <= ? {only}"  # noqa: S608
        after = -1
        while rows := self._all(f"{sql} ORDER BY size LIMIT 4096", self._log_id, after, upto):
            yield from ((_number(row[0]), _blob(row[1])) for row in rows)
            after = rows[-1][0]

    def _all(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite quotes a damaged schema in its message
            raise IncompleteError(f"the database cannot be read: {type(error).__name__}") from error


def _columns(row: tuple[Any, ...]) -> Columns:
    return Columns(_blob(row[2]), row[3], row[4], row[5], row[6])


def _blob(value: object) -> bytes:
    """Return a value that should be bytes. Anything else is nothing: no entry, note or hash has no bytes."""
    return value if isinstance(value, bytes) else b""


def _number(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise IncompleteError("the database cannot be read: expected a number where a size belongs")
    return value
