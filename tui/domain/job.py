"""Fine-tuning jobs as the API means them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """All ten statuses of the API."""

    QUEUED = "QUEUED"
    STARTED = "STARTED"
    VALIDATING = "VALIDATING"
    VALIDATED = "VALIDATED"
    RUNNING = "RUNNING"
    FAILED_VALIDATION = "FAILED_VALIDATION"
    FAILED = "FAILED"
    SUCCESS = "SUCCESS"
    CANCELLED = "CANCELLED"
    CANCELLATION_REQUESTED = "CANCELLATION_REQUESTED"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to a job in this status."""
        return self in TERMINAL


TERMINAL = frozenset(
    {JobStatus.FAILED_VALIDATION, JobStatus.FAILED, JobStatus.SUCCESS, JobStatus.CANCELLED}
)


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the API lets a caller set; None leaves the choice to the server."""

    learning_rate: float | None = None
    training_steps: int | None = None
    epochs: float | None = None
    weight_decay: float | None = None
    warmup_fraction: float | None = None
    seq_len: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job; `data` is an open object by contract."""

    name: str
    created_at: int
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Metrics at a step; None is "not measured" (the hosted service writes 0.0 for that).

    What the hosted service calls an accuracy is two to the power of the loss: `valid_perplexity`.
    """

    step: int
    created_at: int
    train_loss: float | None = None
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    valid_perplexity: float | None = None


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One measured point of the local engine, finer than a checkpoint.

    `validation` maps a validation file id to its loss in nats per label token.
    """

    step: int
    at: float
    train_loss: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    tokens: int = 0
    validation: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A fine-tuning job at an `endpoint`; `raw` is the API's own document, untouched.

    `events` and `checkpoints` are in time order whatever order the server sent them in.
    """

    id: str
    model: str
    status: JobStatus | str
    created_at: int
    modified_at: int
    hyperparameters: Hyperparameters = Hyperparameters()
    training_files: tuple[str, ...] = ()
    validation_files: tuple[str, ...] = ()
    fine_tuned_model: str | None = None
    suffix: str | None = None
    trained_tokens: int | None = None
    events: tuple[Event, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    endpoint: str = ""

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.status in TERMINAL
