"""A workspace with a few papers and an empty dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.library import PaperShelf
from tui.datasets import Datasets
from tui.domain.paper import Paper
from tui.storage.workspace import Workspace

WriteLines = Callable[..., Path]


@pytest.fixture
def library() -> PaperShelf:
    """Seven papers `p0` to `p6`, each with an abstract, five findings and a reference list."""
    shelf = PaperShelf()
    for n in range(7):
        abstract = f"This is the abstract of paper number {n}, which is about fens and resins."
        findings = [finding(n, k) for k in range(5)]
        paper = Paper(f"p{n}", f"Paper number {n}", abstract=abstract, doi=f"10.5555/{n}")
        shelf.add(paper, [abstract, *findings, "References\n[1] Somebody, Something, 1999."])
    return shelf


def finding(paper: int, number: int) -> str:
    """The sentence of a finding as its paper has it."""
    return f"We found that substance {paper}x{number} melts at {200 + 10 * paper + number} kelvin."


def pair(paper: int, number: int, wording: int = 0, /, **extra: Any) -> dict[str, Any]:
    """A question on a finding; wordings 0 to 5 differ in at least three content words."""
    name = f"substance {paper}x{number}"
    wordings = (
        f"At what temperature does {name} melt?",
        f"How warm must one make {name} until the whole becomes liquid?",
        f"Name the melting point reported by experimenters for {name}.",
        f"If I heat a dish of {name}, when will drops appear?",
        f"Suppose {name} lies on a hot plate: which reading marks its collapse?",
        f"Which figure in kelvin did the group publish on {name} turning fluid?",
    )
    kelvin = f"{200 + 10 * paper + number} kelvin"
    return {
        "question": wordings[wording],
        "answer": f"Substance {paper}x{number} melts at {kelvin}.",
        "key_phrase": kelvin,
        "quote": finding(paper, number),
        "paper": f"10.5555/{paper}",
        "finding": f"{paper}x{number}",
        **extra,
    }


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def datasets(workspace: Workspace, library: PaperShelf) -> Datasets:
    datasets = Datasets(workspace, library, "Ada")
    datasets.create("answers")
    return datasets


@pytest.fixture
def write_lines(tmp_path: Path) -> WriteLines:
    """Writes values as JSON Lines (bytes as they are) and gives the file's path."""

    def write(*values: Any, name: str = "pairs.jsonl") -> Path:
        lines = [
            value if isinstance(value, bytes) else json.dumps(value).encode() for value in values
        ]
        path = tmp_path / name
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write
