"""How long a segment is kept: archived when it is closed, dropped after six years, never while a case holds it.

What is said of a segment stands in the ledger itself: ``export`` for its archive, ``hold`` for a legal hold,
``destruction`` for its end. The last signed head of a dropped segment stays for ever: beside the live segment, and in
the genesis of the one that followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from phigate.audit.record import JSON, Draft, Kind
from phigate.errors import LedgerStateError, SettingsError
from phigate.store.evidence import write_export
from phigate.store.places import Segment, reading_engine
from phigate.store.source import DatabaseSource
from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.record import parse_entry
from phigate.tlog.report import Report, Verdict

KEEP_YEARS: Final = 6  # 45 CFR 164.316(b)(2)(i): six years from creation, or from when it was last in effect
MARGIN: Final = timedelta(days=90)
_PARTITIONED: Final = ("ledger_entry", "ledger_tile", "ledger_batch", "ledger_checkpoint", "ledger_anchor")
_REFUSED: Final = {  # SQLSTATE -> what to do
    "42501": "only the owner of the tables may: name the database URL of a member of that role with --as-owner",
    "55P03": "other work holds the tables: nothing was dropped, try again",
}
_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of the keeping of one segment. ``until`` is the first moment at which it may be dropped."""

    segment: Segment
    until: datetime
    cases: frozenset[str]
    archive: str  # digest of its archive, "" where none is on record


def kept(found: Sequence[Segment], *, years: int = KEEP_YEARS, margin: timedelta = MARGIN) -> list[Kept]:
    """Return how long each segment is kept, and why. Reads the entries of all segments that speak of it."""
    cases: dict[str, set[str]] = {}
    archives: dict[str, str] = {}
    for fields in _spoken(found, (Kind.HOLD, Kind.EXPORT)):
        name = str(fields.get("segment", ""))
        if fields["kind"] == Kind.EXPORT:
            archives[name] = str(fields.get("digest", ""))
        elif fields["op"] == "place":
            cases.setdefault(name, set()).add(str(fields["case"]))
        else:
            cases.get(name, set()).discard(str(fields["case"]))
    return [
        Kept(
            each,
            _years_later(datetime.fromtimestamp(each.last_ts / 1e6, UTC), years) + margin,
            frozenset(cases.get(each.origin, ())),
            archives.get(each.origin, ""),
        )
        for each in found
    ]


def why_not(this: Kept, *, now: datetime) -> str | None:
    """Return why a segment may not be dropped, None where it may. A hold wins over everything."""
    origin = this.segment.origin
    if this.cases:
        return f"{origin} is held for {', '.join(sorted(this.cases))}"
    if not this.segment.closed:
        return f"{origin} is open: only a closed segment is ever dropped"
    if now < this.until:
        return f"{origin} is kept until {this.until:%Y-%m-%d}"
    if not this.archive:
        return f"{origin} has no archive on record: write one first, with phigate ledger archive"
    return None


def archive(segment: Segment, place: Path, *, verify: Callable[[Path], Report]) -> Draft:
    """Write the archive of a closed segment, check the file as an outsider would, and return the entry that says so.

    ``verify`` reads an archive from its file. One that does not verify is taken away again.
    """
    if not segment.closed:
        raise SettingsError(
            f"expected a closed segment, found {segment.origin} open: close it with phigate ledger roll"
        )
    if place.suffix != ".tar":
        raise SettingsError("expected a file name that ends in .tar: an archive is one file with one digest")
    with DatabaseSource(segment.url, origin=segment.origin) as source:
        note = source.published()
        if note is None or SignedCheckpoint.from_bytes(note).head.size != segment.size:
            note = source.newest_checkpoint()
        if note is None or SignedCheckpoint.from_bytes(note).head.size != segment.size:
            raise LedgerStateError(f"expected the last head of {segment.origin} to be signed, found it unsigned")
        write_export(source, note, place)
    report = verify(place)
    if report.verdict not in {Verdict.VERIFIED, Verdict.POLICY} or report.root != segment.root:
        place.unlink()
        raise LedgerStateError(
            f"{segment.origin} does not verify ({report.verdict.name.lower()}): nothing was archived"
        )
    fields: dict[str, JSON] = {
        "segment": segment.origin,
        "size": segment.size,
        "root": segment.root.hex(),
        "digest": digest_of(place),
    }
    return Draft(Kind.EXPORT, fields)


