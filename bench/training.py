"""Our worker's training loop beside a bare transformers + peft script with the same settings.

Both train the bundled model with LoRA on the same rows, in processes of their own, in turn (the
order alternates, so a machine that is shared with others is unfair to both alike). Reported: tokens
per second, start to first step, share of padding, peak memory. Real tokens are counted, not pads.
Ratios are taken within each round and the middle one counts; on a busy machine those of CPU-seconds
are the ones to believe.

    python bench/training.py [--model DIR] [--rounds 3] [--steps 8] [--threads N] [--full]

`DIR` is a model folder as `papertune model pull` leaves it. `--full` trains on rows of 256 tokens,
for the peak of memory. Limits (ours / bare): tokens per second >= 0.95, start to first step <= 1.3;
padding <= 15 %; with `--full` a peak well under 3.8 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

SAMPLE = Path(__file__).resolve().parents[1] / "assets" / "sample" / "pairs.jsonl"
BATCH, RANK, SEQ_LEN, RATE = 4, 16, 512, 1e-3


def main() -> None:
    """Run both sides and print a JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path, default=_pulled())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="rows of 256 tokens")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--side", choices=["ours", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        side = _ours if chosen.side == "ours" else _bare
        print(json.dumps(side(chosen.job, chosen.steps)))
        return
    from tui.engine.training.convert import ensure_weights

    ensure_weights(chosen.model)
    with tempfile.TemporaryDirectory() as name:
        results: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
        for turn in range(chosen.rounds):
            for side_name in ("ours", "bare") if turn % 2 else ("bare", "ours"):
                job = Path(name) / f"{side_name}-{turn}"
                _write_job(job, chosen)
                results[side_name].append(_run(side_name, job, chosen))
    print(json.dumps(_summary(results), indent=2))


def _pulled() -> Path:
    from tui.engine.models.catalogue import BUNDLED
    from tui.storage.locations import data_dir

    return data_dir() / "models" / BUNDLED


def _write_job(job: Path, chosen: argparse.Namespace) -> None:
    job.mkdir()
    with SAMPLE.open() as pairs, (job / "train.jsonl").open("w") as out:
        trained = [pair for pair in map(json.loads, pairs) if pair["role"] == "train"]
        for n, pair in enumerate(trained):
            answer = pair["answer"]
            if chosen.full:  # more than enough to be cut at 256 tokens
                answer = " ".join(other["answer"] for other in trained[n:] + trained[:n])[:4000]
            turns = [
                {"role": "user", "content": pair["question"]},
                {"role": "assistant", "content": answer},
            ]
            out.write(json.dumps({"messages": turns}) + "\n")
    spec = {
        "job": job.name,
        "model_dir": str(chosen.model.resolve()),
        "train": [{"path": str(job / "train.jsonl"), "file_id": "train"}],
        "hyperparameters": {
            "training_steps": chosen.steps,
            "learning_rate": RATE,
            "seq_len": 256 if chosen.full else SEQ_LEN,
        },
        # What the bare script has no counterpart of is switched off.
        "options": {
            "lora_rank": RANK,
            "batch_size": BATCH,
            "word_dropout": 0.0,
            "lora_plus_ratio": 1.0,
        },
        "threads": chosen.threads,
    }
    (job / "spec.json").write_text(json.dumps(spec))


def _run(side: str, job: Path, chosen: argparse.Namespace) -> dict[str, float]:
    # -P: a file of this folder must not stand in for a library of its name
    command = [sys.executable, "-P", __file__, "--side", side, "--job", str(job)]
    command += ["--steps", str(chosen.steps)]
    environment = os.environ | {
        "OMP_NUM_THREADS": str(chosen.threads),
        "OMP_WAIT_POLICY": "passive",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PAPERTUNE_BENCH_START": str(time.time()),
    }
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    print(side, result, file=sys.stderr)
    return result


