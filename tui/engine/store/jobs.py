"""Jobs, their events, and the moves between statuses."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui.domain.job import TERMINAL, JobStatus
from tui.engine.store.database import Database

_JSON = frozenset({"training", "validation", "hyperparameters", "options", "metadata"})
_ACTIVE = tuple(status for status in JobStatus if status not in TERMINAL)


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as the engine remembers it; times are UNIX seconds.

    `training` is `[{"file_id", "weight"}]`; `launches` counts workers started since the job last
    made progress, and `launch_step` is the step at which the present one began.
    """

    id: str
    model: str
    status: JobStatus
    auto_start: bool
    start_requested: bool
    fingerprint: str
    created_at: int
    modified_at: int
    training: list[dict[str, Any]]
    validation: list[str]
    skip_share: float
    hyperparameters: dict[str, Any]
    options: dict[str, Any]
    metadata: dict[str, Any]
    suffix: str | None = None
    message: str = ""
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    launches: int = 0
    launch_step: int = -1
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def file_ids(self) -> set[str]:
        """Every file that the job reads."""
        return {part["file_id"] for part in self.training} | set(self.validation)

    def document(self) -> dict[str, Any]:
        """The job as the API lists it, without events and checkpoints."""
        return {
            "id": self.id,
            "auto_start": self.auto_start,
            "model": self.model,
            "status": str(self.status),
            "created_at": self.created_at,
            "modified_at": self.modified_at,
            "training_files": [part["file_id"] for part in self.training],
            "validation_files": self.validation,
            "object": "job",
            "fine_tuned_model": self.fine_tuned_model,
            "suffix": self.suffix,
            "integrations": [],
            "trained_tokens": self.trained_tokens,
            "metadata": {name: self.metadata.get(name) for name in METADATA},
            "job_type": "completion",
            "hyperparameters": self.hyperparameters,
            "repositories": [],
        }


