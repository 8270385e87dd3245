"""Launching: settings that suit model and data, small starts, copies, budgets of the month."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.jobs.conftest import Shelf
from tests.jobs.test_submit import JOBS, Api
from tests.mistral.faults import FaultServer, answer
from tui.domain.job import Hyperparameters
from tui.domain.usage import Amount, LedgerRow
from tui.jobs import JobRequest, Jobs
from tui.jobs.suggest import KNOBS, rate_for, settle, small_lines, steps_for
from tui.mistral import Endpoints, Ledger
from tui.mistral.budget import OverBudget
from tui.settings.money import BudgetSettings
from tui.storage.workspace import Workspace

GIVEN = JobRequest("answers", "m", hyperparameters=Hyperparameters(training_steps=100))


@pytest.fixture
def hosted(api: FaultServer) -> Api:
    api.on("GET", "/local/catalogue", answer([]))
    return Api(api)


def test_steps_suit_the_size_of_the_data() -> None:
    assert steps_for(20, 4) == 25  # five passes over little data
    assert steps_for(180, 4) == 135
    assert steps_for(2_000, 4) == 1_000
    assert steps_for(50_000, 4) == 12_500
    assert steps_for(0, 4) == 1
    counts = [steps_for(n, 4) for n in (1, 5, 20, 60, 180, 480)]
    assert counts == sorted(counts)


def test_rates_fall_with_the_size_of_the_model() -> None:
    rates = [rate_for(size) for size in (135e6, 1e9, 7e9, 70e9)]
    assert rates == sorted(rates, reverse=True) and rate_for(None) == rate_for(70e9)


def test_every_setting_has_a_line_on_what_it_means() -> None:
    assert {knob.name for knob in KNOBS} >= {"training_steps", "learning_rate", "batch_size"}
    assert all(knob.label and 10 < len(knob.meaning) < 80 for knob in KNOBS)


def test_what_is_given_stays_and_the_models_defaults_fill_the_rest() -> None:
    filled, options = settle(
        Hyperparameters(epochs=2.0),
        {"batch_size": 8},
        examples=80,
        defaults={"learning_rate": 1e-3, "seq_len": 512, "batch_size": 4},
    )
    assert (filled.training_steps, filled.learning_rate, filled.seq_len) == (20, 1e-3, 512)
    assert options["batch_size"] == 8


async def test_steps_are_sent_where_nobody_named_them(hosted: Api, jobs: Jobs) -> None:
    await jobs.create(JobRequest("answers", "m"))
    body = hosted.server.asked("POST", JOBS)[0].json()
    assert body["hyperparameters"]["training_steps"] == 20


async def test_a_small_start_sends_a_tenth_and_few_steps(
    hosted: Api, jobs: Jobs, shelf: Shelf
) -> None:
    path = shelf.folder / "train.messages.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[0] * 500))
    await jobs.create(replace(GIVEN, small=True))
    body = hosted.server.asked("POST", JOBS)[0].json()
    assert body["hyperparameters"]["training_steps"] == 20
    assert hosted.uploads[0].body.count(b'{"messages"') == 50
    await jobs.create(GIVEN)
    whole = hosted.server.asked("POST", JOBS)[1].json()
    assert whole["training_files"] != body["training_files"]
    assert [small_lines(n) for n in (3, 60, 500)] == [3, 8, 50]


async def test_a_copy_starts_from_what_was_asked_for(hosted: Api, jobs: Jobs) -> None:
    request = replace(
        GIVEN,
        suffix="team",
        hyperparameters=Hyperparameters(training_steps=7, learning_rate=2e-4),
        options={"lora_rank": 8},
        small=True,
    )
    job = await jobs.create(request)
    hosted.server.on("GET", f"{JOBS}/{job.id}", answer(hosted.jobs[0]))
    copy = await jobs.request_of(job.id)
    assert copy.dataset == "answers@v1"
    assert (copy.hyperparameters, copy.options, copy.small, copy.suffix) == (
        request.hyperparameters,
        {"lora_rank": 8},
        True,
        "team",
    )


async def test_a_months_budget_holds_for_jobs_and_is_raised_on_purpose(
    hosted: Api, workspace: Workspace, shelf: Shelf, endpoints: Endpoints
) -> None:
    ledger = Ledger()
    ledger.record(LedgerRow(time.time(), "local", "m", "generation", "w", prompt_tokens=900))
    jobs = Jobs(
        workspace,
        shelf,
        endpoints,
        ledger,
        budgets=lambda: BudgetSettings(month=Amount.parse("3ktok")),
    )
    with pytest.raises(OverBudget, match="month") as refused:
        await jobs.create(GIVEN)
    assert "--month-budget" in refused.value.remedy and not hosted.uploads
    small = replace(GIVEN, hyperparameters=Hyperparameters(training_steps=30))
    await jobs.create(small)  # 0.9 used and 1.2 to come fit into 3
    with pytest.raises(OverBudget, match="for jobs under way"):
        await jobs.create(replace(small, suffix="second"))
    raised = replace(small, suffix="second", month_budget=Amount.parse("5ktok"))
    assert (await jobs.create(raised)).id
    assert len(hosted.jobs) == 2


async def test_a_budget_for_each_job_stands_in_the_settings(
    hosted: Api, workspace: Workspace, shelf: Shelf, endpoints: Endpoints
) -> None:
    jobs = Jobs(
        workspace,
        shelf,
        endpoints,
        Ledger(),
        budgets=lambda: BudgetSettings(job=Amount.parse("1ktok")),
    )
    with pytest.raises(OverBudget):
        await jobs.create(GIVEN)
    await jobs.create(replace(GIVEN, budget=Amount.parse("9ktok")))
    assert len(hosted.jobs) == 1
