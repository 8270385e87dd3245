"""CSL JSON: what Crossref and DataCite answer with, and what reference managers export."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tui.corpus.document import Entry, Metadata
from tui.corpus.identity import find_arxiv, find_doi

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_YEAR = re.compile(r"\b(1[5-9]\d\d|20\d\d)\b")
MOST_ENTRIES = 100_000


def entries(document: Any) -> list[Entry]:
    """The items of a document: a list, `{"items": […]}`, or one item by itself."""
    items = document
    if isinstance(document, Mapping):
        items = document.get("items", document.get("message", document))
    if isinstance(items, Mapping):
        items = [items]
    if not isinstance(items, Sequence) or isinstance(items, str):
        return []
    return [_entry(item, number) for number, item in enumerate(items[:MOST_ENTRIES], 1)]


def _entry(item: Any, number: int) -> Entry:
    if not isinstance(item, Mapping):
        return Entry("", problem=f"item {number}: not an object")
    key = words(item.get("citation-key") or item.get("id"))[:200]
    title = words(item.get("title"))
    if not title:
        return Entry(key or f"item {number}", problem="the entry has no title")
    note = " ".join(words(item.get(name)) for name in ("note", "number", "URL", "container-title"))
    arxiv = words(item.get("archive")).lower() == "arxiv"
    where = words(item.get("archive_location") or item.get("number")) if arxiv else ""
    doi = find_doi(words(item.get("DOI")) or words(item.get("URL")))
    return Entry(
        key,
        Metadata(
            title=title,
            authors=people(item.get("author")),
            year=year_of(item.get("issued")) or year_of(item.get("published")),
            venue=words(item.get("container-title")) or words(item.get("event-title")),
            doi=doi,
            arxiv=find_arxiv(where.removeprefix("arXiv:")) or find_arxiv(f"{doi} {note}"),
            abstract=re.sub(r"^Abstract[:.\s]+", "", words(item.get("abstract"))),
            tags=tuple(t for t in re.split(r"\s*[,;]\s*", words(item.get("keyword"))) if t),
        ),
    )


def words(value: Any) -> str:
    """A value as plain words: the first of a list, markup dropped, "" for anything else."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if value else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    text = _TAG.sub("", value[:200_000]) if "<" in value else value[:200_000]
    return " ".join(text.split())


def people(value: Any) -> tuple[str, ...]:
    """Names as `Given Family`; an institution as it is called."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    found = []
    for person in value[:5000]:
        if isinstance(person, Mapping):
            particle = words(person.get("non-dropping-particle")) or words(
                person.get("dropping-particle")
            )
            parts = [words(person.get("given")), particle, words(person.get("family"))]
            whole = words(person.get("literal")) or words(person.get("name"))
            found.append(whole or " ".join(filter(None, parts)))
        else:
            found.append(words(person))
    return tuple(name for name in found if name)


def year_of(value: Any) -> int | None:
    """The year of a CSL date."""
    if isinstance(value, Mapping):
        parts = value.get("date-parts")
        if isinstance(parts, Sequence) and parts and isinstance(parts[0], Sequence) and parts[0]:
            value = str(parts[0][0])
        else:
            value = value.get("raw") or value.get("literal") or ""
    match = _YEAR.search(words(value))
    return int(match[1]) if match else None
