"""Errors in the shapes that the contract gives for each route."""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tui.domain.errors import (
    ConflictError,
    MissingError,
    NotFoundError,
    PapertuneError,
    UsageError,
)
from tui.engine.faults import disk_full, told
from tui.text import visible

_LOG = logging.getLogger("papertune.engine")
_SHOWN = 200
_SHOWN_ENTRIES = 20
_LARGEST_BITS = 63


class ApiError(Exception):
    """An answer other than 200, with its whole body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


def refused(status: int, detail: str, message: str = "") -> ApiError:
    """The shape of the files and fine-tuning routes: `{"detail": "…", "message": "…"}`."""
    return ApiError(status, {"detail": detail} | ({"message": message} if message else {}))


def invalid_model(model: str, remedy: str = "") -> ApiError:
    """The chat routes' answer to a model that is not there, with what gets it."""
    return ApiError(
        400,
        {
            "object": "error",
            "message": f"Invalid model: {visible(model)[:_SHOWN]}"
            + (f". {visible(remedy)}" if remedy else ""),
            "type": "invalid_model",
            "param": None,
            "code": "1500",
        },
    )


def unprocessable(
    location: Sequence[str | int], message: str, value: Any = None, kind: str = "value_error"
) -> RequestValidationError:
    """A 422 with the list shape, as if the schema itself had refused the value."""
    return RequestValidationError(
        [{"type": kind, "loc": tuple(location), "msg": message, "input": value}]
    )


def install(app: FastAPI) -> None:
    """Give every kind of failure its shape; what nobody foresaw is logged and says no more."""

    @app.exception_handler(ApiError)
    async def _failure(_request: Request, error: ApiError) -> JSONResponse:
        return JSONResponse(error.body, error.status)

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": [_item(item) for item in error.errors()]}, 422)

    @app.exception_handler(PapertuneError)
    async def _ours(_request: Request, error: PapertuneError) -> JSONResponse:
        status = 507 if disk_full(error) else _status(error)
        return JSONResponse({"detail": visible(str(error))}, status)

    @app.exception_handler(OSError)
    @app.exception_handler(sqlite3.Error)
    async def _refused_by_the_system(
        request: Request, error: OSError | sqlite3.Error
    ) -> JSONResponse:
        _LOG.warning("%s %s: %s", request.method, request.url.path, error)
        status = 507 if disk_full(error) else 500
        return JSONResponse({"detail": visible(str(told(error)))}, status)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return JSONResponse({"detail": "Internal Server Error"}, 500)


def _status(error: PapertuneError) -> int:
    for kind, status in ((NotFoundError, 404), (ConflictError, 409), (UsageError, 422)):
        if isinstance(error, kind):
            return status
    return 424 if isinstance(error, MissingError) else 500


def _item(item: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": item["type"],
        # A union's branch that has a validator of ours is named after it; plainly it is text.
        "loc": [
            "str" if str(part).startswith("function-after[") else _plain(part)
            for part in item["loc"]
        ],
        "msg": _plain(item["msg"]),
        "input": _plain(item.get("input")),
    }
    if item.get("ctx"):
        value["ctx"] = {key: _plain(entry) for key, entry in item["ctx"].items()}
    return value


def _plain(value: Any) -> Any:
    """A refused value as JSON can carry it: no NaN, no lone surrogates, no megabytes."""
    if isinstance(value, dict | list | tuple):
        if len(value) > _SHOWN_ENTRIES:
            return f"({len(value)} entries)"
        if isinstance(value, dict):
            return {str(_plain(key)): _plain(entry) for key, entry in value.items()}
        return [_plain(entry) for entry in value]
    if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
        return "(a very large number)"
    if (
        value is None
        or isinstance(value, int)
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return str(value).encode("utf-8", "replace").decode()[:_SHOWN]