METADATA = (
    "expected_duration_seconds",
    "cost",
    "cost_currency",
    "train_tokens_per_step",
    "train_tokens",
    "data_tokens",
    "estimated_start_time",
)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a listing asks for; None means anything. Times are UNIX seconds."""

    model: str | None = None
    status: str | None = None
    suffix: str | None = None
    created_after: float | None = None
    created_before: float | None = None

    def where(self) -> tuple[str, list[Any]]:
        """The SQL condition and its values."""
        conditions, values = ["1"], list[Any]()
        for condition, value in (
            ("model = ?", self.model),
            ("status = ?", self.status),
            ("suffix = ?", self.suffix),
            ("created_at >= ?", self.created_after),
            ("created_at <= ?", self.created_before),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        return " AND ".join(conditions), values


class JobStore:
    """Creates jobs, moves them between statuses, remembers what happened."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, job: StoredJob) -> StoredJob | None:
        """Add a job with its first event; None when the same one is queued or running already."""
        names = [name for name in StoredJob.__dataclass_fields__ if name != "events"]
        values = [_encode(name, getattr(job, name)) for name in names]
        with self._database.transaction() as connection:
            duplicate = connection.execute(
                f"SELECT 1 FROM jobs WHERE fingerprint = ? AND status IN ({_marks(_ACTIVE)})",
                (job.fingerprint, *_ACTIVE),
            ).fetchone()
            if duplicate is not None:
                return None
            connection.execute(
                f"INSERT INTO jobs ({','.join(names)}) VALUES ({_marks(names)})", values
            )
            _event(connection, job.id, {"status": str(job.status)}, job.created_at)
        return job

    def get(self, job_id: str) -> StoredJob | None:
        """One job with its events, oldest first; or None."""
        row = self._database.row("SELECT * FROM jobs WHERE id = ?", (job_id,))
        if row is None:
            return None
        events = self._database.rows(
            "SELECT name, data, created_at FROM events WHERE job = ? ORDER BY position", (job_id,)
        )
        return _job(row, [{**dict(event), "data": json.loads(event["data"])} for event in events])

    def page(self, wanted: JobFilter, page: int, size: int) -> tuple[list[StoredJob], int]:
        """One page, newest first, and how many there are in all."""
        where, values = wanted.where()
        count = self._database.row(f"SELECT count(*) FROM jobs WHERE {where}", values)
        rows = self._database.rows(
            f"SELECT * FROM jobs WHERE {where} ORDER BY position DESC LIMIT ? OFFSET ?",
            [*values, size, page * size],
        )
        return [_job(row) for row in rows], int(count[0]) if count else 0

    def unfinished(self) -> list[StoredJob]:
        """Jobs to which something will still happen, oldest first."""
        rows = self._database.rows(
            f"SELECT * FROM jobs WHERE status IN ({_marks(_ACTIVE)}) ORDER BY position", _ACTIVE
        )
        return [_job(row) for row in rows]

    def count(self, statuses: Collection[str]) -> int:
        """How many jobs stand in one of `statuses`."""
        row = self._database.row(
            f"SELECT count(*) FROM jobs WHERE status IN ({_marks(statuses)})", list(statuses)
        )
        return int(row[0]) if row else 0

    def users_of(self, file_id: str) -> list[str]:
        """Ids of unfinished jobs that read a file."""
        return [job.id for job in self.unfinished() if file_id in job.file_ids]

    def update(self, job_id: str, **values: Any) -> None:
        """Set columns without a change of status."""
        with self._database.transaction() as connection:
            _update(connection, job_id, values)

    def move(
        self,
        job_id: str,
        status: JobStatus,
        *,
        frm: Collection[JobStatus],
        message: str = "",
        **values: Any,
    ) -> bool:
        """Move a job to `status` if it stands in one of `frm`, with an event; whether it did."""
        now = int(time.time())
        with self._database.transaction() as connection:
            row = connection.execute("SELECT status FROM jobs WHERE id = ?", (job_id,)).fetchone()
            if row is None or row["status"] not in frm:
                return False
            values |= {"status": str(status), "modified_at": now}
            if message:
                values["message"] = message
            _update(connection, job_id, values)
            data = {"status": str(status)} | ({"message": message} if message else {})
            _event(connection, job_id, data, now)
        return True

    def finish(
        self, job: StoredJob, model_id: str, trained_tokens: int | None, created_at: int
    ) -> bool:
        """Mark a job as succeeded and register its model, both or neither; whether it did."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT status FROM jobs WHERE id = ?", (job.id,)).fetchone()
            if row is None or row["status"] in TERMINAL:
                return False
            connection.execute(
                "INSERT OR IGNORE INTO models (id, job, root, created_at) VALUES (?, ?, ?, ?)",
                (model_id, job.id, job.model, created_at),
            )
            values = {
                "status": str(JobStatus.SUCCESS),
                "modified_at": created_at,
                "finished_at": time.time(),
                "fine_tuned_model": model_id,
                "trained_tokens": trained_tokens,
            }
            _update(connection, job.id, values)
            _event(connection, job.id, {"status": str(JobStatus.SUCCESS)}, created_at)
        return True

    def speed(self, model: str) -> float | None:
        """Trained tokens per second of the newest finished job on `model`, start-up included."""
        row = self._database.row(
            "SELECT trained_tokens, finished_at - started_at AS seconds FROM jobs WHERE model = ? "
            "AND status = 'SUCCESS' AND trained_tokens > 0 AND launches = 1 "
            "AND finished_at > started_at ORDER BY position DESC LIMIT 1",
            (model,),
        )
        return None if row is None else float(row["trained_tokens"]) / float(row["seconds"])


def _marks(values: Collection[Any]) -> str:
    return ",".join("?" * len(values))


def _encode(name: str, value: Any) -> Any:
    if name in _JSON:
        return json.dumps(value)
    return str(value) if isinstance(value, JobStatus) else value


def _update(connection: sqlite3.Connection, job_id: str, values: dict[str, Any]) -> None:
    names: Sequence[str] = list(values)
    connection.execute(
        f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?",
        [*(_encode(name, values[name]) for name in names), job_id],
    )


def _event(connection: sqlite3.Connection, job_id: str, data: dict[str, Any], at: int) -> None:
    connection.execute(
        "INSERT INTO events (job, name, data, created_at) VALUES (?, 'status-updated', ?, ?)",
        (job_id, json.dumps(data), at),
    )


def _job(row: sqlite3.Row, events: list[dict[str, Any]] | None = None) -> StoredJob:
    values = {name: row[name] for name in row.keys() if name != "position"}  # noqa: SIM118
    for name in _JSON:
        values[name] = json.loads(values[name])
    values["status"] = JobStatus(values["status"])
    values["auto_start"] = bool(values["auto_start"])
    values["start_requested"] = bool(values["start_requested"])
    return StoredJob(**values, events=events or [])
