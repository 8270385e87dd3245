"""One training job from its spec to its adapter; imports torch."""

from __future__ import annotations

import json
import math
import shutil
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
from tui.engine.training.lora_gguf import AdapterError, write_gguf_adapter
from tui.engine.training.record import Record, Validation
from tui.engine.training.report import Report
from tui.engine.training.spec import JobSpec
from tui.engine.training.trainer import LoraTrainer, Showings, arguments
from tui.formats.tokenizer import ModelTokenizer
from tui.storage import atomic

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def train(spec: JobSpec, report: Report, interrupted: Callable[[], bool]) -> str:
    """Train and leave `adapter/` in the job's folder; returns a sentence on what was trained.

    Goes on from the last whole checkpoint if there is one. When `interrupted` becomes true it
    stops after the step with a checkpoint and returns nothing.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning)
    if spec.threads:
        torch.set_num_threads(spec.threads)
    report.say("Preparing the model's weights (once for each model).")
    folder = ensure_weights(spec.model_dir)
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
    report.say("Loading the model.", steps=steps, **_counts(rows))
    trainer, record, checkpoints = _build(
        spec, steps, rows, validation, tokenizer, folder, report, interrupted
    )
    last = checkpoints.last()
    if last is not None:
        record.resume(last)
    report.say("Starting to train." if last is None else f"Going on after step {last}.")
    if last is None or (last < steps and not record.patience_ended):
        trainer.train(
            resume_from_checkpoint=None if last is None else str(checkpoints.folder(last))
        )
        if interrupted():
            return ""
    report.say("Writing the adapter.", step=record.step, train_tokens=record.tokens)
    return _finish(spec, report.folder, checkpoints, tokenizer, folder)


def _build(
    spec: JobSpec,
    steps: int,
    rows: Rows,
    validation: Sequence[Validation],
    tokenizer: ModelTokenizer,
    folder: Path,
    report: Report,
    interrupted: Callable[[], bool],
) -> tuple[LoraTrainer, Record, Checkpoints]:
    root = report.folder / "checkpoints"
    root.mkdir(exist_ok=True)
    checkpoints = Checkpoints(root)
    checkpoints.prune()
    settings = arguments(spec, steps, root)
    device = lora.pick_device()
    model = lora.load(folder, device, lora.pick_dtype(device))
    set_seed(spec.seed)
    tuned = lora.add_lora(model, spec.rank, spec.alpha)
    record = Record(spec, steps, report, checkpoints, validation, interrupted)
    plan = Plan(rows.rows, steps=steps, batch_size=spec.batch_size, seed=spec.seed)
    trainer = LoraTrainer(
        Showings(rows.rows, spec, tokenizer),
        plan,
        record,
        spec.plus_ratio,
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


def _finish(
    spec: JobSpec, job: Path, checkpoints: Checkpoints, tokenizer: ModelTokenizer, base: Path
) -> str:
    """Make `adapter/` from the best checkpoint, or the last where nothing was validated."""
    best, last = checkpoints.best(), checkpoints.last()
    step = best.step if best else last
    if step is None:
        raise RuntimeError("the training left no whole checkpoint")
    card = _read(spec.model_dir / "papertune.json")
    temporary = job / ".adapter.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name in _ADAPTER_FILES:
        shutil.copyfile(checkpoints.folder(step) / name, temporary / name)
    settings = _read(temporary / "adapter_config.json")
    # The path of this machine means nothing elsewhere and tells whose home it is.
    settings["base_model_name_or_path"] = card.get("id", spec.model_dir.name)
    atomic.write_json(temporary / "adapter_config.json", settings)
    note = ""
    try:
        write_gguf_adapter(temporary, _read(base / "config.json"), temporary / "adapter.gguf")
    except AdapterError as error:
        note = f" {error.message}"
    atomic.write_json(
        temporary / "papertune.json",
        {
            "base": card.get("id", spec.model_dir.name),
            "base_sha256": card.get("sha256", ""),
            "template_sha256": tokenizer.template.sha256,
            "step": step,
            "memory_loss": best.loss if best else None,
        },
    )
    shutil.rmtree(job / "adapter", ignore_errors=True)
    temporary.rename(job / "adapter")
    atomic.sync_directory(job)
    chosen = f"The best checkpoint is that of step {step}." if best and step != last else ""
    return (chosen + note).strip() or "Done."


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return value
