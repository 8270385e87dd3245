"""What has been used, and how much more may be: one allowance over every kind of work.

Generation, judging, chat, embedding and training all end in the one ledger, so a team's budget
for the month holds for all of them together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tui.domain.endpoint import EndpointKind
from tui.domain.errors import PapertuneError
from tui.domain.usage import Amount, LedgerRow
from tui.mistral.ledger import Ledger
from tui.mistral.prices import Prices

__all__ = ["Allowance", "Amount", "OverBudget", "Used", "month_start", "needs", "spent"]

_SECONDS_AN_HOUR = 3600.0
_MONEY = ("usd", "eur")


class OverBudget(PapertuneError):  # noqa: N818
    """The work would pass a budget; the remedy names the setting and the flag that raise it."""


@dataclass(frozen=True, slots=True)
class Used:
    """Amounts by unit, each counted by itself; None where it is not known in that unit.

    `unpriced` calls are in no currency: what they cost is not known.
    """

    usd: float | None = 0.0
    eur: float | None = 0.0
    gpuh: float | None = 0.0
    ktok: float | None = 0.0
    unpriced: int = 0

    def amount(self, unit: str) -> Amount | None:
        """This in one unit, as a person writes it."""
        value: float | None = getattr(self, unit)
        return None if value is None else Amount(round(value, 6), unit)


def needs(
    prices: Prices,
    model: str,
    *,
    prompt_tokens: int,
    completion_tokens: int = 0,
    kind: EndpointKind = EndpointKind.MISTRAL,
    device_seconds: float | None = None,
) -> Used:
    """What calls of a model will take. At an engine without a price of its own, no money.

    `device_seconds` None means not known; outside endpoints use none of ours.
    """
    outside = kind is not EndpointKind.LOCAL
    seconds = 0.0 if outside else device_seconds
    money: dict[str, float | None] = {}
    for unit in _MONEY:
        known = prices.cost(
            model,
            prompt_tokens,
            completion_tokens,
            kind=kind,
            device_seconds=seconds or 0.0,
            currency=unit,
        )
        money[unit] = known.value if known else None
    if not outside and prices.settings.gpuh is None and model not in prices.settings.models:
        money = dict.fromkeys(_MONEY, 0.0)
    return Used(
        usd=money["usd"],
        eur=money["eur"],
        gpuh=None if seconds is None else seconds / _SECONDS_AN_HOUR,
        ktok=(prompt_tokens + completion_tokens) / 1000,
    )


def spent(ledger: Ledger, since: float = 0.0, *, purposes: frozenset[str] | None = None) -> Used:
    """What the ledger's rows since a time (seconds since the epoch) used, everyone's workspaces.

    A call whose cost was written down in one currency is told in the other by the table's own
    price in it, where there is one; else it is not counted there and is `unpriced`.
    """
    sums = dict.fromkeys(_MONEY, 0.0)
    tokens, seconds, unpriced = 0, 0.0, 0
    for row in ledger.rows():
        if row.at < since or (purposes is not None and row.purpose not in purposes):
            continue
        tokens += row.prompt_tokens + row.completion_tokens
        seconds += row.device_seconds
        costs = {unit: _cost(row, unit, ledger.prices) for unit in _MONEY}
        unpriced += not row.device_seconds and all(value is None for value in costs.values())
        for unit, value in costs.items():
            sums[unit] += value or 0.0
    return Used(**sums, gpuh=seconds / _SECONDS_AN_HOUR, ktok=tokens / 1000, unpriced=unpriced)


def month_start(at: float | None = None) -> float:
    """When the calendar month of a time began, in local time."""
    now = time.localtime(at)
    return time.mktime((now.tm_year, now.tm_mon, 1, 0, 0, 0, 0, 0, -1))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one job or run may take (`job`), and what all of this month may (`month`)."""

    ledger: Ledger
    month: Amount | None = None
    job: Amount | None = None

    def left(self) -> Amount | None:
        """What is left of the month; None where it has no budget."""
        if self.month is None:
            return None
        used = spent(self.ledger, month_start())
        return Amount(self.month.value - (getattr(used, self.month.unit) or 0.0), self.month.unit)

    def require(self, estimate: Used) -> None:
        """Raise OverBudget when the work would pass a budget or cannot be told in its unit."""
        if self.job is not None:
            _require(
                estimate,
                self.job,
                self.job.value,
                "the budget of this work",
                "Raise it on purpose with --budget, or [budget] job in config.toml; or do less.",
            )
        left = self.left()
        if self.month is not None and left is not None:
            _require(
                estimate,
                self.month,
                left.value,
                "the budget of this month",
                "Raise it on purpose with --month-budget for once, or [budget] month in "
                "config.toml for good; see what was used: papertune usage",
            )


def _require(estimate: Used, budget: Amount, left: float, what: str, remedy: str) -> None:
    needed = estimate.amount(budget.unit)
    if needed is None:
        hint = "Give the price under [prices.models] in config.toml, or a budget in another unit."
        if budget.unit == "gpuh":
            hint = "Give the budget in another unit; ktok always works."
        raise OverBudget(
            f"What this takes cannot be told in {budget.unit}, "
            f"so {what}, {budget}, cannot be kept.",
            hint,
        )
    if needed.value > left:
        rest = Amount(round(max(0.0, left), 6), budget.unit)
        raise OverBudget(
            f"This would take {needed}; of {what}, {budget}, {rest} is left.",
            remedy,
        )


def _cost(row: LedgerRow, unit: str, prices: Prices) -> float | None:
    if row.cost is not None and (row.currency or "").lower() == unit:
        return row.cost
    kind = EndpointKind.MISTRAL if row.endpoint == EndpointKind.MISTRAL.value else EndpointKind.URL
    if row.cost is None and kind is not EndpointKind.MISTRAL:
        return None
    known = prices.cost(
        row.model, row.prompt_tokens, row.completion_tokens, kind=kind, currency=unit
    )
    return None if known is None or row.purpose == "training" else known.value
