"""Other servers that answer: a second engine of ours, and llama.cpp's own OpenAI routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.engine.server import doubles
from tests.engine.server.conftest import TOKEN, Running, until
from tests.engine.server.serving import served
from tui.domain.example import Turn
from tui.engine.chat.child import Child
from tui.engine.chat.upstream import UpstreamError, Upstreams
from tui.engine.chat.voice import LocalVoice
from tui.engine.home import EngineHome
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Sampling
from tui.engine.settings import Upstream

KEY = "PAPERTUNE_TEST_UPSTREAM_KEY"
TURNS = [Turn("user", "Name three colours.")]
CHAT = "/v1/chat/completions"


@pytest.fixture
def front(
    server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx2.Client]:
    """An engine whose models live on the engine `server`."""
    monkeypatch.setenv(KEY, TOKEN)
    there = Upstream(server.url, KEY, doubles.BASE, "mistral", 2048)
    gone = Upstream("http://127.0.0.1:9", "", "", "openai", 100)
    home = EngineHome(tmp_path / "front")
    library = ModelLibrary(tmp_path / "none", home, {}, {"team-model": there, "gone": gone})
    voice = LocalVoice(library, tmp_path / "logs")
    with served(home, library, voice) as (_, url):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
            yield client


def body(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}


def test_an_answer_comes_from_there_under_its_real_name(
    front: httpx2.Client, server: Running
) -> None:
    answer = front.post(CHAT, json=body("team-model", random_seed=5, stop="!", n=2)).json()
    assert answer["model"] == doubles.BASE
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["Hello there."] * 2
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 6, "total_tokens": 13}
    assert [sampling.seed for sampling in server.voice.samplings] == [5, 6]
    assert server.voice.samplings[0].stop == ("!",)
    card = front.get(f"/v1/models/{doubles.BASE}").json()
    assert card["max_context_length"] == 2048
    assert card["capabilities"]["fine_tuning"] is False
    local = front.get(f"/local/models/{doubles.BASE}").json()
    assert local["engine"] == f"upstream ({server.url.removeprefix('http://')})"


def test_a_stream_is_passed_on_and_a_hang_up_reaches_the_other_server(
    front: httpx2.Client, server: Running
) -> None:
    server.voice.endless = True
    with front.stream("POST", CHAT, json=body("team-model", stream=True)) as response:
        lines = (line for line in response.iter_lines() if line.startswith("data:"))
        first = json.loads(next(lines)[5:])
        assert first["model"] == doubles.BASE
        assert first["choices"][0]["delta"]["role"] == "assistant"
    until(lambda: server.voice.closed == 1)


def test_a_prefix_is_gone_on_with(front: httpx2.Client, server: Running) -> None:
    asked = body("team-model")
    asked["messages"].append({"role": "assistant", "content": "Well,", "prefix": True})
    answer = front.post(CHAT, json=asked).json()
    assert answer["choices"][0]["message"]["content"] == "Well,Hello there."
    assert server.voice.prompts[-1].endswith("Well,")


def test_failures_there_are_said_in_our_words(
    front: httpx2.Client, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failure(model: str) -> str:
        answer = front.post(CHAT, json=body(model))
        assert answer.status_code == 503
        message: str = answer.json()["message"]
        assert TOKEN not in message
        return message

    assert "cannot be reached" in failure("gone")
    monkeypatch.setenv(KEY, "another-key-entirely")
    assert "does not accept our key" in failure("team-model")
    monkeypatch.delenv(KEY)
    assert KEY in failure("team-model")


def test_a_stream_that_breaks_there_ends_with_an_error_here(
    front: httpx2.Client, server: Running
) -> None:
    server.voice.broken_after = 2
    with front.stream("POST", CHAT, json=body("team-model", stream=True)) as response:
        lines = [line[6:] for line in response.iter_lines() if line.startswith("data:")]
    assert json.loads(lines[-2])["choices"][0]["finish_reason"] == "error"


def test_its_weights_cannot_be_trained_here(front: httpx2.Client) -> None:
    job = {"model": "team-model", "hyperparameters": {}, "training_files": []}
    assert front.post("/v1/fine_tuning/jobs", json=job).status_code == 422


async def test_the_openai_dialect_is_spoken_to_llama_cpp_itself(
    bundled_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ModelLibrary(bundled_model_dir.parent, EngineHome(tmp_path / "engine"))
    weights = library.served("smollm2-135m-instruct")
    options = {
        "weights": str(weights.weights),
        "context": 512,
        "slots": 1,
        "threads": 1,
        "adapters": [],
    }
    child = await Child.start("tui.engine.chat.llama_worker", options, tmp_path / "log")
    monkeypatch.setenv(KEY, child.key)
    upstreams = Upstreams()
    try:
        settings = Upstream(child.url, KEY)
        wanted = Sampling(max_tokens=8, temperature=0, seed=1)
        pieces = [p async for p in upstreams.answer("m", settings, TURNS, "", wanted)]
        assert "".join(piece.text for piece in pieces).strip()
        assert pieces[-1].finish_reason == "length"
        assert pieces[-1].completion_tokens == 8
        assert pieces[-1].prompt_tokens > 5
        schema = {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"]}
        held = Sampling(max_tokens=60, temperature=0, schema=schema)
        said = [p.text async for p in upstreams.answer("m", settings, TURNS, "", held)]
        assert json.loads("".join(said))["a"] == 1
        with pytest.raises(UpstreamError, match="refused"):
            big = [Turn("user", "word " * 2000)]
            async with asyncio.timeout(30):
                async for _ in upstreams.answer("m", settings, big, "", wanted):
                    pass
    finally:
        await upstreams.close()
        await child.end()
