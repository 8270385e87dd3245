"""LaTeX."""

from __future__ import annotations

from tui.corpus.document import Document, Unreadable


def read(path: str) -> Document:
    """A main file with its parts."""
    raise Unreadable("LaTeX is not read yet")


def read_archive(data: bytes) -> Document:
    """An arXiv bundle."""
    raise Unreadable("LaTeX is not read yet")
