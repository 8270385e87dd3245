"""Runs: all arms answer the same held-out items, and nothing answered is asked twice.

Every answer is appended to `evaluations/<run>/items.jsonl` as it comes; a run that was interrupted
is taken up where it stopped.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from tui.chat import Chat, Question
from tui.datasets import Datasets
from tui.domain.chat import Answer, Arm
from tui.domain.errors import MissingError, NotFoundError, UsageError
from tui.domain.evaluation import Comparison, ItemResult, RunReport
from tui.domain.example import Example, Role, Version
from tui.domain.identifiers import new_id
from tui.domain.model import ModelCard
from tui.evaluation.intervals import paired_difference
from tui.evaluation.metrics import METRICS, score
from tui.evaluation.report import report_test, verdict
from tui.mistral.errors import ApiError, AuthError, Unreachable
from tui.storage.atomic import append_line, read_lines, write_json
from tui.storage.workspace import Workspace

TESTS = {"memory": Role.TEST_MEMORY, "transfer": Role.TEST_TRANSFER}
ALL_ARMS = tuple(Arm)

# Findings are answered in a sentence; what runs on longer is wrong at a price.
_ANSWER_TOKENS = 32
# One question is prepared while another is answered; the cores are the limit, not the waiting.
_CONCURRENCY = 2


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began or was taken up again: `done` of `total` answers exist already."""

    run: str
    total: int
    done: int


@dataclass(frozen=True, slots=True)
class ItemDone:
    """One more answer was scored; None where the arm failed to answer."""

    result: ItemResult | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Task:
    test: str
    example: Example
    arm: Arm
    model: str


