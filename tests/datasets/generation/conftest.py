"""A server on loopback that writes about the findings it is shown, and what calls it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.conftest import finding
from tests.datasets.library import PaperShelf
from tests.mistral.faults import Answer, FaultServer, Request, answer, completion
from tui.datasets import Datasets
from tui.datasets.generation import GenerationFinished, Generator, Written
from tui.datasets.judging import Judge
from tui.domain.example import Kind
from tui.domain.paper import Paper
from tui.mistral import Endpoints, Ledger, RetryPolicy
from tui.mistral.prices import Prices
from tui.mistral.privacy import Gate
from tui.settings import Credentials, EndpointSettings, SecretStr, Settings
from tui.settings.money import ModelPrice, PriceSettings
from tui.storage.workspace import Workspace

CHAT = "/v1/chat/completions"
FOUND = re.compile(r"We found that substance (\d+)x(\d+) melts at (\d+) kelvin\.")


class Engine:
    def __init__(self, url: str) -> None:
        self.url = url

    def address(self) -> tuple[str, SecretStr] | None:
        return self.url, SecretStr("token")


class Author:
    """Writes a good pair about each finding it is shown; a test changes what it says.

    As the model `judge` it finds every answer supported.
    """

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.change: Callable[[dict[str, Any]], Any] = lambda pair: pair
        self.verdict: Callable[[dict[str, Any]], Any] = lambda body: {
            "reason": "The text says so.",
            "verdict": "supported",
        }
        self.judged: list[str] = []

    def __call__(self, request: Request) -> Answer:
        body = request.json()
        if body["model"] == "judge":
            self.judged.append(body["messages"][0]["content"])
            said = self.verdict(body)
            if isinstance(said, Answer):
                return said
            return answer(completion(said if isinstance(said, str) else json.dumps(said)))
        asked = body["messages"][0]["content"]
        self.shown.append(asked)
        match = FOUND.search(asked)
        pair: dict[str, Any] = {
            "quote": "This is the abstract of a paper, which is about fens.",
            "question": "What is the abstract about?",
            "answer": "It is about fens and resins.",
            "key_phrase": "fens",
            "wordings": [],
        }
        if match:
            paper, number, kelvin = match.groups()
            name = f"substance {paper}x{number}"
            pair = {
                "quote": match[0],
                "question": f"At what temperature does {name} melt?",
                "answer": f"It melts at {kelvin} kelvin.",
                "key_phrase": f"{kelvin} kelvin",
                "wordings": [f"How warm must one make {name} until the whole is liquid?"],
            }
        said = self.change(pair)
        if isinstance(said, Answer):
            return said
        return answer(completion(said if isinstance(said, str) else json.dumps(said)))


@pytest.fixture
def library() -> PaperShelf:
    """Four papers with five findings each, and references that nobody is asked about."""
    shelf = PaperShelf()
    for n in range(4):
        findings = [finding(n, k) for k in range(5)]
        references = "References\n[1] Somebody, Something long enough to be a passage, 1999."
        shelf.add(Paper(f"p{n}", f"Paper number {n}"), [*findings, references])
    return shelf


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    server = FaultServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def author(server: FaultServer) -> Author:
    author = Author()
    server.on("POST", CHAT, author)
    return author


@pytest.fixture
def private() -> set[str]:
    return set()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A dollar and two for a million tokens of `writer` and `judge`, wherever they run."""
    price = ModelPrice(1.0, 2.0, "usd")
    return Ledger(
        tmp_path / "usage.jsonl",
        prices=Prices(PriceSettings(models={"writer": price, "judge": price})),
    )


@pytest.fixture
async def endpoints(
    server: FaultServer, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Endpoints]:
    policy = RetryPolicy(attempts=2, first=0.0, longest=0.0)
    monkeypatch.setattr("tui.mistral.http.RetryPolicy", lambda: policy)
    settings = Settings(
        endpoints={
            "lab": EndpointSettings(server.url),
            "friends": EndpointSettings(server.url, trusted=True),
        },
        consented=("lab", "friends"),
    )
    made = Endpoints(settings, Credentials(tmp_path / "keys", {}), Engine(server.url), ledger)
    yield made
    await made.aclose()


@pytest.fixture
def gate(endpoints: Endpoints, private: set[str]) -> Gate:
    def kept(ids: Collection[str]) -> Collection[str]:
        return private.intersection(ids)

    return Gate(endpoints.settings, kept, lambda _: None)


@pytest.fixture
def generator(
    workspace: Workspace,
    library: PaperShelf,
    datasets: Datasets,
    endpoints: Endpoints,
    author: Author,
    gate: Gate,
) -> Generator:
    return Generator(workspace, library, datasets, endpoints, gate)


@pytest.fixture
def judge(
    workspace: Workspace,
    library: PaperShelf,
    datasets: Datasets,
    endpoints: Endpoints,
    generator: Generator,
    gate: Gate,
) -> Judge:
    return Judge(workspace, library, datasets, endpoints, gate, generator)


async def collect(
    generator: Generator, kind: Kind = Kind.QA, **options: Any
) -> tuple[list[Written], GenerationFinished]:
    options = {"wordings": 2, **options}
    written: list[Written] = []
    async for event in generator.run("answers", kind, "writer", **options):
        if isinstance(event, GenerationFinished):
            return written, event
        if isinstance(event, Written):
            written.append(event)
    raise AssertionError("no end")
