"""The steps of the whole job, and which of them are done: told from the facts, never remembered.

A step is done when its result exists (papers in the corpus, a frozen version, a model), so a guide
that was interrupted, or a person who went ahead on their own, always finds the right next key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tui.corpus import Corpus
from tui.datasets import Datasets
from tui.domain.errors import NotFoundError, PapertuneError
from tui.domain.job import Job, JobStatus
from tui.evaluation import Evaluator
from tui.jobs import Jobs
from tui.mistral import EngineOff, Unreachable
from tui.quickstart.plan import SAMPLE_QUESTION, Plan, mark, marked, recall
from tui.storage.workspace import Workspace


class StepId(StrEnum):
    """The steps, in order."""

    PAPERS = "papers"
    COMPOSE = "compose"
    SPLIT = "split"
    CHECK = "check"
    FREEZE = "freeze"
    TRAIN = "train"
    WATCH = "watch"
    CHAT = "chat"
    EVALUATE = "evaluate"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the screen it happens in, the action that does it, what to tell a newcomer.

    `action` is an id of the action registry, so that the key shown is the one the user has bound.
    """

    id: StepId
    screen: str
    action: str
    title: str
    hint: str


STEPS = (
    Step(StepId.PAPERS, "corpus", "corpus.add", "Add the papers", "reads every file of the folder"),
    Step(
        StepId.COMPOSE,
        "datasets",
        "datasets.add",
        "Compose a training set",
        "examples to learn from",
    ),
    Step(
        StepId.SPLIT,
        "datasets",
        "datasets.split",
        "Split it",
        "some stays out, to measure with",
    ),
    Step(StepId.CHECK, "datasets", "datasets.check", "Check it", "finds errors and leaks"),
    Step(
        StepId.FREEZE,
        "datasets",
        "datasets.freeze",
        "Freeze it",
        "a version that never changes",
    ),
    Step(
        StepId.TRAIN,
        "jobs",
        "jobs.new",
        "Start the fine-tuning",
        "on this machine",
    ),
    Step(
        StepId.WATCH,
        "jobs",
        "jobs.open",
        "Watch it learn",
        "it goes on when you leave",
    ),
    Step(StepId.CHAT, "chat", "chat.ask", "Ask the model", "with and without sources"),
    Step(
        StepId.EVALUATE,
        "evaluation",
        "evaluation.run",
        "Measure what it bought",
        "by what was kept out",
    ),
)


_AFTER = {
    True: "That was the whole job. Your papers: papertune quickstart --papers DIR",
    False: "That was the whole job. Next: add questions and answers, to measure it",
}
"""What may come after the last step, for the sample and for one's own papers; fits 80 columns."""

_WATCH = next(step for step in STEPS if step.id is StepId.WATCH)
# In its place while the engine is off, which alone knows how far the job is.
_ENGINE = replace(
    _WATCH, action="jobs.engine", title="Start the engine", hint="your job is kept there"
)

