"""The fine-tuning job routes, which the SDK no longer has, and how their documents are read.

The documents come from servers of several years and kinds: nothing but `id` and `status` is
taken for granted, and what a server cannot mean is read as "not measured".
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tui.domain.job import Checkpoint, Event, Hyperparameters, Job, JobStatus
from tui.mistral import errors
from tui.mistral.http import Connection

_ROUTE = "/v1/fine_tuning/jobs"
OPTIONS_HEADER = "X-Papertune-Options"
_LONGEST_HEADER = 16 * 1024
_PAGE = 100


class JobRoutes:
    """Create, list, get, start and cancel jobs; raises ApiError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, body: dict[str, Any], options: dict[str, Any] | None = None) -> Job:
        """Create a job; never repeated once the server may have acted on it.

        `options` is what the API has no field for (LoRA rank, batch size, lineage); only our
        engine reads it.
        """
        raw = await self._connection.object(
            "POST", _ROUTE, harmless=False, body=body, headers=headers_of(options)
        )
        return self._read(raw)

    async def list(self, **filters: Any) -> list[Job]:
        """All jobs that match the API's filters, newest first."""
        jobs: list[Job] = []
        page = 0
        while True:
            params = {"page": page, "page_size": _PAGE, **filters}
            raw = await self._connection.object("GET", _ROUTE, harmless=True, params=params)
            data = raw.get("data") or []
            if not isinstance(data, list):
                raise errors.not_the_api(self._connection.endpoint)
            jobs += [self._read(item) for item in data]
            total = raw.get("total")
            page += 1
            if len(data) < _PAGE or not isinstance(total, int) or len(jobs) >= total:
                break
        jobs.sort(key=lambda job: job.created_at, reverse=True)
        return jobs

    async def get(self, job_id: str) -> Job:
        """A job with its events and checkpoints."""
        return self._read(await self._connection.object("GET", self._path(job_id), harmless=True))

    async def start(self, job_id: str) -> Job:
        """Start a validated job; harmless to repeat, since a job starts once."""
        path = f"{self._path(job_id)}/start"
        return self._read(await self._connection.object("POST", path, harmless=True))

    async def cancel(self, job_id: str) -> Job:
        """Ask a job to stop."""
        path = f"{self._path(job_id)}/cancel"
        return self._read(await self._connection.object("POST", path, harmless=True))

    def _path(self, job_id: str) -> str:
        return f"{_ROUTE}/{quote(job_id, safe='')}"

    def _read(self, raw: Any) -> Job:
        try:
            return replace(parse_job(raw), endpoint=self._connection.endpoint.name)
        except (KeyError, TypeError, ValueError):
            raise errors.not_the_api(
                self._connection.endpoint, "a job that has no id or status"
            ) from None


def parse_job(raw: dict[str, Any]) -> Job:
    """A job from the API's document; raises KeyError, TypeError or ValueError where it is none."""
    status = _status(str(raw["status"]))
    metadata = raw.get("metadata")
    suffix, tuned = raw.get("suffix"), raw.get("fine_tuned_model")
    return Job(
        id=str(raw["id"]),
        model=str(raw.get("model") or ""),
        status=status,
        created_at=_integer(raw.get("created_at")) or 0,
        modified_at=_integer(raw.get("modified_at")) or 0,
        hyperparameters=_hyperparameters(_mapping(raw.get("hyperparameters"))),
        training_files=_file_ids(raw.get("training_files")),
        validation_files=_file_ids(raw.get("validation_files")),
        fine_tuned_model=str(tuned) if tuned else None,
        suffix=str(suffix) if suffix else None,
        trained_tokens=_integer(raw.get("trained_tokens")),
        events=_events(raw.get("events"), status),
        checkpoints=_checkpoints(raw.get("checkpoints")),
        metadata=metadata if isinstance(metadata, dict) else {},
        raw=raw,
    )


def _status(text: str) -> JobStatus | str:
    try:
        return JobStatus(text)
    except ValueError:
        return text


def _hyperparameters(raw: dict[str, Any]) -> Hyperparameters:
    return Hyperparameters(
        learning_rate=number(raw.get("learning_rate")),
        training_steps=_integer(raw.get("training_steps")),
        epochs=number(raw.get("epochs")),
        weight_decay=number(raw.get("weight_decay")),
        warmup_fraction=number(raw.get("warmup_fraction")),
        seq_len=_integer(raw.get("seq_len")),
    )


def _events(raw: Any, status: JobStatus | str) -> tuple[Event, ...]:
    """Events in time order; times count whole seconds, so ties follow the server's direction."""
    events = [
        Event(
            name=str(item.get("name") or ""),
            created_at=_integer(item.get("created_at")) or 0,
            data=_mapping(item.get("data")),
        )
        for item in items(raw)
        if isinstance(item, dict)
    ]
    if len(events) > 1:
        first, last = events[0], events[-1]
        same_second = first.created_at == last.created_at
        newest_first = first.created_at > last.created_at or (
            same_second and first.data.get("status") == status != last.data.get("status")
        )
        if newest_first:
            events.reverse()
    return tuple(sorted(events, key=lambda event: event.created_at))


def _checkpoints(raw: Any) -> tuple[Checkpoint, ...]:
    """Checkpoints by step; a 0.0 of the hosted service and an accuracy above 1 are no measurement.

    What it calls accuracy is 2 to the power of the loss: told by its name, never taken for an
    accuracy.
    """
    found = {}
    for item in items(raw):
        step = _integer(item.get("step_number")) if isinstance(item, dict) else None
        if step is None:
            continue
        metrics = _mapping(item.get("metrics"))
        accuracy = number(metrics.get("valid_mean_token_accuracy"))
        found[step] = Checkpoint(
            step=step,
            created_at=_integer(item.get("created_at")) or 0,
            train_loss=_loss(metrics.get("train_loss")),
            valid_loss=_loss(metrics.get("valid_loss")),
            valid_accuracy=accuracy if accuracy and 0 < accuracy <= 1 else None,
            valid_perplexity=accuracy if accuracy and accuracy > 1 else None,
        )
    return tuple(found[step] for step in sorted(found))


def number(value: Any) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _loss(value: Any) -> float | None:
    """A loss; not a number stays so, because a diverged run must be seen."""
    if isinstance(value, float) and math.isnan(value):
        return value
    return number(value) or None


def _integer(value: Any) -> int | None:
    found = number(value)
    return None if found is None else int(found)


def items(value: Any) -> list[Any]:
    """A list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _file_ids(raw: Any) -> tuple[str, ...]:
    """File ids, which servers give as text or as `{"file_id": …}`."""
    found = []
    for item in items(raw):
        file_id = item.get("file_id") if isinstance(item, dict) else item
        if file_id:
            found.append(str(file_id))
    return tuple(found)


def headers_of(options: dict[str, Any] | None) -> dict[str, str] | None:
    """Options as a header; the papers of a large corpus are left out, the dataset names them."""
    if not options:
        return None
    text = json.dumps(options)
    lineage = options.get("lineage")
    if len(text) > _LONGEST_HEADER and isinstance(lineage, dict):
        text = json.dumps({**options, "lineage": {**lineage, "papers": []}})
    return {OPTIONS_HEADER: text}
