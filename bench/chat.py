"""Chat on CPU against llama.cpp's own server: first token and tokens a second, as ratios.

    python bench/chat.py [--rounds 5] [--tokens 100] [--threads N] [--transformers]

Both sides run the same weights with the same number of threads, one after the other in each
round, so that other load on the machine hits both. Ours is the engine's voice: resolving the name,
checking the template, tokenising, the process behind its port. llama.cpp's own server is started
by xllamacpp with its defaults and asked over HTTP. Wanted: first token at most 1.2 times theirs,
tokens a second at least 0.9 times theirs, and at least 4 times those of transformers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil

from tui.engine.chat.cores import cores
from tui.engine.chat.llama import Llama
from tui.engine.chat.voice import LocalVoice
from tui.engine.home import EngineHome
from tui.engine.models.catalogue import BUNDLED
from tui.engine.models.library import ModelLibrary
from tui.engine.server.ports import Sampling
from tui.storage.locations import data_dir

WORDS = ["model", "layer", "field", "phase", "beam", "signal", "water", "light", "carbon", "noise"]
Measure = Callable[[str, int], Awaitable[tuple[float, float]]]


def prompts(count: int, words: int) -> list[str]:
    """Different prompts, so that no cached prefix helps either side."""
    return [
        f"<|im_start|>user\nStory {number}: "
        + " ".join(WORDS[(number * 7 + i * i) % len(WORDS)] for i in range(words))
        + "<|im_end|>\n<|im_start|>assistant\n"
        for number in range(count)
    ]


async def timed(pieces: AsyncIterator[str]) -> tuple[float, float]:
    """Seconds to the first piece, and pieces a second after it."""
    began = time.perf_counter()
    stamps = [time.perf_counter() async for _ in pieces]
    return stamps[0] - began, (len(stamps) - 1) / (stamps[-1] - stamps[0])


def their_server(weights: str, threads: int, pipe: Connection) -> None:
    """llama.cpp's server as xllamacpp starts it, in a process of its own."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_ctx, params.n_parallel = 4096, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.api_keys, params.verbosity = ["key"], 1
    server = xllamacpp.Server(params)
    pipe.send(server.listening_address)
    pipe.recv()
    os._exit(0)


@contextlib.contextmanager
def started(weights: Path, threads: int, *, passive: bool) -> Any:
    """Their server; `passive` gives it the same way of waiting that ours has."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    os.environ.pop("OMP_WAIT_POLICY", None)
    if passive:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    process = context.Process(target=their_server, args=(str(weights), threads, theirs))
    process.start()
    os.environ.pop("OMP_WAIT_POLICY", None)
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join(10)


def their_answer(client: httpx.AsyncClient) -> Measure:
    async def measure(prompt: str, tokens: int) -> tuple[float, float]:
        body = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "stream": True}

        async def pieces() -> AsyncIterator[str]:
            async with client.stream("POST", "/completion", json=body) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data:") and json.loads(line[5:])["content"]:
                        yield line

        return await timed(pieces())

    return measure


def our_answer(voice: LocalVoice) -> Measure:
    async def measure(prompt: str, tokens: int) -> tuple[float, float]:
        async def pieces() -> AsyncIterator[str]:
            sampling = Sampling(max_tokens=tokens, temperature=0)
            async for piece in voice.generate(BUNDLED, prompt, sampling):
                if piece.text:
                    yield piece.text

        return await timed(pieces())

    return measure


def transformers_rate(folder: Path, tokens: int, threads: int) -> float:
    """Tokens a second of transformers in float32, its first token left out."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    inputs = tokenizer(prompts(1, 60)[0], return_tensors="pt")
    spent = []
    for count in (1, tokens):
        began = time.perf_counter()
        model.generate(**inputs, max_new_tokens=count, min_new_tokens=count, do_sample=False)
        spent.append(time.perf_counter() - began)
    return float((tokens - 1) / (spent[1] - spent[0]))


async def alone(
    library: ModelLibrary, voice: LocalVoice, llama: Llama, tokens: int
) -> tuple[float, float]:
    """Tokens written and prompt tokens read for each second of computing, whoever else computes."""
    (child,) = llama.processes()
    process = psutil.Process(child.pid)

    async def spent(prompt: str, count: int) -> float:
        before = process.cpu_times()
        async for _ in voice.generate(BUNDLED, prompt, Sampling(max_tokens=count, temperature=0)):
            pass
        after = process.cpu_times()
        return after.user + after.system - before.user - before.system

    short, *long = [*prompts(1, 20), *prompts(4, 600)[1:]]
    await spent(short, 2)
    written = (tokens - 1) / (await spent(short, tokens) - await spent(short, 1))
    lengths = [len(library.tokenizer(BUNDLED).encode(prompt)) for prompt in long]
    read = [length / await spent(prompt, 1) for prompt, length in zip(long, lengths, strict=True)]
    return written, statistics.median(read)


async def compare(options: argparse.Namespace) -> None:
    library = ModelLibrary(options.models, EngineHome(Path(tempfile.mkdtemp())))
    weights = library.served(BUNDLED).weights
    llama = Llama(Path(tempfile.mkdtemp()), threads=options.threads)
    voice = LocalVoice(library, Path(tempfile.mkdtemp()), llama)
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": [], "theirs passive": []}
    with (
        started(weights, options.threads, passive=False) as plain,
        started(weights, options.threads, passive=True) as passive,
    ):
        headers = {"authorization": "Bearer key"}
        async with (
            httpx.AsyncClient(base_url=plain, headers=headers, timeout=300) as one,
            httpx.AsyncClient(base_url=passive, headers=headers, timeout=300) as two,
        ):
            sides: dict[str, Measure] = {
                "ours": our_answer(voice),
                "theirs": their_answer(one),
                "theirs passive": their_answer(two),
            }
            for number, prompt in enumerate(prompts(options.rounds + 1, 60)):
                for name, measure in sides.items():
                    result = await measure(prompt, options.tokens)
                    if number:  # the first round warms up
                        found[name].append(result)
        per_second, read = await alone(library, voice, llama, options.tokens)
    await voice.close()
    print(f"ours            {per_second:.0f} tokens a CPU-second; prompts {read:.0f} a CPU-second")
    middle = {
        name: tuple(statistics.median(column) for column in zip(*rows, strict=True))
        for name, rows in found.items()
    }
    for name, (first, rate) in middle.items():
        print(f"{name:15} first token {first * 1000:7.1f} ms   {rate:6.1f} tokens/s")
    for name in ("theirs", "theirs passive"):
        first, rate = (
            ours / other for ours, other in zip(middle["ours"], middle[name], strict=True)
        )
        print(f"ours / {name:14} first token {first:.2f}   tokens/s {rate:.2f}")
    if options.transformers:
        rate = transformers_rate(options.models / BUNDLED / "hf", options.tokens, options.threads)
        times = middle["ours"][1] / rate
        print(f"transformers    {rate:.1f} tokens/s; ours is {times:.1f} times that")
    print(f"threads {options.threads}, load {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Chat against llama.cpp's own server.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--models", type=Path, default=data_dir() / "models")
    parser.add_argument("--transformers", action="store_true")
    asyncio.run(compare(parser.parse_args()))


if __name__ == "__main__":
    main()
