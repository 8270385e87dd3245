"""A workspace and a corpus in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.corpus import Corpus
from tui.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def corpus(workspace: Workspace) -> Corpus:
    return Corpus(workspace)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    made.mkdir()
    return made
