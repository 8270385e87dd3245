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
class Answer:
    """What an arm answered; `finish_reason` is None when the stream was cut."""

    text: str
    model: str
    arm: Arm
    sources: tuple[Source, ...] = ()
    usage: Usage = Usage()
    finish_reason: str | None = None
    problems: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether the model came to an end by itself."""
        return self.finish_reason is not None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer in a conversation."""

    id: str
    question: str
    answer: Answer
    at: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat with history; `title` is the first question, shortened."""

    id: str
    title: str
    started_at: float
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Feedback:
    """A rating or correction of an answer that can become an example."""

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
