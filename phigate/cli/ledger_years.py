"""The commands of ``phigate ledger`` that keep it for years, in one table: segments, subjects, keys."""

from __future__ import annotations

from typing import Final

import click

from phigate.cli.ledger_keep import archive, drop, hold, roll, segments
from phigate.cli.ledger_keys import keys
from phigate.cli.ledger_subject import disclosures, erase

YEARS: Final[tuple[click.Command, ...]] = (archive, disclosures, drop, erase, hold, keys, roll, segments)
