"""A text as a reader shows it: with headings, pages and marked stretches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A titled place in the text."""

    title: str
    start: int
    level: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its headings, where its pages begin as (offset, page), and marked stretches."""

    text: str = ""
    headings: tuple[Heading, ...] = ()
    pages: tuple[tuple[int, int], ...] = ()
    marks: tuple[tuple[int, int], ...] = ()
