"""What the datasets screen is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.chat import Chat
    from tui.corpus import Corpus
    from tui.datasets import Datasets
    from tui.datasets.generation import Generator
    from tui.datasets.judging import Judge
    from tui.datasets.sourcing import Sourcing
    from tui.jobs import Jobs
    from tui.mistral import Endpoints, Gate
    from tui.settings import Settings


@dataclass(frozen=True, slots=True)
class DatasetServices:
    """Services; those that take long to import are asked for where they are used."""

    datasets: Datasets
    corpus: Corpus
    workspace: Path
    sourcing: Callable[[], Sourcing]
    generator: Callable[[], Generator]
    judge: Callable[[], Judge]
    jobs: Callable[[], Jobs]
    endpoints: Callable[[], Endpoints]
    gate: Callable[[], Gate]
    chat: Callable[[], Chat]
    settings: Callable[[], Settings]
