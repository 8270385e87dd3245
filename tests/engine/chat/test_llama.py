from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from tests.engine.chat.adapters import write_adapter
from tui.domain.example import Turn
from tui.engine.chat.backend import ChatError, Served
from tui.engine.chat.llama import Llama
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Piece, Sampling

BASE = "smollm2-135m-instruct"
GREEDY = Sampling(max_tokens=24, temperature=0.0)
QUESTION = "Name three colours."
Start = Callable[..., Llama]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def ask(library: ModelLibrary) -> Callable[[str], list[int]]:
    tokenizer = library.tokenizer(BASE)

    def tokens(question: str) -> list[int]:
        turns = [Turn("user", question)]
        return tokenizer.encode(tokenizer.template.render(turns, add_generation_prompt=True))

    return tokens


async def whole(
    llama: Llama, served: Served, tokens: list[int], sampling: Sampling = GREEDY
) -> tuple[str, Piece]:
    text, last = "", Piece("")
    async for last in llama.answer(served, tokens, sampling):
        text += last.text
    return text, last


async def test_the_same_question_gets_the_same_greedy_answer(
    llama: Llama, served: Served, ask: Callable[[str], list[int]]
) -> None:
    first = await whole(llama, served, ask(QUESTION))
    await whole(llama, served, ask("What is a star?"))
    assert await whole(llama, served, ask(QUESTION)) == first
    assert first[0].strip()


async def test_counts_are_those_of_the_tokenizer(
    llama: Llama, served: Served, ask: Callable[[str], list[int]], library: ModelLibrary
) -> None:
    tokens = ask("Write a long story about the sea.")
    text, last = await whole(llama, served, tokens)
    assert last.finish_reason == "length"
    assert last.prompt_tokens == len(tokens)
    assert last.completion_tokens == GREEDY.max_tokens == library.tokenizer(BASE).count(text)


async def test_the_base_arm_equals_a_server_without_adapters(
    start: Start, served: Served, ask: Callable[[str], list[int]], tmp_path: Path
) -> None:
    questions = [QUESTION, "What is light?", "Why is the sky blue?"]
    plain = start()
    bare = [await whole(plain, served, ask(question)) for question in questions]
    with_adapters = start()
    tuned = [
        replace(served, adapter=write_adapter(tmp_path / f"{seed}.gguf", seed)) for seed in (1, 2)
    ]
    answers = {}
    for question, expected in zip(questions, bare, strict=True):
        for model in tuned:
            answers[question, model.adapter] = await whole(with_adapters, model, ask(question))
        assert await whole(with_adapters, served, ask(question)) == expected
    assert len({text for text, _ in answers.values()} | {text for text, _ in bare}) > 3
    (process,) = with_adapters.processes()
    assert len(process.setup.adapters) == 2
    for model in tuned:
        assert await whole(with_adapters, model, ask(QUESTION)) == answers[QUESTION, model.adapter]


async def test_a_new_adapter_waits_for_the_answers_under_way(
    start: Start, served: Served, ask: Callable[[str], list[int]], tmp_path: Path
) -> None:
    llama = start()
    stream = llama.answer(served, ask("Count to fifty."), Sampling(max_tokens=40, temperature=0))
    await anext(stream)
    tuned = replace(served, adapter=write_adapter(tmp_path / "a.gguf", 1))
    other = asyncio.create_task(whole(llama, tuned, ask(QUESTION)))
    reasons = [piece.finish_reason async for piece in stream]
    assert reasons[-1] in {"length", "stop"}
    assert (await other)[1].finish_reason


async def test_two_streams_advance_together(
    llama: Llama, served: Served, ask: Callable[[str], list[int]]
) -> None:
    order: list[int] = []

    async def one(number: int) -> str:
        text = ""
        sampling = Sampling(max_tokens=40, temperature=0)
        async for piece in llama.answer(
            served, ask(f"Tell a story about {number} ships."), sampling
        ):
            order.append(number)
            text += piece.text
        return text

    texts = await asyncio.gather(one(1), one(2))
    assert all(texts)
    first_end = min(len(order) - 1 - order[::-1].index(number) for number in (1, 2))
    assert set(order[:first_end]) == {1, 2}


async def test_closing_a_stream_frees_its_slot(
    start: Start, served: Served, ask: Callable[[str], list[int]]
) -> None:
    llama = start(slots=1)
    endless = Sampling(max_tokens=3500, temperature=1.0, seed=1)
    for _ in range(3):
        stream = llama.answer(served, ask("Write a very long novel."), endless)
        await anext(stream)
        await stream.aclose()
    _, last = await asyncio.wait_for(whole(llama, served, ask(QUESTION)), 30)
    assert last.finish_reason


async def test_cancelling_while_the_prompt_is_read_frees_the_slot(
    start: Start, served: Served, ask: Callable[[str], list[int]]
) -> None:
    llama = start(slots=1)
    await whole(llama, served, ask(QUESTION))
    reading = asyncio.create_task(whole(llama, served, ask("a long tale " * 1200)))
    await asyncio.sleep(0.3)
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    _, last = await asyncio.wait_for(whole(llama, served, ask(QUESTION)), 30)
    assert last.finish_reason


