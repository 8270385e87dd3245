"""`/v1/embeddings` over a real engine and the real model."""

from __future__ import annotations

import base64
import json
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.engine.server.conftest import TOKEN, until
from tests.engine.server.serving import served
from tui.engine.embeddings.service import Embedder
from tui.engine.home import EngineHome
from tui.engine.models.library import ModelLibrary
from tui.engine.server.state import Engine

MODEL = "all-minilm-l6-v2"


@pytest.fixture(scope="module")
def engine(
    embedding_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, httpx2.Client]]:
    home = EngineHome(tmp_path_factory.mktemp("engine"))
    library = ModelLibrary(embedding_model_dir.parent, home, {"meaning": MODEL})
    embedder = Embedder(library.encoder, tmp_path_factory.mktemp("logs"))
    with served(home, library, embedder=embedder) as (engine, url):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
            yield engine, client


@pytest.fixture
def client(engine: tuple[Engine, httpx2.Client]) -> httpx2.Client:
    return engine[1]


def embed(client: httpx2.Client, given: Any, **more: Any) -> httpx2.Response:
    return client.post("/v1/embeddings", json={"model": MODEL, "input": given, **more})


def vectors(answer: httpx2.Response) -> list[list[float]]:
    assert answer.status_code == 200, answer.text
    return [entry["embedding"] for entry in answer.json()["data"]]


def test_a_text_and_a_list_are_answered_alike(client: httpx2.Client) -> None:
    alone = embed(client, "beams last").json()
    assert alone["object"] == "list"
    assert alone["model"] == MODEL
    assert alone["usage"] == {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}
    both = embed(client, ["beams last", "other words here"]).json()
    assert [entry["index"] for entry in both["data"]] == [0, 1]
    assert both["data"][0]["embedding"] == pytest.approx(alone["data"][0]["embedding"], abs=1e-6)
    assert len(alone["data"][0]["embedding"]) == 384


def test_base64_holds_the_same_numbers(client: httpx2.Client) -> None:
    plain = vectors(embed(client, "beams last"))[0]
    coded = embed(client, "beams last", encoding_format="base64").json()["data"][0]["embedding"]
    assert list(struct.unpack("<384f", base64.b64decode(coded))) == pytest.approx(plain, abs=1e-7)


def test_a_long_text_is_read_to_its_end(client: httpx2.Client) -> None:
    start = "the beam was stable " * 200
    found = embed(client, [start, start + "penguins swim in cold water " * 100])
    one, other = vectors(found)
    assert found.json()["usage"]["prompt_tokens"] > 1200
    assert sum(a * b for a, b in zip(one, other, strict=True)) < 0.98


def test_many_texts_come_back_in_their_order(client: httpx2.Client) -> None:
    texts = [f"number {index} " * (index % 40 + 1) for index in range(60)]
    found = vectors(embed(client, texts))
    for index in (0, 41, 59):
        assert found[index] == pytest.approx(vectors(embed(client, texts[index]))[0], abs=1e-5)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": []}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": None}, "input"),
        ({"input": ["x"] * 513}, "input"),
        ({"input": "x" * 40_000}, "input"),
        ({"input": ["x" * 32_000] * 32}, "input"),
        ({"input": "\ud800"}, "input"),
        ({"input": "a", "output_dimension": 8}, "output_dimension"),
        ({"input": "a", "output_dimension": 0}, "output_dimension"),
        ({"input": "a", "output_dtype": "int8"}, "output_dtype"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "unknown": 1}, "unknown"),
        ({}, "input"),
    ],
)
def test_what_is_out_of_bounds_is_refused(
    client: httpx2.Client, body: dict[str, Any], field: str
) -> None:
    content = json.dumps({"model": MODEL, **body})
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/embeddings", content=content, headers=headers)
    assert answer.status_code == 422
    assert field in answer.json()["detail"][0]["loc"]


def test_an_alias_answers_under_the_real_name(client: httpx2.Client) -> None:
    assert client.post("/v1/embeddings", json={"model": "meaning", "input": "a"}).json()[
        "model"
    ] == (MODEL)


def test_a_missing_model_names_the_command(client: httpx2.Client) -> None:
    answer = client.post("/v1/embeddings", json={"model": "mistral-embed", "input": "a"})
    assert answer.status_code == 400
    assert answer.json()["type"] == "invalid_model"
    assert "papertune model pull" in answer.json()["message"]


def test_an_encoder_does_not_chat(client: httpx2.Client) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert "does not chat" in answer.json()["message"]
    card = client.get(f"/v1/models/{MODEL}").json()
    assert card["capabilities"]["completion_chat"] is False
    assert card["capabilities"]["fine_tuning"] is False


def test_a_small_request_does_not_wait_for_a_large_one(client: httpx2.Client) -> None:
    done: list[str] = []

    def ask(name: str, texts: list[str]) -> None:
        vectors(embed(client, texts))
        done.append(name)

    large = threading.Thread(target=ask, args=("large", ["a beam of light " * 250] * 8))
    large.start()
    until(children)
    ask("small", ["a question"])
    large.join()
    assert done == ["small", "large"]


def test_a_killed_process_is_started_again(client: httpx2.Client) -> None:
    vectors(embed(client, "a"))
    (worker,) = children()
    worker.kill()
    worker.wait(10)
    assert len(vectors(embed(client, "a"))[0]) == 384


def children() -> list[psutil.Process]:
    """The workers of this process; what others of its tests left to be reaped is none."""
    return [
        process
        for process in psutil.Process().children()
        if process.status() != psutil.STATUS_ZOMBIE
        and "tui.engine.embeddings.worker" in process.cmdline()
    ]
