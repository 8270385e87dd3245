"""A process of its own that generates from four papers, to be killed: WORKSPACE URL."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

from tests.datasets.conftest import finding
from tests.datasets.generation.conftest import Engine
from tests.datasets.library import PaperShelf
from tui.datasets import Datasets
from tui.datasets.generation import GenerationFinished, Generator
from tui.domain.errors import ConflictError
from tui.domain.example import Kind
from tui.domain.paper import Paper
from tui.mistral import Endpoints, Ledger
from tui.mistral.privacy import Gate
from tui.settings import Credentials, EndpointSettings, Settings
from tui.storage.workspace import Workspace


async def main(root: Path, url: str) -> None:
    library = PaperShelf()
    for n in range(4):
        library.add(Paper(f"p{n}", f"Paper number {n}"), [finding(n, k) for k in range(5)])
    workspace = Workspace.open(root)
    datasets = Datasets(workspace, library, "Ada")
    with suppress(ConflictError):
        datasets.create("answers")
    settings = Settings(endpoints={"lab": EndpointSettings(url)}, consented=("lab",))
    endpoints = Endpoints(settings, Credentials(root / "keys", {}), Engine(url), Ledger())
    gate = Gate(settings, lambda ids: (), lambda _: None)
    generator = Generator(workspace, library, datasets, endpoints, gate)
    async for event in generator.run("answers", Kind.QA, "writer", wordings=1, endpoint="lab"):
        if isinstance(event, GenerationFinished):
            said = {
                "lost": event.lost,
                "stored": datasets.count("answers"),
                "failures": len(generator.failures("answers")),
            }
            sys.stdout.write(json.dumps(said) + "\n")
    await endpoints.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
