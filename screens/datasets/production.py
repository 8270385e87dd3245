"""A run of generation as it goes, whichever screen is in sight."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from screens.datasets.words import duration
from tui.domain.errors import PapertuneError
from tui.domain.example import Kind
from tui.domain.usage import Amount

if TYPE_CHECKING:
    from tui.datasets.generation import (
        GenerationFinished,
        Generator,
        Mix,
        Progress,
        Written,
    )

_KEPT = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for; `only` are failed turns that are asked about again."""

    name: str
    kind: Kind
    model: str
    query: str = ""
    count: int | None = None
    budget: Amount | None = None
    mix: Mix | None = None
    wordings: int = 4
    judge: str | None = None
    only: Mapping[str, Collection[int]] | None = None


@dataclass
class Production:
    """Counts of one run and what it wrote last; `changed` is called after each event."""

    wanted: Wanted
    changed: Callable[[], None] = lambda: None
    running: bool = False
    waits: bool = False
    accepted: int = 0
    failed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    latest: deque[Written] = field(default_factory=lambda: deque(maxlen=_KEPT))
    progress: Progress | None = None
    finished: GenerationFinished | None = None
    wrong: str = ""

    async def run(self, generator: Generator) -> None:
        """Take in the run's events to its end; cancelling ends the requests under way."""
        from tui.datasets.generation import GenerationFinished, Paused

        wanted = self.wanted
        self.running, self.wrong = True, ""
        try:
            events = generator.run(
                wanted.name,
                wanted.kind,
                wanted.model,
                query=wanted.query,
                count=wanted.count,
                budget=wanted.budget,
                mix=wanted.mix,
                wordings=wanted.wordings,
                judge=wanted.judge,
                only=wanted.only,
            )
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, GenerationFinished):
                        self.finished = event
                    elif isinstance(event, Paused):
                        self.waits, self.progress = event.event == "paused", event.progress
                    else:
                        self._take(event)
                    self.changed()
        except asyncio.CancelledError:
            self.wrong = "Stopped; another run carries on where this one ended."
            raise
        except PapertuneError as error:
            self.wrong = str(error)
            raise
        finally:
            self.running = self.waits = False
            self.changed()

    def _take(self, event: Written) -> None:
        self.latest.appendleft(event)
        self.progress = event.progress
        if event.event == "accepted":
            self.accepted += 1
        elif event.event == "failed":
            self.failed += 1
        else:
            self.rejected[event.reason] += 1

    def lines(self) -> list[str]:
        """How it stands: what came of it, what it took, what it will take."""
        wanted, now = self.wanted, self.progress
        state = "waits" if self.waits else "writes" if self.running else "has ended"
        asked = f": {now.asked:,} of {now.units:,} passages" if now else ""
        found = [f"{wanted.kind} into {wanted.name} · {wanted.model} {state}{asked}"]
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.rejected.most_common())
        refused = self.rejected.total()
        found.append(
            f"{self.accepted:,} to review · {refused:,} rejected"
            + (f" ({reasons})" if reasons else "")
            + f" · {self.failed:,} without a usable answer"
        )
        if now is not None:
            found.append(_cost(now))
        if self.finished is not None:
            found.append(_ending(self.finished))
        elif self.wrong:
            found.append(self.wrong)
        return found


def _cost(now: Progress) -> str:
    parts = [f"{now.tokens:,} tokens"]
    if now.tokens_to_come is not None:
        parts[0] += f", about {now.tokens_to_come:,} to come"
    if now.cost is not None:
        to_come = f", about {now.cost_to_come:.4f} to come" if now.cost_to_come is not None else ""
        parts.append(f"{now.cost:.4f} {now.currency}{to_come}")
    else:
        parts.append("no price is known")
    if now.seconds_to_come is not None:
        parts.append(f"about {duration(now.seconds_to_come)} to come")
    return " · ".join(parts)


def _ending(done: GenerationFinished) -> str:
    if done.stopped == "finished" and not done.message:
        return "Every passage has had its turn."
    if done.stopped == "count":
        return f"The count is reached; {done.remaining:,} passages have had no turn yet."
    waiting = f" {done.remaining:,} passages wait for the next run." if done.remaining else ""
    return f"{done.message} {done.remedy}".strip() + waiting
