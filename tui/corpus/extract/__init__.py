"""Reading one file of any kind into text, sections and passages; run in guarded workers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tui.corpus.assemble import assemble
from tui.corpus.document import Document, Extracted, Unreadable
from tui.domain.paper import FileKind

# pdfium reads from memory; what is larger than this is no paper.
LARGEST_FILE = 512 * 1024 * 1024


@contextmanager
def opened(path: str, limit: int = LARGEST_FILE) -> Iterator[BinaryIO]:
    """A regular file for reading; a pipe put in its place is not waited for.

    Raises Unreadable with the reason, also for what goes wrong while it is being read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a regular file")
            if status.st_size > limit:
                raise Unreadable(f"larger than {limit // (1024 * 1024)} MB")
            yield file
    except FileNotFoundError as error:
        raise Unreadable("vanished while it was being read") from error
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error


def read_bytes(path: str, limit: int = LARGEST_FILE) -> bytes:
    """A regular file's bytes. Raises Unreadable."""
    with opened(path, limit) as file:
        return file.read(limit + 1)


def extract(path: str, kind: FileKind, archive: bool, seconds: float) -> Extracted:
    """Read a file as `kind`; `seconds` is when a long one stops and keeps what it has.

    Raises Unreadable with the reason in the user's words.
    """
    return assemble(_read(path, kind, archive, seconds))


def _read(path: str, kind: FileKind, archive: bool, seconds: float) -> Document:
    if kind is FileKind.PDF:
        from tui.corpus.extract import pdf

        return pdf.read(read_bytes(path), seconds)
    if kind is FileKind.LATEX:
        from tui.corpus.extract import latex

        return latex.read_archive(read_bytes(path), path) if archive else latex.read(path)
    from tui.corpus.extract import markdown, text

    if kind is FileKind.BIBTEX:
        from tui.corpus import bibliography

        return bibliography.read(text.decode(read_bytes(path, bibliography.LARGEST)))
    data = read_bytes(path, text.LARGEST)
    if kind is FileKind.MARKDOWN:
        return markdown.read(data)
    return text.read(data)
