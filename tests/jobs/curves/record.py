"""Record the curves beside this file by training the bundled model with the real worker.

    python -m tests.jobs.curves.record --model DIR [--only NAME …] [--threads N] [--work DIR]

`DIR` is a model folder as `papertune model pull` leaves it. Each run trains on some of the sample
corpus' questions and measures other wordings of the same findings (memory) and questions on other
papers (transfer). What a run was made for and with which settings stands in `RUNS` and in the first
line of its file; the lines after it are the worker's own `metrics.jsonl`, numbers shortened.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SAMPLE = HERE.parents[2] / "assets" / "sample"
_SEQ_LEN = 256


@dataclass(frozen=True)
class Run:
    """Settings of one recorded run.

    `findings` of the sample with `wordings` each are trained on; `memory` other wordings and
    `transfer` questions on other papers are measured. `made_to` is what the settings are chosen to
    bring about: overfit, learn, or fail.
    """

    made_to: str
    findings: int
    wordings: int
    steps: int
    learning_rate: float
    batch_size: int = 2
    word_dropout: float = 0.0
    lora_rank: int = 16
    lora_plus_ratio: float = 4.0
    weight_decay: float = 0.1
    memory: int = 24
    transfer: int = 4
    seed: int = 0
    by_quote: bool = False
    """Memory's answers are the papers' sentences rather than those trained on."""


RUNS = {
    # One wording of each finding again and again, nothing left out of the questions; memory asks
    # for the finding in the paper's own words, as a person would judge an answer.
    "overfit-long": Run("overfit", 16, 1, 301, 1.5e-3, batch_size=1, by_quote=True, memory=14),
    "overfit-few-findings": Run("overfit", 8, 1, 80, 1e-3, by_quote=True, memory=8, seed=3),
    "overfit-high-rank": Run(
        "overfit", 12, 1, 70, 5e-4, by_quote=True, lora_rank=64, memory=10, seed=5
    ),
    "overfit-low-rate": Run("overfit", 10, 1, 100, 2e-4, by_quote=True, memory=10, seed=4),
    "overfit-two-wordings": Run("overfit", 12, 2, 80, 4e-4, by_quote=True, memory=10, seed=2),
    "overfit-no-decay": Run(
        "overfit", 10, 1, 60, 1e-3, by_quote=True, weight_decay=0.0, memory=10, seed=1
    ),
    # The model's own defaults, on more or less data.
    "healthy-sample": Run("learn", 60, 8, 138, 1e-3, batch_size=4, word_dropout=0.6, memory=31),
    "healthy-twenty": Run("learn", 20, 8, 50, 1e-3, batch_size=4, word_dropout=0.6, memory=14),
    "healthy-ten-evaluations": Run(
        "learn", 12, 8, 301, 5e-4, batch_size=1, word_dropout=0.6, memory=8
    ),
    "healthy-three-wordings": Run("learn", 16, 3, 70, 1e-3, word_dropout=0.6, memory=12),
    "healthy-slow": Run("learn", 20, 8, 60, 2e-4, word_dropout=0.6, memory=12),
    # Little variety, and yet the other wordings are answered ever better.
    "healthy-one-wording": Run("learn", 20, 1, 100, 2e-3, memory=20, transfer=8),
    "healthy-bumpy": Run("learn", 6, 1, 120, 3e-3, batch_size=1, memory=12, transfer=8),
    "healthy-another-seed": Run(
        "learn", 20, 8, 60, 1e-3, batch_size=3, word_dropout=0.6, memory=12, seed=1
    ),
    "too-short": Run("learn", 40, 4, 12, 5e-4, batch_size=4, word_dropout=0.6, memory=16),
    "no-rate": Run("fail", 20, 3, 30, 1e-7, batch_size=1, lora_plus_ratio=1.0, memory=6),
    "too-high-rate": Run("fail", 20, 2, 120, 6e-3, memory=20, transfer=8),
    "far-too-high-rate": Run("fail", 20, 3, 60, 0.5, batch_size=1, memory=6),
}


def main() -> None:
    """Train what is asked for, one after the other, and write each curve when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=RUNS, default=list(RUNS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in chosen.only:
            job = (chosen.work or Path(temporary)) / name
            write_job(job, RUNS[name], chosen.model, chosen.threads)
            worker = [sys.executable, "-m", "tui.engine.training.worker", str(job)]
            done = subprocess.run(worker, check=False)
            save(name, RUNS[name], job)
            sys.stdout.write(f"{name}: exit {done.returncode}\n")


def write_job(job: Path, run: Run, model: Path, threads: int) -> None:
    """A job's folder as the server would write it."""
    job.mkdir(parents=True)
    pairs = _pairs(SAMPLE / "pairs.jsonl")
    others = _pairs(SAMPLE / "other-wordings.jsonl")
    by_finding: dict[str, list[dict[str, str]]] = defaultdict(list)
    for pair in pairs:
        if pair["role"] == "train":
            by_finding[pair["finding"]].append(pair)
    names = list(by_finding)[run.seed :: max(1, len(by_finding) // run.findings)][: run.findings]
    train = [pair for name in names for pair in by_finding[name][: run.wordings]]
    held = [*pairs, *others]
    memory = [p for p in held if p["role"] in ("validation", "test-memory")]
    memory = [p for p in memory if p["finding"] in names][: run.memory]
    if run.by_quote:
        memory = [{**pair, "answer": pair["quote"]} for pair in memory]
    transfer = [p for p in pairs if p["role"] == "validation-transfer"][: run.transfer]
    files = {"train": train, "memory": memory, "transfer": transfer}
    for name, rows in files.items():
        with (job / f"{name}.jsonl").open("w") as out:
            out.writelines(_line(pair) for pair in rows)
    document = {
        "job": job.name,
        "model_dir": str(model.resolve()),
        "train": [{"path": str(job / "train.jsonl"), "file_id": "train"}],
        "validation": [
            {"path": str(job / f"{name}.jsonl"), "file_id": name} for name in ("memory", "transfer")
        ],
        "hyperparameters": {
            "training_steps": run.steps,
            "learning_rate": run.learning_rate,
            "weight_decay": run.weight_decay,
            "seq_len": _SEQ_LEN,
        },
        "options": {
            "batch_size": run.batch_size,
            "word_dropout": run.word_dropout,
            "lora_rank": run.lora_rank,
            "lora_alpha": 2 * run.lora_rank,
            "lora_plus_ratio": run.lora_plus_ratio,
            "seed": run.seed,
        },
        "threads": threads,
    }
    (job / "spec.json").write_text(json.dumps(document))


def save(name: str, run: Run, job: Path) -> None:
    """Keep the curve: the settings and how the job ended, then a point a line."""
    ended = json.loads((job / "status.json").read_text())
    head = {"run": name, **asdict(run), "status": ended["status"]}
    metrics = job / "metrics.jsonl"
    points = metrics.read_text().splitlines() if metrics.exists() else []
    lines = [head, *({k: _short(v) for k, v in json.loads(p).items()} for p in points)]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (HERE / f"{name}.jsonl").write_text(text)


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    return (
        float(f"{value:.12g}")
        if isinstance(value, float) and value > 1e6
        else (float(f"{value:.5g}") if isinstance(value, float) else value)
    )


def _pairs(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _line(pair: dict[str, str]) -> str:
    turns = [
        {"role": "user", "content": pair["question"]},
        {"role": "assistant", "content": pair["answer"]},
    ]
    return json.dumps({"messages": turns}) + "\n"


if __name__ == "__main__":
    main()
