"""Amounts with units, and the rows of the usage ledger."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from tui.domain.errors import UsageError

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(usd|eur|gpuh|ktok)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Amount:
    """A budget: `5usd`, `4eur`, `2gpuh` (hours of device time), `500ktok`."""

    value: float
    unit: str

    @staticmethod
    def parse(text: str) -> Amount:
        """Read what a person typed; raises UsageError that names the four units."""
        match = _AMOUNT.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"'{text}' is not an amount.",
                "Write a number and a unit: 5usd, 4eur, 2gpuh, 500ktok.",
            )
        return Amount(float(match[1]), match[2].lower())

    def __str__(self) -> str:
        return f"{plain_number(self.value)}{self.unit}"


def plain_number(value: float) -> str:
    """A number without an exponent and without zeros that say nothing: 0.5, 20, 0.00012."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One call or job: what it used, where, for which workspace.

    `purpose` is chat, generation, judging, evaluation, embedding or training. `seconds` is how
    long the caller waited; `device_seconds` how long a device of our own computed. `cost` is None
    where no price is known; `currency` is `usd` or `eur`.
    """

    at: float
    endpoint: str
    model: str
    purpose: str
    workspace: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    device_seconds: float = 0.0
    cost: float | None = None
    currency: str | None = None
    seconds: float = 0.0
