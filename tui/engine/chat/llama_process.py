"""One llama.cpp process: its options, and what is special about asking it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tui.engine.chat.child import Child
from tui.engine.chat.completion import client_of, completion_body, stream_completion
from tui.engine.server.ports import Piece, Sampling


@dataclass(frozen=True, slots=True)
class Setup:
    """How a process is started; every adapter is loaded switched off."""

    weights: Path
    context: int
    slots: int
    threads: int
    adapters: tuple[Path, ...] = ()


class LlamaProcess:
    """A running process; `start` makes one."""

    def __init__(self, setup: Setup, child: Child) -> None:
        self.setup = setup
        self.url = child.url
        self.client = client_of(child.url, child.key)
        self._child = child

    @staticmethod
    async def start(setup: Setup, log: Path) -> LlamaProcess:
        """Load the model in a process of its own and wait until it answers; raises ChatError."""
        options = {
            "weights": str(setup.weights),
            "context": setup.context,
            "slots": setup.slots,
            "threads": setup.threads,
            "adapters": [str(path) for path in setup.adapters],
        }
        return LlamaProcess(setup, await Child.start("tui.engine.chat.llama_worker", options, log))

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._child.alive

    def stream(
        self, tokens: Sequence[int], sampling: Sampling, adapter: Path | None
    ) -> AsyncGenerator[Piece, None]:
        """Answer a prompt; closing the generator ends the work. Raises ChatError."""
        body = completion_body(tokens, sampling)
        # llama.cpp applies every adapter that a request does not name at full strength
        body["lora"] = [
            {"id": index, "scale": 1.0 if path == adapter else 0.0}
            for index, path in enumerate(self.setup.adapters)
        ]
        return stream_completion(self.client, body, self.setup.context, self._child.why_cut)

    async def stop(self) -> None:
        """End the process."""
        await self.client.aclose()
        await self._child.end()
