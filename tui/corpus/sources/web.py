"""Polite requests: one at a time and not too often, remembered, bounded, and never unasked."""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tui.domain.errors import MissingError, NotFoundError, PapertuneError
from tui.storage import atomic
from tui.storage.locations import cache_dir
from tui.text import visible

if TYPE_CHECKING:
    import httpx2

DAY = 24 * 3600.0
_CONNECT_SECONDS = 15.0
_SILENT_SECONDS = 60.0
_MOST_REDIRECTS = 6
_TRIES = 4
# A service that asks for a longer pause than this is asked again another day.
LONGEST_PAUSE = 120.0
_KEPT_HEADERS = ("content-type", "last-modified-version", "total-results", "link")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered: status, headers in lower case, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Service:
    """Somebody we ask: `every` is the least number of seconds between two requests."""

    name: str
    base: str
    every: float = 1.0


class Web:
    """GETs for all services, one User-Agent; `sleep` and `clock` are the machine's."""

    def __init__(
        self,
        contact: str = "",
        *,
        folder: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._agent = user_agent(contact)
        self._folder = folder or cache_dir() / "fetch"
        self._sleep = sleep
        self._clock = clock
        self._next: dict[str, float] = {}
        self._clients: dict[str, httpx2.Client] = {}

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def get(
        self,
        service: Service,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit: int = 64 * 1024 * 1024,
        fresh: float = 0.0,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """Ask for a URL; an answer younger than `fresh` seconds is taken from the cache.

        `limit` bounds the body; statuses in `accept` are answers, too. Raises MissingError where
        the service cannot be reached, NotFoundError for what it does not have, PapertuneError
        otherwise.
        """
        sent = dict(headers or {})
        kept = self._kept(url, sent) if fresh else None
        if kept is not None and (known := self._remembered(kept, fresh)):
            return known
        for attempt in range(1, _TRIES + 1):
            with self._turn(service):
                answer = self._ask(service, url, sent, limit)
            if answer.status not in (429, 502, 503, 504) or attempt == _TRIES:
                break
            pause = _seconds(answer.headers.get("retry-after", "")) or 2.0 * 2**attempt
            if pause > LONGEST_PAUSE:
                break
            self._sleep(pause)
        if answer.status != 200 and answer.status not in accept:
            raise _refused(service, url, answer)
        if kept is not None and answer.status == 200:
            self._remember(kept, answer)
        return answer

    def _ask(self, service: Service, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        import httpx2

        try:
            with self._open(service).stream("GET", url, headers=dict(headers)) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > limit:
                        raise PapertuneError(
                            f"{visible(url)} is larger than {limit // 2**20} MB.",
                            "Get it by hand and add the file: papertune corpus add PATH",
                        )
                told = {key.lower(): value for key, value in response.headers.items()}
                answer = Answer(response.status_code, told, bytes(body))
        except httpx2.TooManyRedirects as error:
            raise PapertuneError(f"{visible(url)} leads in circles.", "Try again later.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise MissingError(
                f"{service.name} cannot be reached ({_short(error)}): this needs the network.",
                "Try again where there is one, or get the file by hand and run: "
                "papertune corpus add PATH",
            ) from error
        if (pause := _seconds(answer.headers.get("backoff", ""))) > 0:
            self._next[service.name] = self._clock() + min(pause, LONGEST_PAUSE)
        return answer

    def _open(self, service: Service) -> httpx2.Client:
        if service.name not in self._clients:
            import httpx2

            inner = _is_inner(service.base)

            def check(request: httpx2.Request) -> None:
                # A record's link or a redirect must not make us ask machines of this network.
                if not inner and _is_inner(str(request.url)):
                    raise httpx2.InvalidURL(f"{request.url.host} is not a public address")

            self._clients[service.name] = httpx2.Client(
                headers={"User-Agent": self._agent},
                timeout=httpx2.Timeout(_SILENT_SECONDS, connect=_CONNECT_SECONDS),
                follow_redirects=True,
                max_redirects=_MOST_REDIRECTS,
                trust_env=not inner,
                event_hooks={"request": [check]},
            )
        return self._clients[service.name]

    @contextmanager
    def _turn(self, service: Service) -> Iterator[None]:
        """Wait for this service's turn; other processes of this person wait, too."""
        name = hashlib.sha256(service.name.encode()).hexdigest()[:16]
        path = self._folder / f"{name}.turn"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+")
        except OSError:  # a cache that cannot be written is no reason to fail
            self._pause(self._next.get(service.name, 0.0))
            yield
            self._next[service.name] = self._clock() + service.every
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            told = file.read(40)
            due = float(told) if told.replace(".", "", 1).isdigit() else 0.0
            self._pause(max(due, self._next.get(service.name, 0.0)))
            try:
                yield
            finally:
                file.truncate(0)
                file.write(f"{self._clock() + service.every:.3f}")
                file.flush()

    def _pause(self, due: float) -> None:
        # A clock that was set back must not make anybody wait for hours.
        if 0 < (left := due - self._clock()) <= LONGEST_PAUSE:
            self._sleep(left)

    def _kept(self, url: str, headers: Mapping[str, str]) -> Path:
        key = json.dumps([url, sorted(headers.items())])
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    def _remembered(self, path: Path, fresh: float) -> Answer | None:
        try:
            about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            if not 0 <= self._clock() - float(about["at"]) <= fresh:
                return None
            body = path.with_suffix(".body").read_bytes()
            if hashlib.sha256(body).hexdigest() != about["sha256"]:
                return None
            return Answer(200, {str(k): str(v) for k, v in about["headers"].items()}, body)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _remember(self, path: Path, answer: Answer) -> None:
        about = {
            "at": self._clock(),
            "sha256": hashlib.sha256(answer.body).hexdigest(),
            "headers": {k: v for k, v in answer.headers.items() if k in _KEPT_HEADERS},
        }
        with suppress(OSError):  # what is not remembered is asked for again
            atomic.write_bytes(path.with_suffix(".body"), answer.body)
            atomic.write_json(path.with_suffix(".json"), about)


def user_agent(contact: str) -> str:
    """How papertune introduces itself; services ask for a way to reach who runs a program."""
    try:
        number = version("papertune")
    except PackageNotFoundError:
        number = "0"
    who = f"mailto:{contact}" if "@" in contact and "/" not in contact else contact
    return f"papertune/{number}" + (f" ({who})" if who else "")


def _refused(service: Service, url: str, answer: Answer) -> PapertuneError:
    if answer.status in (404, 410):
        return NotFoundError(f"{service.name} has no {visible(url)}.", "Check the identifier.")
    if answer.status in (401, 403):
        return PapertuneError(
            f"{service.name} does not let us read {visible(url)} ({answer.status}).",
            "Check the key and what it may read.",
        )
    if answer.status in (429, 503):
        return PapertuneError(f"{service.name} asks for a pause.", "Try again in a few minutes.")
    return PapertuneError(
        f"{service.name} answered {answer.status} for {visible(url)}.", "Try again later."
    )


def _seconds(value: str) -> float:
    return float(value) if value.strip().isdigit() else 0.0


def _short(error: Exception) -> str:
    return visible(str(error) or type(error).__name__)[:120]


def _is_inner(url: str) -> bool:
    """Whether a URL's host is on this machine or in this network; what cannot be told is not."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError):
        return False
    return any(not ipaddress.ip_address(str(info[4][0]).split("%")[0]).is_global for info in found)
