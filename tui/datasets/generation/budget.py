"""A budget that is never passed: what a call may cost at most is set aside before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tui.domain.chat import Usage
from tui.domain.endpoint import Endpoint
from tui.domain.errors import UsageError
from tui.domain.example import Turn
from tui.domain.usage import Amount
from tui.mistral.prices import Prices
from tui.mistral.types import ChatRequest
from tui.settings.money import ModelPrice

# Tokenizers make of text fewer tokens than half its bytes; formulas and names come nearest to it.
_BYTES_A_TOKEN = 2
_TEMPLATE_TOKENS = 40
_SECONDS_AN_HOUR = 3600.0
_MILLION = 1e6
_MONEY = ("usd", "eur")


@dataclass(frozen=True, slots=True)
class Leave:
    """What one call may use: tokens and money by its size, seconds by a clock (None: any)."""

    tokens: int
    seconds: float | None
    money: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Meter:
    """What a run has used and may still use, in tokens, in seconds of the device and in money.

    One call after the other asks `reserve` for leave and gives it back with `settle`. `prices` are
    those of each model, by model and currency; `spent` counts money wherever a price is known.
    """

    tokens_allowed: float | None = None
    seconds_allowed: float | None = None
    money_allowed: dict[str, float] = field(default_factory=dict)
    prices: dict[tuple[str, str], ModelPrice] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    device_seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    _tokens_set_aside: int = 0
    _seconds_set_aside: float = 0.0
    _money_set_aside: dict[str, float] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Tokens used so far."""
        return self.prompt_tokens + self.completion_tokens

    def reserve(self, request: ChatRequest, slots: int) -> Leave | None:
        """Leave for one call, where `slots` calls are free to be made; None: the budget is used."""
        asked = most_tokens(request.messages)
        most = asked + (request.max_tokens or 0)
        if self.tokens_allowed is not None:
            left = self.tokens_allowed - self.tokens - self._tokens_set_aside
            if most > left:
                return None
        money = self._cost(request.model, asked, request.max_tokens or 0)
        for unit, allowed in self.money_allowed.items():
            used = self.spent.get(unit, 0.0) + self._money_set_aside.get(unit, 0.0)
            if used + money.get(unit, 0.0) > allowed:
                return None
        seconds: float | None = None
        if self.seconds_allowed is not None:
            free = self.seconds_allowed - self.device_seconds - self._seconds_set_aside
            if free <= 0:
                return None
            seconds = free / max(1, slots)
            self._seconds_set_aside += seconds
        self._tokens_set_aside += most
        _add(self._money_set_aside, money)
        return Leave(most, seconds, money)

    def settle(self, leave: Leave, model: str, usage: Usage, seconds: float) -> None:
        """A call has ended; only what it really used counts on."""
        self._tokens_set_aside -= leave.tokens
        self._seconds_set_aside -= leave.seconds or 0.0
        _add(self._money_set_aside, {unit: -value for unit, value in leave.money.items()})
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.device_seconds += seconds
        _add(self.spent, self._cost(model, usage.prompt_tokens, usage.completion_tokens))

    def _cost(self, model: str, asked: int, answered: int) -> dict[str, float]:
        return {
            unit: (asked * price.input + answered * price.output) / _MILLION
            for unit in _MONEY
            if (price := self.prices.get((model, unit))) is not None
        }


def meter(
    budget: Amount | None,
    prices: Prices,
    models: Sequence[tuple[str, Endpoint]],
    *,
    month: Amount | None = None,
) -> Meter:
    """The meter of a run's budget and of what is left of the month's, for models at endpoints.

    Raises UsageError for a budget that cannot be kept there. Of the month's, models that use
    nothing in its unit take nothing: our own device costs no money where it has no price, and an
    outside one is no device of ours.
    """
    made = Meter()
    for model, endpoint in models:
        for unit in _MONEY:
            price = prices.model(model, endpoint.kind, unit)
            if price is not None:
                made.prices[model, unit] = price
    if budget is not None:
        _allow(made, budget, models)
    if month is not None:
        using = [
            (model, endpoint)
            for model, endpoint in models
            if month.unit == "ktok"
            or (month.unit == "gpuh" and not endpoint.outside)
            or (month.unit in _MONEY and (endpoint.outside or (model, month.unit) in made.prices))
        ]
        if using:
            _allow(made, month, using)
    return made


def _allow(made: Meter, budget: Amount, models: Sequence[tuple[str, Endpoint]]) -> None:
    if budget.value <= 0:
        raise UsageError(f"A budget of {budget} allows nothing.", "Give more, like 500ktok.")
    if budget.unit == "ktok":
        made.tokens_allowed = _least(made.tokens_allowed, budget.value * 1000)
        return
    if budget.unit == "gpuh":
        outside = [endpoint.name for _, endpoint in models if endpoint.outside]
        if outside:
            raise UsageError(
                f"How long '{outside[0]}' computes is not known, so {budget} cannot be kept.",
                "Give the budget in tokens, like 500ktok.",
            )
        made.seconds_allowed = _least(made.seconds_allowed, budget.value * _SECONDS_AN_HOUR)
        return
    for model, endpoint in models:
        if (model, budget.unit) not in made.prices:
            raise UsageError(
                f"No price in {budget.unit} is known for '{model}' of '{endpoint.name}', so "
                f"{budget} cannot be kept.",
                "Give the budget in tokens, like 500ktok, or the price under [prices.models] in "
                "config.toml.",
            )
    made.money_allowed[budget.unit] = _least(made.money_allowed.get(budget.unit), budget.value)


def most_tokens(messages: Sequence[Turn]) -> int:
    """More tokens than these messages have."""
    return sum(len(turn.content.encode()) // _BYTES_A_TOKEN + _TEMPLATE_TOKENS for turn in messages)


def _least(known: float | None, value: float) -> float:
    return value if known is None else min(known, value)


def _add(sums: dict[str, float], more: dict[str, float]) -> None:
    for unit, value in more.items():
        sums[unit] = sums.get(unit, 0.0) + value
