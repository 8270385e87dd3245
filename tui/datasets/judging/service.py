"""Having a model judge a dataset's answers against their passages: what commands call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from tui.datasets.content import question_and_answer
from tui.datasets.generation.answers import AnswerError
from tui.datasets.generation.caller import Caller, OutOfBudgetError
from tui.datasets.generation.entailment import Entailment
from tui.datasets.generation.plan import QuestionType
from tui.datasets.generation.prompts import GenerationPrompts
from tui.datasets.generation.run import conversation_text
from tui.datasets.generation.service import Generator
from tui.datasets.judging.agreement import Agreement, agreement
from tui.datasets.judging.store import JUDGE, Judgements, words_of
from tui.datasets.library import Library
from tui.datasets.review import Reviews
from tui.datasets.service import Datasets
from tui.datasets.sides import paper_of
from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Kind, Status
from tui.domain.usage import Amount
from tui.mistral.endpoints import Endpoints
from tui.mistral.errors import ApiError
from tui.mistral.privacy import Gate
from tui.storage.workspace import Workspace

_JUDGED = (Kind.QA, Kind.RETRIEVAL, Kind.CONVERSATION, Kind.SUMMARY)


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict, or why there is none; `of` examples are to be judged in all."""

    event: Literal["judged", "failed"]
    id: str
    entailed: bool | None = None
    verdict: str = ""
    reason: str = ""
    done: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class JudgingFinished:
    """How judging ended: `stopped` is finished, budget or endpoint.

    `agreement` compares all that the model has judged in the dataset with each person's verdicts.
    """

    event: Literal["done"]
    model: str
    judged: int = 0
    entailed: int = 0
    failed: int = 0
    skipped: int = 0
    rejected: int = 0
    tokens: int = 0
    cost: float | None = None
    currency: str | None = None
    stopped: Literal["finished", "budget", "endpoint"] = "finished"
    message: str = ""
    remedy: str = ""
    agreement: tuple[Agreement, ...] = ()


JudgingEvent = Judged | JudgingFinished


