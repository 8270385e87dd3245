"""The whole job without a terminal: each step through its service, with its figures.

Every step first looks whether its result exists already, so running again after an interruption
carries on and repeats nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tui.chat import Question
from tui.domain.chat import Answer, Arm
from tui.domain.errors import NotFoundError, PapertuneError, UsageError
from tui.domain.evaluation import RunReport
from tui.domain.example import Form, Kind, Role, Status, Version
from tui.domain.job import Hyperparameters, Job, JobStatus, LossPoint
from tui.domain.paper import Failure
from tui.evaluation.document import tests_document
from tui.jobs import JobRequest
from tui.jobs.prepare import make_ready
from tui.quickstart.guide import StepId, first_question
from tui.quickstart.parts import Parts
from tui.quickstart.plan import Plan, mark, marked, remember
from tui.text import visible

# A folder of papers can hold days of training on a CPU; a first taste must end while one looks on.
_TASTE_SECONDS = 600
# Answers the folder's run asks for; it has no questions of its own to measure with.
_NO_QUESTIONS = (
    "Not measured: your folder holds papers but no questions yet. Write question-answer pairs in "
    "several wordings (papertune dataset add NAME --kind qa --file PAIRS.jsonl), train on them, "
    "and measure with: papertune eval run"
)


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step came to its end, or was found done; `figures` are what it says of itself."""

    step: str
    seconds: float
    already: bool
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A long step is under way."""

    step: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole job is done; these are the keys of the command's last line."""

    workspace: str
    dataset: str
    job: str
    model: str
    run: str | None
    tests: dict[str, Any]
    verdict: str


class NoPapersError(UsageError):
    """The folder holds nothing that could be read as a paper."""

    def __init__(self, folder: Path, failures: Sequence[Failure]) -> None:
        why = ""
        if failures:
            more = f", and {len(failures) - 1} more failed" if len(failures) > 1 else ""
            why = f" ({visible(Path(failures[0].path).name)}: {visible(failures[0].reason)}{more})"
        super().__init__(
            f"No paper could be read in {visible(str(folder))}{why}.",
            "Put PDF, LaTeX, Markdown or text files there, or name another folder with --papers.",
        )


QuickstartEvent = StepDone | StepProgress | Finished


async def run_quickstart(services: Parts, plan: Plan) -> AsyncIterator[QuickstartEvent]:
    """Do every step of `plan` in the services' workspace; the last event is `Finished`."""
    remember(services.workspace, plan)
    yield await _papers(services, plan)
    yield await _compose(services, plan)
    yield await _split(services, plan)
    yield await _check(services, plan)
    frozen = await _freeze(services, plan)
    yield frozen
    version = await asyncio.to_thread(services.datasets.version, plan.dataset)
    async for event in _engine(services, plan):
        yield event
    job = None
    async for item in _train(services, plan, version):
        if isinstance(item, Job):
            job = item
        else:
            yield item
    assert job is not None and job.fine_tuned_model, "training ends in a model or raises"
    yield await _ask(services, plan, job.fine_tuned_model)
    report: RunReport | None = None
    async for measured in _evaluate(services, version, job.fine_tuned_model):
        if isinstance(measured, RunReport):
            report = measured
        else:
            yield measured
    yield Finished(
        workspace=str(services.workspace.root),
        dataset=version.name,
        job=job.id,
        model=job.fine_tuned_model,
        run=report.run if report else None,
        tests=tests_document(report) if report else {"memory": None, "transfer": None},
        verdict=report.verdict if report else _NO_QUESTIONS,
    )


async def _papers(services: Parts, plan: Plan) -> StepDone:
    started = time.monotonic()
    report = await asyncio.to_thread(services.corpus.add, [plan.papers])
    if not report.added + report.updated + report.unchanged:
        raise NoPapersError(plan.papers, report.failures)
    figures = asdict(report)
    figures["failures"] = [asdict(failure) for failure in report.failures]
    return StepDone(
        StepId.PAPERS, time.monotonic() - started, not (report.added or report.updated), figures
    )


