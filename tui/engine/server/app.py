"""The application: every route behind one guard, errors in the contract's shapes."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncIterator, Collection
from typing import Any

from fastapi import FastAPI

from tui.engine.server import (
    chat,
    embeddings,
    errors,
    files,
    jobs,
    local,
    local_jobs,
    models,
    unavailable,
)
from tui.engine.server.guard import Guard
from tui.engine.server.state import Engine


def build(engine: Engine, token: str, hosts: Collection[str] | None) -> Guard:
    """The ASGI application of an engine; `hosts` are the Host headers it answers to."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        supervising = asyncio.create_task(engine.supervisor.run())
        try:
            yield
        finally:
            supervising.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervising
            await engine.close()

    app = FastAPI(
        title="papertune engine",
        version=importlib.metadata.version("papertune"),
        description="Mistral's files, fine-tuning, models and chat routes on this machine.",
        lifespan=lifespan,
        # An address is a route's or nobody's: a redirect would lose a client's token or body.
        redirect_slashes=False,
    )
    errors.install(app)
    for module in (files, jobs, models, chat, embeddings, local_jobs, local, unavailable):
        app.include_router(module.routes(engine))

    @app.get("/local/openapi.json", include_in_schema=False)
    async def described() -> dict[str, Any]:
        """The engine's own routes, which the contract has no room for."""
        whole = app.openapi()
        paths = {path: of for path, of in whole["paths"].items() if path.startswith("/local/")}
        return {**whole, "paths": paths}

    engine.guard = Guard(app, token, hosts)
    return engine.guard
