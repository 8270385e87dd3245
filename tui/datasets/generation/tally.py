"""What a run has done so far, and what it tells of it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from tui.datasets.generation.budget import Meter
from tui.datasets.generation.events import GenerationFinished, Progress

Stop = Literal["finished", "count", "budget", "endpoint", "private"]


@dataclass(slots=True)
class Tally:
    """Counts of one run over `units` turns to take, of which `remaining` are left."""

    meter: Meter
    units: int
    remaining: int
    asked: int = 0
    accepted: int = 0
    failed: int = 0
    judged: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    stopped: tuple[Stop, str, str] | None = None
    _started: float = field(default_factory=time.monotonic)

    def stop(self, why: Stop, message: str = "", remedy: str = "") -> None:
        """Have the run end; the first reason stands, unless the endpoint fails after it."""
        if self.stopped is None or why == "endpoint":
            self.stopped = (why, message, remedy)

    def used_up(self) -> None:
        """The budget leaves no room for another call."""
        remedy = "Raise it on purpose with --budget or --month-budget."
        self.stop("budget", "The budget is used.", remedy)

    def progress(self) -> Progress:
        """How far it is; what is to come is as dear as what has been, turn by turn."""
        seconds = time.monotonic() - self._started
        cost, currency = self._cost()
        share = self.remaining / self.asked if self.asked else None
        return Progress(
            asked=self.units - self.remaining,
            units=self.units,
            tokens=self.meter.tokens,
            tokens_to_come=None if share is None else round(self.meter.tokens * share),
            cost=cost,
            cost_to_come=None if share is None or cost is None else round(cost * share, 6),
            currency=currency,
            seconds=round(seconds, 1),
            seconds_to_come=None if share is None else round(seconds * share, 1),
        )

    def finished(self, lost: int) -> GenerationFinished:
        """How the run ended; `lost` are turns of all runs whose answer is not known."""
        stopped, message, remedy = self.stopped or ("finished", "", "")
        if not (self.asked or self.stopped):
            message = "Every passage has had its turn with this model."
            remedy = "Ask for more with --count N, or use another model."
        cost, currency = self._cost()
        return GenerationFinished(
            event="done",
            accepted=self.accepted,
            rejected=dict(sorted(self.rejected.items())),
            failed=self.failed,
            lost=lost,
            asked=self.asked,
            remaining=self.remaining,
            tokens=self.meter.tokens,
            prompt_tokens=self.meter.prompt_tokens,
            completion_tokens=self.meter.completion_tokens,
            cost=cost,
            device_seconds=round(self.meter.device_seconds, 3),
            stopped=stopped,
            message=message,
            remedy=remedy,
            currency=currency,
            judged=self.judged,
        )

    def _cost(self) -> tuple[float | None, str | None]:
        for unit, value in self.meter.spent.items():
            return round(value, 6), unit
        return None, None
