"""One connection pool per endpoint, shared by the SDK and our own routes.

Every answer passes one check before the SDK or we read it, so an error is the same typed error
on every route, streamed or not, and holds no key.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.mistral import errors
from tui.mistral.retries import RetryPolicy, repeat
from tui.settings import SecretStr

if TYPE_CHECKING:
    import httpx2

_CONNECT_SECONDS = 10.0
_LONGEST_ERROR_BODY = 64 * 1024


class Connection:
    """HTTP to one endpoint: headers, timeouts, errors, retries.

    `seconds` is how long the server may stay silent, not how long a call may take. The pool
    belongs to the event loop that uses it; another loop gets a new one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        key: SecretStr | None,
        *,
        seconds: float = 60.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.key = key
        self.seconds = seconds
        self.policy = policy or RetryPolicy()
        self._pool: httpx2.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def pool(self) -> httpx2.AsyncClient:
        """The running loop's pool; it sends the key, follows no redirect and checks answers."""
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop or self._pool.is_closed:
            import httpx2

            self._loop = loop
            self._pool = httpx2.AsyncClient(
                base_url=self.endpoint.url,
                headers={"Authorization": f"Bearer {self.key.reveal()}"} if self.key else {},
                timeout=httpx2.Timeout(self.seconds, connect=_CONNECT_SECONDS),
                follow_redirects=False,
                # A proxy that the environment names must not see what stays on this machine.
                trust_env=self.endpoint.kind is not EndpointKind.LOCAL,
                event_hooks={"response": [self._check]},
            )
        return self._pool

    async def aclose(self) -> None:
        """Close the pool, and with it every request under way."""
        pool, self._pool = self._pool, None
        if pool is not None and self._loop is asyncio.get_running_loop():
            await pool.aclose()

    async def json(
        self,
        method: str,
        path: str,
        *,
        harmless: bool,
        body: Any = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Call one of our own routes and read its JSON; raises ApiError."""

        async def call() -> Any:
            try:
                response = await self.pool.request(
                    method, path, json=body, params=params, headers=headers
                )
            except Exception as error:
                raise self.normalised(error) from None
            try:
                return json.loads(response.content)
            except (ValueError, RecursionError):
                raise errors.not_the_api(self.endpoint) from None

        return await repeat(call, self.policy, harmless=harmless)

    async def object(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Like `json`, for a route that answers with an object."""
        value = await self.json(method, path, **options)
        if not isinstance(value, dict):
            raise errors.not_the_api(self.endpoint)
        return value

    def normalised(self, error: Exception) -> Exception:
        """Any failure of a call as an ApiError; what is no failure of a call comes back as is."""
        if isinstance(error, errors.ApiError):
            return error
        import httpx2

        late = f"did not take the call within {_CONNECT_SECONDS:g} s"
        silent = f"said nothing for {self.seconds:g} s"
        kinds: tuple[tuple[type[Exception], str, bool], ...] = (
            (httpx2.ConnectTimeout, late, False),
            (httpx2.PoolTimeout, late, False),
            (httpx2.ConnectError, "cannot be reached", False),
            (httpx2.UnsupportedProtocol, "has a URL that cannot be used", False),
            (httpx2.InvalidURL, "has a URL that cannot be used", False),
            (httpx2.TimeoutException, silent, True),
            (httpx2.TransportError, "broke the connection", True),
        )
        for kind, why, reached in kinds:
            if isinstance(error, kind):
                return errors.unreachable(self.endpoint, why, reached=reached)
        if isinstance(error, httpx2.HTTPError) or _of_the_sdk(error):
            return errors.not_the_api(self.endpoint)
        return error

    def redacted(self, body: bytes) -> bytes:
        """A body without the key, which some gateways send back: raw, base64, percent-encoded."""
        if self.key is None:
            return body
        raw = self.key.reveal().encode()
        for form in {raw, base64.b64encode(raw), quote(raw, safe="").encode()}:
            body = body.replace(form, "…".encode())
        return body

    async def _check(self, response: httpx2.Response) -> None:
        """Raise what an answer that is no success means, before anybody else looks at it."""
        if 200 <= response.status_code < 300:
            return
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LONGEST_ERROR_BODY:
                    break
        except Exception:
            body.clear()  # the status says enough
        raise errors.from_response(
            self.endpoint,
            response.status_code,
            response.headers,
            self.redacted(bytes(body)),
            response.request.url.path,
        )


def _of_the_sdk(error: Exception) -> bool:
    """Whether the SDK could not read an answer; asked by name, so that it is not imported."""
    return any(
        base.__module__.partition(".")[0] in ("mistralai", "pydantic_core", "pydantic")
        for base in type(error).__mro__
    )