def _measured(
    times: list[float], processor: list[float], tokens: list[int], computed: int
) -> dict[str, float]:
    """Speed over all steps but the first, which also warms caches and allocators up."""
    real = sum(tokens[1:])
    return {
        "tokens_per_second": real / (times[-1] - times[0]),
        "tokens_per_cpu_second": real / (processor[-1] - processor[0]),
        "first_step_seconds": times[0] - float(os.environ["PAPERTUNE_BENCH_START"]),
        "first_step_cpu_seconds": processor[0],
        "padding": 1 - sum(tokens) / computed,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _ours(job: Path, _steps: int) -> dict[str, float]:
    from tui.engine.training import model, record, run
    from tui.engine.training.report import Report
    from tui.engine.training.spec import JobSpec

    times: list[float] = []
    processor: list[float] = []
    tokens: list[int] = []
    computed = 0
    parts, finish = model.parts, record.Record.finish_step

    def counted(rows: Any, device: Any) -> Any:
        nonlocal computed
        made = parts(rows, device)
        computed += sum(part.ids.numel() for part in made)
        tokens.append(sum(len(row.input_ids) for row in rows))
        return made

    def stamped(self: Any, grad_norm: float) -> None:
        finish(self, grad_norm)
        times.append(time.time())
        processor.append(time.process_time())

    model.parts, record.Record.finish_step = counted, stamped  # type: ignore[method-assign]
    run.train(JobSpec.read(job), Report(job), lambda: False)
    return _measured(times, processor, tokens, computed)


def _bare(job: Path, steps: int) -> dict[str, float]:
    """What the documentation of transformers and peft shows, with labels on the answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    spec = json.loads((job / "spec.json").read_text())
    torch.set_num_threads(spec["threads"])
    folder = Path(spec["model_dir"]) / "hf"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    longest = spec["hyperparameters"]["seq_len"]
    rows = []
    for line in (job / "train.jsonl").read_text().splitlines():
        turns = json.loads(line)["messages"]
        prompt = tokenizer.apply_chat_template(
            turns[:1], add_generation_prompt=True, return_dict=False
        )
        whole = tokenizer.apply_chat_template(turns, return_dict=False)[:longest]
        labels = [-100] * len(prompt) + whole[len(prompt) :]
        rows.append({"input_ids": whole, "labels": labels})
    times: list[float] = []
    processor: list[float] = []
    tokens: list[int] = []
    computed: list[int] = []

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = max(len(row["input_ids"]) for row in batch)
        computed.append(width * len(batch))
        tokens.append(sum(len(row["input_ids"]) for row in batch))

        def padded(name: str, pad: int) -> torch.Tensor:
            return torch.tensor([row[name] + [pad] * (width - len(row[name])) for row in batch])

        mask = [
            [1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in batch
        ]
        return {
            "input_ids": padded("input_ids", 2),
            "labels": padded("labels", -100),
            "attention_mask": torch.tensor(mask),
        }

    class Stamp(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.time())
            processor.append(time.process_time())

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(
        r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    trainer = Trainer(
        model=get_peft_model(model, config),
        args=TrainingArguments(
            output_dir=str(job / "out"),
            max_steps=steps,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            weight_decay=0.1,
            warmup_steps=1,
            lr_scheduler_type="cosine",
            train_sampling_strategy="group_by_length",
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=rows,
        data_collator=collate,
        callbacks=[Stamp()],
    )
    trainer.train()
    # the loader is a batch ahead of the steps
    done = len(times)
    return _measured(times, processor, tokens[:done], sum(computed[:done]))


def _summary(results: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    middle = {
        side: {key: round(median(run[key] for run in runs), 4) for key in runs[0]}
        for side, runs in results.items()
    }
    pairs = list(zip(results["ours"], results["bare"], strict=True))
    ratios = {
        key: [round(ours[key] / bare[key], 3) for ours, bare in pairs]
        for key in middle["ours"]
        if all(bare[key] for _, bare in pairs)
    }
    return middle | {
        "ours / bare, round by round": ratios,
        "ours / bare": {key: round(median(values), 3) for key, values in ratios.items()},
    }


if __name__ == "__main__":
    main()