async def test_no_one_without_the_key_is_answered(
    llama: Llama, served: Served, ask: Callable[[str], list[int]]
) -> None:
    await whole(llama, served, ask(QUESTION))
    (process,) = llama.processes()
    command = " ".join(psutil.Process(process.pid).cmdline())
    assert process.url.startswith("http://127.0.0.1:")
    async with httpx.AsyncClient(base_url=process.url, trust_env=False) as stranger:
        for key in ({}, {"authorization": "Bearer wrong"}):
            body = {"prompt": "a", "n_predict": 1}
            for path in ("/completion", "/v1/chat/completions", "/tokenize", "/lora-adapters"):
                reply = await stranger.post(path, json=body, headers=key)
                assert reply.status_code in {401, 404}, path
    assert "key" not in command
    assert len(command) < 300


async def test_stop_strings_end_an_answer_and_are_left_out(
    llama: Llama, served: Served, ask: Callable[[str], list[int]]
) -> None:
    text, _ = await whole(llama, served, ask(QUESTION))
    stop = text.split()[-1]
    cut, last = await whole(llama, served, ask(QUESTION), replace(GREEDY, stop=(stop,)))
    assert cut == text[: text.index(stop)]
    assert last.finish_reason == "stop"


async def test_a_seed_makes_chance_repeatable(
    llama: Llama, served: Served, ask: Callable[[str], list[int]]
) -> None:
    tokens = ask("Invent a name for a ship.")
    texts = [
        (await whole(llama, served, tokens, Sampling(max_tokens=12, temperature=1.2, seed=seed)))[0]
        for seed in (1, 1, 2, 3, 2**63)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


async def test_a_schema_holds_the_answer(
    llama: Llama, served: Served, ask: Callable[[str], list[int]]
) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["red"]}}, "required": ["a"]}
    text, _ = await whole(
        llama, served, ask(QUESTION), Sampling(max_tokens=200, temperature=0, schema=schema)
    )
    assert '"red"' in text
    assert text.lstrip().startswith("{")


async def test_a_full_context_is_said(
    start: Start, served: Served, ask: Callable[[str], list[int]]
) -> None:
    small = replace(served, context=256)
    sampling = Sampling(max_tokens=None, temperature=1.0, seed=3, schema={"type": "string"})
    tokens = ask("Write a very long story. " * 30)
    _, last = await whole(start(slots=2), small, tokens, replace(sampling, schema=None))
    assert last.finish_reason in {"model_length", "stop"}
    assert last.prompt_tokens + last.completion_tokens <= 256


async def test_a_process_that_dies_is_said_and_started_anew(
    llama: Llama, served: Served, ask: Callable[[str], list[int]]
) -> None:
    stream = llama.answer(served, ask("Write a novel."), Sampling(max_tokens=3000, temperature=0))
    await anext(stream)
    (process,) = llama.processes()
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(ChatError, match="SIGKILL"):
        async for _ in stream:
            pass
    assert (await whole(llama, served, ask(QUESTION)))[1].finish_reason


async def test_weights_that_cannot_be_loaded_are_said(
    start: Start, served: Served, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(served.weights.read_bytes()[:100_000])
    with pytest.raises(ChatError, match="could not be loaded"):
        await whole(start(), replace(served, weights=broken), [1, 2])


async def test_threads_change_at_the_next_quiet_moment(
    start: Start, served: Served, ask: Callable[[str], list[int]]
) -> None:
    llama = start(threads=2)
    stream = llama.answer(served, ask("Count to ninety."), Sampling(max_tokens=60, temperature=0))
    await anext(stream)
    (before,) = llama.processes()
    llama.use_threads(1)
    await whole(llama, served, ask(QUESTION))
    assert llama.processes() == [before]
    async for _ in stream:
        pass
    await whole(llama, served, ask(QUESTION))
    (after,) = llama.processes()
    assert after.setup.threads == 1


async def test_an_idle_process_gives_its_memory_back(
    start: Start, served: Served, ask: Callable[[str], list[int]]
) -> None:
    llama = start(idle_seconds=0)
    await whole(llama, served, ask(QUESTION))
    async with asyncio.timeout(20):
        while llama.processes():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await whole(llama, served, ask(QUESTION)))[1].finish_reason


async def test_the_process_ends_when_the_engine_is_gone(
    start: Start, served: Served, ask: Callable[[str], list[int]]
) -> None:
    llama = start()
    await whole(llama, served, ask(QUESTION))
    (process,) = llama.processes()
    worker = psutil.Process(process.pid)
    await llama.close()
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


async def test_our_tokens_are_those_of_llama_cpp(
    llama: Llama, served: Served, ask: Callable[[str], list[int]], library: ModelLibrary
) -> None:
    await whole(llama, served, ask(QUESTION))
    (process,) = llama.processes()
    for text in ("The 1984 été\n\n  x=42; naïve 日本語 🙂", "don't  stop\t<|im_end|>\n", "a" * 300):
        reply = await process.client.post(
            "/tokenize", json={"content": text, "parse_special": True}
        )
        assert reply.json()["tokens"] == library.tokenizer(BASE).encode(text)
