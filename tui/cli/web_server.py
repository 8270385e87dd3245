"""The server behind `papertune web`, which answers this machine's own pages only.

It has no password, so whoever can make a browser on this machine send it a request could type into
the terminal: another site's script by a cross-site web socket, or by a name that it points at
loopback (DNS rebinding). The Host of each request must therefore be loopback, and its Origin, where
a browser sends one, the page itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LoopbackServer(Server):  # type: ignore[misc]  # textual-serve has no types
    """textual-serve's server with a door."""

    async def _make_app(self) -> web.Application:
        app: web.Application = await super()._make_app()
        app.middlewares.append(_own_pages_only)
        return app


@web.middleware
async def _own_pages_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin")
    if urlsplit(f"//{host}").hostname not in _LOOPBACK:
        raise web.HTTPForbidden(text="papertune answers to localhost only: use ssh -L.\n")
    if origin is not None and urlsplit(origin).netloc != host:
        raise web.HTTPForbidden(text="papertune answers its own page only.\n")
    return await handler(request)
