"""Exchanges that were open when their segment was closed: their outcomes stand in the segment that follows.

Whoever serves such an exchange writes its outcome itself. Those of a boot that died are left to the reconciler of the
open segment, which must know of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from phigate.store.places import Segment, reading_engine
from phigate.store.storage import Row
from phigate.tlog.errors import FormatError, IncompleteError
from phigate.tlog.record import parse_entry

LOOK_BACK: Final = 3  # segments; an exchange lasts minutes, and a segment may be closed again at once
_HEARTBEAT: Final = (
    "SELECT entry FROM ledger_entry WHERE log_id = :log AND kind = 'heartbeat' ORDER BY idx DESC LIMIT 1"
)
_OPEN: Final = (
    "SELECT idx, eid, kind, rid, attempt, entry, leaf FROM ledger_entry AS i"
    " WHERE log_id = :log AND idx >= :start AND kind = 'intent' AND NOT EXISTS (SELECT 1 FROM ledger_entry AS o"
    " WHERE o.log_id = i.log_id AND o.rid = i.rid AND o.attempt = i.attempt AND o.kind = 'outcome') ORDER BY idx"
)
_ENDED: Final = (
    "SELECT 1 FROM ledger_entry WHERE log_id = :log AND rid = :rid AND attempt = :attempt AND kind = 'outcome'"
)


@dataclass(frozen=True, slots=True)
class Unended:
    """An intent of a closed segment without an outcome, and the origin of that segment."""

    log: str
    row: Row

    @property
    def slot(self) -> tuple[str, int, str]:
        """What its outcome is about."""
        return (self.row.rid or "", self.row.attempt or 0, "outcome")


def unended(found: Sequence[Segment], *, into: str) -> list[Unended]:
    """Return what the last closed segments before ``into`` left open, in order. Raises `IncompleteError`."""
    closed = [each for each in found if each.closed and each.origin != into][-LOOK_BACK:]
    left: list[Unended] = []
    for at, segment in enumerate(closed):
        rows = [_row(row) for row in _ask(segment, _OPEN, start=_settled(segment))]
        left += [Unended(segment.origin, row) for row in rows if not _ended(row, closed[at + 1 :])]
    return left


def _row(row: sa.Row[Any]) -> Row:
    return Row(row.idx, row.eid, row.kind, row.rid, row.attempt, bytes(row.entry), bytes(row.leaf))


def _settled(segment: Segment) -> int:
    """Return an index before which every intent has its outcome, as the last heartbeat says; 0 is always true."""
    for (entry,) in _ask(segment, _HEARTBEAT):
        try:
            settled = parse_entry(bytes(entry)).fields.get("settled")
        except FormatError:
            return 0
        return settled if isinstance(settled, int) else 0
    return 0


def _ended(row: Row, later: Iterable[Segment]) -> bool:
    return any(_ask(segment, _ENDED, rid=row.rid, attempt=row.attempt) for segment in later)


def _ask(segment: Segment, sql: str, **parameters: Any) -> Sequence[sa.Row[Any]]:
    engine = reading_engine(segment.url)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(sql), {"log": segment.log_id, **parameters}).all()
    except sa.exc.SQLAlchemyError as error:
        raise IncompleteError(f"the segment {segment.origin} cannot be read: {type(error).__name__}") from error
    finally:
        engine.dispose()
