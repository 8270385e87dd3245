"""The engine's own routes under `/local`: what the API has no field for."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tui.domain.errors import ExitCode, PapertuneError
from tui.domain.job import LossPoint
from tui.domain.model import Lineage
from tui.mistral import errors
from tui.mistral.http import Connection
from tui.mistral.jobs import headers_of, items, number
from tui.mistral.types import EngineInfo, LocalJob, Progress
from tui.text import visible

if TYPE_CHECKING:
    from tui.formats.tokenizer import ModelTokenizer

_LOG_LINES = 200


class LocalRoutes:
    """Speaks to an engine of ours; raises ApiError, AbsentError from any other server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def status(self) -> EngineInfo:
        """Version, device and load of the engine."""
        raw = await self._connection.object("GET", "/local/status", harmless=True)
        jobs = raw.get("jobs")
        jobs = jobs if isinstance(jobs, dict) else {}
        models = raw.get("models")
        return EngineInfo(
            version=str(raw.get("version") or ""),
            pid=int(number(raw.get("pid")) or 0),
            device=str(raw.get("device") or ""),
            running=int(number(jobs.get("running")) or 0),
            queued=int(number(jobs.get("queued")) or 0),
            models=len(models) if isinstance(models, list) else int(number(models) or 0),
            uptime_seconds=number(raw.get("uptime_seconds")) or 0.0,
            launcher=str(raw.get("launcher") or ""),
        )

    async def job(self, job_id: str, after: int = -1) -> LocalJob:
        """Points after a step, progress, options and the log's last lines of a job."""
        raw = await self._connection.object(
            "GET", f"/local/jobs/{quote(job_id, safe='')}", harmless=True, params={"after": after}
        )
        return parse_local_job(raw)

    async def estimate(
        self, body: dict[str, Any], options: dict[str, Any] | None, *, measure: bool = False
    ) -> dict[str, Any]:
        """What a job of this body would take; with `measure`, after a short real training of it.

        Raises AbsentError from an engine that cannot tell.
        """
        return await self._connection.object(
            "POST",
            "/local/jobs/estimate",
            harmless=True,
            body=body,
            params={"measure": "true"} if measure else None,
            headers=headers_of(options),
        )

    async def keep(self, job_id: str, step: int) -> dict[str, Any]:
        """Make the checkpoint of a step the job's model; a job under way ends with it.

        Raises AbsentError where the checkpoint is no longer kept.
        """
        path = f"/local/jobs/{quote(job_id, safe='')}/keep"
        return await self._connection.object("POST", path, harmless=True, body={"step": step})

    async def stop(self, job_id: str) -> dict[str, Any]:
        """End a job early and make the model of its best checkpoint; cancelling makes none."""
        path = f"/local/jobs/{quote(job_id, safe='')}/stop"
        return await self._connection.object("POST", path, harmless=True)

    async def model(self, model_id: str) -> dict[str, Any]:
        """Lineage, weights, licence and template hash of a model, as the engine says them."""
        return await self._connection.object(
            "GET", f"/local/models/{quote(model_id, safe=':')}", harmless=True
        )

    async def lineage(self, model_id: str) -> Lineage:
        """What a model was made of."""
        return parse_lineage((await self.model(model_id)).get("lineage"))

    async def tokenizer(self, model_id: str) -> ModelTokenizer:
        """The model's own tokenizer with its chat template, to count and render with."""
        raw = await self._connection.object(
            "GET", f"/local/models/{quote(model_id, safe=':')}/tokenizer", harmless=True
        )
        from tui.formats.chat_template import ChatTemplate
        from tui.formats.tokenizer import ModelTokenizer

        template = ChatTemplate(
            str(raw.get("chat_template") or ""),
            str(raw.get("bos_token") or ""),
            str(raw.get("eos_token") or ""),
        )
        return ModelTokenizer(str(raw.get("tokenizer") or ""), template)

    async def catalogue(self) -> list[dict[str, Any]]:
        """Models the engine knows where to get, and whether they are here."""
        raw = await self._connection.json("GET", "/local/catalogue", harmless=True)
        if isinstance(raw, dict):
            raw = raw.get("data") or raw.get("models") or []
        if not isinstance(raw, list):
            raise errors.not_the_api(self._connection.endpoint)
        return [item for item in raw if isinstance(item, dict)]

    async def recommend(self) -> dict[str, Any]:
        """What the engine's machine can train and serve; it measures for about a second."""
        raw = await self._connection.json("GET", "/local/recommend", harmless=True)
        if not isinstance(raw, dict) or "models" not in raw:
            raise errors.not_the_api(self._connection.endpoint)
        return raw

    async def pull(self, model_id: str, source: str = "") -> AsyncGenerator[dict[str, Any], None]:
        """Have the engine fetch a model; yields its progress.

        Raises PapertuneError with the engine's own words when it could not fetch it.
        """
        body = {"id": model_id, **({"source": source} if source else {})}
        connection = self._connection
        try:
            async with connection.pool.stream("POST", "/local/models/pull", json=body) as response:
                async for line in response.aiter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = line[5:].strip()
                    if data == "[DONE]":
                        return
                    event = json.loads(data)
                    if not isinstance(event, dict):
                        continue
                    if event.get("event") == "error":
                        raise _failure(event)
                    yield event
        except PapertuneError:
            raise
        except ValueError:
            raise errors.not_the_api(connection.endpoint) from None
        except Exception as error:
            raise connection.normalised(error) from None


