"""A server on loopback, in a thread, over whatever library, chat and encoder a test gives it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from tests.engine.server import doubles
from tests.engine.server.conftest import TOKEN, until
from tui.engine.home import EngineHome
from tui.engine.server.app import build
from tui.engine.server.assembly import join
from tui.engine.server.guard import allowed_hosts
from tui.engine.server.ports import Embedding, Library, Voice
from tui.engine.server.state import Engine


@contextlib.contextmanager
def served(
    home: EngineHome,
    library: Library,
    voice: Voice | None = None,
    embedder: Embedding | None = None,
) -> Iterator[tuple[Engine, str]]:
    """The engine and its URL; it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ready = threading.Event()
        held: list[Any] = []

        async def main() -> None:
            engine = join(
                home,
                url,
                library,
                voice or doubles.StandInVoice(),
                doubles.WORKER,
                embedder=embedder,
            )
            app = build(engine, TOKEN, allowed_hosts("127.0.0.1"))
            running = uvicorn.Server(
                uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
            )
            held.extend([engine, running])
            ready.set()
            await running.serve(sockets=[listening])

        thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
        thread.start()
        assert ready.wait(30)
        engine, running = held
        until(lambda: running.started)
        try:
            yield engine, url
        finally:
            running.should_exit = True
            thread.join(30)
            assert not thread.is_alive()
