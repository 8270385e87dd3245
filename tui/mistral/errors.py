"""What an endpoint can answer instead of an answer, as errors a person can act on.

The API has at least five shapes of error bodies, depending on the route and on what stands in
front of it; `from_response` reads them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from tui.domain.chat import Usage
from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import ConflictError, ExitCode, MissingError, PapertuneError, UsageError
from tui.text import shorten, visible

_LONGEST = 300
_RETIRED = "not available for this type of fine-tuning"


class ApiError(PapertuneError):
    """An endpoint refused, failed or could not be reached.

    `repeatable` says whether the same call may succeed in a moment; `reached` whether the server
    may have acted on it, so that only harmless calls are repeated.
    """

    repeatable = False
    reached = True

    def __init__(self, message: str, remedy: str = "", *, status: int | None = None) -> None:
        super().__init__(message, remedy)
        self.status = status


class AuthError(ApiError):
    """The key is wrong, revoked or not allowed to do this."""


class QuotaError(ApiError):
    """Too many requests or tokens; `retry_after` is the server's wish in seconds, if it has one."""

    repeatable = True
    reached = False

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, remedy, status=status)
        self.retry_after = retry_after


class RetiredError(ApiError):
    """The service no longer fine-tunes."""

    exit_code = ExitCode.MISSING


class AbsentError(ApiError):
    """There is no such job, file, model or route."""

    exit_code = ExitCode.USAGE


class RefusedError(ApiError, UsageError):
    """The request itself was found wrong; the message is the server's."""

    exit_code = ExitCode.USAGE


class DuplicateError(ApiError, ConflictError):
    """The same is under way already (409)."""


class ServerError(ApiError):
    """The server failed, or answered with something that is not the API."""

    repeatable = True


class Unreachable(ApiError):  # noqa: N818 - reads as what the endpoint is
    """No connection, no answer in time, or the connection broke."""

    repeatable = True

    def __init__(
        self, message: str, remedy: str = "", *, reached: bool, exit_code: ExitCode
    ) -> None:
        super().__init__(message, remedy)
        self.reached = reached
        self.exit_code = exit_code


class EngineOff(MissingError):  # noqa: N818 - reads as what it is
    """The engine of this machine does not run; jobs that train go on without it."""

    def __init__(self) -> None:
        super().__init__(
            "The local engine is not running.", "Start it with: papertune engine start"
        )


class CutStream(ApiError):  # noqa: N818 - reads as what happened
    """An answer broke off; `partial` is what had come until then."""

    def __init__(self, message: str, remedy: str = "", *, partial: str, usage: Usage) -> None:
        super().__init__(message, remedy)
        self.partial = partial
        self.usage = usage


def from_response(
    endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes, path: str = ""
) -> ApiError:
    """The error that an answer with this status means; foreign text in it is made safe."""
    said = sentence(body)
    name = f"'{endpoint.name}'"
    clause = f": {said}" + ("" if said[-1] in ".!?…" else ".") if said else "."
    if status == 429:
        return _limited(name, clause, retry_after(headers))
    if _retired(status, path, said):
        return RetiredError(
            f"{name} no longer fine-tunes models: the service has retired that.",
            "Train on this machine instead: papertune engine start, then --endpoint local.",
            status=status,
        )
    kind, what, remedy = _meaning(endpoint, status)
    return kind(f"{name} {what} ({status}){clause}", remedy, status=status)


def _limited(name: str, clause: str, after: float | None) -> QuotaError:
    wait = f" It asks to wait {after:.0f} s." if after else ""
    return QuotaError(
        f"{name} is at its limit (429){clause}{wait}",
        "Try again later, or raise the limit of the account.",
        status=429,
        retry_after=after,
    )


def _meaning(endpoint: Endpoint, status: int) -> tuple[type[ApiError], str, str]:
    """What any other status means: the kind of error, its verb and the remedy."""
    known: dict[int, tuple[type[ApiError], str, str]] = {
        401: (AuthError, "refused the key", _key_remedy(endpoint)),
        403: (AuthError, "does not allow this to the key", _key_remedy(endpoint)),
        404: (AbsentError, "does not know that", ""),
        409: (DuplicateError, "has the same under way", ""),
    }
    if status in known:
        return known[status]
    if 400 <= status < 500:
        return RefusedError, "refused the request", ""
    if status >= 500:
        return ServerError, "failed", "Try again later."
    return ServerError, "answered what is not the API", f"Check its URL: {visible(endpoint.url)}"


def unreachable(endpoint: Endpoint, why: str, *, reached: bool) -> Unreachable:
    """The error for a connection that could not be made or broke."""
    local = endpoint.kind is EndpointKind.LOCAL
    where = "The local engine" if local else f"'{endpoint.name}' ({visible(endpoint.url)})"
    remedy = (
        "Look at it with: papertune engine status; start it with: papertune engine start"
        if local
        else "Check the network, or its URL in Settings."
    )
    return Unreachable(
        f"{where} {why}.",
        remedy,
        reached=reached,
        exit_code=ExitCode.MISSING if local and not reached else ExitCode.FAILED,
    )


def not_the_api(endpoint: Endpoint, what: str = "something that is not the API") -> ServerError:
    """The error for a success that cannot be read."""
    error = ServerError(
        f"'{endpoint.name}' answered with {what}.", f"Check its URL: {visible(endpoint.url)}"
    )
    error.repeatable = False
    return error


def sentence(body: bytes) -> str:
    """What an error body says, on one safe line: JSON of any known shape, HTML, plain text."""
    text = body.decode(errors="replace").strip()
    if not text:
        return ""
    try:
        said = _said(json.loads(text))
    except (ValueError, RecursionError):
        said = (
            "an HTML page"
            if text[:200].lstrip().lower().startswith(("<!doctype", "<html"))
            else text
        )
    return visible(shorten(said, _LONGEST))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the header `Retry-After`, which holds seconds or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value[:9])
    try:
        when = parsedate_to_datetime(value)
        now = parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (when - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_said, value)))
    if not isinstance(value, dict):
        return ""
    if "msg" in value:
        place = value.get("loc")
        at = (
            ".".join(str(part) for part in place if part != "body")
            if isinstance(place, list)
            else ""
        )
        said = str(value["msg"]).removeprefix("Value error, ")  # pydantic's, not the server's
        return f"{at}: {said}" if at else said
    parts = [_said(value.get(key)) for key in ("detail", "message", "error", "data")]
    return ": ".join(dict.fromkeys(part.rstrip(".") for part in parts if part))


def _retired(status: int, path: str, said: str) -> bool:
    if "/fine_tuning/jobs" not in path:
        return False
    return status == 410 or (status == 422 and _RETIRED in said)


def _key_remedy(endpoint: Endpoint) -> str:
    if endpoint.kind is EndpointKind.LOCAL:
        return "Restart the engine: papertune engine stop, then papertune engine start."
    return "Check or replace it in Settings."
