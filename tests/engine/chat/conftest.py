from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tui.engine.chat.backend import Served
from tui.engine.chat.llama import Llama
from tui.engine.home import EngineHome
from tui.engine.models.library import ModelLibrary

BASE = "smollm2-135m-instruct"


@pytest.fixture
def library(tmp_path: Path, bundled_model_dir: Path) -> ModelLibrary:
    home = EngineHome(tmp_path / "engine")
    home.create()
    return ModelLibrary(bundled_model_dir.parent, home)


@pytest.fixture
def served(library: ModelLibrary) -> Served:
    return library.served(BASE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def llama(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Llama]:
    """One backend for the tests that ask nothing special of it: starting a process takes time."""
    shared = Llama(tmp_path_factory.mktemp("logs"))
    yield shared
    await shared.close()


@pytest_asyncio.fixture(loop_scope="module")
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Llama]]:
    made: list[Llama] = []

    def make(**options: object) -> Llama:
        made.append(Llama(tmp_path / "logs", **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for llama in made:
        await llama.close()
