"""Which backend answers for a model: llama.cpp for GGUF weights, transformers for safetensors.

GGUF runs on this machine's CPU. safetensors run on its GPU, on a node of the cluster when the
settings say so, or slowly on the CPU. The model's card names the one that is chosen.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from tui.engine.chat.backend import Backend, Served
from tui.engine.chat.llama import Llama
from tui.engine.chat.torch_backend import Torch
from tui.engine.launchers.serving import ChatPlace
from tui.engine.server.ports import Piece, Sampling


class Chosen:
    """Both kinds behind one `Backend`; `place` is where transformers computes if not here."""

    def __init__(self, logs: Path, *, threads: int, place: ChatPlace | None = None) -> None:
        self._kinds: dict[str, Backend] = {
            "llama.cpp": Llama(logs, threads=threads),
            "transformers": Torch(logs, threads=threads, place=place),
        }

    def answer(
        self, served: Served, tokens: Sequence[int], sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        """The answer in pieces; see `Backend`."""
        return self._kinds[served.engine].answer(served, tokens, sampling)

    def use_threads(self, threads: int) -> None:
        """Compute with so many threads from the next quiet moment on."""
        for backend in self._kinds.values():
            backend.use_threads(threads)

    async def close(self) -> None:
        """End every process."""
        for backend in self._kinds.values():
            await backend.close()
