"""A small team workspace, made once and copied for each test, and the app on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.mistral.faults import FaultServer
from tests.screens.engine_double import EngineDouble
from tui.app import PapertuneApp
from tui.corpus import Corpus
from tui.datasets import Datasets
from tui.domain.example import Kind, Status
from tui.keymap import Keymap
from tui.services import Services
from tui.settings import Settings
from tui.storage.workspace import Workspace

PAPERS = {
    "resins": (
        "Velmora resin hardens late",
        "Ada Keller, Tom Osei",
        2024,
        "Velmora resin hardens for six hours",
    ),
    "bells": ("Bells cast from fen tin", "Orla Tamblyn", 2022, "Fen tin rings at a lower pitch"),
    "mosses": (
        "Lantern mosses of the lower fen",
        "Ruth Vale",
        2020,
        "Lantern moss glows for an hour",
    ),
}
FINDINGS = (
    (
        "resins",
        "How long does Velmora resin harden?",
        "It hardens for six hours.",
        "Velmora resin hardens for six hours",
    ),
    ("bells", "How does fen tin ring?", "Lower than river tin.", "Fen tin rings at a lower pitch"),
    (
        "mosses",
        "How long does lantern moss glow?",
        "It glows for an hour.",
        "Lantern moss glows for an hour",
    ),
)
CREATED = 1_700_000_000.0


def _text(title: str, authors: str, year: int, sentence: str) -> str:
    head = f"---\ntitle: {title}\nauthor: {authors}\nyear: {year}\n---\n\n"
    filler = "The measurements were repeated on three evenings and agreed. " * 12
    return (
        f"{head}# {title}\n\n## Abstract\n\n{sentence} at dusk in the lower fen.\n\n"
        f"## Results\n\n{filler}\n\n{sentence} at dusk, as the keepers said.\n"
    )


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three papers and a dataset `answers` of three drafts."""
    folder = tmp_path_factory.mktemp("screens")
    papers = folder / "papers"
    papers.mkdir()
    for name, (title, authors, year, sentence) in PAPERS.items():
        (papers / f"{name}.md").write_text(_text(title, authors, year, sentence), encoding="utf-8")
    (papers / "broken.pdf").write_bytes(b"%PDF-1.7 nothing behind it")
    root = folder / "team"
    opened = Workspace.open(root)
    corpus = Corpus(opened)
    corpus.add([papers])
    pairs = folder / "pairs.jsonl"
    titles = {name: title for name, (title, *_) in PAPERS.items()}
    lines = [
        {"paper": titles[paper], "question": question, "answer": answer, "quote": quote}
        for paper, question, answer, quote in FINDINGS
    ]
    pairs.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    datasets = Datasets(opened, corpus, "ada")
    datasets.create("answers")
    assert datasets.add_pairs("answers", pairs).added == len(FINDINGS)
    ids = [example.id for example in datasets.examples("answers", kind=Kind.QA)]
    Datasets(opened, corpus, "grace").decide("answers", ids, Status.DRAFT)
    with opened.transaction() as connection:
        connection.execute("UPDATE dataset SET created_at = ?", (CREATED,))
    opened.close()
    return folder


@pytest.fixture
def services(template: Path, tmp_path: Path) -> Iterator[Services]:
    """Services on a copy of the team's workspace."""
    root = shutil.copytree(template / "team", tmp_path / "team")
    made = Services(Workspace.open(root), Settings(workspace=root, person="ada"))
    yield made
    made.close()


@pytest.fixture
def empty_services(tmp_path: Path) -> Iterator[Services]:
    """Services on a workspace with nothing in it."""
    root = tmp_path / "empty"
    made = Services(Workspace.open(root), Settings(workspace=root, person="ada"))
    yield made
    made.close()


@pytest.fixture
def make_app(services: Services) -> Callable[..., PapertuneApp]:
    """The app on the team's workspace."""

    def make(keymap: Keymap | None = None, theme: str = "papertune-dark") -> PapertuneApp:
        return PapertuneApp(services, keymap=keymap, theme=theme)

    return make


@pytest.fixture
async def engine(services: Services) -> AsyncIterator[EngineDouble]:
    """An engine without weights, which the services find as the one of this machine."""
    server = FaultServer()
    await server.start()
    double = EngineDouble(server)
    services.__dict__["engine"] = double
    yield double
    await server.stop()
