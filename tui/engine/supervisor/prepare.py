"""Before a job starts: are its files right, and what will it take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tui.engine.home import EngineHome
from tui.engine.store.jobs import StoredJob
from tui.formats.check import FileReport, check_file
from tui.formats.tokenizer import ModelTokenizer

DEFAULT_EPOCHS = 3.0
MAX_STEPS = 10_000_000
# Trained tokens per second before any job has run here: measured with LoRA on a 135M-parameter
# model, 65 to 70 per CPU-second and core.
_TOKENS_PER_CORE_SECOND = 55.0
_START_SECONDS = 30.0
_SHOWN_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Trainable:
    """A base model on disk that can be trained; `defaults` are its own hyperparameters."""

    id: str
    folder: Path
    defaults: dict[str, Any]


class Trainables(Protocol):
    """Where base models are found."""

    def trainable(self, model_id: str) -> Trainable:
        """A model by the name it was asked for; raises MissingError with the command to get it."""
        ...

    def tokenizer(self, model_id: str) -> ModelTokenizer:
        """Its tokenizer and chat template."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the check found; `problem` is empty when the job can run."""

    problem: str
    hyperparameters: dict[str, Any]
    metadata: dict[str, Any]


def settled(job: StoredJob, model: Trainable) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hyperparameters and options with the model's own defaults where the caller left a choice."""
    hyperparameters = dict(job.hyperparameters)
    for name, fallback in (("learning_rate", 1e-4), ("seq_len", 2048)):
        if hyperparameters.get(name) is None:
            hyperparameters[name] = model.defaults.get(name, fallback)
    options = dict(job.options)
    for name, value in (("lora_rank", 16), ("lora_alpha", None), ("batch_size", 4), ("seed", 0)):
        if options.get(name) is None:
            options[name] = model.defaults.get(name, value)
    if options["lora_alpha"] is None:
        options["lora_alpha"] = 2 * options["lora_rank"]
    return hyperparameters, options


def prepare(
    job: StoredJob,
    models: Trainables,
    path_of: Callable[[str], Path],
    name_of: Callable[[str], str],
    speed: float | None,
    cores: int,
) -> Prepared:
    """Check every file with the rules of `dataset check` and count its tokens.

    Up to `job.skip_share` of a file's lines may be invalid; the worker skips them. Raises
    MissingError when the model is not on this machine.
    """
    model = models.trainable(job.model)
    tokenizer = models.tokenizer(job.model)
    hyperparameters, options = settled(job, model)
    seq_len = int(hyperparameters["seq_len"])
    reports = dict[str, FileReport]()
    for file_id in [part["file_id"] for part in job.training] + job.validation:
        path = path_of(file_id)
        if not path.is_file():
            return Prepared(f"File {name_of(file_id)} was deleted.", hyperparameters, {})
        reports[file_id] = report = check_file(path, tokenizer=tokenizer, seq_len=seq_len)
        if report.valid == 0 or report.invalid > job.skip_share * report.lines:
            return Prepared(_problem(name_of(file_id), report), hyperparameters, {})
    training = [reports[part["file_id"]] for part in job.training]
    examples = sum(report.valid for report in training)
    data_tokens = sum(report.tokens for report in training)
    steps = hyperparameters.get("training_steps")
    if steps is None:
        epochs = hyperparameters.get("epochs") or DEFAULT_EPOCHS
        steps = max(1, math.ceil(epochs * examples / options["batch_size"]))
    if steps > MAX_STEPS:
        return Prepared(f"{steps} steps are more than {MAX_STEPS}.", hyperparameters, {})
    per_step = max(1, round(data_tokens * options["batch_size"] / examples))
    hyperparameters["training_steps"] = steps
    hyperparameters["epochs"] = round(steps * options["batch_size"] / examples, 4)
    rate = speed or _TOKENS_PER_CORE_SECOND * cores
    seconds = steps * per_step / rate + (0 if speed else _START_SECONDS)
    metadata = {
        "expected_duration_seconds": math.ceil(seconds),
        "cost": 0.0,
        "cost_currency": "USD",
        "train_tokens_per_step": per_step,
        "train_tokens": steps * per_step,
        "data_tokens": data_tokens,
        "estimated_start_time": int(time.time()),
        "truncated": sum(report.over_length for report in training),
        "examples": examples,
    }
    return Prepared("", hyperparameters, metadata)


def spec_of(job: StoredJob, model: Trainable, home: EngineHome, threads: int) -> dict[str, Any]:
    """What the worker is told to do: the document of `spec.json`."""
    hyperparameters, options = settled(job, model)
    return {
        "job": job.id,
        "model": job.model,
        "model_dir": str(model.folder),
        "train": [{**part, "path": str(home.file(part["file_id"]))} for part in job.training],
        "validation": [
            {"file_id": file_id, "path": str(home.file(file_id))} for file_id in job.validation
        ],
        "hyperparameters": {
            name: value for name, value in hyperparameters.items() if name != "fim_ratio"
        },
        "options": {name: value for name, value in options.items() if name != "lineage"},
        "skip_share": job.skip_share,
        "threads": threads,
    }


def _problem(name: str, report: FileReport) -> str:
    if report.lines == 0:
        return f"{name} is empty."
    shown = "; ".join(
        f"line {error.line}: {error.message}" for error in report.errors[:_SHOWN_ERRORS]
    )
    more = report.invalid - _SHOWN_ERRORS
    rest = f"; and {more} more" if more > 0 else ""
    return f"{name}: {report.invalid} of {report.lines} lines are invalid: {shown}{rest}."