class Judge:
    """Judges examples by their source, and measures how far to trust the verdicts."""

    def __init__(
        self,
        workspace: Workspace,
        corpus: Library,
        datasets: Datasets,
        endpoints: Endpoints,
        gate: Gate,
        generator: Generator,
    ) -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._datasets = datasets
        self._endpoints = endpoints
        self._gate = gate
        self._generator = generator
        self._prompts = GenerationPrompts(workspace.root / "prompts")
        self._judgements = Judgements(workspace)

    async def run(
        self,
        name: str,
        model: str,
        *,
        statuses: Collection[Status] = (Status.DRAFT, Status.ACCEPTED),
        endpoint: str | None = None,
        budget: Amount | None = None,
        month_budget: Amount | None = None,
        count: int | None = None,
        concurrency: int | None = None,
        again: bool = False,
        reject: bool = False,
    ) -> AsyncGenerator[JudgingEvent, None]:
        """Judge the examples that have a source, decided ones first; the last event is the end.

        What the model has judged in the same words and with the same prompt is not asked again
        unless `again`. With `reject`, drafts that it finds unsupported are rejected in its name; a
        person's later word outranks that. Raises what `Generator.run` raises.
        """
        client = self._endpoints.for_model(model, endpoint)
        model_id = self._endpoints.resolve(model)
        meter = self._generator.meter(budget, month_budget, [(model_id, client.endpoint)])
        examples = await asyncio.to_thread(self._open, name, statuses)
        known = {} if again else self._judgements.of(name, model_id)
        prompts = {self._prompts.version(prompt) for prompt in ("judge", "judge-refusal")}
        due = [
            example
            for example in examples
            if (old := known.get(example.id)) is None
            or old.content_sha256 != words_of(example)
            or old.prompt not in prompts
        ]
        skipped = len(examples) - len(due)
        due = due[:count]
        self._gate.require(client.endpoint, {p for e in due for p in _papers(e)})
        allowance = self._generator.allowance(month_budget)
        caller = Caller(client, model_id, meter, concurrency, allowance)
        judge = Entailment(caller, self._prompts)
        outcome = _Outcome(len(due))
        waiting = iter(due)
        active: set[asyncio.Task[Judged | None]] = set()
        try:
            while True:
                while len(active) < caller.slots and outcome.stopped is None:
                    example = next(waiting, None)
                    if example is None:
                        break
                    active.add(asyncio.create_task(self._one(judge, example, outcome, reject)))
                if not active:
                    break
                done, active = await asyncio.wait(active, return_when=asyncio.FIRST_COMPLETED)
                for event in (task.result() for task in done):
                    if event is not None:
                        yield event
        finally:
            for task in active:
                task.cancel()
            await asyncio.gather(*active, return_exceptions=True)
        stopped, message, remedy = outcome.stopped or ("finished", "", "")
        cost = next(iter(meter.spent.items()), None)
        yield JudgingFinished(
            event="done",
            model=model_id,
            judged=outcome.judged,
            entailed=outcome.entailed,
            failed=outcome.failed,
            skipped=skipped,
            rejected=outcome.rejected,
            tokens=meter.tokens,
            cost=round(cost[1], 6) if cost else None,
            currency=cost[0] if cost else None,
            stopped=stopped,
            message=message,
            remedy=remedy,
            agreement=tuple(self.agreement(name, model_id)),
        )

    def agreement(self, name: str, model: str) -> list[Agreement]:
        """The judge against each person who decided on examples that it has judged, by name."""
        self._datasets.show(name)
        said = self._judgements.of(name, self._endpoints.resolve(model))
        return [
            agreement(
                person,
                (
                    (right, said[example].entailed)
                    for example, right in verdicts.items()
                    if example in said
                ),
            )
            for person, verdicts in sorted(self._judgements.people(name).items())
        ]

    def models(self, name: str) -> list[str]:
        """The models that have judged a dataset."""
        return self._judgements.models(name)

    def _open(self, name: str, statuses: Collection[Status]) -> list[Example]:
        """Examples with a source that is still there; those that people decided on come first."""
        decided = {e for verdicts in self._judgements.people(name).values() for e in verdicts}
        found = [
            example
            for example in self._datasets.examples(name)
            if example.kind in _JUDGED
            and example.passages
            and (example.status in statuses or example.id in decided)
        ]
        return sorted(found, key=lambda example: example.id not in decided)

    async def _one(
        self, judge: Entailment, example: Example, outcome: _Outcome, reject: bool
    ) -> Judged | None:
        refusal = example.question_type == QuestionType.UNANSWERABLE
        question, answer = question_and_answer(example)
        if example.kind is Kind.CONVERSATION:
            question, answer = conversation_text(example)
        try:
            texts = list(self._texts(example, refusal))
            verdict = await judge.judge(question, answer, texts, refusal=refusal)
        except OutOfBudgetError:
            outcome.stop("budget", "The budget is used.", "Raise it on purpose with --budget.")
            return None
        except ApiError as error:
            outcome.stop("endpoint", error.message, error.remedy)
            return None
        except (AnswerError, NotFoundError) as error:
            outcome.failed += 1
            return Judged("failed", example.id, reason=str(error), done=outcome.done, of=outcome.of)
        self._judgements.keep(example, judge.model, verdict)
        outcome.judged += 1
        outcome.entailed += verdict.entailed
        if reject and not verdict.entailed and example.status is Status.DRAFT:
            reviews = Reviews(self._workspace, f"{JUDGE}{judge.model}")
            why = f"not-entailed: {verdict.verdict}: {verdict.reason}"
            reviews.append(example.dataset, "reject", [example.id], why)
            outcome.rejected += 1
        return Judged(
            "judged",
            example.id,
            verdict.entailed,
            verdict.verdict,
            verdict.reason,
            outcome.done,
            outcome.of,
        )

    def _texts(self, example: Example, refusal: bool) -> Iterator[str]:
        """What the example rests on: for an answer with sources the right one of them."""
        passages = example.passages
        if example.kind is Kind.RETRIEVAL and not refusal:
            passages = passages[:1]
        for passage in passages:
            yield self._corpus.passage(passage).text


@dataclass(slots=True)
class _Outcome:
    of: int
    judged: int = 0
    entailed: int = 0
    failed: int = 0
    rejected: int = 0
    stopped: tuple[Literal["budget", "endpoint"], str, str] | None = None

    @property
    def done(self) -> int:
        return self.judged + self.failed

    def stop(self, why: Literal["budget", "endpoint"], message: str, remedy: str) -> None:
        self.stopped = self.stopped or (why, message, remedy)


def _papers(example: Example) -> set[str]:
    return {example.paper, *map(paper_of, example.passages)} - {""}
