"""Budgets in money and of the month, the judge as a gate, pauses, failures, a real kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.conftest import finding
from tests.datasets.generation.conftest import Author, collect
from tests.datasets.library import PaperShelf
from tests.mistral.faults import FaultServer, answer
from tui.datasets import Datasets
from tui.datasets.generation import GenerationFinished, Generator, Paused, Written
from tui.domain.example import Kind, Status
from tui.domain.paper import Paper
from tui.domain.usage import Amount, LedgerRow
from tui.mistral import Endpoints, Ledger
from tui.mistral.budget import OverBudget, spent
from tui.settings.money import BudgetSettings
from tui.storage.workspace import Workspace

CRASHING = Path(__file__).with_name("crashing.py")


async def test_a_budget_in_money_is_never_passed_and_what_it_cost_is_told(
    generator: Generator, ledger: Ledger
) -> None:
    written, done = await collect(generator, budget=Amount(0.004, "usd"), endpoint="lab")
    assert done.stopped == "budget"
    assert 0 < done.asked < 20
    assert done.currency == "usd"
    assert done.cost == pytest.approx(spent(ledger).usd, abs=1e-6)
    assert 0 < (done.cost or 0.0) <= 0.004
    last = written[-1].progress
    assert last.cost_to_come == pytest.approx((last.cost or 0) * (20 - last.asked) / last.asked)
    assert last.tokens_to_come
    _, rest = await collect(generator, endpoint="lab")
    assert rest.stopped == "finished"


async def test_the_budget_of_the_month_holds_over_runs_and_purposes(
    generator: Generator, endpoints: Endpoints, ledger: Ledger, server: FaultServer
) -> None:
    endpoints.settings = replace(
        endpoints.settings, budget=BudgetSettings(month=Amount(1.0, "usd"))
    )
    _, done = await collect(generator, query="number 0", endpoint="lab")
    assert done.stopped == "finished"
    ledger.record(
        LedgerRow(
            at=time.time(),
            endpoint="mistral",
            model="m",
            purpose="training",
            workspace="",
            cost=1.0,
            currency="usd",
        )
    )
    requests = len(server.requests)
    with pytest.raises(OverBudget, match="month"):
        await collect(generator, query="number 1", endpoint="lab")
    assert len(server.requests) == requests
    more = Amount(2.0, "usd")
    _, done = await collect(generator, query="number 1", endpoint="lab", month_budget=more)
    assert done.stopped == "finished"


async def test_what_others_use_meanwhile_ends_the_run_at_the_budget_of_the_month(
    generator: Generator, endpoints: Endpoints, ledger: Ledger, author: Author, library: PaperShelf
) -> None:
    for n in range(10, 20):
        library.add(Paper(f"q{n}", f"Long {n}"), [finding(n, k) for k in range(5)])
    endpoints.settings = replace(
        endpoints.settings, budget=BudgetSettings(month=Amount(1000.0, "ktok"))
    )

    def and_a_job(pair: dict[str, Any]) -> Any:
        if len(author.shown) == 10:
            ledger.record(LedgerRow(time.time(), "mistral", "m", "training", "", 10**6))
        return pair

    author.change = and_a_job
    _, done = await collect(generator, query="long", wordings=1, endpoint="lab")
    assert done.stopped == "budget"
    assert done.asked < 30


async def test_what_the_judge_finds_unsupported_is_kept_as_rejected(
    generator: Generator, datasets: Datasets, author: Author, ledger: Ledger
) -> None:
    def verdict(body: dict[str, Any]) -> dict[str, str]:
        wrong = "0x1" in body["messages"][0]["content"]
        return {"reason": "No word of it.", "verdict": "not stated" if wrong else "supported"}

    author.verdict = verdict
    _, done = await collect(generator, query="number 0", judge="judge", judge_endpoint="lab")
    assert (done.accepted, done.rejected, done.judged) == (8, {"not-entailed": 2}, 5)
    [first, _] = datasets.examples("answers", status=Status.REJECTED)
    assert first.reason == "not-entailed: not stated: No word of it."
    assert all("<passage-" in said for said in author.judged)
    purposes = Counter(row.purpose for row in ledger.rows())
    assert purposes == {"generation": 5, "judging": 5}


@pytest.mark.parametrize(
    "said", ["Looks fine to me!", '{"verdict": "yes"}', "[" * 3000, "x" * 9999]
)
async def test_a_judge_without_a_verdict_lets_nothing_through(
    generator: Generator, author: Author, said: str
) -> None:
    author.verdict = lambda _: said
    _, done = await collect(generator, query="number 0", wordings=1, judge="judge")
    assert (done.accepted, done.rejected) == (0, {"not-judged": 5})
    assert len(author.judged) == 10


async def test_a_run_waits_and_goes_on_where_it_was(
    generator: Generator, author: Author, workspace: Workspace
) -> None:
    states: list[str] = []
    events: list[Written] = []
    run = generator.run("answers", Kind.QA, "writer", wordings=1)
    async with aclosing(run) as stream:
        async for event in stream:
            if isinstance(event, Paused):
                states.append(event.event)
                if event.event == "paused":
                    assert (
                        Workspace.open(workspace.root)
                        .connection()
                        .execute("SELECT dataset FROM generation_paused")
                        .fetchall()
                    ), "it is on disk"
                    shown = len(author.shown)
                    assert len(events) == shown, "what was under way has been stored"
                    generator.resume("answers")
            elif isinstance(event, GenerationFinished):
                assert (event.stopped, event.accepted) == ("finished", 20)
            else:
                events.append(event)
                if len(events) == 5:
                    generator.pause("answers")
                    assert generator.paused("answers")
    assert states == ["paused", "resumed"]
    assert len(author.shown) == len(set(author.shown)) == 20


async def test_failures_are_listed_by_whoever_failed_and_asked_about_again(
    generator: Generator, datasets: Datasets, author: Author
) -> None:
    author.change = lambda pair: "prose" if "0x2" in pair["question"] else pair
    _, done = await collect(generator, query="number 0", wordings=1)
    assert (done.accepted, done.failed) == (4, 1)
    [failed] = generator.failures("answers")
    assert (failed.unit, failed.model, failed.endpoint) == ("p0#2", "writer", "local")
    assert "JSON" in failed.reason
    assert generator.failures("answers", Kind.SUMMARY) == []
    author.change = lambda pair: pair
    only = generator.reopen("answers", [failed])
    asked = len(author.shown)
    _, done = await collect(generator, wordings=1, only=only)
    assert (done.accepted, done.remaining, len(author.shown)) == (1, 0, asked + 1)
    assert generator.failures("answers") == []
    assert datasets.count("answers", status=Status.DRAFT) == 5


async def fails_in_the_middle(
    generator: Generator, library: PaperShelf, author: Author, datasets: Datasets, at: int, of: int
) -> None:
    for n in range(10, 10 + of // 5):
        library.add(Paper(f"q{n}", f"Long {n}"), [finding(n, k) for k in range(5)])
    left = at

    def failing(pair: dict[str, Any]) -> Any:
        nonlocal left
        left -= 1
        return pair if left >= 0 else answer({"message": "the disk is full"}, 503)

    author.change = failing
    options: dict[str, Any] = {"query": "long", "wordings": 1, "endpoint": "lab"}
    written, done = await collect(generator, **options)
    assert (done.stopped, done.remaining) == ("endpoint", of - at)
    assert "the disk is full" in done.message
    assert len(written) == done.asked == at == datasets.count("answers")
    author.change = lambda pair: pair
    _, rest = await collect(generator, **options)
    assert (rest.stopped, rest.asked, rest.lost) == ("finished", of - at, 0)
    assert datasets.count("answers") == of


async def test_an_endpoint_that_fails_at_item_40_of_100_loses_nothing(
    generator: Generator, library: PaperShelf, author: Author, datasets: Datasets
) -> None:
    await fails_in_the_middle(generator, library, author, datasets, 40, 100)


@pytest.mark.soak
async def test_an_endpoint_that_fails_at_item_400_of_1000_loses_nothing(
    generator: Generator, library: PaperShelf, author: Author, datasets: Datasets
) -> None:
    await fails_in_the_middle(generator, library, author, datasets, 400, 1000)


async def test_a_killed_process_is_carried_on_and_no_passage_is_paid_twice(
    tmp_path: Path, server: FaultServer, author: Author
) -> None:
    """kill -9 in the middle, several times over, at an endpoint that is paid by the call."""
    paid: Counter[str] = Counter()
    process: asyncio.subprocess.Process | None = None

    def counted(pair: dict[str, Any]) -> Any:
        paid[author.shown[-1]] += 1
        if process is not None and len(author.shown) in (6, 13):
            process.send_signal(signal.SIGKILL)
        return pair

    author.change = counted
    ends: list[dict[str, Any]] = []
    places = {f"PAPERTUNE_{name}_DIR": str(tmp_path) for name in ("CONFIG", "DATA", "STATE")}
    for _ in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(CRASHING),
            str(tmp_path / "workspace"),
            server.url,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **places, "PYTHONPATH": str(CRASHING.parents[3])},
        )
        out, _ = await process.communicate()
        with suppress(ValueError, IndexError):
            ends.append(json.loads(out.splitlines()[-1]))
        if process.returncode == 0:
            break
    assert ends
    done = ends[-1]
    assert set(paid.values()) == {1}
    assert 20 - done["lost"] <= len(paid) <= 20
    assert done["lost"] <= 2 * 4, "only what was under way, which is listed and not asked again"
    assert done["stored"] + done["lost"] == 20
    assert done["failures"] == done["lost"]
