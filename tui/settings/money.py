"""What things cost and how much of it may be spent, as `config.toml` says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tui.domain.errors import UsageError
from tui.domain.usage import Amount
from tui.text import visible

CURRENCIES = ("usd", "eur")
_HIGHEST = 1e6


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What a million tokens of a model cost; `currency` is `usd` or `eur`."""

    input: float
    output: float
    currency: str


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """The table `[prices]`: prices of one's own, and the currency that costs are told in.

    `gpuh` is what an hour of this machine's or the cluster's device costs; None where it is not
    to be counted in money.
    """

    currency: str = "usd"
    gpuh: float | None = None
    models: dict[str, ModelPrice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """The table `[budget]`: what a calendar month and one job or run may take at most."""

    month: Amount | None = None
    job: Amount | None = None


class WrongValueError(ValueError):
    """A key with a value that it cannot have: `args` are the key and the clause that says why."""


def read_prices(key: str, table: dict[str, Any]) -> PriceSettings:
    """The table `[prices]`; raises WrongValueError."""
    _known(key, table, ("currency", "gpuh", "models"))
    currency = _currency(f"{key}.currency", table.get("currency", "usd"))
    hour = table.get("gpuh")
    models = table.get("models", {})
    if not isinstance(models, dict):
        raise WrongValueError(f"{key}.models", "must be a table of models")
    return PriceSettings(
        currency,
        None if hour is None else _price(f"{key}.gpuh", hour),
        {name: _model(f"{key}.models.{name}", item, currency) for name, item in models.items()},
    )


def read_budget(key: str, table: dict[str, Any]) -> BudgetSettings:
    """The table `[budget]`; raises WrongValueError."""
    _known(key, table, ("month", "job"))
    return BudgetSettings(
        **{name: _amount(f"{key}.{name}", value) for name, value in table.items()}
    )


def table(settings: PriceSettings | BudgetSettings) -> dict[str, Any]:
    """The table that `read_prices` or `read_budget` reads."""
    if isinstance(settings, PriceSettings):
        return _prices_table(settings)
    values = {"month": settings.month, "job": settings.job}
    return {name: str(value) for name, value in values.items() if value is not None}


def _prices_table(prices: PriceSettings) -> dict[str, Any]:
    table: dict[str, Any] = {"currency": prices.currency}
    if prices.gpuh is not None:
        table["gpuh"] = prices.gpuh
    if prices.models:
        table["models"] = {
            name: {"input": item.input, "output": item.output, "currency": item.currency}
            for name, item in prices.models.items()
        }
    return table


def _model(key: str, item: Any, currency: str) -> ModelPrice:
    if not isinstance(item, dict):
        raise WrongValueError(key, "must be a table with input and output")
    _known(key, item, ("input", "output", "currency"))
    if "input" not in item:
        raise WrongValueError(key, "has no input price")
    return ModelPrice(
        _price(f"{key}.input", item["input"]),
        _price(f"{key}.output", item.get("output", 0.0)),
        _currency(f"{key}.currency", item.get("currency", currency)),
    )


def _price(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _HIGHEST:
        raise WrongValueError(key, f"must be a number from 0 to {_HIGHEST:g}")
    return float(value)


def _currency(key: str, value: Any) -> str:
    if value not in CURRENCIES:
        raise WrongValueError(key, f"must be {' or '.join(CURRENCIES)}")
    return str(value)


def _amount(key: str, value: Any) -> Amount:
    if not isinstance(value, str):
        raise WrongValueError(key, 'must be text like "20usd"')
    try:
        return Amount.parse(value)
    except UsageError as error:
        raise WrongValueError(key, f"is no amount: {error.remedy}") from None


def _known(key: str, table: dict[str, Any], names: tuple[str, ...]) -> None:
    for inner in table:
        if inner not in names:
            raise WrongValueError(
                f"{key}.{visible(inner)}", f"is no setting; known are: {', '.join(names)}"
            )
