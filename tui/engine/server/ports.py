"""What the routes need of models and of chat, whoever provides it."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tui.domain.example import Turn
from tui.engine.supervisor.prepare import Trainables


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that is on this machine; `root` is empty for a base model.

    `template_sha256` names the chat template of training and chat alike. `kind` is `chat` or
    `embedding`; `dimensions` are those of an embedding. With `upstream` another server answers.
    """

    id: str
    created: int
    context: int
    root: str = ""
    title: str = ""
    license: str = ""
    sha256: str = ""
    template_sha256: str = ""
    engine: str = ""
    lineage: dict[str, Any] = field(default_factory=dict)
    trainable: bool = True
    upstream: bool = False
    kind: str = "chat"
    dimensions: int = 0


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """Where an encoder lies; `pooling` and `context` are how its texts are read."""

    id: str
    folder: Path
    pooling: str
    context: int
    dimensions: int


class Library(Trainables, Protocol):
    """The models on this machine, base and fine-tuned."""

    def models(self) -> list[ModelInfo]:
        """All of them."""
        ...

    def find(self, model_id: str) -> ModelInfo | None:
        """One of them, or None."""
        ...

    def encoder(self, model_id: str) -> EncoderFiles:
        """What makes embeddings under this name."""
        ...

    def remedy(self, model_id: str) -> str:
        """What a person can do to get a model that is not here, with the command."""
        ...

    def tokenizer_json(self, model_id: str) -> str:
        """The text of its `tokenizer.json`."""
        ...

    def remove(self, model_id: str) -> None:
        """Delete a model's files."""
        ...

    def catalogue(self) -> list[dict[str, Any]]:
        """The models that can be fetched, each with `pulled`."""
        ...

    def pull(self, model_id: str, source: str | None) -> AsyncIterator[dict[str, Any]]:
        """Fetch a model, telling how far it is."""
        ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn; `max_tokens` None leaves it to the context."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer; the last one has the reason for the end and both counts."""

    text: str
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Voice(Protocol):
    """What answers."""

    def generate(
        self, model_id: str, prompt: str, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Answer a rendered prompt; closing the iterator stops the computation."""
        ...

    def converse(
        self, model_id: str, turns: Sequence[Turn], prefix: str, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """Let the server that stands behind the model answer a conversation."""
        ...

    def jobs_changed(self, running: int) -> None:
        """So many jobs train now: chat uses the cores that they leave."""
        ...

    async def close(self) -> None:
        """End the processes that answer."""
        ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of float32 in the order of the texts, and how many tokens were read."""

    vectors: tuple[array[float], ...]
    tokens: int


class Embedding(Protocol):
    """What makes vectors of texts."""

    async def embed(self, model_id: str, texts: Sequence[str]) -> Embedded:
        """A vector of length 1 for each text."""
        ...

    def jobs_changed(self, running: int) -> None:
        """So many jobs train now."""
        ...

    async def close(self) -> None:
        """End the processes that compute."""
        ...
