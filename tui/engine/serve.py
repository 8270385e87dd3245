"""Running the engine in the foreground: lock, token, socket, log, state file, clean end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.metadata
import ipaddress
import logging
import logging.handlers
import os
import secrets
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from tui.domain.errors import PapertuneError, UsageError
from tui.engine.home import EngineHome
from tui.engine.lock import EngineLock
from tui.engine.server.guard import allowed_hosts, is_loopback
from tui.storage import atomic
from tui.storage.locations import engine_state_file, state_dir

if TYPE_CHECKING:
    from tui.engine.server.state import Engine

    Assembly = Callable[[EngineHome, str], Engine]

DEFAULT_PORT = 8465
TOKEN_VARIABLE = "PAPERTUNE_ENGINE_TOKEN"
HOSTS_VARIABLE = "PAPERTUNE_ENGINE_HOSTS"
_MIN_TOKEN = 16
_LOG_BYTES = 2_000_000
_GRACE_SECONDS = 2


def serve(
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    assembled: Assembly | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; running jobs go on without the server.

    Without `port` the usual one is taken, or a free one when that is in use. `assembled` builds
    the engine's parts for a home and a URL. Raises ConflictError when
    another engine holds the home or the port is taken, UsageError when `host` can be reached from
    outside and no token was chosen.
    """
    home = EngineHome.default()
    home.create()
    token = _token(home, host)
    lock = EngineLock(home.lock)
    lock.acquire()
    try:
        with _bound(host, port) as listening:
            _log()
            bound = listening.getsockname()
            asyncio.run(_serve(home, token, host, int(bound[1]), listening, assembled))
    finally:
        lock.release()


async def _serve(
    home: EngineHome,
    token: str,
    host: str,
    port: int,
    listening: socket.socket,
    assembled: Assembly | None,
) -> None:
    from tui.engine.server.app import build
    from tui.engine.server.assembly import assemble

    url = _url(host, port)
    engine = (assembled or assemble)(home, url)
    extra = [name for name in os.environ.get(HOSTS_VARIABLE, "").split(",") if name]
    app = build(engine, token, allowed_hosts(host, extra))
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=30,
        ),
        {
            "url": url,
            "token": token,
            "pid": os.getpid(),
            "started_at": int(time.time()),
            "host": socket.gethostname(),
            "version": importlib.metadata.version("papertune"),
        },
    )
    await server.serve(sockets=[listening])


class _Server(uvicorn.Server):
    """Says where it is once it answers, and takes that back when it ends."""

    def __init__(self, config: uvicorn.Config, state: dict[str, object]) -> None:
        super().__init__(config)
        self._state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start answering, then write the state file."""
        await super().startup(sockets=sockets)
        if self.should_exit:
            return
        atomic.write_json(engine_state_file(), self._state, atomic.PRIVATE)
        sys.stderr.write(
            f"papertune engine: {self._state['url']} (token in {engine_state_file()})\n"
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take the state file away and end; a request under way gets a moment."""
        engine_state_file().unlink(missing_ok=True)
        await super().shutdown(sockets=sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM, SIGINT and SIGHUP without raising them again: a stop is no failure."""
        kinds = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


def _token(home: EngineHome, host: str) -> str:
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    if given:
        if len(given) < _MIN_TOKEN or not given.isascii() or not given.isprintable():
            raise UsageError(
                f"The token in {TOKEN_VARIABLE} is too short or holds odd characters.",
                f"Use at least {_MIN_TOKEN} letters and digits: openssl rand -hex 32",
            )
        return given
    if not is_loopback(host):
        raise UsageError(
            f"{host} can be reached from other machines, so a token has to be chosen.",
            f"Set {TOKEN_VARIABLE}, and put TLS in front: a reverse proxy or an SSH tunnel.",
        )
    with contextlib.suppress(OSError):
        if not stat.S_IMODE(home.token.stat().st_mode) & 0o077:
            kept = home.token.read_text().strip()
            if len(kept) >= _MIN_TOKEN:
                return kept
    token = secrets.token_hex(32)
    atomic.write_text(home.token, token + "\n", atomic.PRIVATE)
    return token


@contextlib.contextmanager
def _bound(host: str, port: int | None) -> Iterator[socket.socket]:
    """A listening socket; it is closed at the end and never reaches a worker."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port if port is not None else DEFAULT_PORT, type=socket.SOCK_STREAM
        )[0]
    except (OSError, OverflowError) as error:
        raise UsageError(f"{host} is no address of this machine.", "Try 127.0.0.1.") from error
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port is not None:
                raise _not_bound(error, host, address[1]) from error
            listening.bind((address[0], 0, *address[2:]))
        listening.listen(512)
        yield listening


def _not_bound(error: OSError, host: str, port: object) -> PapertuneError:
    if error.errno == errno.EADDRINUSE:
        return PapertuneError(
            f"Port {port} on {host} is taken by another program.",
            "Choose another with --port, or leave it out for a free one.",
        )
    if error.errno == errno.EACCES:
        return PapertuneError(
            f"Port {port} may not be used without special rights.", "Choose one above 1023."
        )
    return UsageError(f"{host} is no address of this machine ({error.strerror}).")


def _url(host: str, port: int) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    shown = "127.0.0.1" if str(address) == "0.0.0.0" else "::1" if str(address) == "::" else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _log() -> None:
    """Log to a file of bounded size; requests are logged without query, headers or body."""
    folder = state_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path: Path = folder / "engine.log"
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("papertune.engine", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
