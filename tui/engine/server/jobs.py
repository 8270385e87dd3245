"""`/v1/fine_tuning/jobs`: create, list, look at, start and cancel."""

from __future__ import annotations

import asyncio
import importlib.util
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header
from starlette.responses import JSONResponse, Response

from tui.domain.errors import MissingError, UsageError
from tui.domain.job import JobStatus
from tui.engine.background import in_background
from tui.engine.server.errors import refused, unprocessable
from tui.engine.server.files import Page, PageSize
from tui.engine.server.job_request import JobIn, read_options
from tui.engine.server.state import Engine
from tui.engine.store.jobs import METADATA, JobFilter, StoredJob
from tui.text import clean, visible

_THINNED_TO = 200


def routes(engine: Engine) -> APIRouter:
    """The routes of `/v1/fine_tuning/jobs`."""
    router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])

    @router.post("")
    async def create_job(
        body: JobIn,
        dry_run: bool = False,
        x_papertune_options: Annotated[str | None, Header()] = None,
    ) -> dict[str, Any]:
        """Create a job; it starts unless `auto_start` is false."""
        options = read_options(x_papertune_options)
        job = accepted(engine, body, options)
        if dry_run:
            return await _dry_run(engine, job)
        created = engine.jobs.create(job)
        if created is None:
            raise refused(409, "The same job is already queued or running.")
        engine.supervisor.wake()
        return created.document()

    @router.get("")
    async def list_jobs(
        page: Page = 0,
        page_size: PageSize = 100,
        model: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        created_by_me: bool = False,  # noqa: ARG001  one installation has one user: all are mine
        status: JobStatus | None = None,
        wandb_project: str | None = None,
        wandb_name: str | None = None,
        suffix: str | None = None,
    ) -> dict[str, Any]:
        """One page of the jobs, newest first."""
        if wandb_project is not None or wandb_name is not None:
            return {"data": [], "object": "list", "total": 0}
        wanted = JobFilter(model, status, suffix, _seconds(created_after), _seconds(created_before))
        jobs, total = engine.jobs.page(wanted, page, page_size)
        return {"data": [job.document() for job in jobs], "object": "list", "total": total}

    @router.get("/{job_id}")
    async def get_job(job_id: str) -> Response:
        """One job with its events and checkpoints."""
        # Polled a hundred times a second: what is plain JSON already is not walked through again.
        return JSONResponse(await detailed(engine, job_id))

    @router.post("/{job_id}/start")
    async def start_job(job_id: str) -> dict[str, Any]:
        """Start a job that was created with `auto_start` false."""
        job = found(engine, job_id)
        if not engine.supervisor.start(job_id):
            raise refused(409, f"The job is {job.status}; it cannot be started.")
        return await detailed(engine, job_id)

    @router.post("/{job_id}/cancel")
    async def cancel_job(job_id: str) -> dict[str, Any]:
        """Cancel a job; its last checkpoint is kept."""
        job = found(engine, job_id)
        if not engine.supervisor.cancel(job_id):
            raise refused(409, f"The job is {job.status}; it cannot be cancelled.")
        return await detailed(engine, job_id)

    return router


def found(engine: Engine, job_id: str) -> StoredJob:
    """A job by its id, or a 404."""
    job = engine.jobs.get(job_id)
    if job is None:
        raise refused(404, "Not Found", f"There is no job {visible(job_id)[:64]}.")
    return job


async def detailed(engine: Engine, job_id: str) -> dict[str, Any]:
    """The job with its events, oldest first, and its checkpoints, newest first."""
    job = found(engine, job_id)
    points = await asyncio.to_thread(engine.supervisor.folder(job_id).points)
    memory = job.validation[0] if job.validation else ""
    checkpoints = [_checkpoint(point, memory, job) for point in _thinned(points)]
    return {**job.document(), "events": job.events, "checkpoints": checkpoints[::-1]}


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every step of a short job; of a long one the evaluated steps and some between."""
    stride = max(1, -(-len(points) // _THINNED_TO))
    last = len(points) - 1
    return [
        point
        for index, point in enumerate(points)
        if index % stride == 0 or index == last or point.get("validation")
    ]


def _checkpoint(point: dict[str, Any], memory: str, job: StoredJob) -> dict[str, Any]:
    accuracy = point.get("accuracy")
    at = point.get("at")
    return {
        "metrics": {
            "train_loss": point.get("train_loss"),
            "valid_loss": (point.get("validation") or {}).get(memory),
            "valid_mean_token_accuracy": accuracy.get(memory)
            if isinstance(accuracy, dict)
            else None,
        },
        "step_number": point["step"],
        "created_at": int(at) if isinstance(at, int | float) else job.modified_at,
    }


def accepted(engine: Engine, body: JobIn, options: dict[str, Any]) -> StoredJob:
    """A job as asked for, not yet stored; raises the contract's 422 for what cannot be."""
    body.refuse_what_we_lack()
    places: list[tuple[list[str | int], UUID]] = []
    for index, part in enumerate(body.training_files):
        places.append((["body", "training_files", index, "file_id"], part.file_id))
    for index, validation in enumerate(body.validation_files or []):
        places.append((["body", "validation_files", index], validation))
    for where, file_id in places:
        file = engine.files.get(str(file_id))
        if file is None:
            raise unprocessable(where, f"Value error, there is no file {file_id}.", str(file_id))
    model = _trainable(engine, body.model)
    now = int(time.time())
    hyperparameters = body.hyperparameters.model_dump()
    if hyperparameters["learning_rate"] is None:  # the contract has no null for it
        defaults = engine.library.trainable(model).defaults
        hyperparameters["learning_rate"] = defaults.get("learning_rate", 1e-4)
    return StoredJob(
        id=str(uuid.uuid4()),
        model=model,
        status=JobStatus.QUEUED,
        auto_start=body.auto_start is not False,
        start_requested=body.auto_start is not False,
        fingerprint=body.fingerprint(options),
        created_at=now,
        modified_at=now,
        training=[part.model_dump(mode="json") for part in body.training_files],
        validation=[str(file_id) for file_id in body.validation_files or []],
        skip_share=body.invalid_sample_skip_percentage,
        hyperparameters=hyperparameters,
        options=options,
        metadata={},
        suffix=clean(body.suffix) if body.suffix else None,
    )


def _trainable(engine: Engine, model: str) -> str:
    # In a Python of its own the worker brings its own torch, which is looked at before it starts.
    borrowed = bool(engine.supervisor.launcher.command.paths)
    if not borrowed and importlib.util.find_spec("torch") is None:
        raise refused(
            422,
            "This engine cannot train yet.",
            "Install the trainer: pip install papertune[train]",
        )
    try:
        return engine.library.trainable(model).id
    except (MissingError, UsageError) as error:
        raise refused(
            422,
            "Model not available for this type of fine-tuning (completion).",
            visible(str(error)),
        ) from error


async def _dry_run(engine: Engine, job: StoredJob) -> dict[str, Any]:
    prepared = await in_background(partial(engine.supervisor.prepare, job))
    if prepared.problem:
        raise refused(422, "Invalid file format.", prepared.problem)
    truncated = prepared.metadata["truncated"]
    return {
        "object": "job.metadata",
        "deprecated": True,
        "details": f"{prepared.metadata['examples']} examples, {truncated} of them truncated.",
        "epochs": prepared.hyperparameters["epochs"],
        "training_steps": prepared.hyperparameters["training_steps"],
        **{name: prepared.metadata.get(name) for name in METADATA},
    }


def _seconds(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