def parse_local_job(raw: dict[str, Any]) -> LocalJob:
    """What the engine says of a job; missing parts keep their defaults."""
    progress = raw.get("progress")
    progress = progress if isinstance(progress, dict) else {}
    files, options, log = raw.get("files"), raw.get("options"), raw.get("log")
    points = [point(item) for item in items(raw.get("points")) if isinstance(item, dict)]
    if isinstance(log, str):
        log = log.splitlines()
    return LocalJob(
        points=tuple(sorted(points, key=lambda item: item.step)),
        files={str(k): str(v) for k, v in files.items()} if isinstance(files, dict) else {},
        options=options if isinstance(options, dict) else {},
        progress=Progress(
            step=int(number(progress.get("step")) or 0),
            steps=int(number(progress.get("steps")) or 0),
            seconds_left=number(progress.get("seconds_left")),
            tokens_per_second=number(progress.get("tokens_per_second")),
        ),
        device=str(raw.get("device") or ""),
        log=tuple(str(line) for line in items(log)[-_LOG_LINES:]),
        message=str(raw.get("message") or ""),
        lineage=parse_lineage(raw.get("lineage")),
        status=str(raw.get("status") or ""),
        memory=_memory(raw.get("memory")),
        launcher=str(raw.get("launcher") or ""),
        slurm_job=str(raw.get("slurm_job") or ""),
        waits=_waits(raw.get("queue")),
        kept=tuple(sorted(int(step) for item in items(raw.get("kept")) if (step := number(item)))),
    )


def _waits(raw: Any) -> str:
    return visible(str(raw.get("reason") or "")) if isinstance(raw, dict) else ""


def _memory(raw: Any) -> tuple[int, int] | None:
    if not isinstance(raw, dict):
        return None
    used, total = number(raw.get("used")), number(raw.get("total"))
    return (int(used), int(total)) if used and total else None


def point(raw: dict[str, Any]) -> LossPoint:
    """A point of the loss curve; a loss that is not a number stays so, to be seen."""
    validation = raw.get("validation")
    return LossPoint(
        step=int(number(raw.get("step")) or 0),
        at=number(raw.get("at")) or 0.0,
        train_loss=_measured(raw.get("train_loss")),
        learning_rate=number(raw.get("learning_rate")),
        grad_norm=_measured(raw.get("grad_norm")),
        tokens=int(number(raw.get("tokens")) or 0),
        validation={
            str(name): value
            for name, item in (validation.items() if isinstance(validation, dict) else ())
            if (value := _measured(item)) is not None
        },
    )


def parse_lineage(raw: Any) -> Lineage:
    """A lineage; its parts are empty where the engine does not know them."""
    if not isinstance(raw, dict):
        return Lineage()
    papers = raw.get("papers")
    return Lineage(
        job=str(raw.get("job") or ""),
        dataset=str(raw.get("dataset") or ""),
        papers=tuple(map(str, papers)) if isinstance(papers, list) else (),
    )


def _failure(event: dict[str, Any]) -> PapertuneError:
    error = PapertuneError(
        visible(str(event.get("message") or "The model could not be fetched.")),
        visible(str(event.get("remedy") or "")),
    )
    with contextlib.suppress(ValueError):
        error.exit_code = ExitCode(int(number(event.get("exit_code")) or ExitCode.FAILED))
    return error


def _measured(value: Any) -> float | None:
    if isinstance(value, float) and not math.isfinite(value):
        return value
    return number(value)
