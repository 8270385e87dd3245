"""The training loop: transformers' Trainer, shown our batches, with our loss and our record."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback, Trainer, TrainingArguments

from tui.engine.training import model as lora
from tui.engine.training.data import Draw, Plan, Row, shown
from tui.engine.training.ranks import Ranks
from tui.engine.training.record import Record
from tui.engine.training.spec import JobSpec
from tui.formats.labels import Encoded
from tui.formats.tokenizer import ModelTokenizer


class Showings(Dataset[Encoded]):  # type: ignore[misc]
    """What a draw of the plan shows."""

    def __init__(self, rows: Sequence[Row], spec: JobSpec, tokenizer: ModelTokenizer) -> None:
        self._rows, self._spec, self._tokenizer = rows, spec, tokenizer

    def __getitem__(self, draw: Draw) -> Encoded:
        spec = self._spec
        return shown(
            self._rows[draw.row],
            draw.salt,
            word_dropout=spec.word_dropout,
            seed=spec.seed,
            tokenizer=self._tokenizer,
            seq_len=spec.seq_len,
        )

    def __len__(self) -> int:
        return len(self._rows)


class LoraTrainer(Trainer):  # type: ignore[misc]
    """The Trainer with its batches from a plan and its loss on labels only.

    Gradients, clipping, optimizer, schedule, checkpoints and resuming are the Trainer's own.
    """

    def __init__(
        self,
        showings: Showings,
        plan: Plan,
        record: Record,
        plus_ratio: float,
        ranks: Ranks,
        **named: Any,
    ) -> None:
        super().__init__(train_dataset=showings, callbacks=[record], **named)
        self.remove_callback(PrinterCallback)
        self._plan, self._record, self._plus_ratio = plan, record, plus_ratio
        self._ranks = ranks

    def create_optimizer(self, *_: Any, **__: Any) -> torch.optim.Optimizer:
        """AdamW; LoRA's B matrices, which start at zero, learn `plus_ratio` times faster."""
        rate, groups = self.args.learning_rate, dict[bool, list[torch.nn.Parameter]]()
        for name, weight in self.model.named_parameters():
            if weight.requires_grad:
                groups.setdefault("lora_B" in name, []).append(weight)
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            [
                {"params": weights, "lr": rate * (self._plus_ratio if up else 1.0)}
                for up, weights in groups.items()
            ],
            lr=rate,
            weight_decay=self.args.weight_decay,
            fused=True,
        )
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> Any:
        """Linear warm-up, then a cosine to zero; the first step counts already, unlike theirs."""
        warm = int(self.args.warmup_steps)
        rest = max(1, num_training_steps - warm)

        def share(step: int) -> float:
            if step < warm:
                return (step + 1) / (warm + 1)
            done = min(1.0, (step - warm) / rest)
            return 0.5 * (1.0 + math.cos(math.pi * done))

        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, share)
        return self.lr_scheduler

    def get_train_dataloader(self) -> Any:
        """The plan's batches; resuming skips those that were trained on without encoding them."""
        loader = DataLoader(
            self.train_dataset, batch_sampler=self._plan, collate_fn=lambda rows: {"rows": rows}
        )
        # Every process sees every batch and computes its part of it: a step is then the same one
        # however many share it.
        return loader if self._ranks.size > 1 else self.accelerator.prepare_data_loader(loader)

    def training_step(self, model: Any, inputs: dict[str, Any], *_: Any) -> torch.Tensor:
        """Forward and backward in parts; the loss is the mean over the batch's label tokens."""
        model.train()
        rows: list[Encoded] = inputs["rows"]
        labels = sum(row.labels for row in rows)
        total = torch.zeros((), device=self.args.device)
        mine = lora.parts(self._ranks.share(rows) or rows[:1], self.args.device)
        # Without a row of its own a process takes part with a loss that counts for nothing.
        share = float(self._ranks.rank < len(rows))
        for part in mine:
            last = part is mine[-1]
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    loss = share * lora.measure(model, part, count_right=False).loss / labels
                # Gradients are averaged over the processes, and ought to be summed.
                self.accelerator.backward(loss * self._ranks.size)
            total += loss.detach()
        rate = self.optimizer.param_groups[0]["lr"]
        whole = self._ranks.sums(float(total))[0]
        self._record.trained(whole, rate, sum(len(row.input_ids) for row in rows))
        return total

    def log(self, logs: dict[str, float], *_: Any) -> None:
        """Record a step; the Trainer's own history would grow with every checkpoint."""
        if "grad_norm" in logs:
            self._record.finish_step(float(logs["grad_norm"]))

    def floating_point_ops(self, *_: Any) -> int:
        """Not counted: nothing asks for it."""
        return 0


def arguments(spec: JobSpec, steps: int, folder: Path) -> TrainingArguments:
    """The Trainer's settings: what the API lets a caller set, and nothing that prints or sends."""
    device = lora.pick_device()
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        warmup_steps=math.ceil(spec.warmup * steps),
        max_grad_norm=1.0,
        seed=spec.seed,
        data_seed=spec.seed,
        bf16=lora.pick_dtype(device) is torch.bfloat16,
        use_cpu=device.type == "cpu",
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        gradient_checkpointing=spec.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        dataloader_pin_memory=device.type == "cuda",
        torch_empty_cache_steps=None,
    )
