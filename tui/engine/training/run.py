"""One training job from its spec to its adapter; imports torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from tui.engine.training import model as lora
from tui.engine.training.checkpoints import Checkpoints
from tui.engine.training.convert import ensure_weights
from tui.engine.training.data import Plan, Rows, load
from tui.engine.training.export import export
from tui.engine.training.ranks import Ranks
from tui.engine.training.record import Record, Validation
from tui.engine.training.report import Report
from tui.engine.training.spec import JobSpec
from tui.engine.training.trainer import LoraTrainer, Showings, arguments
from tui.formats.tokenizer import ModelTokenizer


def train(
    spec: JobSpec,
    report: Report,
    interrupted: Callable[[], bool],
    ranks: Ranks = Ranks(),  # noqa: B008  it is frozen
) -> str | None:
    """Train and leave `adapter/` in the job's folder; returns a sentence on what was trained.

    Goes on from the last whole checkpoint if there is one. When `interrupted` becomes true in any
    of the `ranks` it stops after the step with a checkpoint and returns None.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)
    if spec.threads and ranks.size == 1:
        torch.set_num_threads(spec.threads)
    ranks.join()
    report.say("Preparing the model's weights (once for each model).")
    folder = ranks.same(ensure_weights(spec.model_dir) if ranks.first else None)
    report.say("Reading the examples.")
    tokenizer = ModelTokenizer.from_folder(spec.model_dir)
    rows = load(spec.train, tokenizer, spec.seq_len)
    validation = [
        Validation(
            file.file_id, tuple(row.encoded for row in load([file], tokenizer, spec.seq_len).rows)
        )
        for file in spec.validation
    ]
    steps = spec.steps or max(1, math.ceil(spec.epochs * len(rows.rows) / spec.batch_size))
    name = lora.device_name(lora.pick_device())
    report.say("Loading the model.", steps=steps, device=name, **_counts(rows))
    trainer, record, checkpoints = _build(
        spec, steps, rows, validation, tokenizer, folder, report, interrupted, ranks
    )
    last = ranks.same(checkpoints.last())
    if last is not None:
        record.resume(last)
    report.say("Starting to train." if last is None else f"Going on after step {last}.")
    done = record.patience_ended or report.asked_to_finish
    if last is None or (last < steps and not ranks.same(done)):
        trainer.train(
            resume_from_checkpoint=None if last is None else str(checkpoints.folder(last))
        )
        if record.was_interrupted:
            return None
    report.say("Writing the adapter.", step=record.step, train_tokens=record.tokens)
    message = ""
    if ranks.first:
        best, last, chosen = checkpoints.best(), checkpoints.last(), report.chosen
        step = chosen if chosen in checkpoints.whole() else best.step if best else last
        if step is None:
            raise RuntimeError("the training left no whole checkpoint")
        note = export(spec.model_dir, checkpoints, step, report.folder / "adapter")
        said = "chosen" if step == chosen else "best"
        message = f"The {said} checkpoint is that of step {step}." if step != last else ""
        message = f"{message} {note}".strip() or "Done."
    ranks.wait()
    return message


def _build(
    spec: JobSpec,
    steps: int,
    rows: Rows,
    validation: Sequence[Validation],
    tokenizer: ModelTokenizer,
    folder: Path,
    report: Report,
    interrupted: Callable[[], bool],
    ranks: Ranks,
) -> tuple[LoraTrainer, Record, Checkpoints]:
    root = report.folder / "checkpoints"
    root.mkdir(exist_ok=True)
    checkpoints = Checkpoints(root)
    if ranks.first:
        checkpoints.prune(report.chosen)
    settings = arguments(spec, steps, root)
    device = lora.pick_device()
    model = lora.load(folder, device, lora.pick_dtype(device))
    set_seed(spec.seed)
    tuned = lora.add_lora(model, spec.rank, spec.alpha, spec.target_modules)
    record = Record(spec, steps, report, checkpoints, validation, interrupted, ranks)
    plan = Plan(rows.rows, steps=steps, batch_size=spec.batch_size, seed=spec.seed)
    trainer = LoraTrainer(
        Showings(rows.rows, spec, tokenizer),
        plan,
        record,
        spec.plus_ratio,
        ranks,
        model=tuned,
        args=settings,
    )
    return trainer, record, checkpoints


def _counts(rows: Rows) -> dict[str, Any]:
    return {
        "examples": len(rows.rows),
        "data_tokens": rows.tokens,
        "truncated": rows.truncated,
        "skipped": rows.skipped + rows.silent,
    }
