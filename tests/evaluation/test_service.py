from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tui.chat import Chat, Question
from tui.corpus import Corpus
from tui.datasets import Datasets
from tui.domain.chat import Answer, Arm
from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import ExitCode, MissingError, NotFoundError, UsageError
from tui.domain.evaluation import RunReport
from tui.domain.model import ModelCard
from tui.evaluation import Evaluator, ItemDone, RunStarted
from tui.mistral import ServerError, Unreachable
from tui.storage.workspace import Workspace

TUNED = ModelCard(id="ft:small:x", endpoint="local", type="fine-tuned", root="small")
HERE = Endpoint("local", EndpointKind.LOCAL, "http://localhost", trusted=True)
PAPER = """# On {name}

{author}

## Abstract

A note on {name} for the tests of papertune.

## Results

In all runs {name} set hard at {kelvin} kelvin.
"""


class ScriptedChat:
    """Answers by a rule and counts what it was asked."""

    def __init__(self, rule: Callable[[Question], str | Exception]) -> None:
        self.rule = rule
        self.asked: list[Question] = []
        self.card = TUNED

    async def pick(self, model: str | None, endpoint: str | None = None) -> ModelCard:
        return self.card

    async def answer(self, question: Question) -> tuple[Answer, tuple[str, ...]]:
        self.asked.append(question)
        said = self.rule(question)
        if isinstance(said, Exception):
            raise said
        answer = Answer(said, question.model, question.arm, finish_reason="stop")
        return answer, ("none#0",) if question.arm.sources else ()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "team")


@pytest.fixture
def datasets(workspace: Workspace, tmp_path: Path) -> Datasets:
    """A frozen dataset with a memory test of four items on four papers."""
    folder = tmp_path / "papers"
    folder.mkdir()
    pairs = []
    for number, name in enumerate(("Velmora", "Ostrin", "Karlun", "Thessen")):
        text = PAPER.format(name=name, author=f"Ada Author{number}", kelvin=200 + number)
        (folder / f"{name.lower()}.md").write_text(text)
        for role, wording in (
            ("train", "At what temperature was {} seen to set?"),
            ("test-memory", "How warm must the dish be before {} turns hard and stays so?"),
        ):
            pairs.append(
                {
                    "question": wording.format(name),
                    "answer": f"{name} sets at {200 + number} kelvin.",
                    "key_phrase": f"{200 + number} kelvin",
                    "quote": f"In all runs {name} set hard at {200 + number} kelvin.",
                    "paper": f"{name.lower()}.md",
                    "finding": name,
                    "role": role,
                }
            )
    corpus = Corpus(workspace)
    corpus.add([folder])
    held = Datasets(workspace, corpus, "Ada")
    held.create("notes")
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    assert held.add_pairs("notes", file).added == len(pairs)
    held.split("notes", transfer=0.0)
    held.freeze("notes")
    return held


def evaluator(workspace: Workspace, datasets: Datasets, chat: ScriptedChat) -> Evaluator:
    return Evaluator(workspace, datasets, cast(Chat, chat))


def knows(question: Question) -> str:
    """The tuned arm knows Velmora and Ostrin; nobody else knows anything."""
    if question.arm is Arm.TUNED and "Velmora" in question.text:
        return "Velmora sets at 200 kelvin."
    if question.arm is Arm.TUNED and "Ostrin" in question.text:
        return "It is 201 Kelvin, I think."
    return "I do not know."


async def finished(events: Any) -> RunReport:
    report = [event async for event in events][-1]
    assert isinstance(report, RunReport)
    return report


async def test_all_arms_answer_the_same_items(workspace: Workspace, datasets: Datasets) -> None:
    chat = ScriptedChat(knows)
    report = await finished(evaluator(workspace, datasets, chat).run("notes", TUNED.id))
    memory = report.tests["memory"]
    assert memory is not None
    assert memory.n == 4
    assert {arm: scores.key_phrase.value for arm, scores in memory.arms.items()} == {
        "base": 0.0,
        "base+sources": 0.0,
        "tuned": 0.5,
        "tuned+sources": 0.0,
    }
    assert memory.arms["tuned"].exact_match.value == 0.25
    assert memory.retrieval == {"recall@5": 0.0}
    assert report.tests["transfer"] is None
    asked = {(question.arm, question.model) for question in chat.asked}
    assert asked == {
        (Arm.BASE, "small"),
        (Arm.BASE_SOURCES, "small"),
        (Arm.TUNED, TUNED.id),
        (Arm.TUNED_SOURCES, TUNED.id),
    }


