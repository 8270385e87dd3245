"""All services of one workspace, built where they are first used.

The one composition root: the app and every command get their services here, so whatever a screen
does, a command does through the same object.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tui.domain.errors import MissingError
from tui.settings import Credentials, Settings, load_settings, save_settings
from tui.storage.locations import config_dir
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from tui.chat import Chat, Conversations, FeedbackStore
    from tui.chat.embed import Embedder
    from tui.chat.onboarding import Onboarding
    from tui.corpus import Corpus
    from tui.corpus.ocr import Ocr
    from tui.corpus.sources.fetch import Fetcher
    from tui.corpus.sources.zotero import Zotero
    from tui.datasets import Datasets
    from tui.datasets.generation import Generator
    from tui.datasets.judging import Judge
    from tui.datasets.sourcing import Sourcing
    from tui.domain.evaluation import RunReport
    from tui.evaluation import Evaluator
    from tui.jobs import Jobs
    from tui.jobs.alerts import Alerts
    from tui.jobs.registry import Registry
    from tui.mistral.endpoints import Endpoints
    from tui.mistral.engine_control import EngineControl
    from tui.mistral.ledger import Ledger
    from tui.mistral.privacy import Gate
    from tui.quickstart import Guide

Result = TypeVar("Result")


class Services:
    """What screens and commands are given; every attribute is made on first use."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self.workspace = workspace
        self.settings = settings

    @classmethod
    def open(cls, workspace: Path | None = None, *, create: bool = True) -> Services:
        """Services for `workspace`, else for the one of the environment or the settings.

        Raises MissingError when none is named anywhere, or when it is not there and `create` is
        false.
        """
        settings = load_settings()
        root = workspace or chosen_root(settings)
        if root is None:
            raise MissingError(
                "No workspace is chosen.",
                "Name a folder with -w DIR or PAPERTUNE_WORKSPACE, or run: papertune quickstart",
            )
        return cls(Workspace.open(root, create=create), settings)

    def change(self, settings: Settings) -> None:
        """Save new settings and tell the services, which stay the same for whoever holds them."""
        save_settings(settings)
        self.settings = settings
        made = self.__dict__
        if "endpoints" in made:
            self.endpoints.settings = settings
        if "gate" in made:
            self.gate.settings = settings
        if "datasets" in made:
            self.datasets.person = settings.person
        if "feedback" in made:
            self.feedback.person = settings.person
        if "onboarding" in made:
            self.onboarding.person = settings.person
        if "ledger" in made:
            from tui.mistral.prices import Prices

            self.ledger.prices = Prices(settings.prices)

    @cached_property
    def credentials(self) -> Credentials:
        """Keys of endpoints."""
        return Credentials()

    @cached_property
    def corpus(self) -> Corpus:
        """The library."""
        from tui.corpus import Corpus

        def members(name: str) -> frozenset[str] | None:
            return self.datasets.papers_of(name)  # datasets are made of the corpus: ask late

        return Corpus(self.workspace, members)

    @cached_property
    def fetcher(self) -> Fetcher:
        """Papers by identifier, fetched when somebody asks."""
        from tui.corpus.sources.fetch import Fetcher
        from tui.corpus.sources.settings import source_settings

        return Fetcher(self.workspace, self.corpus, source_settings())

    @cached_property
    def zotero(self) -> Zotero:
        """Zotero libraries."""
        from tui.corpus.sources.settings import source_settings
        from tui.corpus.sources.zotero import KEY_NAME, Zotero

        settings = source_settings()
        return Zotero(self.workspace, self.corpus, settings, lambda: self.credentials.get(KEY_NAME))

    @cached_property
    def ocr(self) -> Ocr:
        """Recognising the text of scans."""
        from tui.corpus.ocr import Ocr

        return Ocr(self.workspace, self.corpus)

    @cached_property
    def datasets(self) -> Datasets:
        """Training sets."""
        from tui.datasets import Datasets

        return Datasets(self.workspace, self.corpus, self.settings.person)

    @cached_property
    def ledger(self) -> Ledger:
        """What every call used."""
        from tui.mistral.ledger import Ledger
        from tui.mistral.prices import Prices

        return Ledger(workspace=str(self.workspace.root), prices=Prices(self.settings.prices))

    @cached_property
    def engine(self) -> EngineControl:
        """Starting, stopping and finding the local engine."""
        from tui.mistral.engine_control import EngineControl

        return EngineControl()

    @cached_property
    def endpoints(self) -> Endpoints:
        """Where the API is spoken."""
        from tui.mistral.endpoints import Endpoints

        endpoints = Endpoints(self.settings, self.credentials, self.engine, self.ledger)
        endpoints.team_aliases = self._team_aliases
        return endpoints

    def _team_aliases(self) -> dict[str, str]:
        return self.registry.aliases()

    @cached_property
    def gate(self) -> Gate:
        """What may leave for which endpoint."""
        from tui.mistral.privacy import Gate

        return Gate(self.settings, self.corpus.private, self.change)

    @cached_property
    def generator(self) -> Generator:
        """Having models write examples."""
        from tui.datasets.generation import Generator

        return Generator(self.workspace, self.corpus, self.datasets, self.endpoints, self.gate)

    @cached_property
    def sourcing(self) -> Sourcing:
        """Giving questions sources."""
        from tui.datasets.sourcing import Sourcing

        return Sourcing(self.workspace, self.corpus, self.datasets)

    @cached_property
    def judge(self) -> Judge:
        """Having models judge answers by their passages."""
        from tui.datasets.judging import Judge

        return Judge(
            self.workspace, self.corpus, self.datasets, self.endpoints, self.gate, self.generator
        )

    @cached_property
    def jobs(self) -> Jobs:
        """Fine-tuning jobs."""
        from tui.jobs import Jobs

        return Jobs(
            self.workspace,
            self.datasets,
            self.endpoints,
            self.ledger,
            gate=self.gate,
            engine=self.engine,
            budgets=lambda: self.settings.budget,
            prices=lambda: self.settings.prices,
            person=self.settings.person,
            runs=self._runs_of,
            leaks=self._leaks_of,
        )

    def _leaks_of(self, dataset: str) -> list[str]:
        from tui.datasets.check import leaks_of
        from tui.domain.example import Status

        accepted = [e for e in self.datasets.examples(dataset) if e.status is Status.ACCEPTED]
        return [leak.message for leak in leaks_of(accepted)]

    def _runs_of(self, model: str) -> list[RunReport]:
        return [run for run in self.evaluator.runs() if run.model == model]

    @cached_property
    def registry(self) -> Registry:
        """The team's models."""
        from tui.jobs.registry import Registry

        return Registry(
            self.workspace,
            self.endpoints,
            self.jobs,
            self.settings.person,
            runs=self._runs_of,
            uses=self.conversations.using,
        )

    @cached_property
    def alerts(self) -> Alerts:
        """Telling people that a job ended or needs them."""
        from tui.jobs.alerts import Alerts

        return Alerts(lambda: self.settings.alerts, self.credentials, self.jobs.board.claim_alert)

    @cached_property
    def chat(self) -> Chat:
        """Asking."""
        from tui.chat import Chat
        from tui.chat.prompt import Prompts

        prompts = Prompts(self.workspace.root / "prompts")
        return Chat(
            self.corpus,
            self.endpoints,
            self.gate,
            prompts,
            embedder=self.embedder,
            onboarding=self.onboarding,
        )

    @cached_property
    def embedder(self) -> Embedder:
        """What passages and questions mean, as vectors."""
        from tui.chat.embed import Embedder

        return Embedder(self.workspace, self.endpoints, self.gate, self.corpus.private)

    @cached_property
    def onboarding(self) -> Onboarding:
        """What this person was told to read, and has."""
        from tui.chat.onboarding import Onboarding

        return Onboarding(self.workspace.root / "onboarding", self.settings.person)

    @cached_property
    def conversations(self) -> Conversations:
        """What was asked before."""
        from tui.chat import Conversations

        return Conversations(config_dir() / "history")

    @cached_property
    def feedback(self) -> FeedbackStore:
        """What people said of answers."""
        from tui.chat import FeedbackStore

        return FeedbackStore(self.workspace.feedback, self.settings.person)

    @cached_property
    def evaluator(self) -> Evaluator:
        """Runs."""
        from tui.evaluation import Evaluator

        return Evaluator(self.workspace, self.datasets, self.chat)

    @cached_property
    def guide(self) -> Guide:
        """The steps of the whole job and which of them are done."""
        from tui.quickstart import Guide

        return Guide(self.workspace, self.corpus, self.datasets, self.jobs, self.evaluator)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a command's asynchronous work to its end, and close every connection after it."""

        async def whole() -> Result:
            try:
                return await work
            finally:
                await self.aclose()

        try:
            return asyncio.run(whole())
        finally:
            self.workspace.close()

    async def aclose(self) -> None:
        """Close the clients; the event loop they were used in must still run."""
        if "endpoints" in self.__dict__:
            await self.endpoints.aclose()

    def close(self) -> None:
        """Close the database."""
        self.workspace.close()


def named_root() -> Path | None:
    """The workspace's folder by `PAPERTUNE_WORKSPACE`."""
    named = os.environ.get("PAPERTUNE_WORKSPACE")
    return Path(named) if named else None


def chosen_root(settings: Settings) -> Path | None:
    """The workspace's folder by `PAPERTUNE_WORKSPACE`, else by the settings."""
    return named_root() or settings.workspace


def adopt_workspace(services: Services) -> None:
    """Make this the default workspace where the settings name none yet."""
    if services.settings.workspace is None:
        services.change(replace(services.settings, workspace=services.workspace.root))
