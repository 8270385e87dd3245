"""transformers as a backend, on the CPU with the bundled model's own weights."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import numpy as np
import psutil
import pytest
import pytest_asyncio
from safetensors.numpy import save_file

from tui.domain.example import Turn
from tui.engine.chat.backend import ChatError, Served
from tui.engine.chat.torch_backend import Torch
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Piece, Sampling

pytest.importorskip("torch")
pytestmark = pytest.mark.asyncio(loop_scope="module")
BASE = "smollm2-135m-instruct"
GREEDY = Sampling(max_tokens=8, temperature=0.0)
LONG = "a long tale of a beam " * 150


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def torch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Torch]:
    backend = Torch(tmp_path_factory.mktemp("logs"), threads=1)
    yield backend
    await backend.close()


@pytest.fixture(scope="module")
def whole_model(bundled_model_dir: Path) -> Served:
    from tui.engine.training.convert import ensure_weights

    return Served(BASE, BASE, ensure_weights(bundled_model_dir), 4096, None, "transformers")


@pytest.fixture
def ask(library: ModelLibrary) -> Callable[[str], list[int]]:
    tokenizer = library.tokenizer(BASE)

    def tokens(question: str) -> list[int]:
        turns = [Turn("user", question)]
        return tokenizer.encode(tokenizer.template.render(turns, add_generation_prompt=True))

    return tokens


def write_adapter(folder: Path, seed: int) -> Path:
    random = np.random.default_rng(seed)
    tensors = {}
    for layer in range(30):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj.lora_"
        tensors[name + "A.weight"] = random.normal(0, 0.1, (4, 576)).astype(np.float32)
        tensors[name + "B.weight"] = random.normal(0, 0.1, (576, 4)).astype(np.float32)
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 4,
        "lora_alpha": 32,
        "target_modules": ["q_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


async def whole(
    torch: Torch, served: Served, tokens: list[int], sampling: Sampling = GREEDY
) -> tuple[str, Piece]:
    text, last = "", Piece("")
    async for last in torch.answer(served, tokens, sampling):
        text += last.text
    return text, last


async def test_it_answers_alike_with_true_counts_and_stops(
    torch: Torch, whole_model: Served, ask: Callable[[str], list[int]]
) -> None:
    tokens = ask("Name three colours.")
    text, last = await whole(torch, whole_model, tokens)
    assert await whole(torch, whole_model, tokens) == (text, last)
    assert (last.finish_reason, last.prompt_tokens, last.completion_tokens) == (
        "length",
        len(tokens),
        8,
    )
    word = text.split()[2]
    cut, last = await whole(torch, whole_model, tokens, replace(GREEDY, stop=(word,)))
    assert cut == text.partition(word)[0]
    assert last.finish_reason == "stop"


async def test_a_seed_makes_chance_repeatable(
    torch: Torch, whole_model: Served, ask: Callable[[str], list[int]]
) -> None:
    tokens = ask("Tell me something.")
    free = Sampling(max_tokens=8, temperature=1.2, top_p=0.95, seed=7, presence_penalty=0.5)
    one = await whole(torch, whole_model, tokens, free)
    assert await whole(torch, whole_model, tokens, free) == one
    assert await whole(torch, whole_model, tokens, replace(free, seed=8)) != one


async def test_each_request_has_its_own_adapter_or_none(
    torch: Torch, whole_model: Served, ask: Callable[[str], list[int]], tmp_path: Path
) -> None:
    tokens = ask("What is a star?")
    base = await whole(torch, whole_model, tokens)
    served = [
        replace(whole_model, adapter=write_adapter(tmp_path / str(seed), seed)) for seed in (1, 2)
    ]
    one, two = [await whole(torch, each, tokens) for each in served]
    assert len({base[0], one[0], two[0]}) == 3
    together = await asyncio.gather(
        whole(torch, whole_model, tokens), *(whole(torch, each, tokens) for each in served)
    )
    assert [text for text, _ in together] == [base[0], one[0], two[0]]


async def test_a_schema_holds_the_answer(
    torch: Torch, whole_model: Served, ask: Callable[[str], list[int]]
) -> None:
    pytest.importorskip("llguidance")
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    wanted = Sampling(max_tokens=40, temperature=1.0, seed=3, schema=schema)
    text, last = await whole(torch, whole_model, ask("A colour?"), wanted)
    assert json.loads(text)["colour"] in ("red", "blue")
    assert last.finish_reason == "stop"


async def test_a_short_question_does_not_wait_for_a_long_prompt_and_who_leaves_frees_the_model(
    torch: Torch, whole_model: Served, ask: Callable[[str], list[int]]
) -> None:
    reading = asyncio.create_task(whole(torch, whole_model, ask(LONG)))
    short = await whole(torch, whole_model, ask("Hello?"), replace(GREEDY, max_tokens=2))
    assert short[1].completion_tokens == 2
    assert not reading.done()
    reading.cancel()
    (process,) = [psutil.Process(child.pid) for child in torch.processes()]
    await asyncio.gather(reading, return_exceptions=True)
    await whole(torch, whole_model, ask("Hi"), replace(GREEDY, max_tokens=1))
    spent = process.cpu_times().user
    await asyncio.sleep(0.5)
    assert process.cpu_times().user - spent < 0.3  # nothing is computed for the one who left


async def test_no_one_without_the_key_is_answered(torch: Torch, whole_model: Served) -> None:
    (child,) = torch.processes()
    async with httpx.AsyncClient(base_url=child.url, trust_env=False) as stranger:
        for path in ("/completion", "/threads", "/"):
            assert (await stranger.post(path, json={"prompt": [1]})).status_code == 401
    assert child.key not in " ".join(psutil.Process(child.pid).cmdline())


async def test_a_process_that_dies_is_said(
    torch: Torch, whole_model: Served, ask: Callable[[str], list[int]]
) -> None:
    stream = torch.answer(whole_model, ask("Write a novel."), replace(GREEDY, max_tokens=500))
    await anext(stream)
    (child,) = torch.processes()
    psutil.Process(child.pid).kill()
    with pytest.raises(ChatError, match="SIGKILL"):
        async for _ in stream:
            pass
