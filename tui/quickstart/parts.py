"""What the quickstart needs of the services; `tui.services.Services` has all of it."""

from __future__ import annotations

from typing import Protocol

from tui.chat import Chat, Conversations
from tui.corpus import Corpus
from tui.datasets import Datasets
from tui.evaluation import Evaluator
from tui.jobs import Jobs
from tui.mistral import Endpoints, EngineControl
from tui.quickstart.guide import Guide
from tui.storage.workspace import Workspace


class Parts(Protocol):
    """The services the whole job goes through."""

    @property
    def workspace(self) -> Workspace: ...
    @property
    def corpus(self) -> Corpus: ...
    @property
    def datasets(self) -> Datasets: ...
    @property
    def engine(self) -> EngineControl: ...
    @property
    def endpoints(self) -> Endpoints: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def chat(self) -> Chat: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def evaluator(self) -> Evaluator: ...
    @property
    def guide(self) -> Guide: ...
