"""Conversations, answers and the sources they stand on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Arm(StrEnum):
    """What answers: the base or the tuned model, with or without retrieved passages."""

    BASE = "base"
    BASE_SOURCES = "base+sources"
    TUNED = "tuned"
    TUNED_SOURCES = "tuned+sources"

    @property
    def tuned(self) -> bool:
        """Whether the fine-tuned model answers."""
        return self in (Arm.TUNED, Arm.TUNED_SOURCES)

    @property
    def sources(self) -> bool:
        """Whether retrieved passages stand in the prompt."""
        return self in (Arm.BASE_SOURCES, Arm.TUNED_SOURCES)

    @staticmethod
    def of(*, tuned: bool, sources: bool) -> Arm:
        """The arm with these two properties."""
        if tuned:
            return Arm.TUNED_SOURCES if sources else Arm.TUNED
        return Arm.BASE_SOURCES if sources else Arm.BASE


class Mode(StrEnum):
    """What a question asks for; each has its own prompt."""

    ASK = "ask"
    SUMMARISE = "summarise"
    BRAINSTORM = "brainstorm"
    ONBOARD = "onboard"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Source:
    """A passage put before the model as `[n]`.

    `quote` is what was shown to it; `verified` says that words which the *model* wrote as a quote
    of this source were found in the passage (None: it quoted nothing).
    """

    n: int
    paper: str
    title: str
    passage: str
    page: int
    section: str
    quote: str
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Flaw:
    """A place of an answer that its sources do not bear out.

    `start` and `end` are offsets into the answer's text; `kind` is `citation`, `quote` or `number`.
    """

    start: int
    end: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an arm answered; `finish_reason` is None when the stream was cut.

    `problems` are sentences for a person: why it was cut, and what of it does not hold; `flaws` say
    where. `notes` are what else one should know: what was left out, what a passage tried. `context`
    is how many tokens the model can hold; `cost` is None where nobody told a price.
    """

    text: str
    model: str
    arm: Arm
    sources: tuple[Source, ...] = ()
    usage: Usage = Usage()
    finish_reason: str | None = None
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    flaws: tuple[Flaw, ...] = ()
    notes: tuple[str, ...] = ()
    refused: bool = False
    context: int = 0
    cost: float | None = None
    currency: str = ""

    @property
    def complete(self) -> bool:
        """Whether the model came to an end by itself."""
        return self.finish_reason is not None

    @property
    def cut(self) -> bool:
        """Whether there may be more to say: the stream broke, or the answer's tokens ran out."""
        return self.finish_reason is None or self.finish_reason == "length"

    @property
    def speed(self) -> float:
        """Tokens a second, waiting included; 0 where nothing was counted."""
        return self.usage.completion_tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer in a conversation.

    `after` is the exchange it follows, so that an edited question begins a branch. `other` is the
    answer of the arm beside it, where two were asked, and `preferred` the arm a person chose.
    """

    id: str
    question: str
    answer: Answer
    at: float
    after: str = ""
    mode: Mode = Mode.ASK
    scope: str = "all"
    other: Answer | None = None
    preferred: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat with history; `title` is its own, else the first question, shortened.

    `exchanges` is the branch that was asked in last, `branches` counts the ends there are.
    """

    id: str
    title: str
    started_at: float
    exchanges: tuple[Exchange, ...] = ()
    branches: int = 1


@dataclass(frozen=True, slots=True)
class Feedback:
    """A rating, a correction, a better source or a preference; it can become an example.

    `rating` is `good`, `bad` or `preferred`; a preference names both arms and has the answer that
    lost in `other`. `passages` are those the answer cited, `quote` stands in the better `source`.
    """

    id: str
    exchange: str
    question: str
    answer: str
    rating: str
    reason: str = ""
    correction: str = ""
    model: str = ""
    by: str = ""
    at: float = 0.0
    arm: str = ""
    passages: tuple[str, ...] = ()
    source: str = ""
    quote: str = ""
    other: str = ""
    other_arm: str = ""
    other_model: str = ""
    blind: bool = False
    example: str = ""
