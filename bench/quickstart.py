"""The quickstart's numbers: time per step, what memory and other people's wordings reach.

    python bench/quickstart.py [--keep DIR]

Runs the whole job on the sample papers in places of its own (about eight minutes on two quiet
cores), then asks the same model the sixty questions that somebody else worded. Targets: the whole
job ≤ 480 s and its training ≤ 150 s after downloads; memory base ≤ 10 %, tuned ≥ 85 %; other
wordings ≥ 75 %; recall@5 ≥ 95 %.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from tui.domain.chat import Arm
from tui.domain.evaluation import RunReport
from tui.quickstart.plan import make_plan, sample_folder
from tui.quickstart.run import Finished, StepDone, run_quickstart
from tui.services import Services

_OTHERS = "other-wordings"


async def whole_job(services: Services) -> tuple[Finished, dict[str, float]]:
    seconds: dict[str, float] = {}
    async for event in run_quickstart(services, make_plan(None)):
        if isinstance(event, StepDone):
            seconds[event.step] = event.seconds
            print(f"{event.step:<10} {event.seconds:8.1f} s", flush=True)
        elif isinstance(event, Finished):
            return event, seconds
    raise AssertionError("the job ends in Finished")


async def other_wordings(services: Services, model: str, folder: Path) -> RunReport:
    """The tuned model on questions that somebody else wrote about the same findings."""
    sample = sample_folder()
    lines = [
        line
        for line in (sample / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
        if json.loads(line)["role"] == "train"
    ]
    lines += (sample / f"{_OTHERS}.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = folder / "others.jsonl"
    pairs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    services.datasets.create(_OTHERS)
    services.datasets.add_pairs(_OTHERS, pairs)
    services.datasets.freeze(_OTHERS)
    async for event in services.evaluator.run(_OTHERS, model, arms=[Arm.BASE, Arm.TUNED]):
        if isinstance(event, RunReport):
            return event
    raise AssertionError("a run ends in its report")


async def measure(services: Services, folder: Path) -> list[tuple[str, float, str, float]]:
    started = time.monotonic()
    done, seconds = await whole_job(services)
    total = time.monotonic() - started
    memory, transfer = done.tests["memory"], done.tests["transfer"]
    others = (await other_wordings(services, done.model, folder)).tests["memory"]
    assert others is not None
    for name, test in (("memory", memory), ("transfer", transfer)):
        for arm, scores in test["arms"].items():
            print(f"{name:<9} {arm:<14} {scores['key_phrase']['value'] * 100:5.1f} %")
    await services.engine.stop()
    arms = memory["arms"]
    return [
        ("whole job, s", total, "<=", 480),
        ("training, s", seconds["watch"], "<=", 150),
        ("memory items", memory["n"], ">=", 60),
        ("memory base, %", arms["base"]["key_phrase"]["value"] * 100, "<=", 10),
        ("memory tuned, %", arms["tuned"]["key_phrase"]["value"] * 100, ">=", 85),
        ("recall@5, %", memory["retrieval"]["recall@5"] * 100, ">=", 95),
        ("other wordings, %", others.arms["tuned"].key_phrase.value * 100, ">=", 75),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="The quickstart's numbers.")
    parser.add_argument("--keep", type=Path, help="A folder for workspace and engine, kept.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="papertune-bench-") as temporary:
        folder = (arguments.keep or Path(temporary)).absolute()
        for place in ("CONFIG", "DATA", "STATE", "CACHE"):
            os.environ[f"PAPERTUNE_{place}_DIR"] = str(folder / place.lower())
        services = Services.open(folder / "workspace")
        for name, value, sign, target in services.run(measure(services, folder)):
            met = value <= target if sign == "<=" else value >= target
            print(
                f"{name:<18} {value:8.1f}  target {sign} {target:<6g} {'met' if met else 'MISSED'}"
            )
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
