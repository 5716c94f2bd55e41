"""``phigate cost``: what models in the house and outside used, what it cost, and from when a GPU pays for itself."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from phigate.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.audit.cost import Price, Usage
    from phigate.cli.prices import PriceTable

_SPAN: Final = re.compile(r"(\d{1,4})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_FIRST_YEAR: Final = 2000
_SLACK: Final = timedelta(days=1)  # clocks jump: entries this much before the time are read as well


class Dollars(click.ParamType[Decimal]):
    """An amount of money on the command line."""

    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return the amount, or end with what was expected."""
        from phigate.cli.prices import amount

        try:
            return value if isinstance(value, Decimal) else amount(value.replace(",", ""))
        except SettingsError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("database", required=False)
@click.option("--origin", help="Which log, where the database holds several.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("phigate.yaml"), show_default=True)
@click.option("--since", default="30d", show_default=True, help="As in 12h, 30d, 4w, or a date.")
@click.option("--until", default="", help="A date, exclusive.  [default: now]")
@click.option("--prices", type=click.Path(path_type=Path), help="Your price table, named after its day.")
@click.option("--against", help="Model outside whose price the tokens in the house are reckoned at.")
@click.option("--price", type=Dollars(), help="Reckon at this price per million tokens instead.")
@click.option("--gpu-price", type=Dollars(), help="Price of the GPU server: says from when it pays.")
@click.option("--gpu-years", type=click.IntRange(1, 20), default=3, show_default=True, help="Written off over.")
@click.option("--gpu-running", type=Dollars(), default="0", show_default=True, help="Power and space, a month.")
@click.option("--records", type=click.IntRange(1), help="Instead of a ledger: so many records a year.")
@click.option("--tokens", default="800+200", show_default=True, help="Tokens of each: read+written.")
@click.option("--model", default="medgemma-27b-text", show_default=True, help="Model in the house that reads them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def cost(context: click.Context, /, database: str | None, **given: Any) -> None:
    """Report tokens and requests by place, app, model and mode, and their price.

    With --records, reckon a year of so many records and read no ledger.
    """
    from phigate.audit.cost import Card, account
    from phigate.cli.cost_show import Report
    from phigate.cli.prices import load, shipped

    try:
        table = load(given["prices"] or shipped())
        if given["records"]:
            used, months = _planned(given["records"], given["tokens"], given["model"]), Decimal(12)
        else:
            used, months = _ledger(context, database, given)
        name, against = _compared(used, table, given["against"], given["price"])
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    money = account(used, table.prices, against=against)
    card = None
    if given["gpu_price"] is not None:
        card = Card(given["gpu_price"], Decimal(given["gpu_years"]), given["gpu_running"])
    report = Report(used, money, months, table, name, against, card, bool(given["records"]))
    click.echo(json.dumps(report.to_json()) if given["as_json"] else report.to_text())


def _planned(records: int, tokens: str, model: str) -> Usage:
    from phigate.audit.cost import Spent, Usage, Where
    from phigate.upstreams.catalog import CATALOGUE, find

    match = re.fullmatch(r"(\d{1,7})\+(\d{1,7})", tokens)
    if match is None:
        raise SettingsError(f"expected --tokens as in 800+200, read and written, found `{tokens[:20]}`")
    if find(model) is None:
        raise SettingsError(f"expected --model of {', '.join(m.id for m in CATALOGUE)}, found `{model[:60]}`")
    used = Usage()
    spent = Spent(records, records * int(match[1]), 0, records * int(match[2]))
    used.add(Where("onprem", "planned", model, "onprem"), spent)
    return used


def _ledger(context: click.Context, database: str | None, given: dict[str, Any]) -> tuple[Usage, Decimal]:
    """Return what the ledger says of the time, and how many months that time is."""
    from phigate.audit.cost import DAYS_A_MONTH, usage
    from phigate.cli.ledger import entries_of, open_source

    now = datetime.now(UTC)
    start, end = since(given["since"], now), since(given["until"], now) if given["until"] else now
    if start >= end:
        raise SettingsError("expected --since before --until")
    with open_source(context, database, given["config"], given["origin"]) as source:
        first = first_at(source.size, lambda at: str(next(entries_of(source, at))[1]["ts"]), _stamp(start - _SLACK))
        used = usage(entries_of(source, first), start=_stamp(start), end=_stamp(end))
    return used, Decimal((end - start).total_seconds()) / 86_400 / DAYS_A_MONTH


def since(text: str, now: datetime) -> datetime:
    """Read 12h, 30d, 4w, a date or an RFC 3339 time. Raises `SettingsError`."""
    match = _SPAN.fullmatch(text)
    found: datetime | None = None
    try:
        if match is not None:
            return now - timedelta(hours=int(match[1]) * _HOURS[match[2]])
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year < _FIRST_YEAR:
        raise SettingsError(f"expected a time as in 30d or 2026-11-01, found `{text[:30]}`")
    return found


def first_at(size: int, time_of: Callable[[int], str], stamp: str) -> int:
    """Return about the first index whose time is not before ``stamp``: times are nearly in order."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if time_of(middle) < stamp else (low, middle)
    return low


def _stamp(at: datetime) -> str:
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _compared(used: Usage, table: PriceTable, against: str | None, price: Decimal | None) -> tuple[str, Price | None]:
    """Return the price at which tokens in the house are reckoned, and its name: given, or of the model used most."""
    from phigate.audit.cost import Price

    if price is not None:
        return f"US$ {price:,.2f} per million tokens", Price.flat(price)
    if against is not None:
        if against not in table.prices:
            raise SettingsError(f"expected --against of {', '.join(table.prices)}, found `{against[:60]}`")
        return against, table.prices[against]
    known = [(spent.tokens, used.asked[where]) for where, spent in used.rows.items() if where.kind == "external"]
    names = [name for _, name in sorted(known, reverse=True) if name in table.prices]
    return (names[0], table.prices[names[0]]) if names else ("", None)