def digest_of(place: Path) -> str:
    """Return the SHA-256 of a file as entries write it."""
    digest = sha256()
    with place.open("rb") as file:
        while data := file.read(1024 * 1024):
            digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def last_words(this: Kept, *, actor: str) -> tuple[Draft, bytes]:
    """Return the entry about the end of a segment, and its last signed head, which is kept for ever."""
    segment = this.segment
    with DatabaseSource(segment.url, origin=segment.origin) as source:
        note = source.newest_cosigned() or b""
        if not note or SignedCheckpoint.from_bytes(note).head.size != segment.size:
            note = source.newest_checkpoint() or b""
    if not note or SignedCheckpoint.from_bytes(note).head.size != segment.size:
        raise LedgerStateError(f"expected the last head of {segment.origin} to be signed, found it unsigned")
    fields: dict[str, JSON] = {
        "segment": segment.origin,
        "size": segment.size,
        "root": segment.root.hex(),
        "last": f"{datetime.fromtimestamp(segment.last_ts / 1e6, UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
        "checkpoint": f"sha256:{sha256(note).hexdigest()}",
        "archive": this.archive,
        "actor": actor,
    }
    return Draft(Kind.DESTRUCTION, fields), note


def destroyed(found: Sequence[Segment]) -> set[str]:
    """Return the origins whose destruction stands in the ledger. A drop that was cut short is finished by them."""
    return {str(fields["segment"]) for fields in _spoken(found, (Kind.DESTRUCTION,))}


def destroy(segment: Segment, *, keep: Path, note: bytes, owner: str = "") -> None:
    """Take a segment off the disk, after its `destruction` entry is durable. The last head is kept as a file.

    ``owner`` is the database URL of somebody who owns the tables, "" for that of the segment. PostgreSQL only.
    """
    head = keep / f"dropped-{segment.origin.replace('/', '_')}.note"
    if not head.exists():
        head.write_bytes(note)
    if segment.url.startswith(_SQLITE):
        path = Path(segment.url.removeprefix(_SQLITE))
        for suffix in ("-wal", "-shm", ".lock", ""):  # the database last: a cut leaves it to be found again
            path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
        return
    _drop_partitions(segment, owner or segment.url)


def _drop_partitions(segment: Segment, url: str) -> None:
    """Drop the tables of one log on PostgreSQL, as their owner, in one transaction: all of it goes, or nothing.

    The lock on the heads comes first, as in an append, so that neither waits for the other in a circle.
    """
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
            connection.exec_driver_sql("SET LOCAL search_path = public, pg_temp")
            connection.exec_driver_sql("SET LOCAL phigate.ddl = 'drop'")  # see migrations: changes are written down
            connection.exec_driver_sql("LOCK TABLE ledger_head IN ACCESS EXCLUSIVE MODE")
            for table in _PARTITIONED:
                connection.exec_driver_sql(f"DROP TABLE {table}_{segment.log_id}")
            connection.exec_driver_sql("ALTER TABLE ledger_head DISABLE TRIGGER ledger_head_fixed")
            head = sa.table("ledger_head", sa.column("log_id"), sa.column("origin"))
            named = (head.c.log_id == segment.log_id) & (head.c.origin == segment.origin)
            if connection.execute(sa.delete(head).where(named)).rowcount != 1:
                raise LedgerStateError(f"expected the head of {segment.origin}, found none: nothing was dropped")
            connection.exec_driver_sql("ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER ledger_head_fixed")
    except sa.exc.SQLAlchemyError as error:
        state = getattr(getattr(error, "orig", None), "sqlstate", None)
        why = _REFUSED.get(state or "", type(error.__cause__ or error).__name__)
        raise LedgerStateError(f"{segment.origin} cannot be dropped: {why}") from error
    finally:
        engine.dispose()


def _spoken(found: Sequence[Segment], kinds: Sequence[Kind]) -> Iterator[dict[str, Any]]:
    """Yield the entries of some kinds, oldest first."""
    sql = sa.text("SELECT entry FROM ledger_entry WHERE log_id = :log AND kind IN :kinds ORDER BY idx").bindparams(
        sa.bindparam("kinds", expanding=True)
    )
    for segment in found:
        engine = reading_engine(segment.url)
        try:
            with engine.connect() as connection:
                parameters = {"log": segment.log_id, "kinds": [kind.value for kind in kinds]}
                rows = connection.execute(sql, parameters).all()
        finally:
            engine.dispose()
        yield from (dict(parse_entry(bytes(row.entry)).fields) for row in rows)


def _years_later(at: datetime, years: int) -> datetime:
    try:
        return at.replace(year=at.year + years)
    except ValueError:  # the 29th of February
        return at.replace(year=at.year + years, day=28)