async def _compose(services: Parts, plan: Plan) -> StepDone:
    started = time.monotonic()
    datasets = services.datasets
    try:
        summary = await asyncio.to_thread(datasets.show, plan.dataset)
    except NotFoundError:
        summary = await asyncio.to_thread(datasets.create, plan.dataset)
    before = summary.examples
    failures = []
    if plan.pairs:
        report = await asyncio.to_thread(datasets.add_pairs, plan.dataset, plan.pairs)
        failures += list(report.failures)
    for kind in plan.kinds:
        if kind is Kind.QA:
            continue
        form = Form.TEXT if kind is Kind.FULL_TEXT else Form.MESSAGES
        report = await asyncio.to_thread(
            datasets.add_from_corpus, plan.dataset, kind, query="", form=form
        )
        failures += list(report.failures)
    await asyncio.to_thread(_accept_drafts, services, plan)
    summary = await asyncio.to_thread(datasets.show, plan.dataset)
    if not summary.examples:
        raise PapertuneError(
            "Nothing could be composed from these papers.",
            "See what was read with: papertune corpus list",
        )
    return StepDone(
        StepId.COMPOSE,
        time.monotonic() - started,
        summary.examples == before,
        {
            "dataset": plan.dataset,
            "examples": summary.examples,
            "kinds": summary.kinds,
            "failed": len(failures),
        },
    )


def _accept_drafts(services: Parts, plan: Plan) -> None:
    """Text cut from the papers themselves needs no review before a first training."""
    drafts = services.datasets.examples(plan.dataset, status=Status.DRAFT)
    if drafts:
        ids = [example.id for example in drafts]
        services.datasets.decide(plan.dataset, ids, Status.ACCEPTED, reason="quickstart")


async def _split(services: Parts, plan: Plan) -> StepDone:
    started = time.monotonic()
    report = await asyncio.to_thread(services.datasets.split, plan.dataset)
    mark(services.workspace, StepId.SPLIT, plan.dataset)
    figures = {
        "roles": {role: asdict(count) for role, count in report.roles.items()},
        "notes": list(report.notes),
    }
    return StepDone(StepId.SPLIT, time.monotonic() - started, False, figures)


async def _check(services: Parts, plan: Plan) -> StepDone:
    started = time.monotonic()
    report = await asyncio.to_thread(services.datasets.check, plan.dataset)
    if report.invalid:
        first = report.errors[0]
        raise PapertuneError(
            f"{report.invalid} examples are invalid; the first, line {first.line}: "
            f"{first.message}.",
            f"See all with: papertune dataset check {plan.dataset}",
        )
    mark(services.workspace, StepId.CHECK, plan.dataset)
    names = ("lines", "valid", "tokens", "over_length", "duplicates", "near_duplicates", "leaks")
    figures = {name: getattr(report, name) for name in names}
    return StepDone(StepId.CHECK, time.monotonic() - started, False, figures)


async def _freeze(services: Parts, plan: Plan) -> StepDone:
    started = time.monotonic()
    existing = set((await asyncio.to_thread(services.datasets.show, plan.dataset)).versions)
    version = await asyncio.to_thread(services.datasets.freeze, plan.dataset)
    figures = {
        "version": version.name,
        "examples": version.examples,
        "papers": len(version.papers),
        "files": {name: entry.lines for name, entry in version.files.items()},
    }
    return StepDone(StepId.FREEZE, time.monotonic() - started, version.version in existing, figures)


async def _engine(services: Parts, plan: Plan) -> AsyncIterator[QuickstartEvent]:
    started = time.monotonic()
    fetched = False
    async for progress in make_ready(services.engine, services.endpoints, plan.model):
        fetched = True
        yield StepProgress("engine", asdict(progress))
    status = await services.engine.status()
    yield StepDone(
        "engine",
        time.monotonic() - started,
        not fetched,
        {"url": status.url, "device": status.device, "model": plan.model},
    )


