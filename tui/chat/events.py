"""What is asked, and what asking tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from tui.domain.chat import Arm, Exchange, Mode, Source

ANSWER_TOKENS = 600


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of which model on which arm; `papers` None searches the whole corpus.

    `source_tokens` None chooses by where the model runs. `evidence` says whether a model reads the
    candidates before they are used; None leaves that to how capable the endpoint is. `prefix` is
    an answer that was cut, to be gone on with from these `sources`.
    """

    text: str
    model: str
    arm: Arm = Arm.BASE
    mode: Mode = Mode.ASK
    endpoint: str | None = None
    history: tuple[Exchange, ...] = ()
    papers: frozenset[str] | None = None
    source_tokens: int | None = None
    max_tokens: int = ANSWER_TOKENS
    temperature: float | None = None
    purpose: str = "chat"
    evidence: bool | None = None
    prefix: str = ""
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """The passages put before the model; `retrieved` holds all ranked ones, best first.

    `by` says how they were found: `words`, or `words and meaning`.
    """

    sources: tuple[Source, ...]
    retrieved: tuple[str, ...]
    by: str = "words"


@dataclass(frozen=True, slots=True)
class Working:
    """How far the work before the answer is: `done` of `total` parts; total 0 where unknown."""

    words: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more words of the answer, safe to draw."""

    text: str
