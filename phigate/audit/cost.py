"""What exchanges cost: tokens and requests by place, app, model and mode, their price outside, and when a card pays.

Pure, over the fields of entries. Money is US dollars as `Decimal`; prices are per million tokens. What an entry does
not say is counted apart and never taken for nothing: requests whose tokens are not known, models without a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

MILLION: Final = Decimal(1_000_000)
MONTHS: Final = Decimal(12)
DAYS_A_MONTH: Final = Decimal("30.4375")  # a twelfth of 365.25 days
_BYTES_A_TOKEN: Final = 4  # of a body, where nobody counted its tokens: an estimate, and marked as one
_NONE: Final = Decimal(0)


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """What a row of the report is about. ``kind`` is onprem or external."""

    kind: str
    app: str
    model: str
    mode: str


@dataclass(slots=True)
class Spent:
    """Requests and tokens of one row. ``cached`` is part of ``prompt``."""

    requests: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    estimated: int = 0  # requests whose tokens were estimated in whole or part
    unknown: int = 0  # requests whose tokens nobody knows: they are in no sum of tokens

    @property
    def tokens(self) -> int:
        """Return tokens read and written."""
        return self.prompt + self.completion

    def add(self, other: Spent) -> None:
        """Add another row to this one."""
        self.requests += other.requests
        self.prompt += other.prompt
        self.cached += other.cached
        self.completion += other.completion
        self.estimated += other.estimated
        self.unknown += other.unknown


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens: read, read from a cache of the provider, written."""

    prompt: Decimal
    cached: Decimal
    completion: Decimal

    @staticmethod
    def flat(price: Decimal) -> Price:
        """Return one price for every token."""
        return Price(price, price, price)

    def of(self, spent: Spent) -> Decimal:
        """Return what these tokens cost."""
        read = spent.prompt - spent.cached
        return (read * self.prompt + spent.cached * self.cached + spent.completion * self.completion) / MILLION


@dataclass(slots=True)
class Usage:
    """All rows between two times; ``names`` holds, for a row outside, the model that was asked where it differs."""

    rows: dict[Where, Spent] = field(default_factory=dict)
    asked: dict[Where, str] = field(default_factory=dict)

    def total(self, kind: str) -> Spent:
        """Return the sum of one place, onprem or external."""
        whole = Spent()
        for where, spent in self.rows.items():
            if where.kind == kind:
                whole.add(spent)
        return whole

    def add(self, where: Where, spent: Spent, *, asked: str = "") -> None:
        """Add to a row."""
        self.rows.setdefault(where, Spent()).add(spent)
        self.asked.setdefault(where, asked or where.model)


def usage(entries: Iterable[tuple[int, Mapping[str, Any]]], *, start: str = "", end: str = "") -> Usage:
    """Return what the exchanges of [start, end) used, RFC 3339 UTC times; an exchange belongs to its intent's time.

    An attempt that was not sent costs nothing; one without an outcome is a request whose tokens are not known.
    """
    found = Usage()
    open_: dict[tuple[str, int], Mapping[str, Any]] = {}
    for _, fields in entries:
        about = (str(fields.get("rid", "")), int(fields.get("attempt", 0)))
        if fields["kind"] == "intent" and start <= fields["ts"] and (not end or fields["ts"] < end):
            open_[about] = fields
        elif fields["kind"] == "outcome" and about in open_:
            intent = open_.pop(about)
            if fields["status"] != "not_sent":
                found.add(_where(intent, fields), _spent(intent, fields), asked=intent["destination"]["model"])
    for intent in open_.values():
        found.add(_where(intent, {}), Spent(requests=1, unknown=1), asked=intent["destination"]["model"])
    return found


def _where(intent: Mapping[str, Any], outcome: Mapping[str, Any]) -> Where:
    destination = intent["destination"]
    return Where(destination["kind"], intent["app"], outcome.get("model", destination["model"]), intent["mode"])


def _spent(intent: Mapping[str, Any], outcome: Mapping[str, Any]) -> Spent:
    said = outcome.get("usage")
    if said is None:
        return Spent(requests=1, unknown=1)
    prompt, estimated = said.get("prompt"), bool(said.get("estimated"))
    if prompt is None:
        if intent["attachments"] == "none":  # the bytes of an image say nothing of its tokens
            prompt, estimated = intent["in"]["n"] // _BYTES_A_TOKEN, True
        else:
            prompt, estimated = 0, True
    return Spent(1, prompt, said.get("cached", 0), said["completion"], int(estimated), 0)


@dataclass(slots=True)
class Account:
    """What was paid outside, what the tokens in the house would have cost there, and what has no known price."""

    paid: dict[Where, Decimal]
    avoided: Decimal | None  # None without a price to compare with
    unpriced: tuple[str, ...]


def account(used: Usage, prices: Mapping[str, Price], *, against: Price | None) -> Account:
    """Return the money of what was used. A row outside is priced by the model that answered, else the one asked."""
    paid: dict[Where, Decimal] = {}
    unpriced: set[str] = set()
    for where, spent in used.rows.items():
        if where.kind != "external":
            continue
        price = prices.get(where.model) or prices.get(used.asked[where])
        if price is not None:
            paid[where] = price.of(spent)
        elif spent.tokens:
            unpriced.add(where.model)
    avoided = against.of(used.total("onprem")) if against is not None else None
    return Account(paid, avoided, tuple(sorted(unpriced)))


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU server as an investment: its price, over how many years it is written off, what it costs to run a month."""

    price: Decimal
    years: Decimal
    running: Decimal = _NONE

    @property
    def a_month(self) -> Decimal:
        """Return what it costs a month, written off evenly."""
        return self.price / (self.years * MONTHS) + self.running


@dataclass(frozen=True, slots=True)
class BreakEven:
    """When a card pays: from how many tokens a month, and after how many months at the present rate (None: never)."""

    tokens_a_month: Decimal
    months: Decimal | None
    saved_a_month: Decimal  # at the present rate; below zero the outside is cheaper


def break_even(card: Card, used: Spent, price: Price, *, months: Decimal) -> BreakEven:
    """Return it for tokens mixed as in ``used``, which came in ``months``. Raises `ValueError` without any token."""
    if not used.tokens or months <= 0:
        raise ValueError("expected tokens and a time to reckon with, found none")
    each = price.of(used) / used.tokens
    a_month = price.of(used) / months
    repays = a_month - card.running
    return BreakEven(
        tokens_a_month=card.a_month / each if each else Decimal("Infinity"),
        months=card.price / repays if repays > 0 else None,
        saved_a_month=a_month - card.a_month,
    )
