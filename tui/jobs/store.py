"""What was asked of endpoints, kept so that nothing is sent twice."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from tui.domain.identifiers import new_id
from tui.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for a job; `job` is None until the endpoint's answer is known.

    `files` maps a version's file keys (`train.messages`) to the endpoint's file ids. `seen` are
    the alike jobs that were there before, so that a new one can be told to be ours. `asked` is the
    request as JSON, so that it can be made again with changes; `group` the sweep it belongs to.
    """

    id: str
    endpoint: str
    dataset: str
    model: str
    fingerprint: str
    suffix: str | None
    files: dict[str, str]
    seen: tuple[str, ...]
    job: str | None = None
    created_at: float = field(default_factory=time.time)
    group: str = ""
    asked: dict[str, Any] = field(default_factory=dict)


class SubmissionStore:
    """The tables `submission` and `upload` of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def add(
        self,
        *,
        endpoint: str,
        dataset: str,
        model: str,
        fingerprint: str,
        suffix: str | None,
        files: dict[str, str],
        seen: tuple[str, ...],
        group: str = "",
        asked: dict[str, Any] | None = None,
    ) -> Submission:
        """Write down a request before it leaves."""
        submission = Submission(
            new_id("s"),
            endpoint,
            dataset,
            model,
            fingerprint,
            suffix,
            files,
            seen,
            group=group,
            asked=asked or {},
        )
        request = {
            "fingerprint": fingerprint,
            "suffix": suffix,
            "files": files,
            "seen": seen,
            "asked": submission.asked,
        }
        with self._workspace.transaction() as connection:
            connection.execute(
                "INSERT INTO submission"
                " (id, endpoint, dataset, model, request, created_at, job_group)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    submission.id,
                    endpoint,
                    dataset,
                    model,
                    json.dumps(request),
                    submission.created_at,
                    group or None,
                ),
            )
        return submission

    def answered(self, submission: Submission, job: str) -> None:
        """Write down which job a request became."""
        with self._workspace.transaction() as connection:
            connection.execute("UPDATE submission SET job = ? WHERE id = ?", (job, submission.id))

    def newest_job(self) -> str | None:
        """The id of the job that was launched last."""
        row = (
            self._workspace.connection()
            .execute(
                "SELECT job FROM submission WHERE job IS NOT NULL"
                " ORDER BY created_at DESC, rowid DESC LIMIT 1"
            )
            .fetchone()
        )
        return str(row["job"]) if row else None

    def drop(self, submission: Submission) -> None:
        """Forget a request that the endpoint certainly did not take."""
        with self._workspace.transaction() as connection:
            connection.execute("DELETE FROM submission WHERE id = ?", (submission.id,))

    def unanswered(self, endpoint: str, fingerprint: str) -> Submission | None:
        """The newest request like this whose answer was lost."""
        rows = self._rows("endpoint = ? AND job IS NULL ORDER BY created_at DESC", endpoint)
        return next((item for item in rows if item.fingerprint == fingerprint), None)

    def of_job(self, job: str) -> Submission | None:
        """The request that became a job."""
        return next(iter(self._rows("job = ?", job)), None)

    def of_dataset(self, dataset: str) -> list[Submission]:
        """Answered requests on a dataset version, newest first."""
        return self._rows("dataset = ? AND job IS NOT NULL ORDER BY created_at DESC", dataset)

    def of_group(self, group: str) -> list[Submission]:
        """Requests of a sweep in the order in which they were made."""
        return self._rows("job_group = ? ORDER BY created_at, rowid", group)

    def since(self, at: float) -> list[Submission]:
        """Answered requests since a time, oldest first."""
        return self._rows(f"job IS NOT NULL AND created_at >= {at:f} ORDER BY created_at")

    def all_of_jobs(self) -> dict[str, tuple[str, str]]:
        """The dataset version and the group of every job that this workspace launched."""
        rows = self._workspace.connection().execute(
            "SELECT job, dataset, job_group FROM submission WHERE job IS NOT NULL"
        )
        return {row["job"]: (row["dataset"], row["job_group"] or "") for row in rows}

    def add_group(self, group: str, name: str, grid: dict[str, Any]) -> None:
        """Write a sweep down, once."""
        with self._workspace.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO job_group (id, name, grid, created_at) VALUES (?, ?, ?, ?)",
                (group, name, json.dumps(grid), time.time()),
            )

    def groups(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Sweeps, newest first: id, name, and the grid."""
        rows = self._workspace.connection().execute(
            "SELECT id, name, grid FROM job_group ORDER BY created_at DESC, rowid DESC"
        )
        return [(row["id"], row["name"], json.loads(row["grid"])) for row in rows]

    def claimed(self, endpoint: str) -> frozenset[str]:
        """Jobs of an endpoint that are known to belong to a request."""
        rows = self._workspace.connection().execute(
            "SELECT job FROM submission WHERE endpoint = ? AND job IS NOT NULL", (endpoint,)
        )
        return frozenset(row["job"] for row in rows)

    def uploaded(self, endpoint: str, sha256: str) -> str | None:
        """The file id under which an endpoint has this content, as far as we know."""
        row = (
            self._workspace.connection()
            .execute(
                "SELECT file FROM upload WHERE endpoint = ? AND sha256 = ?", (endpoint, sha256)
            )
            .fetchone()
        )
        return None if row is None else str(row["file"])

    def remember_upload(self, endpoint: str, sha256: str, file: str) -> None:
        """Write down under which id an endpoint has this content."""
        with self._workspace.transaction() as connection:
            connection.execute(
                "INSERT INTO upload (endpoint, sha256, file) VALUES (?, ?, ?)"
                " ON CONFLICT (endpoint, sha256) DO UPDATE SET file = excluded.file",
                (endpoint, sha256, file),
            )

    def _rows(self, where: str, *values: str) -> list[Submission]:
        rows = self._workspace.connection().execute(
            f"SELECT * FROM submission WHERE {where}",
            values,
        )
        return [_submission(dict(row)) for row in rows]


def _submission(row: dict[str, Any]) -> Submission:
    request = json.loads(row["request"])
    return Submission(
        id=row["id"],
        endpoint=row["endpoint"],
        dataset=row["dataset"],
        model=row["model"],
        fingerprint=request.get("fingerprint", ""),
        suffix=request.get("suffix"),
        files=request.get("files", {}),
        seen=tuple(request.get("seen", ())),
        job=row["job"],
        created_at=row["created_at"],
        group=row["job_group"] or "",
        asked=request.get("asked") or {},
    )
