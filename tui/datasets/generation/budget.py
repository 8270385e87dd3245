"""A budget that is never passed: what a call may cost at most is set aside before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui.domain.chat import Usage
from tui.domain.endpoint import Endpoint
from tui.domain.errors import UsageError
from tui.domain.example import Turn
from tui.domain.usage import Amount
from tui.mistral.types import ChatRequest

# Tokenizers make of text fewer tokens than half its bytes; formulas and names come nearest to it.
_BYTES_A_TOKEN = 2
_TEMPLATE_TOKENS = 40
_SECONDS_AN_HOUR = 3600.0


@dataclass(slots=True)
class Meter:
    """What a run has used and may still use, in tokens or in seconds of the device.

    One call after the other asks `reserve` for leave and gives it back with `settle`.
    """

    tokens_allowed: float | None = None
    seconds_allowed: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    device_seconds: float = 0.0
    _tokens_set_aside: int = 0
    _seconds_set_aside: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens used so far."""
        return self.prompt_tokens + self.completion_tokens

    def reserve(self, request: ChatRequest, slots: int) -> Leave | None:
        """Leave for one call, where `slots` calls are free to be made; None: the budget is used."""
        most = most_tokens(request.messages) + (request.max_tokens or 0)
        seconds: float | None = None
        if self.tokens_allowed is not None:
            left = self.tokens_allowed - self.tokens - self._tokens_set_aside
            if most > left:
                return None
        if self.seconds_allowed is not None:
            free = self.seconds_allowed - self.device_seconds - self._seconds_set_aside
            if free <= 0:
                return None
            seconds = free / max(1, slots)
            self._seconds_set_aside += seconds
        self._tokens_set_aside += most
        return Leave(most, seconds)

    def settle(self, leave: Leave, usage: Usage, seconds: float) -> None:
        """A call has ended; only what it really used counts on."""
        self._tokens_set_aside -= leave.tokens
        self._seconds_set_aside -= leave.seconds or 0.0
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.device_seconds += seconds


@dataclass(frozen=True, slots=True)
class Leave:
    """What one call may use: tokens by its size, and seconds by a clock (None: as it likes)."""

    tokens: int
    seconds: float | None


def meter(budget: Amount | None, endpoint: Endpoint) -> Meter:
    """The meter of a budget; raises UsageError for one that cannot be kept at this endpoint."""
    if budget is None:
        return Meter()
    if budget.value <= 0:
        raise UsageError(f"A budget of {budget} allows nothing.", "Give more, like 500ktok.")
    if budget.unit == "ktok":
        return Meter(tokens_allowed=budget.value * 1000)
    if budget.unit == "gpuh":
        if endpoint.outside:
            raise UsageError(
                f"How long '{endpoint.name}' computes is not known, so {budget} cannot be kept.",
                "Give the budget in tokens, like 500ktok.",
            )
        return Meter(seconds_allowed=budget.value * _SECONDS_AN_HOUR)
    raise UsageError(
        f"No price is known for the models of '{endpoint.name}', so {budget} cannot be kept.",
        "Give the budget in tokens, like 500ktok.",
    )


def most_tokens(messages: Sequence[Turn]) -> int:
    """More tokens than these messages have."""
    return sum(len(turn.content.encode()) // _BYTES_A_TOKEN + _TEMPLATE_TOKENS for turn in messages)
