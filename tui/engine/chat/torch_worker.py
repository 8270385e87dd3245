"""The process in which transformers answers: `python -m tui.engine.chat.torch_worker [FOLDER]`.

Without a folder it is a child of the engine (`tui.engine.chat.child`); with one it is a worker on
another node (`tui.engine.launchers.serving`). It speaks as llama.cpp's server does
(`tui.engine.chat.completion`), with `adapter`, a folder, in place of `lora`; and nothing at all
without its key.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tui.engine.chat.torch_decoder import Answer, Asked, Decoder
from tui.engine.launchers.serving import ADDRESS, SPEC, Forgotten
from tui.storage.atomic import write_json

_LOOK_SECONDS = 5.0


def main() -> None:
    """Serve one model."""
    if len(sys.argv) > 1:
        _remote(Path(sys.argv[1]))
    else:
        _child()


def _child() -> None:
    options = json.loads(sys.stdin.readline())
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer

    def tell(url: str) -> None:
        with os.fdopen(answers, "w", closefd=False) as out:
            out.write(json.dumps({"url": url}) + "\n")

    def watch() -> None:
        while sys.stdin.readline():
            pass
        os._exit(0)

    _serve(options, "127.0.0.1", tell, watch)


def _remote(folder: Path) -> None:
    options = json.loads((folder / SPEC).read_text(encoding="utf-8"))

    def tell(url: str) -> None:
        write_json(folder / ADDRESS, {"url": url}, 0o600)

    def watch() -> None:
        forgotten = Forgotten(folder)
        while not forgotten.is_so():
            time.sleep(_LOOK_SECONDS)
        os._exit(0)

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _serve(options, options["host"], tell, watch)


def _serve(
    options: dict[str, Any], host: str, tell: Callable[[str], None], watch: Callable[[], None]
) -> None:
    decoder = Decoder(Path(options["weights"]), options["context"], options["threads"])
    decoder.start()
    app = _Keyed(_application(decoder, options["context"]), options["key"])
    with socket.create_server((host, 0), family=_family(host)) as listening:
        address = listening.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        threading.Thread(target=watch, daemon=True).start()
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        tell(f"http://{shown}:{address[1]}")
        asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class _Keyed:
    """Answers only to the key, which is compared in constant time."""

    def __init__(self, app: Starlette, key: str) -> None:
        self._app = app
        self._wanted = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._wanted):
                await JSONResponse({"detail": "Unauthorized"}, 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _application(decoder: Decoder, context: int) -> Starlette:
    async def completion(request: Request) -> Response:
        body = await request.json()
        prompt = [int(token) for token in body["prompt"]]
        room = context - len(prompt)
        wanted = int(body.get("n_predict", -1))
        asked = Asked(
            prompt,
            room if wanted < 0 else min(wanted, room),
            float(body.get("temperature", 0.3)),
            float(body.get("top_p", 1.0)),
            float(body.get("presence_penalty", 0.0)),
            float(body.get("frequency_penalty", 0.0)),
            body.get("seed"),
            tuple(body.get("stop") or ()),
            body.get("json_schema"),
            str(body.get("adapter") or ""),
        )
        return _Stream(decoder, asked)

    async def threads(request: Request) -> Response:
        import torch

        torch.set_num_threads(max(1, int((await request.json())["threads"])))
        return JSONResponse({})

    routes: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
        ("/completion", completion),
        ("/threads", threads),
    ]
    return Starlette(routes=[Route(path, call, methods=["POST"]) for path, call in routes])


class _Stream(StreamingResponse):
    """The events of one answer; whoever hangs up ends it."""

    def __init__(self, decoder: Decoder, asked: Asked) -> None:
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        def put(event: dict[str, Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(events.put_nowait, event)

        def say(text: str, reason: str, count: int) -> None:
            end = {"stop_type": reason, "tokens_predicted": count} if reason else {}
            put({"content": text, "stop": bool(reason), **end})

        self._answer = Answer(asked, say, lambda why: put({"error": {"message": why}}))
        decoder.ask(self._answer)

        async def told() -> AsyncIterator[str]:
            while True:
                event = await events.get()
                yield f"data: {json.dumps(event)}\n\n"
                if event.get("stop") or "error" in event:
                    return

        super().__init__(told(), media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.gone.set()


if __name__ == "__main__":
    main()
