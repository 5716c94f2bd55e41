"""What a log is read from: entries in stretches, heads, tiles, a keyring. Databases and exports both look like this.

Nothing here is trusted: the verifier computes every hash anew and takes the rest as claims to be checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from phigate.tlog.tile import TileID

STRETCH: Final = 2048  # entries read and checked at a time: eight tiles, about two megabytes


class Columns(NamedTuple):  # not a dataclass: thousands go to a worker process at a time, and these travel faster
    """What a database keeps beside an entry, for its indexes. Evidence of nothing; compared to the entry."""

    leaf: bytes
    eid: str
    kind: str
    rid: str | None
    attempt: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """The entries from ``start``, a multiple of `STRETCH`; as many, unless it is the last one."""

    start: int
    entries: tuple[bytes, ...]
    columns: tuple[Columns, ...] | None = None


class Source(Protocol):
    """One log as somebody kept it. Methods raise `IncompleteError` for what should be there and is not."""

    @property
    def origin(self) -> str:
        """The log that this claims to be."""
        ...

    @property
    def size(self) -> int:
        """How many entries it claims to hold."""
        ...

    @property
    def root(self) -> bytes | None:
        """The root that it keeps for that size without a signature, None where it keeps none."""
        ...

    @property
    def keeps_partial_tiles(self) -> bool:
        """Whether the tiles at the right edge are kept as well as the full ones."""
        ...

    def keyring(self) -> bytes | None:
        """Return the keyring that lies beside the log, None where there is none."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Yield claimed size and note of every checkpoint that is kept, in order of size."""
        ...

    def batches(self) -> Iterator[tuple[int, bytes]]:
        """Yield size and root after each commit, in order of size, where that is kept."""
        ...

    def stretches(self) -> Iterator[Stretch]:
        """Yield all entries in order. Raises `GapError` where one is missing or cannot be read."""
        ...

    def tile(self, tile: TileID) -> bytes | None:
        """Return the hashes of a tile, None where the tile is not there."""
        ...
