"""The team's models: what each was made of, what it reached, what people call it and say of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tui.domain.endpoint import Endpoint
from tui.domain.errors import ConflictError, MissingError, NotFoundError, UsageError
from tui.domain.evaluation import RunReport
from tui.domain.identifiers import new_id
from tui.domain.job import Job
from tui.domain.model import ModelCard
from tui.jobs.compare import EvaluationResult, evaluations
from tui.mistral import ApiError, Client, Endpoints
from tui.storage.workspace import Workspace
from tui.text import clean, visible

_LONGEST_ALIAS = 64
_MOST_USES = 8
_ALIAS_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_./")


class KnowsJobs(Protocol):
    """The jobs, as far as the registry needs them."""

    async def get(self, job_id: str) -> Job:
        """A job."""

    async def dataset_of_job(self, job: Job) -> str:
        """The dataset version of a job."""


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote on a model."""

    id: str
    text: str
    person: str
    at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A model with all that is known of it.

    `aliases` are the team's names for it; `template_sha256`, `license` and `step` (of the
    checkpoint it was made from) are what its engine says, empty or None elsewhere.
    """

    card: ModelCard
    job: Job | None = None
    dataset: str = ""
    papers: tuple[str, ...] = ()
    template_sha256: str = ""
    license: str = ""
    step: int | None = None
    aliases: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    results: tuple[EvaluationResult, ...] = ()


class Registry:
    """Models of every endpoint with the team's names and notes, which the workspace keeps.

    `runs` gives the evaluations of a model; `uses` what else stands on it, in words.
    """

    def __init__(
        self,
        workspace: Workspace,
        endpoints: Endpoints,
        jobs: KnowsJobs,
        person: str,
        *,
        runs: Callable[[str], Sequence[RunReport]],
        uses: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> None:
        self._workspace, self._endpoints, self._jobs = workspace, endpoints, jobs
        self._runs, self._uses = runs, uses
        self.person = person

    async def models(self, endpoint: str | None = None) -> list[Entry]:
        """Fine-tuned models of one endpoint, or of all that can be asked, newest first; no jobs."""
        names = [endpoint] if endpoint else [item.name for item in self._endpoints.all()]
        cards: list[ModelCard] = []
        for name in names:
            try:
                cards += await self._endpoints.client(name).models()
            except (ApiError, MissingError):
                if endpoint:
                    raise
        found = [await asyncio.to_thread(self._light, card) for card in cards if card.tuned]
        return sorted(found, key=lambda entry: entry.card.raw.get("created") or 0, reverse=True)

    async def show(self, model: str, endpoint: str | None = None) -> Entry:
        """All that is known of a model, by its id or an alias."""
        model = self.resolve(model)
        client = self._endpoints.for_model(model, endpoint)
        card = await client.model(model)
        entry = await asyncio.to_thread(self._light, card)
        if card.tuned and await client.is_engine():
            with suppress(ApiError):
                entry = _told(entry, await client.local.model(card.id))
        if card.job:
            with suppress(ApiError, MissingError, NotFoundError):
                job = await self._jobs.get(card.job)
                entry = replace(entry, job=job)
                if not entry.dataset:
                    entry = replace(entry, dataset=await self._jobs.dataset_of_job(job))
        return entry

    def endpoint(self, card: ModelCard) -> Endpoint:
        """Where a model is."""
        return self._endpoints.get(card.endpoint)

    def resolve(self, model: str) -> str:
        """The id that a name of the team stands for; any other name is itself."""
        return self.aliases().get(model, model)

    def aliases(self) -> dict[str, str]:
        """The team's names and what they stand for."""
        rows = self._workspace.connection().execute("SELECT name, model FROM model_alias")
        return {row["name"]: row["model"] for row in rows}

    def alias(self, name: str, model: str) -> str | None:
        """Give a model a name of the team's; the model that had it before, if another had.

        Raises UsageError for what could be taken for a model's own id.
        """
        _check_alias(name)
        before = self.aliases().get(name)
        with self._workspace.transaction() as connection:
            connection.execute(
                "INSERT INTO model_alias (name, model, person, at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET model = excluded.model,"
                " person = excluded.person, at = excluded.at",
                (name, model, self.person, time.time()),
            )
        return before if before != model else None

    def remove_alias(self, name: str) -> None:
        """Take a name back; raises NotFoundError where there is none."""
        with self._workspace.transaction() as connection:
            done = connection.execute("DELETE FROM model_alias WHERE name = ?", (name,))
            if not done.rowcount:
                raise NotFoundError(
                    f"There is no alias '{visible(name)}'.", "See: papertune model alias"
                )

    def note(self, model: str, text: str) -> Note:
        """Write something on a model."""
        text = clean(text).strip()
        if not text:
            raise UsageError("The note is empty.")
        note = Note(new_id("n"), text, self.person, time.time())
        with self._workspace.transaction() as connection:
            connection.execute(
                "INSERT INTO model_note (id, model, person, text, at) VALUES (?, ?, ?, ?, ?)",
                (note.id, model, note.person, note.text, note.at),
            )
        return note

    def notes(self, model: str) -> tuple[Note, ...]:
        """What was written on a model, oldest first."""
        rows = self._workspace.connection().execute(
            "SELECT id, text, person, at FROM model_note WHERE model = ? ORDER BY at", (model,)
        )
        return tuple(Note(row["id"], row["text"], row["person"], row["at"]) for row in rows)

    def depends(self, model: str) -> list[str]:
        """What stands on a model, in words: names that lead to it, evaluations, the settings."""
        found = [f"the alias {name}" for name, to in sorted(self.aliases().items()) if to == model]
        settings = self._endpoints.settings
        own = [name for name, to in sorted(settings.aliases.items()) if to == model]
        found += [f"your own alias {name}" for name in own]
        if settings.model == model:
            found.append("your settings, which ask it first")
        if count := len(self._runs(model)):
            found.append("1 evaluation" if count == 1 else f"{count} evaluations")
        uses = self._uses(model)
        more = [f"{len(uses) - _MOST_USES} more"] if len(uses) > _MOST_USES else []
        return [*found, *uses[:_MOST_USES], *more]

    async def archive(self, model: str, archived: bool = True, endpoint: str | None = None) -> None:
        """Take a model out of use, or back; aliases must lead elsewhere first."""
        if archived:
            await asyncio.to_thread(self._refuse_named, model)
        await self._client(model, endpoint).archive(model, archived)

    async def delete(self, model: str, endpoint: str | None = None) -> None:
        """Delete a model for good; what was written on it stays with its job and its runs.

        Raises ConflictError while an alias of the team leads to it.
        """
        await asyncio.to_thread(self._refuse_named, model)
        await self._client(model, endpoint).delete_model(model)

    def _client(self, model: str, endpoint: str | None) -> Client:
        return self._endpoints.for_model(model, endpoint)

    def _refuse_named(self, model: str) -> None:
        names = [name for name, to in self.aliases().items() if to == model]
        if names:
            raise ConflictError(
                f"The team calls {visible(model)} {visible(names[0])}.",
                f"Give that name to another model first: papertune model alias {names[0]} MODEL",
            )

    def _light(self, card: ModelCard) -> Entry:
        named = tuple(sorted(name for name, to in self.aliases().items() if to == card.id))
        return Entry(
            card,
            dataset=card.lineage.dataset,
            papers=card.lineage.papers,
            aliases=named,
            notes=self.notes(card.id),
            results=evaluations(self._runs(card.id)),
        )


def _told(entry: Entry, details: dict[str, Any]) -> Entry:
    step = details.get("step")
    return replace(
        entry,
        template_sha256=str(details.get("template_sha256") or ""),
        license=str(details.get("license") or ""),
        step=step if isinstance(step, int) else None,
    )


def _check_alias(name: str) -> None:
    fits = name == name.strip("/") and set(name) <= _ALIAS_SIGNS and len(name) <= _LONGEST_ALIAS
    if "/" not in name or not fits:
        raise UsageError(
            f"'{visible(name)}' cannot be an alias.",
            "Lower-case letters, digits, '-' and a '/', such as team/current, so that it is never "
            "taken for a model's own name.",
        )