class Evaluator:
    """Measures what tuning and retrieval bought, on memory and on transfer, never pooled."""

    def __init__(self, workspace: Workspace, datasets: Datasets, chat: Chat) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self._chat = chat

    async def run(
        self,
        dataset: str,
        model: str,
        *,
        arms: Sequence[Arm] = ALL_ARMS,
        endpoint: str | None = None,
    ) -> AsyncGenerator[RunStarted | ItemDone | RunReport, None]:
        """Ask every test item on every arm; the last event is the report.

        Raises MissingError when the dataset version holds no test items.
        """
        version = await asyncio.to_thread(self._datasets.version, dataset)
        card = await self._chat.pick(model, endpoint)
        arms = _possible(arms, card)
        items = {
            test: await asyncio.to_thread(self._datasets.test_items, version, role)
            for test, role in TESTS.items()
        }
        if not any(items.values()):
            raise MissingError(
                f"{version.name} holds no test items.",
                f"Add question-answer pairs, then: papertune dataset split {version.dataset}",
            )
        tasks = [
            _Task(test, example, arm, card.id if arm.tuned else card.root or card.id)
            # Arms outermost: an engine that changes adapters loses the prompts it has read.
            for arm in sorted(arms, key=lambda arm: (arm.tuned, arm.sources))
            for test, examples in items.items()
            for example in examples
        ]
        run = await asyncio.to_thread(self._begin, version, card, endpoint or "")
        answered = {(r.example, r.arm): r for r in self.items(run)}
        done = sum((task.example.id, task.arm.value) in answered for task in tasks)
        yield RunStarted(run, len(tasks), done)
        waiting = [t for t in tasks if (t.example.id, t.arm.value) not in answered]
        async for result in self._answer_all(run, waiting, endpoint):
            done += 1
            if result is not None:
                answered[result.example, result.arm] = result
            yield ItemDone(result, done, len(tasks))
        yield await asyncio.to_thread(self._finish, run, version, card, arms, items, answered)

    def runs(self) -> list[RunReport]:
        """Finished runs, newest first."""
        rows = self._workspace.connection().execute(
            "SELECT report FROM run WHERE report != '' ORDER BY created_at DESC, id DESC"
        )
        return [msgspec.json.decode(row["report"], type=RunReport) for row in rows]

    def show(self, run: str) -> RunReport:
        """One finished run; raises NotFoundError."""
        row = (
            self._workspace.connection()
            .execute("SELECT report FROM run WHERE id = ? AND report != ''", (run,))
            .fetchone()
        )
        if row is None:
            raise NotFoundError(
                f"There is no finished run '{run}'.", "See them with: papertune eval list"
            )
        return msgspec.json.decode(row["report"], type=RunReport)

    def items(self, run: str) -> list[ItemResult]:
        """Every scored answer of a run, for the error browser."""
        found = []
        for record in read_lines(self._workspace.evaluations / run / "items.jsonl"):
            try:
                found.append(msgspec.convert(record, ItemResult))
            except msgspec.ValidationError:
                continue
        return found

    def compare(self, a: str, b: str) -> dict[str, list[Comparison]]:
        """Run `a` minus run `b`, arm by arm, on the items both answered."""
        left = {(r.example, r.arm): r for r in self._shown_items(a)}
        right = {(r.example, r.arm): r for r in self._shown_items(b)}
        shared = sorted(left.keys() & right.keys())
        if not shared:
            raise UsageError(
                f"{a} and {b} share no item.", "Compare runs of the same dataset version."
            )
        compared: dict[str, list[Comparison]] = {}
        for arm in dict.fromkeys(arm for _, arm in shared):
            keys = [key for key in shared if key[1] == arm]
            compared[arm] = [
                Comparison(
                    a,
                    b,
                    metric,
                    *paired_difference(
                        [left[key].scores[metric] for key in keys],
                        [right[key].scores[metric] for key in keys],
                    ),
                )
                for metric in METRICS
            ]
        return compared

    def _shown_items(self, run: str) -> list[ItemResult]:
        self.show(run)
        return self.items(run)

    async def _answer_all(
        self, run: str, tasks: Sequence[_Task], endpoint: str | None
    ) -> AsyncGenerator[ItemResult | None, None]:
        """Answers in the order they come, `_CONCURRENCY` at a time; None for one that failed."""
        path = self._workspace.evaluations / run / "items.jsonl"
        queue = list(reversed(tasks))
        running: set[asyncio.Task[ItemResult | None]] = set()
        try:
            while queue or running:
                while queue and len(running) < _CONCURRENCY:
                    running.add(asyncio.create_task(self._answer(queue.pop(), endpoint)))
                finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                # What was answered is kept even when a neighbour ends the run.
                ended = await asyncio.gather(*finished, return_exceptions=True)
                for result in ended:
                    if isinstance(result, ItemResult):
                        await asyncio.to_thread(append_line, path, asdict(result))
                for result in ended:
                    if isinstance(result, BaseException):
                        raise result
                    yield result
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _answer(self, task: _Task, endpoint: str | None) -> ItemResult | None:
        question = Question(
            text=task.example.question,
            model=task.model,
            arm=task.arm,
            endpoint=endpoint,
            max_tokens=_ANSWER_TOKENS,
            temperature=0.0,
            purpose="evaluation",
        )
        try:
            answer, retrieved = await self._chat.answer(question)
        except (AuthError, Unreachable):
            raise  # true of every item alike; what was answered is kept and taken up again
        except ApiError:
            return None
        if not answer.complete:
            return None
        return _score(task, answer, retrieved)

    def _begin(self, version: Version, card: ModelCard, endpoint: str) -> str:
        """The id of the unfinished run of the same version and model, else of a new one."""
        with self._workspace.transaction() as connection:
            row = connection.execute(
                "SELECT id FROM run WHERE dataset = ? AND model = ? AND endpoint = ? "
                "AND report = '' ORDER BY created_at DESC",
                (version.name, card.id, endpoint),
            ).fetchone()
            if row is not None:
                return str(row["id"])
            run = new_id("r")
            connection.execute(
                "INSERT INTO run (id, dataset, model, base_model, endpoint, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (run, version.name, card.id, card.root or card.id, endpoint, time.time()),
            )
        return run

    def _finish(
        self,
        run: str,
        version: Version,
        card: ModelCard,
        arms: Sequence[Arm],
        items: dict[str, list[Example]],
        answered: dict[tuple[str, str], ItemResult],
    ) -> RunReport:
        tests = {}
        for test, examples in items.items():
            usable = [e for e in examples if all((e.id, arm.value) in answered for arm in arms)]
            results = [answered[e.id, arm.value] for e in usable for arm in arms]
            tests[test] = report_test(results, arms, len(examples) - len(usable))
        report = RunReport(
            run=run,
            dataset=version.name,
            model=card.id,
            base_model=card.root or card.id,
            created_at=time.time(),
            tests=tests,
            verdict=verdict(tests["memory"], tests["transfer"]),
        )
        document: dict[str, Any] = asdict(report)
        write_json(self._workspace.evaluations / run / "report.json", document)
        with self._workspace.transaction() as connection:
            connection.execute(
                "UPDATE run SET report = ? WHERE id = ?", (json.dumps(document), run)
            )
        return report


def _possible(arms: Sequence[Arm], card: ModelCard) -> tuple[Arm, ...]:
    """The arms this model has; a base model has no tuned ones."""
    possible = tuple(arm for arm in arms if card.tuned or not arm.tuned)
    if not possible:
        raise UsageError(f"{card.id} is a base model.", "Name a fine-tuned model, or base arms.")
    return possible


def _score(task: _Task, answer: Answer, retrieved: tuple[str, ...]) -> ItemResult:
    example = task.example
    return ItemResult(
        example=example.id,
        question=example.question,
        expected=example.answer,
        key_phrase=example.key_phrase,
        paper=example.paper,
        arm=task.arm.value,
        answer=answer.text,
        scores=score(answer.text, example.answer, example.key_phrase),
        retrieved=(
            bool(set(example.passages) & set(retrieved))
            if task.arm.sources and example.passages
            else None
        ),
    )