async def _train(
    services: Parts, plan: Plan, version: Version
) -> AsyncIterator[QuickstartEvent | Job]:
    """Start the job, or find it again, and follow it to its end; the last item is the job."""
    started = time.monotonic()
    job = await services.guide.job(plan)
    already = job is not None
    if job is None:
        job = await services.jobs.create(await _request(services, plan, version))
    yield StepDone(
        StepId.TRAIN,
        time.monotonic() - started,
        already,
        {"job": job.id},
    )
    started = time.monotonic()
    names = await services.jobs.validation_names(job)
    last: LossPoint | None = None
    async for event in services.jobs.watch(job.id, revive=True):
        job = event.job or job
        if event.event == "warning":
            yield StepProgress(StepId.WATCH, {"warning": event.message})
        elif event.event == "status":
            steps = job.hyperparameters.training_steps
            figures = {"status": str(event.status), "steps": steps, **job.metadata}
            yield StepProgress(StepId.WATCH, figures)
        elif event.point is not None:
            last = event.point
            yield StepProgress(StepId.WATCH, _figures(event.point, names))
    if job.status != JobStatus.SUCCESS or not job.fine_tuned_model:
        raise PapertuneError(
            f"The job ended as {job.status}.", f"See why with: papertune job show {job.id}"
        )
    yield StepDone(
        StepId.WATCH,
        time.monotonic() - started,
        already and last is None,
        {
            "job": job.id,
            "model": job.fine_tuned_model,
            "trained_tokens": job.trained_tokens,
            "training_seconds": job.modified_at - job.created_at,
        },
    )
    yield job


async def _request(services: Parts, plan: Plan, version: Version) -> JobRequest:
    """The plan's steps; for a folder, no more of them than a first taste has time for."""
    request = JobRequest(
        dataset=version.name,
        model=plan.model,
        endpoint="local",
        hyperparameters=Hyperparameters(training_steps=plan.steps),
    )
    if plan.sample:
        return request
    estimate = await services.jobs.estimate(request)
    if estimate.seconds is None or estimate.seconds <= _TASTE_SECONDS:
        return request
    steps = max(1, int(estimate.steps * _TASTE_SECONDS / estimate.seconds))
    return replace(request, hyperparameters=Hyperparameters(training_steps=steps))


def _figures(point: LossPoint, names: dict[str, str]) -> dict[str, Any]:
    """A measured point with its validation losses by name instead of file id."""
    figures: dict[str, Any] = {"training_step": point.step, "train_loss": point.train_loss}
    for file_id, loss in point.validation.items():
        figures[f"{names.get(file_id, file_id)}_loss"] = loss
    return figures


async def _ask(services: Parts, plan: Plan, model: str) -> StepDone:
    """One real question with and without sources, as the person would ask first."""
    started = time.monotonic()
    text = await asyncio.to_thread(first_question, plan, services.corpus)
    figures: dict[str, Any] = {"question": text}
    if marked(services.workspace, StepId.CHAT) == model:
        return StepDone(StepId.CHAT, 0.0, True, figures)
    conversation = services.conversations.start()
    for arm in (Arm.TUNED, Arm.TUNED_SOURCES):
        exchange = services.conversations.asked(conversation, text)
        answer, _ = await services.chat.answer(
            Question(text, model, arm, endpoint="local", max_tokens=60, temperature=0.0)
        )
        services.conversations.answered(conversation, exchange, answer)
        figures[arm.value] = _said(answer)
    mark(services.workspace, StepId.CHAT, model)
    return StepDone(StepId.CHAT, time.monotonic() - started, False, figures)


def _said(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.text,
        "sources": [
            f"[{s.n}] {s.title}" + (f", p. {s.page}" if s.page else "") for s in answer.sources
        ],
        "seconds": round(answer.seconds, 2),
    }


async def _evaluate(
    services: Parts, version: Version, model: str
) -> AsyncIterator[QuickstartEvent | RunReport]:
    """Measure, or take the report that exists; nothing where the dataset holds no questions."""
    started = time.monotonic()
    tests = [
        item
        for role in (Role.TEST_MEMORY, Role.TEST_TRANSFER)
        for item in await asyncio.to_thread(services.datasets.test_items, version, role)
    ]
    if not any(item.kind is Kind.QA for item in tests):
        yield StepDone(StepId.EVALUATE, 0.0, False, {"skipped": _NO_QUESTIONS})
        return
    known = await asyncio.to_thread(services.evaluator.runs)
    for report in known:
        if (report.dataset, report.model) == (version.name, model):
            yield StepDone(StepId.EVALUATE, 0.0, True, {"run": report.run})
            yield report
            return
    async for event in services.evaluator.run(version.name, model, endpoint="local"):
        if isinstance(event, RunReport):
            seconds = time.monotonic() - started
            yield StepDone(StepId.EVALUATE, seconds, False, {"run": event.run})
            yield event
        elif event.done % 20 == 0:
            yield StepProgress(StepId.EVALUATE, {"done": event.done, "total": event.total})
