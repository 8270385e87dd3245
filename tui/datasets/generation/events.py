"""What a run tells while it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tui.domain.example import Kind


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, and what it has taken and will take.

    `asked` of `units` passages have had their turn, with `tokens` used in this run so far. `cost`
    is None where no price is known, in `currency`; the `to_come` are estimates from what this run
    has taken for each turn, None before the first.
    """

    asked: int = 0
    units: int = 0
    tokens: int = 0
    tokens_to_come: int | None = None
    cost: float | None = None
    cost_to_come: float | None = None
    currency: str | None = None
    seconds: float = 0.0
    seconds_to_come: float | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """One example, or a passage that gave none.

    `accepted` ones passed the gates and await review as drafts; `rejected` ones are kept with
    their `reason`, one word, and its `message`, and a person may overrule it; for `failed` ones
    there is no example (`id` is empty) and the message says why. `asked`, `units` and `tokens` are
    those of `progress`.
    """

    event: Literal["accepted", "rejected", "failed"]
    kind: Kind
    paper: str
    passage: str
    id: str = ""
    type: str = ""
    question: str = ""
    answer: str = ""
    quote: str = ""
    reason: str = ""
    message: str = ""
    asked: int = 0
    units: int = 0
    tokens: int = 0
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class Paused:
    """The run waits, or goes on; what was under way before it waits has been stored."""

    event: Literal["paused", "resumed"]
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class GenerationFinished:
    """How a run ended and what it did.

    `stopped` is `finished` (every passage had its turn), `count`, `budget`, `endpoint` (it failed;
    `message` and `remedy` say how, and another run carries on) or `private`. `failed` counts
    passages of this run without a usable answer, `lost` those of all runs whose answer is not
    known because the run was killed; `remaining` passages have had no turn yet. `cost` is None
    where no price is known; `device_seconds` is time of the local engine. `judged` counts answers
    that a judge has looked at.
    """

    event: Literal["done"]
    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    lost: int = 0
    asked: int = 0
    remaining: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    device_seconds: float = 0.0
    stopped: Literal["finished", "count", "budget", "endpoint", "private"] = "finished"
    message: str = ""
    remedy: str = ""
    currency: str | None = None
    judged: int = 0


GenerationEvent = Written | Paused | GenerationFinished
