"""`/v1/files`: uploads, their listing and their contents."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response

from tui.domain.errors import UsageError
from tui.engine.server import upload as uploads
from tui.engine.server.errors import ApiError, refused, unprocessable
from tui.engine.server.state import Engine
from tui.engine.server.upload import Upload, receive_upload
from tui.engine.store.files import FileFilter, StoredFile
from tui.formats.lines import LineError, decode_object, read_raw
from tui.text import visible

Page = Annotated[int, Query(ge=0, le=1_000_000)]
PageSize = Annotated[int, Query(ge=1, le=1_000)]
_LOOKED_AT = 100
_FORM_BYTES = 1_000_000  # what a form may add to its file: boundaries and fields
_YEAR_HOURS = 24 * 366


def routes(engine: Engine) -> APIRouter:
    """The routes of `/v1/files`."""
    router = APIRouter(prefix="/v1/files", tags=["files"])

    @router.post("")
    async def upload_file(request: Request) -> Response:
        """Store a training file; the same name and content give back the file that is there."""
        headers, limit = request.headers, engine.quota.upload or uploads.MAX_BYTES
        length = headers.get("content-length", "")
        announced = int(length[:18]) if length.isdecimal() else 0
        if announced > limit + _FORM_BYTES:
            raise refused(413, "Request Entity Too Large", _too_large(limit))
        left = _left(engine)
        if left is not None and announced > left + _FORM_BYTES:
            raise _over_quota(engine)
        try:
            upload = await receive_upload(
                headers.get("content-type", ""),
                request.stream(),
                engine.home.files,
                limit if left is None else min(limit, left),
            )
        except ApiError as error:
            if error.status == 413 and left is not None and left < limit:
                raise _over_quota(engine) from error
            raise
        try:
            file = await _described(upload)
            stored = engine.files.add(file)
        except BaseException:
            upload.discard()
            raise
        if stored.id != upload.id:
            upload.discard()
        return JSONResponse(stored.document())

    @router.get("")
    async def list_files(
        page: Page = 0,
        page_size: PageSize = 100,
        include_total: bool = True,
        sample_type: Annotated[list[str] | None, Query(max_length=20)] = None,
        source: Annotated[list[str] | None, Query(max_length=20)] = None,
        search: str | None = None,
        purpose: Literal["fine-tune", "batch", "ocr"] | None = None,
        mimetypes: Annotated[list[str] | None, Query(max_length=20)] = None,
    ) -> dict[str, Any]:
        """One page of the files, newest first."""
        wanted = FileFilter(
            tuple(sample_type or ()), tuple(source or ()), tuple(mimetypes or ()),
            purpose or "", search or "",
        )  # fmt: skip
        files, total = engine.files.page(wanted, page, page_size)
        return {
            "data": [file.document() for file in files],
            "object": "list",
            "total": total if include_total else None,
        }

    @router.get("/{file_id}")
    async def retrieve_file(file_id: str) -> dict[str, Any]:
        """One file."""
        return {**_found(engine, file_id).document(), "deleted": False}

    @router.delete("/{file_id}")
    async def delete_file(file_id: str) -> dict[str, Any]:
        """Delete a file that no unfinished job reads."""
        _found(engine, file_id)
        users = engine.jobs.users_of(file_id)
        if users:
            raise refused(409, f"Job {users[0]} still reads this file; cancel it first.")
        engine.files.delete(file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    @router.get("/{file_id}/content")
    async def download_file(file_id: str) -> Response:
        """The bytes as they were uploaded."""
        file = _found(engine, file_id)
        return FileResponse(
            engine.home.file(file.id),
            headers={"content-type": "application/octet-stream"},
            filename=file.filename,
        )

    @router.get("/{file_id}/url")
    async def signed_url(
        file_id: str, request: Request, expiry: Annotated[int, Query(ge=1, le=_YEAR_HOURS)] = 24
    ) -> dict[str, str]:
        """A link to the content that works without the token for `expiry` hours."""
        file = _found(engine, file_id)
        until = int(time.time()) + expiry * 3600
        signature = engine.guard.sign(file.id, until) if engine.guard else ""
        base = str(request.base_url).rstrip("/")
        return {"url": f"{base}/v1/files/{file.id}/content?expires={until}&signature={signature}"}

    return router


def _left(engine: Engine) -> int | None:
    """Bytes that uploads may still take; None without a quota."""
    if not engine.quota.disk:
        return None
    return max(0, engine.quota.disk - engine.files.total_bytes())


def _too_large(limit: int) -> str:
    return (
        f"A file may have {limit // 10**6} MB here; [engine.quota] upload in config.toml says so."
    )


def _over_quota(engine: Engine) -> ApiError:
    return refused(
        507,
        "Insufficient Storage",
        f"Uploads may take {engine.quota.disk // 10**6} MB together ([engine.quota] disk in "
        "config.toml). Delete files that no job needs.",
    )


def _found(engine: Engine, file_id: str) -> StoredFile:
    file = engine.files.get(file_id)
    if file is None:
        raise refused(404, "Not Found", f"There is no file {visible(file_id)[:64]}.")
    return file


async def _described(upload: Upload) -> StoredFile:
    purpose = upload.fields.get("purpose", "fine-tune")
    visibility = upload.fields.get("visibility", "workspace")
    name = PurePosixPath((upload.filename or "").replace("\\", "/")).name
    name = visible(name)[-255:] or "file.jsonl"
    if purpose not in ("fine-tune", "batch", "ocr"):
        raise unprocessable(
            ["body", "purpose"], "Input should be 'fine-tune', 'batch' or 'ocr'", purpose, "enum"
        )
    if visibility not in ("workspace", "user"):
        raise unprocessable(
            ["body", "visibility"], "Input should be 'workspace' or 'user'", visibility, "enum"
        )
    if purpose != "fine-tune":
        raise refused(422, f"This engine trains models; it takes no files for {purpose}.")
    if not name.lower().endswith(".jsonl"):
        raise refused(422, "Invalid file format.", "Fine-tuning takes .jsonl files only.")
    sample_type = await asyncio.to_thread(_sample_type, upload.path)
    return StoredFile(
        id=upload.id,
        filename=name,
        purpose=purpose,
        sample_type=sample_type,
        mimetype="application/jsonl",
        bytes=upload.bytes,
        num_lines=upload.num_lines,
        sha256=upload.sha256,
        visibility=visibility,
        created_at=int(time.time()),
        expires_at=_expiry(upload.fields.get("expiry")),
    )


def _expiry(text: str | None) -> int | None:
    """Hours from now, as the field of an upload."""
    if text is None or text.strip() in ("", "null", "None"):
        return None
    if not text.strip().isdecimal() or not 0 < int(text.strip()[:9]) <= _YEAR_HOURS:
        raise unprocessable(["body", "expiry"], "Input should be a number of hours", text)
    return int(time.time()) + int(text) * 3600


def _sample_type(path: Path) -> str:
    """What the lines are, told by the first one that can be read; the job checks them all."""
    fault = UsageError("The file is empty.")
    with path.open("rb") as file:
        for raw in read_raw(file):
            if raw.number > _LOOKED_AT:
                break
            try:
                if raw.data is None:
                    raise LineError("too-long", "the line is too long", raw.number)
                document = decode_object(raw.data, raw.number)
            except LineError as error:
                fault = error if raw.number == 1 else fault
                continue
            if "messages" in document or "interactions" in document:
                return "instruct"
            if "text" in document or "content" in document:
                return "pretrain"
            fault = UsageError(
                f'Line {raw.number}: neither "messages" nor "text" stands in the object.'
            )
    raise refused(422, "Invalid file format.", visible(str(fault)))
