"""One job for each combination of a small grid, as a group that is launched once."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol

from tui.domain.errors import NotFoundError, UsageError
from tui.domain.job import Hyperparameters, Job
from tui.jobs.known import KnownJob
from tui.jobs.request import OPTIONS, JobRequest
from tui.jobs.store import SubmissionStore
from tui.jobs.submit import as_asked
from tui.settings.settings import nearest
from tui.text import visible

MOST_JOBS = 24
_WHOLE = frozenset({"training_steps", "seq_len", "batch_size", "lora_rank", "lora_alpha", "seed"})
_SHORT = {
    "steps": "training_steps",
    "rank": "lora_rank",
    "batch": "batch_size",
    "lr": "learning_rate",
}
_HYPER = frozenset(item.name for item in fields(Hyperparameters))


class Launches(Protocol):
    """The jobs, as far as a sweep needs them."""

    async def create(self, request: JobRequest) -> Job:
        """Launch a job, once."""

    async def get(self, job_id: str) -> Job:
        """A job."""


@dataclass(frozen=True, slots=True)
class Member:
    """One job of a sweep: the settings that set it apart, and what is known of it."""

    job: str
    settings: dict[str, Any]
    known: KnownJob | None = None


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A sweep with its jobs; `best` has the lowest memory-validation loss, None before any has."""

    id: str
    name: str
    grid: dict[str, Any]
    members: tuple[Member, ...]
    best: Member | None


def read_grid(texts: Sequence[str]) -> dict[str, list[float | int]]:
    """`learning_rate=1e-3,5e-4` and the like; raises UsageError for what no job has."""
    grid: dict[str, list[float | int]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        name = _SHORT.get(name.strip(), name.strip().replace("-", "_"))
        if name not in _HYPER | (OPTIONS - {"target_modules"}):
            known = sorted(_HYPER | OPTIONS)
            raise UsageError(f"'{visible(name)}' is no setting of a job: {nearest(name, known)}")
        try:
            found = [_number(name, value) for value in values.split(",") if value.strip()]
        except ValueError:
            raise UsageError(
                f"'{visible(text)}' is no row of numbers.", "Write: --grid learning_rate=1e-3,5e-4"
            ) from None
        if not found:
            raise UsageError(f"'{visible(name)}' has no values.", f"Write: --grid {name}=1,2")
        grid[name] = list(dict.fromkeys(found))
    jobs = math.prod(len(values) for values in grid.values())
    if not grid or jobs > MOST_JOBS:
        raise UsageError(
            f"A sweep is 2 to {MOST_JOBS} jobs; this is {jobs if grid else 0}.",
            "Name a few values: --grid learning_rate=1e-3,5e-4 --grid lora_rank=8,16",
        )
    return grid


def spread(request: JobRequest, grid: Mapping[str, Sequence[float | int]]) -> list[JobRequest]:
    """The requests of a grid, the last name running fastest; raises UsageError for a bad one."""
    group = _group(request, grid)
    found = []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        hyper: dict[str, Any] = {k: v for k, v in chosen.items() if k in _HYPER}
        options = {k: v for k, v in chosen.items() if k not in _HYPER}
        one = replace(
            request,
            hyperparameters=replace(request.hyperparameters, **hyper),
            options={**request.options, **options},
            group=group,
        )
        one.check()
        found.append(one)
    return found


class Sweeps:
    """Launches grids and says which of their jobs is best."""

    def __init__(self, jobs: Launches, store: SubmissionStore) -> None:
        self._jobs, self._store = jobs, store

    async def launch(
        self, request: JobRequest, grid: Mapping[str, Sequence[float | int]]
    ) -> AsyncGenerator[tuple[Job, bool], None]:
        """Launch what is not launched yet, one after the other: each job, and whether it is new.

        The engine trains them in this order. A launch that was cut in half goes on where it was.
        """
        requests = spread(request, grid)
        group = requests[0].group
        name = f"{request.dataset} over {', '.join(grid)}"
        await asyncio.to_thread(
            self._store.add_group, group, name, {k: list(v) for k, v in grid.items()}
        )
        made = await asyncio.to_thread(self._store.of_group, group)
        there = {_key(item.asked): item.job for item in made if item.job}
        for one in requests:
            job_id = there.get(_key(as_asked(one)))
            if job_id is not None:
                yield await self._jobs.get(job_id), False
            else:
                yield await self._jobs.create(one), True

    def result(self, group: str, known: Sequence[KnownJob]) -> SweepResult:
        """A sweep by the beginning of its id, or the newest; `known` is the board."""
        groups = [item for item in self._store.groups() if item[0].startswith(group)]
        if not groups:
            raise NotFoundError(f"There is no sweep '{visible(group)}'.", "See: papertune job list")
        group_id, name, grid = groups[0]
        by_id = {item.job.id: item for item in known}
        members = tuple(
            Member(item.job, _settings(item.asked, grid), by_id.get(item.job))
            for item in self._store.of_group(group_id)
            if item.job
        )
        measured = [
            (member.known.summary.best_loss, place, member)
            for place, member in enumerate(members)
            if member.known and member.known.summary and member.known.summary.best_loss is not None
        ]
        return SweepResult(group_id, name, grid, members, min(measured)[2] if measured else None)


def _settings(asked: dict[str, Any], grid: Mapping[str, Any]) -> dict[str, Any]:
    given = {**(asked.get("hyperparameters") or {}), **(asked.get("options") or {})}
    return {name: given.get(name) for name in grid}


def _key(asked: dict[str, Any]) -> str:
    kept = {name: asked.get(name) for name in ("hyperparameters", "options", "small")}
    return json.dumps(kept, sort_keys=True)


def _group(request: JobRequest, grid: Mapping[str, Sequence[float | int]]) -> str:
    value = {
        "dataset": request.dataset,
        "model": request.model,
        "endpoint": request.endpoint,
        "hyperparameters": asdict(request.hyperparameters),
        "options": request.options,
        "suffix": request.suffix,
        "small": request.small,
        "grid": {name: list(values) for name, values in grid.items()},
    }
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _number(name: str, text: str) -> float | int:
    value = float(text)
    if not math.isfinite(value) or (name in _WHOLE and value != int(value)):
        raise ValueError(text)
    return int(value) if name in _WHOLE else value
