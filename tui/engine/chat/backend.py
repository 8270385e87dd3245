"""What computes answers: llama.cpp today, others behind the same interface."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tui.domain.errors import PapertuneError
from tui.engine.server.ports import Piece, Sampling


class ChatError(PapertuneError):
    """The model could not answer, or was cut off while it did."""


@dataclass(frozen=True, slots=True)
class Served:
    """What answers under a model's name: a base model's weights, and an adapter or None.

    `context` is prompt and answer together, in tokens. `engine` is what computes it: `llama.cpp`
    with a GGUF file and a GGUF adapter, or `transformers` with folders.
    """

    id: str
    base: str
    weights: Path
    context: int
    adapter: Path | None = None
    engine: str = "llama.cpp"


class Backend(Protocol):
    """Computes answers to tokens; the caller has checked names, templates and lengths."""

    def answer(
        self, served: Served, tokens: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """The answer in pieces, the last one with counts; closing it stops the computation."""
        ...

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next quiet moment on."""
        ...

    async def close(self) -> None:
        """End every process."""
        ...


def plan_threads(cores: int, jobs_running: int) -> int:
    """Threads for chat: all cores when nothing trains, else an equal share, at least one.

    More than eight do not help a model that is small enough for a CPU.
    """
    return max(1, min(8, cores // (1 + jobs_running)))