async def test_an_interrupted_run_asks_nothing_twice(
    workspace: Workspace, datasets: Datasets
) -> None:
    first = ScriptedChat(knows)
    run = evaluator(workspace, datasets, first).run("notes", TUNED.id)
    done = 0
    async for event in run:
        done += isinstance(event, ItemDone)
        if done == 5:
            break
    await run.aclose()
    second = ScriptedChat(knows)
    events = [e async for e in evaluator(workspace, datasets, second).run("notes", TUNED.id)]
    started = events[0]
    assert isinstance(started, RunStarted)
    assert started.done >= 5
    assert started.done + len(second.asked) == started.total == 16


async def test_an_item_that_one_arm_cannot_answer_counts_for_none(
    workspace: Workspace, datasets: Datasets
) -> None:
    def breaks(question: Question) -> str | Exception:
        if question.arm is Arm.BASE and "Karlun" in question.text:
            return ServerError("The server failed.", status=500)
        return knows(question)

    report = await finished(
        evaluator(workspace, datasets, ScriptedChat(breaks)).run("notes", TUNED.id)
    )
    memory = report.tests["memory"]
    assert memory is not None
    assert (memory.n, memory.unusable) == (3, 1)


async def test_a_lost_endpoint_ends_the_run_and_keeps_what_was_answered(
    workspace: Workspace, datasets: Datasets
) -> None:
    chat = ScriptedChat(knows)

    def dies(question: Question) -> str | Exception:
        if len(chat.asked) > 6:
            return Unreachable("Nobody answers.", reached=False, exit_code=ExitCode.FAILED)
        return knows(question)

    chat.rule = dies
    with pytest.raises(Unreachable):
        await finished(evaluator(workspace, datasets, chat).run("notes", TUNED.id))
    again = ScriptedChat(knows)
    report = await finished(evaluator(workspace, datasets, again).run("notes", TUNED.id))
    assert len(again.asked) < 16
    memory = report.tests["memory"]
    assert memory is not None
    assert memory.n == 4


async def test_a_base_model_has_no_tuned_arms(workspace: Workspace, datasets: Datasets) -> None:
    chat = ScriptedChat(knows)
    chat.card = ModelCard(id="small", endpoint="local")
    report = await finished(evaluator(workspace, datasets, chat).run("notes", "small"))
    memory = report.tests["memory"]
    assert memory is not None
    assert list(memory.arms) == ["base", "base+sources"]
    with pytest.raises(UsageError, match="base model"):
        await finished(evaluator(workspace, datasets, chat).run("notes", "small", arms=[Arm.TUNED]))


async def test_a_finished_run_is_listed_shown_and_compared(
    workspace: Workspace, datasets: Datasets
) -> None:
    service = evaluator(workspace, datasets, ScriptedChat(knows))
    one = await finished(service.run("notes", TUNED.id))
    other = await finished(
        evaluator(workspace, datasets, ScriptedChat(lambda _: "No.")).run("notes", TUNED.id)
    )
    assert [report.run for report in service.runs()] == [other.run, one.run]
    assert service.show(one.run) == one
    tuned = {c.metric: c for c in service.compare(one.run, other.run)["tuned"]}
    assert tuned["key_phrase"].difference == 0.5
    with pytest.raises(NotFoundError):
        service.show("r-none")


async def test_a_dataset_without_tests_says_what_to_do(
    workspace: Workspace, datasets: Datasets, tmp_path: Path
) -> None:
    datasets.create("bare")
    file = tmp_path / "bare.jsonl"
    file.write_text('{"question": "Why?", "answer": "So.", "role": "train"}\n')
    datasets.add_pairs("bare", file)
    datasets.freeze("bare")
    with pytest.raises(MissingError, match="dataset split"):
        await finished(evaluator(workspace, datasets, ScriptedChat(knows)).run("bare", TUNED.id))
