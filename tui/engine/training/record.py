"""What a training job leaves behind: points, validation losses, the last and best checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tui.domain.job import LossPoint
from tui.engine.training.checkpoints import Best, Checkpoints
from tui.engine.training.faults import not_finite
from tui.engine.training.model import evaluate, memory
from tui.engine.training.ranks import Ranks
from tui.engine.training.report import Report
from tui.engine.training.spec import JobSpec
from tui.formats.labels import Encoded

# A checkpoint is written at every evaluation, and at least this often: what a crash can cost.
_CHECKPOINT_SECONDS = 300.0
# Rows of a validation file that are measured at intervals: enough for a loss to ±0.05, and little
# beside the training of as many steps as lie between.
_VALIDATION_ROWS = 64


@dataclass(frozen=True, slots=True)
class Validation:
    """A validation file's rows; the first file is *memory* and chooses the best checkpoint."""

    file_id: str
    rows: tuple[Encoded, ...]


def evaluation_steps(steps: int) -> list[int]:
    """After which steps validation is measured: 5 to 20 times, and always at the end."""
    times = min(steps, 5 if steps <= 300 else 10 if steps <= 1000 else 20)
    return sorted({round(steps * (n + 1) / times) for n in range(times)})


class Record(TrainerCallback):  # type: ignore[misc]
    """Writes down each step, measures validation, and keeps the last and the best checkpoint."""

    def __init__(
        self,
        spec: JobSpec,
        steps: int,
        report: Report,
        checkpoints: Checkpoints,
        validation: Sequence[Validation],
        interrupted: Callable[[], bool],
        ranks: Ranks,
    ) -> None:
        self._spec, self._steps, self._report = spec, steps, report
        self._checkpoints, self._validation = checkpoints, validation
        self._interrupted = interrupted
        self._evaluate_at = set(evaluation_steps(steps))
        self._ranks = ranks
        self._best = ranks.same(checkpoints.best())
        self.was_interrupted = False
        self._point = LossPoint(step=0, at=0.0)
        self._accuracy: dict[str, float] = {}
        self._step = self._tokens = self._session_tokens = self._session_steps = 0
        self._began = self._saved = time.monotonic()

    def resume(self, step: int) -> None:
        """Go on after a checkpoint."""
        self._step, self._tokens = step, self._checkpoints.tokens(step)

    @property
    def tokens(self) -> int:
        """Tokens trained on in the whole job, padding not counted."""
        return self._tokens

    @property
    def step(self) -> int:
        """The last step that was trained."""
        return self._step

    @property
    def patience_ended(self) -> bool:
        """Whether the memory loss has not become better for as long as the job allows."""
        patience = self._spec.patience
        return bool(patience and self._best and self._best.since >= patience)

    def trained(self, loss: float, learning_rate: float, tokens: int) -> None:
        """A forward and backward pass was done."""
        self._step += 1
        if not math.isfinite(loss):
            raise not_finite("loss", self._step, self._spec.learning_rate)
        self._tokens += tokens
        self._session_tokens += tokens
        self._session_steps += 1
        self._point = LossPoint(
            self._step,
            time.time(),
            train_loss=loss,
            learning_rate=learning_rate,
            tokens=self._tokens,
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **named: Any
    ) -> TrainerControl:
        """Measure validation where it is due, and ask for a checkpoint."""
        control.should_log = True
        late, interrupted, finish = self._ranks.any(
            time.monotonic() - self._saved > _CHECKPOINT_SECONDS,
            self._interrupted(),
            self._report.asked_to_finish,
        )
        if state.global_step in self._evaluate_at:
            self._evaluate(named["model"], args.device)
            control.should_save = True
            control.should_training_stop |= self.patience_ended
        elif late or interrupted or finish:
            control.should_save = True
        if interrupted or finish:
            control.should_training_stop = True
        self.was_interrupted = interrupted
        return control

    def finish_step(self, grad_norm: float) -> None:
        """The optimizer has stepped: write the point and the progress."""
        if not math.isfinite(grad_norm):
            raise not_finite("gradient", self._step, self._spec.learning_rate)
        point = self._point
        measured = {name: loss for name, loss in point.validation.items() if math.isfinite(loss)}
        self._report.point(replace(point, grad_norm=grad_norm, validation=measured), self._accuracy)
        self._accuracy = {}
        seconds = max(1e-9, time.monotonic() - self._began)
        left = (self._steps - self._step) * seconds / max(1, self._session_steps)
        self._report.update(
            step=self._step,
            steps=self._steps,
            message="",
            train_tokens=self._tokens,
            tokens_per_second=round(self._session_tokens / seconds, 1),
            seconds_left=round(left, 1),
            **memory(),
        )

    def on_save(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any
    ) -> None:
        """Seal the checkpoint that was just written; only then are older ones removed."""
        self._ranks.wait()
        self._saved = time.monotonic()
        if not self._ranks.first:
            return
        self._report.flush()  # first: nothing measures these steps again once the seal is there
        self._checkpoints.seal(state.global_step, self._tokens)
        if self._best is not None:
            self._checkpoints.remember(self._best)
        self._checkpoints.prune(self._report.chosen)

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Time is counted from here."""
        self._began = self._saved = time.monotonic()

    def _evaluate(self, model: Any, device: torch.device) -> None:
        losses: dict[str, float] = {}
        for validation in self._validation:
            rows = validation.rows[:_VALIDATION_ROWS]
            losses[validation.file_id], share = evaluate(model, rows, device, self._ranks)
            if math.isfinite(share):
                self._accuracy[validation.file_id] = share
        self._point.validation.update(losses)
        memory = next(iter(losses.values()), math.nan)
        if not math.isfinite(memory):
            return
        if self._best is None or memory < self._best.loss:
            self._best = Best(self._step, memory)
        else:
            self._best = Best(self._best.step, self._best.loss, self._best.since + 1)
