"""What is asked of an endpoint and what it answers, beside the domain's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tui.domain.chat import Usage
from tui.domain.example import Turn
from tui.domain.job import LossPoint
from tui.domain.model import Lineage

FilePurpose = Literal["fine-tune", "batch", "ocr"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call of a chat model; None leaves a choice to the server.

    `prefix` is how the answer must begin; `schema` is a JSON schema that it must follow. `purpose`
    goes to the ledger: chat, generation, evaluation, judging.
    """

    model: str
    messages: tuple[Turn, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    random_seed: int | None = None
    stop: tuple[str, ...] = ()
    prefix: str = ""
    schema: Mapping[str, Any] | None = None
    purpose: str = "chat"


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A whole answer; its text is foreign and still as the model wrote it."""

    text: str
    model: str
    usage: Usage
    finish_reason: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer; the last one has a `finish_reason` and the `usage` of the call."""

    text: str
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as an endpoint knows it."""

    id: str
    name: str
    bytes: int
    lines: int | None = None
    sample_type: str = ""
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job of the engine is; seconds left are the engine's own estimate."""

    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class LocalJob:
    """What the engine says of a job beyond the API; `points` are in step order.

    `status` and `modified_at` are those of the API's document, so that it need not be asked for as
    often. `memory` is what the worker has of its device and how much there is, in bytes; `kept` are
    the steps whose checkpoints can still become the model, `launcher` what the worker runs under,
    `slurm_job` its number there. `waits` says what a queued job waits for.
    """

    points: tuple[LossPoint, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    device: str = ""
    log: tuple[str, ...] = ()
    message: str = ""
    lineage: Lineage = field(default_factory=Lineage)
    status: str = ""
    memory: tuple[int, int] | None = None
    kept: tuple[int, ...] = ()
    launcher: str = ""
    slurm_job: str = ""
    waits: str = ""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a running engine says of itself."""

    version: str
    pid: int
    device: str
    running: int = 0
    queued: int = 0
    models: int = 0
    uptime_seconds: float = 0.0
    launcher: str = ""
