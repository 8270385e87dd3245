"""What the routes that compute share: failures in their shapes, callers who hang up, counts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from tui.domain.errors import PapertuneError, UsageError
from tui.engine.server.errors import ApiError, unprocessable
from tui.text import visible

_T = TypeVar("_T")


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """The counts of tokens, as every answer has them."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


async def answered(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of `work`, its failures in the shapes of the chat routes."""
    try:
        return await work
    except UsageError as error:
        raise unprocessable(["body"], f"Value error, {visible(str(error))}") from error
    except PapertuneError as error:
        body = {"object": "error", "message": visible(str(error)), "type": "unavailable"}
        raise ApiError(503, {**body, "param": None, "code": None}) from error


async def while_connected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of `work`, which is cancelled as soon as the client hangs up."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError(499, {"detail": "The client closed the request."})
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
