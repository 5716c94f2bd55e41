"""Where the segments of a ledger lie: on PostgreSQL logs of one database, on SQLite one file each.

The first segment on SQLite is the file that the database URL names; the others lie beside it, named after the half
year: ``ledger.db``, ``ledger-2027h1.db``. Which origin a file holds, the file itself says; nothing is believed but for
finding it.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from phigate.errors import SettingsError
from phigate.tlog.errors import IncompleteError

_SQLITE: Final = "sqlite:///"
_LABEL: Final = re.compile(r"(?P<name>.+)/(?P<half>[0-9]{4}h[12])(?P<more>(-[a-z0-9]+)*)", re.ASCII)
_HEADS: Final = "SELECT log_id, origin, size, root, last_ts, closed FROM ledger_head ORDER BY log_id"


@dataclass(frozen=True, slots=True)
class Segment:
    """One log as its head row describes it. ``url`` is that of the database which holds it."""

    origin: str
    url: str
    log_id: int
    size: int
    root: bytes
    last_ts: int  # microseconds
    closed: bool


def ledger_name(origin: str) -> str:
    """Return what all segments of a ledger have in common: the origin without its half year."""
    match = _LABEL.fullmatch(origin)
    return match["name"] if match else origin


def half_of(origin: str) -> str:
    """Return the half year in an origin, "" where it has none."""
    match = _LABEL.fullmatch(origin)
    return match["half"] if match else ""


def half_year(at_s: float) -> str:
    """Return the half year of a POSIX time, in UTC: ``2026h2``."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.year:04d}h{1 if at.month <= 6 else 2}"


def end_of(half: str) -> datetime:
    """Return the first moment after a half year."""
    year = int(half[:4])
    return datetime(year, 7, 1, tzinfo=UTC) if half.endswith("h1") else datetime(year + 1, 1, 1, tzinfo=UTC)


def next_origin(origin: str, *, at_s: float, taken: Collection[str] = ()) -> str:
    """Return the origin that follows another: the half year of now, with a number where that one has begun."""
    half = max(half_year(at_s), half_of(origin))
    first = f"{ledger_name(origin)}/{half}"
    if half > half_of(origin) and first not in taken:
        return first
    number = 2
    while f"{first}-{number}" in taken or f"{first}-{number}" == origin:
        number += 1
    return f"{first}-{number}"


def segments(url: str, *, name: str = "") -> list[Segment]:
    """Return the segments of a ledger as they were written, oldest first; of one name, or all that lie there."""
    found = [each for place in _places(url) for each in _heads(place) if not name or ledger_name(each.origin) == name]
    return sorted(found, key=lambda each: (not each.size, each.last_ts, not each.closed))


def place_of(url: str, origin: str) -> str:
    """Return the URL of the database that holds a log, or in which it is to be made."""
    if not url.startswith(_SQLITE):
        return url
    path = Path(url.removeprefix(_SQLITE))
    known = next((each.url for each in segments(url) if each.origin == origin), None) if _any(path) else None
    if known is not None:
        return known
    label = _LABEL.fullmatch(origin)
    if label is None or not path.exists() or not _heads(url):
        return url
    name = f"{path.stem}-{label['half']}{label['more']}{path.suffix}"
    return f"{_SQLITE}{path.with_name(name)}"


def find_segment(url: str, origin: str | None) -> Segment:
    """Return the segment of an origin; without one, or for the name of a ledger, its newest.

    Raises `IncompleteError` where there is none, `SettingsError` where several ledgers lie there.
    """
    found = segments(url)
    if origin is None:
        names = {ledger_name(each.origin) for each in found}
        if len(names) > 1:
            several = ", ".join(each.origin for each in found)
            raise SettingsError(f"expected one log or its origin, found several: name one of {several}")
    else:
        exact = [each for each in found if each.origin == origin]
        found = exact or [each for each in found if ledger_name(each.origin) == origin]
    if not found:
        raise IncompleteError(f"expected a log{f' {origin}' if origin else ''} in the database, found none")
    return found[-1]


def newest_origin(url: str, configured: str) -> str:
    """Return the origin of the newest segment of the ledger that a setting names, the setting itself if none is."""
    try:
        found = segments(url, name=ledger_name(configured))
    except (IncompleteError, SettingsError):
        return configured
    return found[-1].origin if found else configured


def following_newest(
    url: str, configured: str, *, every_s: float = 2.0, mono: Callable[[], float] = time.monotonic
) -> Callable[[], str]:
    """Return a `newest_origin` that looks again after ``every_s`` seconds at the earliest."""
    known: list[tuple[float, str]] = [(float("-inf"), configured)]

    def newest() -> str:
        if mono() - known[0][0] >= every_s:
            known[0] = (mono(), newest_origin(url, configured))
        return known[0][1]

    return newest


def _any(path: Path) -> bool:
    return path.parent.is_dir() and (path.is_file() or bool(_beside(path)))


def _beside(path: Path) -> list[Path]:
    pattern = re.compile(rf"{re.escape(path.stem)}-[0-9]{{4}}h[12](-[a-z0-9]+)*{re.escape(path.suffix)}", re.ASCII)
    return sorted(each for each in path.parent.glob(f"*{path.suffix}") if pattern.fullmatch(each.name))


def _places(url: str) -> list[str]:
    """Return the URLs of the databases that may hold segments of one ledger."""
    if not url.startswith(_SQLITE):
        return [url]
    path = Path(url.removeprefix(_SQLITE))
    found = [f"{_SQLITE}{each}" for each in (path, *_beside(path)) if each.is_file()]
    if not found:
        raise SettingsError(f"expected a database file {path}, found none")
    return found


def _heads(url: str) -> list[Segment]:
    engine = reading_engine(url)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("ledger_head"):
                return []
            rows = connection.execute(sa.text(_HEADS)).all()
    except sa.exc.SQLAlchemyError as error:
        raise IncompleteError(f"the database cannot be read: {type(error.__cause__ or error).__name__}") from error
    finally:
        engine.dispose()
    return [Segment(r.origin, url, r.log_id, r.size, bytes(r.root), r.last_ts, bool(r.closed)) for r in rows]


def reading_engine(url: str) -> sa.Engine:
    """Return an engine that only reads. Raises `SettingsError` for a URL of another kind or a missing file."""
    if url.startswith("postgresql"):
        engine = sa.create_engine(url, pool_size=1)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("SET TRANSACTION READ ONLY"))
        return engine
    if not url.startswith(_SQLITE):
        raise SettingsError("expected a database URL that begins with sqlite:/// or postgresql, found another")
    path = Path(url.removeprefix(_SQLITE)).resolve()
    if not path.is_file():
        raise SettingsError(f"expected a database file {path}, found none")

    def connect() -> sqlite3.Connection:
        # Without a WAL beside it nobody writes, and a folder that cannot be written to is no hindrance.
        mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
        place = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        connection = sqlite3.connect(f"file:{place}?{mode}", uri=True, timeout=5.0, check_same_thread=False)
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection

    return sa.create_engine("sqlite://", creator=connect, poolclass=StaticPool)
