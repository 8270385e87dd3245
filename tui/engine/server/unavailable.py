"""Routes of the contract that this engine does not serve: a plain answer instead of a 404."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from tui.engine.server.errors import unprocessable
from tui.engine.server.state import Engine

_ABSENT = {
    "/v1/fim/completions": "no fill-in-the-middle completions",
    "/v1/classifications": "no classifiers",
    "/v1/chat/classifications": "no classifiers",
    "/v1/moderations": "no moderation",
    "/v1/chat/moderations": "no moderation",
    "/v1/agents/completions": "no agents",
    "/v1/agents": "no agents",
    "/v1/conversations": "no conversations of its own; the app keeps them",
    "/v1/ocr": "no OCR",
    "/v1/audio/transcriptions": "no audio",
    "/v1/batch/jobs": "no batches",
}


def routes(_engine: Engine) -> APIRouter:
    """One route for each thing that is not there."""
    router = APIRouter(tags=["unavailable"])
    for path, what in _ABSENT.items():
        router.add_api_route(path, _refusal(what), methods=["POST"])
    return router


def _refusal(what: str) -> Callable[[], Awaitable[None]]:
    async def refuse() -> None:
        """Say that this engine has no such thing."""
        raise unprocessable(["body", "model"], f"Value error, this engine serves {what}.")

    return refuse
