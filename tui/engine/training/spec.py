"""What a worker is told to do: `spec.json` in the job's folder, written once by the server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.domain.errors import PapertuneError
from tui.text import visible

DEFAULT_LEARNING_RATE = 1e-4
DEFAULT_RANK = 16
DEFAULT_BATCH = 4
DEFAULT_EPOCHS = 3.0
DEFAULT_SEQ_LEN = 2048
DEFAULT_WARMUP = 0.05
DEFAULT_WEIGHT_DECAY = 0.1


class SpecError(PapertuneError):
    """The job's folder does not say, or says impossibly, what to do."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of training lines; rows of weight 2 are shown twice as often as those of 1."""

    path: Path
    file_id: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One fine-tuning job.

    `steps` are optimizer steps of `batch_size` rows; None: from `epochs`, passes over all rows.
    `seq_len` is in tokens. `word_dropout` is the share of times that a question is shown with
    most of its words left out. `plus_ratio` multiplies the learning rate of LoRA's B matrices
    (LoRA+, arXiv 2402.12354). `patience` evaluations without a better memory loss end the job
    early; None: never. `target_modules` names the layers that get LoRA; empty: all linear ones but
    the head. `gradient_checkpointing` computes activations twice to keep fewer in memory.
    `batch_size` is that of a step, however many processes share it.
    """

    job: str
    model_dir: Path
    train: tuple[DataFile, ...]
    validation: tuple[DataFile, ...] = ()
    learning_rate: float = DEFAULT_LEARNING_RATE
    steps: int | None = None
    epochs: float = DEFAULT_EPOCHS
    weight_decay: float = DEFAULT_WEIGHT_DECAY
    warmup: float = DEFAULT_WARMUP
    seq_len: int = DEFAULT_SEQ_LEN
    rank: int = DEFAULT_RANK
    alpha: int = 2 * DEFAULT_RANK
    batch_size: int = DEFAULT_BATCH
    seed: int = 0
    word_dropout: float = 0.0
    plus_ratio: float = 1.0
    patience: int | None = None
    threads: int | None = None
    target_modules: tuple[str, ...] = ()
    gradient_checkpointing: bool = False

    @staticmethod
    def read(folder: Path) -> JobSpec:
        """The spec in a job's folder; what it leaves open comes from the model's own defaults.

        Raises SpecError when it cannot be read.
        """
        try:
            document = json.loads((folder / "spec.json").read_bytes())
            model_dir = Path(document["model_dir"])
            return _spec(document, model_dir, _defaults(model_dir))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SpecError(
                f"The job's spec.json cannot be used: {visible(str(error))}.",
                "Create the job again.",
            ) from error


def _spec(document: dict[str, Any], model_dir: Path, defaults: dict[str, Any]) -> JobSpec:
    hyper = _present(document.get("hyperparameters"))
    options = defaults | _present(document.get("options"))
    rank = int(options.get("lora_rank", DEFAULT_RANK))
    steps, patience = hyper.get("training_steps"), options.get("early_stopping")
    threads = document.get("threads")
    spec = JobSpec(
        job=str(document["job"]),
        model_dir=model_dir,
        train=tuple(_file(entry) for entry in document["train"]),
        validation=tuple(_file(entry) for entry in document.get("validation") or ()),
        learning_rate=float(
            hyper.get("learning_rate", defaults.get("learning_rate", DEFAULT_LEARNING_RATE))
        ),
        steps=None if steps is None else int(steps),
        epochs=float(hyper.get("epochs", DEFAULT_EPOCHS)),
        weight_decay=float(hyper.get("weight_decay", DEFAULT_WEIGHT_DECAY)),
        warmup=float(hyper.get("warmup_fraction", DEFAULT_WARMUP)),
        seq_len=int(hyper.get("seq_len", defaults.get("seq_len", DEFAULT_SEQ_LEN))),
        rank=rank,
        alpha=int(options.get("lora_alpha", 2 * rank)),
        batch_size=int(options.get("batch_size", DEFAULT_BATCH)),
        seed=int(options.get("seed", 0)),
        word_dropout=float(options.get("word_dropout", 0.0)),
        plus_ratio=float(options.get("lora_plus_ratio", 1.0)),
        patience=None if patience is None else int(patience),
        threads=None if threads is None else max(1, int(threads)),
        target_modules=tuple(map(str, options.get("target_modules") or ())),
        gradient_checkpointing=bool(options.get("gradient_checkpointing", False)),
    )
    if not spec.train or min(spec.batch_size, spec.rank, spec.seq_len, spec.steps or 1) < 1:
        raise ValueError("it needs a training file, and sizes of at least 1")
    return spec


def _defaults(model_dir: Path) -> dict[str, Any]:
    """Settings that were measured to suit the model, from its card; none when it has no card."""
    try:
        card = json.loads((model_dir / "papertune.json").read_bytes())
    except FileNotFoundError:
        return {}
    return _present(card.get("defaults"))


def _present(values: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def _file(entry: dict[str, Any]) -> DataFile:
    return DataFile(Path(entry["path"]), str(entry["file_id"]), float(entry.get("weight", 1.0)))
