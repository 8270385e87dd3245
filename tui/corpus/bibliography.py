"""BibTeX in and out: each broken entry is one failure, never the whole file."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from tui.corpus.document import Document, Entry, Metadata, Unreadable
from tui.corpus.identity import find_arxiv, find_doi
from tui.corpus.sources.attachments import named_files
from tui.domain.paper import Paper

# A library of 20,000 items with abstracts is about 100 MB of JSON.
LARGEST = 256 * 1024 * 1024
_MOST_ENTRIES = 100_000
_ACCENTED = re.compile(r"\\|[{}~]|--|``|''")


def read(text: str) -> Document:
    """The entries of a BibTeX, CSL JSON or Better BibTeX JSON file, each with its metadata or its
    problem. Run in a worker.

    Raises Unreadable for JSON that is broken.
    """
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return Document(Metadata(), (), bibliography=tuple(_of_json(text)))
    import bibtexparser
    from bibtexparser import middlewares, model

    logging.disable(logging.CRITICAL)
    library = bibtexparser.parse_string(text, append_middleware=[middlewares.NormalizeFieldKeys()])
    entries: list[Entry] = []
    found: list[tuple[int, str, dict[str, str]]] = []
    for block in library.blocks[:_MOST_ENTRIES]:
        if isinstance(block, model.DuplicateBlockKeyBlock | model.DuplicateFieldKeyBlock):
            block = block.ignore_error_block  # noqa: PLW2901
        if isinstance(block, model.Entry):
            fields = {field.key: str(field.value) for field in block.fields}
            found.append((len(entries), str(block.key), fields))
            entries.append(Entry(str(block.key)))
        elif isinstance(block, model.ParsingFailedBlock):
            line = (block.start_line or 0) + 1
            named = re.match(r"\s*@\w+\s*\{\s*([^,\s}]+)", block.raw or "")
            entries.append(
                Entry(named[1] if named else "", problem=f"line {line}: not a complete entry")
            )
    # An entry stands before the one it refers to.
    parents = {key.lower(): fields for _, key, fields in reversed(found)}
    for position, key, fields in found:
        entries[position] = _guarded(key, fields, parents)
    return Document(Metadata(), (), bibliography=tuple(entries))


def _guarded(key: str, fields: dict[str, str], parents: dict[str, dict[str, str]]) -> Entry:
    """An entry, or why it is none: one that breaks the reader costs only itself."""
    try:
        if parent := parents.get(fields.get("crossref", "").lower()):
            fields = {**_inherited(parent), **fields}
        return _entry(key, fields)
    except Exception as error:
        return Entry(key, problem=f"the entry cannot be read ({type(error).__name__})")


def _inherited(parent: dict[str, str]) -> dict[str, str]:
    """What an entry takes from the one it refers to; that one's title is the book's."""
    taken: dict[str, str] = {name: parent[name] for name in ("year", "date") if name in parent}
    if "title" in parent:
        taken["booktitle"] = parent["title"]
    return taken


def _of_json(text: str) -> list[Entry]:
    import msgspec

    from tui.corpus.sources import csl, zotero_items

    try:
        document = msgspec.json.decode(text.lstrip("\ufeff"))
    except msgspec.DecodeError as error:
        raise Unreadable(f"not JSON: {error}") from error
    if zotero_items.is_better_bibtex(document):
        return zotero_items.better_bibtex(document)
    return csl.entries(document)


def _entry(key: str, fields: dict[str, str]) -> Entry:
    for name, told in fields.items():
        if following := _missing_comma(told):
            return Entry(key, problem=f"a comma is missing between {name} and {following}")

    def value(*names: str) -> str:
        return next((plain(fields[name]) for name in names if fields.get(name)), "")

    title = value("title")
    if not title:
        return Entry(key, problem="the entry has no title")
    years = re.search(r"\b(1[5-9]\d\d|20\d\d)\b", value("year", "date"))
    eprint = value("eprint") if "arxiv" in value("archiveprefix", "eprinttype").lower() else ""
    return Entry(
        key,
        Metadata(
            title=title,
            authors=names(fields.get("author", "")),
            year=int(years[1]) if years else None,
            venue=value("journal", "journaltitle", "booktitle", "school", "institution"),
            doi=find_doi(value("doi", "url")),
            arxiv=find_arxiv(eprint or value("eprint", "url", "journal", "note")),
            abstract=value("abstract"),
            tags=tuple(t for t in re.split(r"\s*[,;]\s*", value("keywords")) if t),
        ),
        files=named_files(fields.get("file", "")),
    )


def _missing_comma(value: str) -> str:
    """The field that a value ran into: `{One} year = {2000` holds two."""
    if not value.startswith("{"):
        return ""
    depth = 0
    for match in re.finditer(r"\\.|[{}]", value, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            following = re.match(r"\s+([A-Za-z][\w-]*)\s*=\s*[{\"\d]", value[match.end() :])
            return following[1] if following else ""
    return ""


def plain(value: str) -> str:
    """A field's value as plain words: accents composed, braces and commands gone."""
    if _ACCENTED.search(value):
        from pylatexenc.latex2text import LatexNodes2Text

        converter = LatexNodes2Text(math_mode="verbatim", keep_braced_groups=False)
        try:
            value = converter.latex_to_text(value[:50_000], tolerant_parsing=True)
        except (RecursionError, ValueError, IndexError, AttributeError, TypeError):
            value = re.sub(r"\\[a-zA-Z]+\*?|[\\{}]", " ", value)
    return " ".join(value.split())


