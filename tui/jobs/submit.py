"""Sending a job to an endpoint once, whatever happens to the replies.

The order is what makes it safe: files first (same content, same file), then a note of the request
with the alike jobs that are there already, then the request. A request whose answer is lost is
looked for among the endpoint's jobs before it is ever sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tui.domain.errors import UsageError
from tui.domain.example import FileEntry, Role, Version
from tui.domain.job import Hyperparameters, Job
from tui.jobs.request import JobRequest
from tui.jobs.store import Submission, SubmissionStore
from tui.mistral import AbsentError, ApiError, Client, DuplicateError, ServerError, Unreachable
from tui.text import visible

# Memory comes first: the first validation file is the one that picks the checkpoint.
_VALIDATION = (Role.VALIDATION, Role.VALIDATION_TRANSFER)


class Submitter:
    """Uploads a version's files and creates a job of them."""

    def __init__(self, store: SubmissionStore) -> None:
        self._store = store

    async def submit(
        self,
        client: Client,
        request: JobRequest,
        version: Version,
        paths: dict[str, Path],
        hyperparameters: Hyperparameters | None = None,
        needs: dict[str, float] | None = None,
    ) -> Job:
        """Create the job, or find the one that an earlier try of the same request created.

        `hyperparameters` are sent in place of the request's own, which may leave some open;
        `needs` is what the job will take by unit, for the month's budget.
        Raises DuplicateError that names the job when the same one is under way, and ApiError when
        the endpoint refuses or cannot be asked; asking again is then safe.
        """
        endpoint = client.endpoint.name
        fingerprint = _fingerprint(request, version)
        lost = await asyncio.to_thread(self._store.unanswered, endpoint, fingerprint)
        if lost is not None:
            if (found := await self._find(client, lost)) is not None:
                return found
            await asyncio.to_thread(self._store.drop, lost)
        # Asked before anything is uploaded: a service that trains no more says so here.
        there = await client.jobs.list(model=request.model)
        files = await self.files(client, version, paths)
        submission = await asyncio.to_thread(
            lambda: self._store.add(
                endpoint=endpoint,
                dataset=version.name,
                model=request.model,
                fingerprint=fingerprint,
                suffix=request.suffix,
                files=files,
                seen=tuple(job.id for job in there),
                group=request.group,
                asked={**as_asked(request), "needs": needs or {}},
            )
        )
        sent = replace(request, hyperparameters=hyperparameters or request.hyperparameters)
        return await self._send(client, sent, version, submission)

    async def files(
        self, client: Client, version: Version, paths: dict[str, Path]
    ) -> dict[str, str]:
        """The endpoint's ids of a version's files; what it does not have yet is sent."""
        return {
            key: await self._upload(client, version, key, paths[key]) for key in file_keys(version)
        }

    async def _send(
        self, client: Client, request: JobRequest, version: Version, submission: Submission
    ) -> Job:
        try:
            job = await client.jobs.create(
                body_of(request, submission.files), await options_of(client, request, version)
            )
        except DuplicateError as error:
            await asyncio.to_thread(self._store.drop, submission)
            under_way = await self._alike(client, request.model, request.suffix, submission.files)
            running = next((job for job in under_way if not job.terminal), None)
            if running is None:
                raise
            raise DuplicateError(
                f"The same job is under way: {running.id}.",
                f"Watch it with: papertune job watch {running.id}",
                status=error.status,
            ) from None
        except ApiError as error:
            if not _in_doubt(error):
                await asyncio.to_thread(self._store.drop, submission)
                raise
            # The note stays if the job is not there: it may yet come of a request under way.
            found = await self._find(client, submission)
            if found is None:
                raise
            return found
        await asyncio.to_thread(self._store.answered, submission, job.id)
        return job

    async def _find(self, client: Client, submission: Submission) -> Job | None:
        """The job that a request became although its answer was lost; None if it became none."""
        claimed = await asyncio.to_thread(self._store.claimed, submission.endpoint)
        jobs = await self._alike(client, submission.model, submission.suffix, submission.files)
        new = [job for job in jobs if job.id not in claimed and job.id not in submission.seen]
        if not new:
            return None
        await asyncio.to_thread(self._store.answered, submission, new[-1].id)
        return new[-1]

    async def _alike(
        self, client: Client, model: str, suffix: str | None, files: dict[str, str]
    ) -> list[Job]:
        """Jobs on this model and these files, newest first."""
        training = [files[key] for key in files if key.startswith("train.")]
        validation = [files[key] for key in files if not key.startswith("train.")]
        return [
            job
            for job in await client.jobs.list(model=model)
            if job.suffix == suffix
            and sorted(job.training_files) == sorted(training)
            and sorted(job.validation_files) == sorted(validation)
        ]

    async def _upload(self, client: Client, version: Version, key: str, path: Path) -> str:
        """The endpoint's id of a file, sent only if the endpoint does not have it."""
        entry, endpoint = version.files[key], client.endpoint.name
        known = await asyncio.to_thread(self._store.uploaded, endpoint, entry.sha256)
        if known is not None:
            try:
                await client.file(known)
                return known
            except AbsentError:
                pass
        name = remote_name(version, key)
        try:
            file_id = (await client.upload(path, name=name)).id
        except ApiError as error:
            if not _in_doubt(error):
                raise
            file_id = (
                await self._arrived(client, name, path) or (await client.upload(path, name=name)).id
            )
        await asyncio.to_thread(self._store.remember_upload, endpoint, entry.sha256, file_id)
        return file_id

    async def _arrived(self, client: Client, name: str, path: Path) -> str | None:
        """The id of an upload whose answer was lost; the name holds the content's hash."""
        size = (await asyncio.to_thread(path.stat)).st_size
        for file in await client.files(name):
            if file.name == name and file.bytes == size:
                return file.id
        return None


