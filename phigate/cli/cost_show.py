"""What ``phigate cost`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from phigate.audit.cost import DAYS_A_MONTH, Account, BreakEven, Card, Price, Usage, break_even
from phigate.cli.prices import PriceTable

_OLD: Final = 90  # days after which a price table is said to be old


def money(value: Decimal) -> str:
    """Return dollars and cents."""
    return f"{value:,.2f}"


@dataclass(frozen=True, slots=True)
class Report:
    """One report, for people and for machines. ``planned``: a year that was not lived, read from no ledger."""

    used: Usage
    money: Account
    months: Decimal
    table: PriceTable
    name: str  # of the price at which the tokens in the house are reckoned
    against: Price | None
    card: Card | None
    planned: bool

    def break_even(self) -> BreakEven | None:
        """Return when the card pays, None without a card, a price, or tokens."""
        home = self.used.total("onprem")
        if self.card is None or self.against is None or not home.tokens:
            return None
        return break_even(self.card, home, self.against, months=self.months)

    def to_json(self) -> dict[str, Any]:
        """Return the report for machines; money is text, so that no cent is lost."""
        rows = [
            {
                "place": where.kind,
                "app": where.app,
                "model": where.model,
                "mode": where.mode,
                "requests": spent.requests,
                "prompt_tokens": spent.prompt,
                "cached_tokens": spent.cached,
                "completion_tokens": spent.completion,
                "estimated": spent.estimated,
                "unknown": spent.unknown,
                "usd": str(self.money.paid[where]) if where in self.money.paid else None,
            }
            for where, spent in sorted(self.used.rows.items())
        ]
        pays = self.break_even()
        return {
            "rows": rows,
            "prices_of": self.table.day.isoformat(),
            "paid_outside_usd": str(sum(self.money.paid.values(), Decimal(0))),
            "unpriced": list(self.money.unpriced),
            "reckoned_at": self.name,
            "onprem_at_that_price_usd": None if self.money.avoided is None else str(self.money.avoided),
            "break_even": None
            if pays is None
            else {
                "tokens_a_month": str(pays.tokens_a_month),
                "months": None if pays.months is None else str(pays.months),
                "saved_a_month_usd": str(pays.saved_a_month),
            },
        }

    def to_text(self) -> str:
        """Return the report for people."""
        return "\n".join([*self._rows(), *self._paid(), *self._avoided(), *self._pays()])

    def _rows(self) -> list[str]:
        lines = [
            f"{'place':9} {'app':16} {'model':28} {'mode':14} {'requests':>11} {'read':>15} {'written':>15} {'US$':>12}"
        ]
        for where, spent in sorted(self.used.rows.items()):
            paid = money(self.money.paid[where]) if where in self.money.paid else ""
            lines.append(
                f"{where.kind:9} {where.app:16} {where.model:28} {where.mode:14} {spent.requests:>11,} "
                f"{spent.prompt:>15,} {spent.completion:>15,} {paid:>12}"
            )
        if not self.used.rows:
            lines.append("no exchange in this time")
        for kind, place in (("onprem", "in the house"), ("external", "outside")):
            whole = self.used.total(kind)
            lines.append(f"{place}: {whole.requests:,} requests, {whole.tokens:,} tokens")
            if whole.estimated:
                lines.append(f"  of {whole.estimated:,} of them the tokens are an estimate: their streams said none")
            if whole.unknown:
                lines.append(f"  of {whole.unknown:,} of them the tokens are not known, and in no sum")
        return lines

    def _paid(self) -> list[str]:
        if self.planned:
            return []
        age = (datetime.now(UTC).date() - self.table.day).days
        old = f", {age} days ago: renew them with --prices" if age > _OLD else ""
        lines = [
            f"spent outside: US$ {money(sum(self.money.paid.values(), Decimal(0)))} (prices of {self.table.day}{old})"
        ]
        if self.money.unpriced:
            lines.append(f"  without a price, and not in that sum: {', '.join(self.money.unpriced)}")
        return lines

    def _avoided(self) -> list[str]:
        if self.money.avoided is None:
            return ["nothing to compare the house with: name a model with --against, or a --price"]
        span = " a year" if self.planned else ""
        return [f"the tokens in the house at {self.name}: US$ {money(self.money.avoided)}{span}"]

    def _pays(self) -> list[str]:
        if self.card is None:
            return []
        card = (
            f"a GPU server of US$ {money(self.card.price)}, written off over {self.card.years} years, with US$ "
            f"{money(self.card.running)} a month to run, costs US$ {money(self.card.a_month)} a month"
        )
        pays = self.break_even()
        if pays is None:
            return [card, "  no tokens in the house, or no price, to reckon with"]
        lines = [card, f"  it breaks even from {pays.tokens_a_month:,.0f} tokens a month"]
        if pays.months is None:
            return [*lines, "  at this rate it never pays for itself"]
        saves = "saves" if pays.saved_a_month >= 0 else "still loses"
        return [
            *lines,
            f"  at this rate it is paid after {pays.months:,.1f} months",
            f"  and {saves} US$ {money(abs(pays.saved_a_month))} a month, its own cost deducted",
            f"  the rate is {self._a_second():,.0f} tokens a second on average: peaks are for a benchmark",
        ]

    def _a_second(self) -> Decimal:
        return self.used.total("onprem").tokens / (self.months * DAYS_A_MONTH * 86_400)