def names(value: str) -> tuple[str, ...]:
    """Authors as `Given Family`; BibTeX separates them by `and` outside braces."""
    found = []
    for part in re.split(r"\s+and\s+", " ".join(value.split())):
        if part.startswith("{") and part.endswith("}"):
            found.append(plain(part))
            continue
        pieces = [plain(piece) for piece in part.split(",")]
        if len(pieces) == 2:
            found.append(f"{pieces[1]} {pieces[0]}".strip())
        elif len(pieces) > 2:
            found.append(f"{pieces[2]} {pieces[0]} {pieces[1]}".strip())
        else:
            found.append(pieces[0])
    return tuple(name for name in found if name and name.lower() != "others")


_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&",
            "#": r"\#", "_": r"\_", "$": r"\$", "~": r"\textasciitilde{}",
            "^": r"\textasciicircum{}"}  # fmt: skip


def _escaped(text: str) -> str:
    """A value as BibTeX source; mathematics between dollar signs is source already."""
    parts = re.split(r"(\$[^$]+\$)", " ".join(text.split()))
    for index in range(0, len(parts), 2):
        parts[index] = "".join(_SPECIAL.get(character, character) for character in parts[index])
    return "".join(parts)


def export(papers: Iterable[Paper]) -> str:
    """BibTeX entries in UTF-8, keyed by the papers' ids."""
    return "\n".join(_exported(paper) for paper in papers)


def _exported(paper: Paper) -> str:
    fields: Sequence[tuple[str, str]] = (
        ("title", "{" + _escaped(paper.title) + "}"),
        ("author", " and ".join(_exported_name(author) for author in paper.authors)),
        ("year", str(paper.year or "")),
        ("journal", _escaped(paper.venue)),
        ("doi", paper.doi),
        ("eprint", paper.arxiv),
        ("archiveprefix", "arXiv" if paper.arxiv else ""),
        ("keywords", _escaped(", ".join(paper.tags))),
        ("abstract", _escaped(paper.abstract)),
    )
    lines = [f"  {name} = {{{value}}}," for name, value in fields if value]
    kind = "article" if paper.venue else "misc"
    return "\n".join([f"@{kind}{{{paper.id},", *lines, "}", ""])


def _exported_name(name: str) -> str:
    """`Family, Given`; a name of one word or with a comma or `and` in it is kept whole."""
    text = _escaped(name)
    if " " not in name or "," in name or " and " in name:
        return "{" + text + "}"
    given, family = text.rsplit(" ", 1)
    return f"{family}, {given}"