_FAILED = (JobStatus.FAILED, JobStatus.FAILED_VALIDATION, JobStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the guided job stands; `step` is None when all is done; `next` says what may follow.

    `prefill` holds what the step's dialog should offer, by field name.
    """

    step: Step | None
    number: int
    total: int
    prefill: Mapping[str, str] = field(default_factory=dict)
    next: str = ""


class Guide:
    """Finds the next step of a guided workspace."""

    def __init__(
        self,
        workspace: Workspace,
        corpus: Corpus,
        datasets: Datasets,
        jobs: Jobs,
        evaluator: Evaluator,
    ) -> None:
        self._workspace = workspace
        self._corpus = corpus
        self._datasets = datasets
        self._jobs = jobs
        self._evaluator = evaluator

    @property
    def plan(self) -> Plan | None:
        """What is being done here; None in a workspace without a guide."""
        return recall(self._workspace)

    def mark(self, step: StepId, value: str) -> None:
        """Note a step whose result is kept nowhere else: a check that was read, a question asked.

        `value` is what it was done for, a dataset or a model; another one has to be done anew.
        """
        mark(self._workspace, step, value)

    async def progress(self) -> Progress | None:
        """The first step that is not done; None in a workspace without a guide."""
        plan = self.plan
        if plan is None:
            return None
        # A folder of papers brings no questions, so there is nothing to measure with yet.
        steps = [step for step in STEPS if plan.sample or step.id is not StepId.EVALUATE]
        done = Progress(None, len(steps), len(steps), next=_AFTER[plan.sample])
        try:
            job = await self._newest(plan)
        except EngineOff:
            if await asyncio.to_thread(self._ended, plan):
                return done
            return Progress(_ENGINE, steps.index(_WATCH) + 1, len(steps))
        for number, step in enumerate(steps, start=1):
            if not await asyncio.to_thread(self._done, step.id, plan, job):
                prefill = _prefill(step.id, plan, job)
                if step.id is StepId.COMPOSE and await asyncio.to_thread(self._begun, plan):
                    prefill["kind"] = plan.kinds[-1].value
                    again = replace(step, hint="now the full text")
                    return Progress(again, number, len(steps), prefill)
                if step.id is StepId.CHAT:
                    question = await asyncio.to_thread(first_question, plan, self._corpus)
                    prefill["question"] = question
                return Progress(step, number, len(steps), prefill)
        return done

    async def job(self, plan: Plan) -> Job | None:
        """The newest job on the plan's newest version that has not failed.

        None also while the engine cannot be asked.
        """
        try:
            return await self._newest(plan)
        except EngineOff:
            return None

    async def _newest(self, plan: Plan) -> Job | None:
        """As `job`, but raises EngineOff where there is a job that only its engine knows."""
        try:
            version = await asyncio.to_thread(self._datasets.version, plan.dataset)
            job_id = await asyncio.to_thread(self._jobs.newest_for, version.name)
            job = await self._jobs.get(job_id) if job_id else None
        except (EngineOff, Unreachable):
            raise EngineOff from None
        except PapertuneError:
            return None
        return None if job is None or job.status in _FAILED else job

    def _ended(self, plan: Plan) -> bool:
        """Whether the last step was done, told without the engine."""
        if not plan.sample:
            return bool(marked(self._workspace, StepId.CHAT))
        name = self._datasets.version(plan.dataset).name
        return any(report.dataset == name for report in self._evaluator.runs())

    def _done(self, step: StepId, plan: Plan, job: Job | None) -> bool:
        if step is StepId.PAPERS:
            return self._corpus.count() > 0
        if step in (StepId.COMPOSE, StepId.SPLIT, StepId.CHECK, StepId.FREEZE):
            return self._prepared(step, plan)
        if step is StepId.TRAIN or job is None:
            return job is not None
        return self._used(step, job)

    def _used(self, step: StepId, job: Job) -> bool:
        model = job.fine_tuned_model or ""
        match step:
            case StepId.WATCH:
                return job.status == JobStatus.SUCCESS
            case StepId.CHAT:
                return bool(model) and marked(self._workspace, StepId.CHAT) == model
            case _:
                return any(report.model == model for report in self._evaluator.runs())

    def _begun(self, plan: Plan) -> bool:
        """Whether the first of several kinds was composed; it may have found nothing."""
        return len(plan.kinds) > 1 and any(s.name == plan.dataset for s in self._datasets.list())

    def _prepared(self, step: StepId, plan: Plan) -> bool:
        try:
            summary = self._datasets.show(plan.dataset)
        except NotFoundError:
            return False
        if summary.versions:
            return True
        match step:
            case StepId.COMPOSE:
                return bool(summary.kinds.get(plan.kinds[-1]))
            case StepId.SPLIT:
                return marked(self._workspace, StepId.SPLIT) == plan.dataset
            case StepId.CHECK:
                return marked(self._workspace, StepId.CHECK) == plan.dataset
            case _:
                return False


def first_question(plan: Plan, corpus: Corpus) -> str:
    """What to ask the finished model first: of the sample a finding, else what a paper is about."""
    if plan.sample:
        return SAMPLE_QUESTION
    papers = corpus.papers(limit=1)
    return f"What is the paper “{papers[0].title}” about?" if papers else ""


def _prefill(step: StepId, plan: Plan, job: Job | None) -> dict[str, str]:
    """What the step's dialog should offer, by the name of its field."""
    model = (job.fine_tuned_model if job else None) or ""
    match step:
        case StepId.PAPERS:
            return {"path": str(plan.papers)}
        case StepId.COMPOSE:
            return {
                "name": plan.dataset,
                "kind": plan.kinds[0].value,
                "file": str(plan.pairs) if plan.pairs else "",
            }
        case StepId.TRAIN:
            steps = str(plan.steps) if plan.steps else ""
            return {"dataset": plan.dataset, "model": plan.model, "steps": steps}
        case StepId.CHAT:
            return {"model": model}
        case StepId.EVALUATE:
            return {"model": model, "dataset": plan.dataset}
        case _:
            return {"dataset": plan.dataset}
