"""A multipart upload streamed to disk: constant memory, hashed and counted on the way."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import aiofiles
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tui.engine.server.errors import refused, unprocessable
from tui.storage.atomic import sync_directory

MAX_BYTES = 512 * 1024 * 1024
_MAX_FIELD = 4096
_MAX_HEADERS = 16 * 1024
_FILENAME = 200


@dataclass(slots=True)
class Upload:
    """What came in: the fields, and the file's content at `path` under an id of ours."""

    id: str
    path: Path
    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    bytes: int = 0
    num_lines: int = 0
    sha256: str = ""

    def discard(self) -> None:
        """Delete the content: it was refused, or is there already."""
        self.path.unlink(missing_ok=True)


async def receive_upload(
    content_type: str, body: AsyncIterator[bytes], folder: Path, limit: int
) -> Upload:
    """Read a multipart body with one part named `file`; every other part is a short field.

    The content lies in `folder` when this returns, complete and synced; when it raises, or the
    client vanishes, nothing is left. Raises a 413 beyond `limit` bytes, a 422 without a file, a
    400 when the body is no multipart form, a 507 when the disk is full.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise unprocessable(["body", "file"], "Field required", kind="missing")
    upload_id = str(uuid.uuid4())
    upload = Upload(upload_id, folder / upload_id)
    try:
        async with aiofiles.open(upload.path, "xb") as file:
            await _read(_Parts(boundary), body, upload, file, limit)
            await file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        await asyncio.to_thread(sync_directory, folder)
    except FormParserError as error:
        upload.discard()
        raise refused(400, "There was an error parsing the body") from error
    except OSError as error:
        upload.discard()
        raise refused(507, f"The upload could not be stored: {error.strerror}.") from error
    except BaseException:
        upload.discard()
        raise
    if upload.filename is None:
        upload.discard()
        raise unprocessable(["body", "file"], "Field required", kind="missing")
    return upload


async def _read(
    parts: _Parts, body: AsyncIterator[bytes], upload: Upload, file: Any, limit: int
) -> None:
    digest = hashlib.sha256()
    last = b"\n"
    async for chunk in body:
        for name, filename, data in parts.feed(chunk):
            if name != "file":
                upload.fields[name] = upload.fields.get(name, "") + data.decode("utf-8", "replace")
                if len(upload.fields[name]) > _MAX_FIELD or len(upload.fields) > 20:
                    raise refused(413, "Request Entity Too Large")
                continue
            upload.filename = filename
            upload.bytes += len(data)
            if upload.bytes > limit:
                raise refused(413, "Request Entity Too Large")
            if data:
                digest.update(data)
                upload.num_lines += data.count(b"\n")
                last = data[-1:]
                await file.write(data)
    parts.finish()
    upload.num_lines += last != b"\n"
    upload.sha256 = digest.hexdigest()


class _Parts:
    """Turns chunks of a multipart body into `(field name, file name, data)` pieces."""

    def __init__(self, boundary: bytes) -> None:
        self._pieces: list[tuple[str, str, bytes]] = []
        self._header = (bytearray(), bytearray())
        self._name = ""
        self._filename = ""
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> list[tuple[str, str, bytes]]:
        """The pieces in this chunk."""
        self._pieces = []
        self._parser.write(chunk)
        return self._pieces

    def finish(self) -> None:
        """Raise FormParserError unless the closing boundary came."""
        self._parser.finalize()
        if not self._complete:
            raise FormParserError("the body ends before its closing boundary")

    def _begin(self) -> None:
        self._name = self._filename = ""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(0, data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(1, data[start:end])

    def _grow(self, which: int, data: bytes) -> None:
        self._header[which].extend(data)
        if len(self._header[which]) > _MAX_HEADERS:
            raise FormParserError("a part's header is too long")

    def _header_end(self) -> None:
        name, value = (bytes(part) for part in self._header)
        self._header = (bytearray(), bytearray())
        if name.lower() == b"content-disposition":
            self._name, self._filename = _disposition(value)

    def _headers_finished(self) -> None:
        self._pieces.append((self._name, self._filename, b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append((self._name, self._filename, data[start:end]))

    def _end(self) -> None:
        self._complete = True


def _disposition(value: bytes) -> tuple[str, str]:
    """The field's and the file's name; the latter also in the extended form of RFC 5987."""
    message = Message()
    message["content-disposition"] = (
        value.decode("utf-8", "replace").replace("\r", " ").replace("\n", " ")
    )
    name = message.get_param("name", "", "content-disposition")
    return str(name or ""), message.get_filename("") or ""
