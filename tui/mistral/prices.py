"""What a call costs: a dated table of public prices, and the user's own over it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from tui.domain.endpoint import EndpointKind
from tui.domain.usage import Amount
from tui.settings import load_settings
from tui.settings.money import ModelPrice, PriceSettings

_MILLION = 1e6
_SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The table that papertune brings: where its prices stand and of which day they are."""

    source: str
    date: str
    models: Mapping[tuple[str, str], ModelPrice]  # by model and currency


@cache
def published() -> PriceTable:
    """The prices of hosted models in `assets/prices.toml`."""
    raw = tomllib.loads((resources.files("assets") / "prices.toml").read_text("utf-8"))
    return PriceTable(
        source=raw["source"],
        date=raw["date"].isoformat(),
        models={
            (name, currency): ModelPrice(item[currency][0], item[currency][1], currency)
            for item in raw["model"]
            for name in item["names"]
            for currency in ("usd", "eur")
            if currency in item
        },
    )


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by model, in one currency unless a model's own price is in another.

    The published prices hold for the hosted service only; the settings' own for any endpoint.
    """

    settings: PriceSettings = field(default_factory=PriceSettings)

    def model(
        self, name: str, kind: EndpointKind = EndpointKind.MISTRAL, currency: str = ""
    ) -> ModelPrice | None:
        """The price of a model at an endpoint of this kind; None where none is known."""
        own = self.settings.models.get(name)
        if own is not None and currency in ("", own.currency):
            return own
        if own is not None or kind is not EndpointKind.MISTRAL:
            return None
        return published().models.get((name, currency or self.settings.currency))

    def cost(
        self,
        name: str,
        prompt_tokens: int,
        completion_tokens: int,
        *,
        kind: EndpointKind = EndpointKind.MISTRAL,
        device_seconds: float = 0.0,
        currency: str = "",
    ) -> Amount | None:
        """What a call costs, in the settings' currency unless another is named.

        At an endpoint on this machine it is the device's time that costs, where `[prices] gpuh`
        says how much. None where no price is known.
        """
        price = self.model(name, kind, currency)
        if price is not None:
            used = prompt_tokens * price.input + completion_tokens * price.output
            return Amount(used / _MILLION, price.currency)
        if kind is EndpointKind.LOCAL:
            return self.device(device_seconds, currency)
        return None

    def device(self, seconds: float, currency: str = "") -> Amount | None:
        """What time of a device of our own costs; None where the settings do not say."""
        known = self.settings
        if known.gpuh is None or currency not in ("", known.currency):
            return None
        return Amount(seconds / _SECONDS_AN_HOUR * known.gpuh, known.currency)


def cost(model: str, prompt_tokens: int, completion_tokens: int) -> Amount | None:
    """What a call of a hosted model costs by the user's settings; None where no price is known."""
    return Prices(load_settings().prices).cost(model, prompt_tokens, completion_tokens)
