"""The whole job, all of it real, on a few findings: papers in, a measured model out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.acceptance.conftest import FINDINGS, TRANSFER
from tui.cli import papertune
from tui.domain.chat import Arm
from tui.quickstart.guide import STEPS, StepId
from tui.quickstart.plan import Plan
from tui.quickstart.run import Finished, QuickstartEvent, StepDone, StepProgress, run_quickstart
from tui.services import Services

pytestmark = [pytest.mark.train, pytest.mark.timeout(900)]


def do(workspace: Path, plan: Plan) -> list[QuickstartEvent]:
    services = Services.open(workspace)

    async def whole() -> list[QuickstartEvent]:
        return [event async for event in run_quickstart(services, plan)]

    return services.run(whole())


def test_papers_become_a_measured_model_and_a_second_run_repeats_nothing(
    tmp_path: Path, small_plan: Plan, ended_engine: str
) -> None:
    events = do(tmp_path / "team", small_plan)
    done = [event.step for event in events if isinstance(event, StepDone)]
    assert done == [*[step.id for step in STEPS[:5]], "engine", *[step.id for step in STEPS[5:]]]
    losses = [
        event.figures
        for event in events
        if isinstance(event, StepProgress) and "memory_loss" in event.figures
    ]
    assert losses, "memory is measured while it trains"
    assert all("transfer_loss" in figures for figures in losses)
    train = [
        event.figures["train_loss"]
        for event in events
        if isinstance(event, StepProgress) and event.figures.get("train_loss") is not None
    ]
    assert sum(train[-3:]) < sum(train[:3]), "it learns"
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.model.startswith(f"ft:{ended_engine}:")
    memory, transfer = last.tests["memory"], last.tests["transfer"]
    assert memory["n"] == FINDINGS
    assert transfer["n"] == TRANSFER
    assert set(memory["arms"]) == set(Arm)
    assert memory["arms"]["tuned"]["f1"]["value"] > memory["arms"]["base"]["f1"]["value"]
    assert memory["retrieval"]["recall@5"] == 1.0

    again = do(tmp_path / "team", small_plan)
    assert again[-1] == last
    repeated = [e.step for e in again if isinstance(e, StepDone) and e.already]
    assert {StepId.PAPERS, StepId.COMPOSE, StepId.FREEZE, StepId.TRAIN, StepId.EVALUATE} <= set(
        repeated
    )

    answer = CliRunner().invoke(
        papertune,
        ["-w", str(tmp_path / "team"), "chat", "--json", "--model", last.model, "Velmora resin?"],
    )
    document = json.loads(answer.stdout)
    assert document["arm"] == "tuned+sources"
    assert document["finish_reason"] in ("stop", "length")
    assert document["sources"][0]["paper"]
    assert document["usage"]["completion_tokens"] > 0


def test_the_job_in_plain_calls(
    tmp_path: Path, small_plan: Plan, ended_engine: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """docs/fine_tune.py does what it says against a running engine."""
    from docs.fine_tune import main

    assert small_plan.pairs is not None
    pairs = [json.loads(line) for line in small_plan.pairs.read_text().splitlines()]
    for role in ("train", "validation"):
        lines = [
            {
                "messages": [
                    {"role": "user", "content": pair["question"]},
                    {"role": "assistant", "content": pair["answer"]},
                ]
            }
            for pair in pairs
            if pair["role"] == "train"
        ][: 8 if role == "train" else 2]
        (tmp_path / f"{role}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    started = CliRunner().invoke(papertune, ["-w", str(tmp_path / "w"), "engine", "start"])
    assert started.exit_code == 0, started.output
    main(tmp_path / "train.jsonl", tmp_path / "validation.jsonl", pairs[0]["question"])
    said = capsys.readouterr().out
    assert "uploaded train.jsonl: 8 lines" in said
    assert "step 4:" in said
    assert f"ft:{ended_engine}:" in said
