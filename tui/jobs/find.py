"""Which endpoint a job is at, by its id or the beginning of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import MissingError, NotFoundError, PapertuneError
from tui.domain.job import Job
from tui.jobs.store import SubmissionStore
from tui.mistral import AbsentError, ApiError, Client, Endpoints, RetiredError
from tui.text import visible


class Finder:
    """Finds jobs; `homes` are the endpoints of jobs that a listing has shown."""

    def __init__(self, endpoints: Endpoints, store: SubmissionStore) -> None:
        self._endpoints = endpoints
        self._store = store
        self.homes: dict[str, str] = {}

    def known(self, job_id: str) -> tuple[str, str | None]:
        """The endpoint of a job, as far as this workspace or an earlier listing knows it."""
        submission = self._store.of_job(job_id)
        return job_id, submission.endpoint if submission else self.homes.get(job_id)

    async def listed(self, client: Client) -> Sequence[Job]:
        """The jobs of an endpoint, remembered as being there."""
        jobs = await client.jobs.list()
        for job in jobs:
            self.homes.setdefault(job.id, client.endpoint.name)
        return jobs

    async def locate(self, job_id: str) -> tuple[str, Client]:
        """The full id and the client of a job; NotFoundError when no endpoint knows it."""
        found, endpoint = await asyncio.to_thread(self.known, job_id)
        if endpoint is not None:
            return found, self._endpoints.client(endpoint)
        failures: list[tuple[Endpoint, PapertuneError]] = []
        begins: dict[str, str] = {}
        for item in self._endpoints.all():
            try:
                jobs = await self.listed(self._endpoints.client(item.name))
            except (ApiError, MissingError) as error:
                if not isinstance(error, RetiredError | AbsentError):
                    failures.append((item, error))
                continue
            for job in jobs:
                if job.id.startswith(job_id):
                    begins.setdefault(job.id, item.name)
        full = job_id if job_id in begins else next(iter(begins), "")
        if full == job_id or len(begins) == 1:
            return full, self._endpoints.client(begins[full])
        raise _not_found(job_id, begins, failures)


def _not_found(
    job_id: str,
    begins: Collection[str],
    failures: Sequence[tuple[Endpoint, PapertuneError]],
) -> PapertuneError:
    name = visible(job_id)
    if begins:
        listed = ", ".join(sorted(begins))
        return NotFoundError(f"'{name}' is the beginning of several jobs: {listed}.", "Write more.")
    # The default endpoint comes first; the others are often not set up, which is no news.
    if failures and failures[0][0].kind is EndpointKind.LOCAL:
        return failures[0][1]
    return NotFoundError(f"There is no job '{name}'.", "See all with: papertune job list")