def file_keys(version: Version) -> list[str]:
    """The files a job gets, training first, then memory, then transfer; tests never leave.

    Raises UsageError when there is nothing to train on.
    """
    training = sorted(key for key in version.files if key.startswith("train."))
    if not training:
        raise UsageError(
            f"{version.name} has no training examples.",
            f"Accept some and freeze again: papertune dataset show {version.dataset}",
        )
    validation = [
        key
        for role in _VALIDATION
        for key in sorted(version.files)
        if key.partition(".")[0] == role and version.files[key].lines
    ]
    return training + validation


def as_asked(request: JobRequest) -> dict[str, Any]:
    """What a person asked for, as JSON: the part that a copy with changes starts from."""
    return {
        "hyperparameters": asdict(request.hyperparameters),
        "options": request.options,
        "small": request.small,
    }


def remote_name(version: Version, key: str) -> str:
    """A file's name at an endpoint: readable, and different whenever the content is."""
    entry: FileEntry = version.files[key]
    return f"{version.dataset}-v{version.version}.{key}.{entry.sha256[:12]}.jsonl"


def kind_of(key: str) -> str:
    """What a validation file measures: `memory` or `transfer`."""
    return "transfer" if key.startswith(Role.VALIDATION_TRANSFER.value) else "memory"


def _in_doubt(error: ApiError) -> bool:
    """Whether the endpoint may have acted although it answered with an error, or not at all."""
    return error.reached and isinstance(error, ServerError | Unreachable)


def _fingerprint(request: JobRequest, version: Version) -> str:
    value: dict[str, Any] = {
        "version": version.sha256,
        "model": request.model,
        "hyperparameters": asdict(request.hyperparameters),
        "suffix": request.suffix,
        "options": request.options,
    }
    if request.group:
        value["group"] = request.group
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def body_of(request: JobRequest, files: dict[str, str]) -> dict[str, Any]:
    """What a job is created with, or foretold by, of files that the endpoint has."""
    given = asdict(request.hyperparameters)
    body: dict[str, Any] = {
        "model": request.model,
        "training_files": [
            {"file_id": files[key], "weight": 1.0} for key in files if key.startswith("train.")
        ],
        "validation_files": [files[key] for key in files if not key.startswith("train.")],
        "hyperparameters": {name: value for name, value in given.items() if value is not None},
        "invalid_sample_skip_percentage": 0,
        "auto_start": request.start,
    }
    if request.suffix:
        body["suffix"] = request.suffix
    return body


async def options_of(
    client: Client, request: JobRequest, version: Version
) -> dict[str, Any] | None:
    """The engine's extras and the lineage; another server would not know them."""
    if not await client.is_engine():
        if request.options:
            raise UsageError(
                f"'{visible(client.endpoint.name)}' takes no options such as "
                f"{', '.join(sorted(request.options))}.",
                "Leave them out, or use the local engine.",
            )
        return None
    return {
        **request.options,
        "lineage": {"dataset": version.name, "papers": list(version.papers)},
    }
