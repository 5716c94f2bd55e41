"""Dated price tables of models outside, and the one place that reads them. No network."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from phigate.audit.cost import Price
from phigate.errors import SettingsError

_COLUMNS: Final = ["model", "provider", "prompt", "cached", "completion", "source"]
_DOLLARS: Final = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_DEAREST: Final = Decimal(100_000_000)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by model, and the day on which they were read."""

    day: date
    prices: dict[str, Price]


def shipped() -> Path:
    """Return the newest table that comes with phigate."""
    return max(Path(__file__).parent.glob("*.csv"))


def load(path: Path) -> PriceTable:
    """Read a table named after its day, as in 2026-11-23.csv. Raises `SettingsError` naming file and line."""
    try:
        day = date.fromisoformat(path.stem)
    except ValueError:
        raise SettingsError(
            f"expected a price table named after its day, as in 2026-11-23.csv, found `{path.name}`"
        ) from None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"the price table `{path}` cannot be read") from None
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not rows or rows[0][1].split(",") != _COLUMNS:
        raise SettingsError(f"{path}: expected the columns {','.join(_COLUMNS)}")
    prices: dict[str, Price] = {}
    for number, line in rows[1:]:
        model, price = _row(f"{path}:{number}", line)
        if model in prices:
            raise SettingsError(f"{path}:{number}: expected each model once, found `{model}` again")
        prices[model] = price
    return PriceTable(day, prices)


def amount(text: str) -> Decimal:
    """Read dollars. Raises `SettingsError` for anything but a plain number from 0 to a hundred million."""
    if not _DOLLARS.fullmatch(text) or Decimal(text) > _DEAREST:
        raise SettingsError(f"expected US dollars as in 2.50, at most a hundred million, found `{text[:20]}`")
    return Decimal(text)


def _row(where: str, line: str) -> tuple[str, Price]:
    cells = next(csv.reader([line]))
    if len(cells) != len(_COLUMNS) or not cells[0]:
        raise SettingsError(f"{where}: expected {len(_COLUMNS)} cells, the first a model")
    row = dict(zip(_COLUMNS, cells, strict=True))
    try:
        prompt = amount(row["prompt"])
        return row["model"], Price(prompt, amount(row["cached"] or row["prompt"]), amount(row["completion"]))
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
