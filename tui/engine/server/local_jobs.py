"""`/local/jobs`: what a job will take, where it waits, and which of its checkpoints to keep."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from tui.engine.background import in_background
from tui.engine.server import jobs
from tui.engine.server.errors import refused
from tui.engine.server.job_request import JobIn, read_options
from tui.engine.server.state import Engine
from tui.engine.store.jobs import StoredJob
from tui.engine.supervisor.keep import finish, kept, publish_checkpoint


class KeepIn(BaseModel):
    """Which checkpoint."""

    step: Annotated[int, Field(ge=1, le=2**53)]


def routes(engine: Engine) -> APIRouter:
    """The routes under `/local/jobs` that change or foretell something."""
    router = APIRouter(prefix="/local/jobs", tags=["local"])
    one = asyncio.Lock()

    @router.post("/estimate")
    async def estimate(
        body: JobIn,
        measure: bool = False,
        x_papertune_options: Annotated[str | None, Header()] = None,
    ) -> dict[str, Any]:
        """What the job would take; with `measure`, after a short real training of it.

        Nothing is measured while another job trains: both would be slower than they are.
        """
        job = jobs.accepted(engine, body, read_options(x_papertune_options))
        async with one:
            return await in_background(partial(engine.supervisor.estimate, job, measure))

    @router.post("/{job_id}/keep")
    async def keep(job_id: str, body: KeepIn) -> dict[str, Any]:
        """Make the checkpoint of a step the job's model; a job under way ends with it."""
        job = jobs.found(engine, job_id)
        if job.status.terminal:
            publishing = partial(
                publish_checkpoint,
                engine.home,
                engine.jobs,
                engine.models,
                job,
                body.step,
                engine.supervisor.launcher.command,
            )
            async with one:
                model = await in_background(publishing)
            return {"id": job.id, "status": str(job.status), "step": body.step, "model": model}
        finish(job, engine.supervisor.folder(job.id), body.step)
        engine.supervisor.wake()
        return {"id": job.id, "status": str(job.status), "step": body.step, "model": None}

    @router.post("/{job_id}/stop")
    async def stop(job_id: str) -> dict[str, Any]:
        """End a job early with success: its chosen or best checkpoint becomes its model."""
        job = jobs.found(engine, job_id)
        if job.status.terminal:
            raise refused(409, f"The job is {job.status}; it has ended.")
        finish(job, engine.supervisor.folder(job.id), None)
        engine.supervisor.wake()
        return {"id": job.id, "status": str(job.status)}

    return router


def more(engine: Engine, job: StoredJob, said: dict[str, Any]) -> dict[str, Any]:
    """What `/local/jobs/{id}` adds of a job's place, devices, checkpoints, memory and cost."""
    folder = engine.supervisor.folder(job.id)
    waits = engine.supervisor.waits(job.id)
    launched = folder.launched()
    used, total = said.get("peak_bytes"), said.get("total_bytes")
    return {
        "queue": waits.document() if waits else None,
        "kept": kept(folder),
        "launcher": launched.get("launcher"),
        "slurm_job": launched.get("id"),
        "devices": list(launched.get("devices") or ()),
        "memory": {"used": used, "total": total} if used and total else None,
        "took": {
            "device_seconds": folder.device_seconds(),
            "cost": job.metadata.get("cost") if job.status.terminal else None,
            "currency": job.metadata.get("cost_currency"),
        },
    }
