"""Zotero's own JSON, as its APIs and Better BibTeX write it: items, attachments, collections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tui.corpus.document import Entry, Metadata
from tui.corpus.identity import find_arxiv, find_doi
from tui.corpus.sources.csl import MOST_ENTRIES, words, year_of

_NO_WORKS = frozenset({"attachment", "note", "annotation"})
_AUTHORS = frozenset({"author", "inventor", "presenter", "director", "programmer", "contributor"})
# What can be read; snapshots of web pages and films hold no paper.
_READABLE = (".pdf", ".tex", ".gz", ".md", ".txt")
_READABLE_TYPES = frozenset({"application/pdf", "text/plain", "application/gzip"})
_VENUES = ("publicationTitle", "proceedingsTitle", "bookTitle", "conferenceName", "repository",
           "university", "institution", "publisher")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an item: its key, its name, where it lies on the machine that Zotero runs on."""

    key: str
    name: str
    path: str = ""
    md5: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One work of a library with its attachments; `key` names it in its library."""

    key: str
    entry: Entry
    collections: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def is_better_bibtex(document: Any) -> bool:
    """Whether a JSON document is Better BibTeX's export of items."""
    return (
        isinstance(document, Mapping)
        and isinstance(document.get("items"), list)
        and any(isinstance(i, Mapping) and "itemType" in i for i in document["items"][:50])
    )


def better_bibtex(document: Mapping[str, Any]) -> list[Entry]:
    """The entries of a Better BibTeX JSON file; collections are tags, attachments files."""
    names = _collection_names(document.get("collections"))
    found = []
    for number, data in enumerate(document["items"][:MOST_ENTRIES], 1):
        if not isinstance(data, Mapping):
            found.append(Entry("", problem=f"item {number}: not an object"))
        elif data.get("itemType") not in _NO_WORKS:
            entry = entry_of(data)
            where = names.get(words(data.get("itemID")), ()) + names.get(words(data.get("key")), ())
            files = tuple(
                a.path for a in map(attachment, _list(data.get("attachments"))) if a and a.path
            )
            tags = tuple(dict.fromkeys([*entry.metadata.tags, *where]))
            found.append(replace(entry, metadata=replace(entry.metadata, tags=tags), files=files))
    return found


def _collection_names(value: Any) -> dict[str, tuple[str, ...]]:
    """Each item's collections, by the item's id or key."""
    if not isinstance(value, Mapping):
        return {}
    names: dict[str, tuple[str, ...]] = {}
    for collection in value.values():
        if isinstance(collection, Mapping) and (name := words(collection.get("name"))):
            for item in _list(collection.get("items")):
                names[words(item)] = (*names.get(words(item), ()), name)
    return names


def items(documents: Iterable[Any], collections: Mapping[str, str]) -> list[Item]:
    """Works with their attachments, of what the API tells; `collections` are names by key.

    An attachment without a parent is a work of its own: Zotero lets people drop bare PDFs in.
    """
    works: dict[str, Item] = {}
    files: dict[str, list[Attachment]] = {}
    bare: list[tuple[str, Mapping[str, Any], Attachment]] = []
    for document in documents:
        data = document.get("data", document) if isinstance(document, Mapping) else {}
        if not isinstance(data, Mapping):
            continue
        key = words(data.get("key"))
        if data.get("itemType") == "attachment":
            links = document.get("links")
            found = attachment(data, links if isinstance(links, Mapping) else {})
            if found and (parent := words(data.get("parentItem"))):
                files.setdefault(parent, []).append(found)
            elif found:
                bare.append((key, data, found))
        elif key and data.get("itemType") not in _NO_WORKS:
            works[key] = Item(key, entry_of(data), _names(data, collections))
    for parent, attached in files.items():
        if parent in works:
            works[parent] = replace(works[parent], attachments=tuple(attached))
        else:  # only the file changed since the last time
            works[parent] = Item(parent, Entry(parent), (), tuple(attached))
    for key, data, found in bare:
        works[key] = Item(key, Entry(key), _names(data, collections), (found,))
    return list(works.values())


def _names(data: Mapping[str, Any], collections: Mapping[str, str]) -> tuple[str, ...]:
    keys = [words(key) for key in _list(data.get("collections"))]
    return tuple(collections[key] for key in keys if key in collections)


def attachment(data: Any, links: Mapping[str, Any] | None = None) -> Attachment | None:
    """A file that may be read; None for a link, a snapshot or an annotation."""
    if not isinstance(data, Mapping) or data.get("linkMode") == "linked_url":
        return None
    path = words(data.get("path")) or words(data.get("localPath"))
    enclosure = links.get("enclosure") if links else None
    if not path and isinstance(enclosure, Mapping):
        href = words(enclosure.get("href"))
        path = href if href.startswith("file:") else ""
    name = words(data.get("filename")) or re.split(r"[/\\:]", path)[-1] or words(data.get("title"))
    kind = words(data.get("contentType") or data.get("mimeType")).lower()
    if kind not in _READABLE_TYPES and not name.lower().endswith(_READABLE):
        return None
    return Attachment(words(data.get("key")), name, path, words(data.get("md5")))


def entry_of(data: Mapping[str, Any]) -> Entry:
    """One item's record."""
    key = words(data.get("citationKey") or data.get("citekey") or data.get("key"))[:200]
    title = words(data.get("title")) or words(data.get("caseName") or data.get("subject"))
    if not title:
        return Entry(key, problem="the entry has no title")
    extra = str(data.get("extra") or "")[:20_000]
    doi = find_doi(words(data.get("DOI"))) or find_doi(extra) or find_doi(words(data.get("url")))
    archive = " ".join(words(data.get(name)) for name in ("archiveID", "url", "reportNumber"))
    tags = [t.get("tag") if isinstance(t, Mapping) else t for t in _list(data.get("tags"))]
    return Entry(
        key,
        Metadata(
            title=title,
            authors=_authors(data.get("creators")),
            year=year_of(data.get("date")),
            venue=next((told for name in _VENUES if (told := words(data.get(name)))), ""),
            doi=doi,
            arxiv=find_arxiv(archive) or find_arxiv(extra) or find_arxiv(doi),
            abstract=words(data.get("abstractNote")),
            tags=tuple(tag for tag in map(words, tags) if tag),
        ),
    )


def _authors(value: Any) -> tuple[str, ...]:
    people = [person for person in _list(value)[:5000] if isinstance(person, Mapping)]
    chosen = [p for p in people if p.get("creatorType", "author") in _AUTHORS] or people
    names = [
        words(p.get("name"))
        or " ".join(filter(None, [words(p.get("firstName")), words(p.get("lastName"))]))
        for p in chosen
    ]
    return tuple(name for name in names if name)


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
