from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from tui.domain.errors import MissingError
from tui.engine.chat.backend import Served, plan_threads
from tui.engine.chat.voice import ContextError, LocalVoice
from tui.engine.models.library import CHAT_CONTEXT, ModelLibrary
from tui.engine.server.ports import Piece, Sampling

BASE = "smollm2-135m-instruct"


class Recorder:
    """A backend that answers with what it was given."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.tokens: list[int] = []

    async def answer(
        self, served: Served, tokens: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        self.tokens = list(tokens)
        yield Piece("", "stop", len(tokens), 1)

    def use_threads(self, threads: int) -> None:
        self.threads.append(threads)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("cores", "jobs", "threads"),
    [(2, 0, 2), (2, 1, 1), (1, 3, 1), (16, 0, 8), (16, 1, 8), (8, 1, 4)],
)
def test_chat_takes_the_cores_that_jobs_leave(cores: int, jobs: int, threads: int) -> None:
    assert plan_threads(cores, jobs) == threads


async def test_the_prompt_is_cut_into_tokens_by_the_model_s_own_tokenizer(
    library: ModelLibrary, tmp_path: Path
) -> None:
    backend = Recorder()
    voice = LocalVoice(library, tmp_path, backend)
    pieces = [piece async for piece in voice.generate(BASE, "<|im_start|>user\nHi", Sampling())]
    assert pieces[-1].prompt_tokens == len(backend.tokens) == 4
    assert library.tokenizer(BASE).decode(backend.tokens, special=True) == "<|im_start|>user\nHi"


async def test_a_prompt_without_room_for_an_answer_is_refused(
    library: ModelLibrary, tmp_path: Path
) -> None:
    voice = LocalVoice(library, tmp_path, Recorder())
    for prompt in ("", "word " * (CHAT_CONTEXT + 10)):
        with pytest.raises(ContextError, match="tokens"):
            _ = [piece async for piece in voice.generate(BASE, prompt, Sampling())]


async def test_no_tokens_asked_for_are_no_tokens(library: ModelLibrary, tmp_path: Path) -> None:
    backend = Recorder()
    voice = LocalVoice(library, tmp_path, backend)
    pieces = [piece async for piece in voice.generate(BASE, "Hi", Sampling(max_tokens=0))]
    assert [piece.finish_reason for piece in pieces] == ["length"]
    assert backend.tokens == []


async def test_a_missing_model_names_the_command(library: ModelLibrary, tmp_path: Path) -> None:
    voice = LocalVoice(library, tmp_path, Recorder())
    with pytest.raises(MissingError, match="papertune model pull"):
        _ = [piece async for piece in voice.generate("open-mistral-7b", "Hi", Sampling())]
