"""A PDF's title, authors, year and identifiers, from its first page and its own record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tui.corpus.document import Block, BlockKind, Metadata
from tui.corpus.extract.text import KNOWN_HEADINGS, abstract_of
from tui.corpus.identity import family_name, find_arxiv, find_doi, fold, title_key
from tui.corpus.layout import Line, Page, body_size, in_reading_order, strip_furniture
from tui.corpus.names import author_names, person
from tui.corpus.normalise import joiner

_JUNK_TITLE = re.compile(
    r"microsoft word|untitled|\.(docx?|dvi|tex|pdf|ps|indd|qxd)\b|^paper\b|^doi:|^\W*$|"
    r"^[a-z0-9_.-]+$",
    re.IGNORECASE,
)
_NOT_TITLE = re.compile(
    r"proceedings|journal of|\bvol(ume|\.)|^arxiv|^research (article|paper)|"
    r"^original (article|research)|"
    r"^(review|article|letter|contents|technical report|preprint|working paper|"
    r"open access|abstract)$|"
    r"https?:|www\.|^doi|issn|copyright|©|accepted (for|manuscript)|published (in|by)|"
    r"^available online|^received|^submitted|permission|^lecture notes",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Front:
    """What the first page says above the text."""

    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    doi: str = ""
    arxiv: str = ""
    lead: str = field(default="")


def front_matter(pages: Sequence[Page], told: Mapping[str, str]) -> tuple[Front, list[Line]]:
    """The front matter, and all other lines in reading order.

    `told` is the PDF's own record; it is believed where the first page says the same.
    """
    usual = body_size(pages)
    first_lines = [line for page in pages[:1] for line in page.lines]
    stamps = " ".join(line.text for line in first_lines)
    taken = strip_furniture(pages)
    ordered = [line for page in pages for line in in_reading_order(page)]
    first = [line for line in ordered if line.page == pages[0].number] if pages else []
    begin, end = _title_lines(first, usual, told)
    join = joiner("")
    title = join(" ".join(line.text for line in first[begin:end]))
    own = " ".join(told.get("Title", "").split())
    page_key = title_key(" ".join(line.text for line in first[:60]))
    own_key = title_key(own)
    if len(own_key) > 12 and not _JUNK_TITLE.search(own) and own_key in page_key:
        shorter = len(own_key) < len(title_key(title)) and own_key in title_key(title)
        title = title if shorter and len(title_key(title)) < 200 else own
    stop = _end_of_front(first, end)
    authors = _authors(first[end:stop])
    authors = _better(authors, told.get("Author", ""), fold(" ".join(line.text for line in first)))
    edges = " ".join(line.text for line in taken if line.page <= 1)
    front = Front(
        title=_unshouted(title),
        authors=tuple(authors),
        doi=find_doi(stamps),
        arxiv=find_arxiv(stamps) if "arxiv" in stamps.lower() else "",
        year=_year(stamps, edges, told),
    )
    title_ids = {id(line) for line in first[begin:stop]}
    before = {id(line) for line in first[:begin] if line.size != usual or len(line.text) < 60}
    return front, [line for line in ordered if id(line) not in title_ids | before]


def complete(front: Front, blocks: Sequence[Block]) -> Metadata:
    """The metadata once the abstract is known: under its heading, else what stands before any."""
    abstract = abstract_of(list(blocks))
    if not abstract:
        for block in blocks[:4]:
            if block.kind is BlockKind.HEADING:
                break
            if block.kind is BlockKind.PARAGRAPH and 300 <= len(block.text) <= 3000:
                abstract = block.text
                break
    return Metadata(front.title, front.authors, front.year, "", front.doi, front.arxiv, abstract)


def _title_lines(lines: Sequence[Line], usual: float, told: Mapping[str, str]) -> tuple[int, int]:
    """Where the title stands among the first page's lines, as (begin, end)."""
    groups: list[tuple[int, int]] = []
    for index, line in enumerate(lines[:60]):
        if groups and index == groups[-1][1]:
            before = lines[index - 1]
            near = 0 < line.gap < max(line.size, before.size) * 2.0 or (
                before.y1 - line.y0 > 0 and before.y1 - line.y0 < line.size * 2.0
            )
            if near and abs(line.size - before.size) < 0.8 and line.bold == before.bold:
                groups[-1] = (groups[-1][0], index + 1)
                continue
        groups.append((index, index + 1))
    own = title_key(told.get("Title", ""))
    best, score = (0, 0), 0.0
    for begin, end in groups:
        text = " ".join(line.text for line in lines[begin:end])
        words = re.findall(r"[^\W\d_]{2,}", text)
        if len(words) < 1 or len(text) < 6 or len(text) > 350 or _NOT_TITLE.search(text):
            continue
        if KNOWN_HEADINGS.fullmatch(re.sub(r"^[\dIVX]+\.?\s+", "", text).strip(" .:")) or (
            len(words) < 2 and lines[begin].size < usual * 1.4
        ):
            continue
        size = max(line.size for line in lines[begin:end])
        points = size / usual + (0.08 if lines[begin].bold else 0) - begin * 0.004
        key = title_key(text)
        if (
            len(own) > 12
            and len(key) > 8
            and (own in key or key in own)
            and not _JUNK_TITLE.search(own)
        ):
            points += 1.0
        if points > score:
            best, score = (begin, end), points
    return best


def _end_of_front(lines: Sequence[Line], start: int) -> int:
    """Where the lines about authors end: at the abstract, a heading, or the first prose."""
    prose = 0
    for index in range(start, min(len(lines), start + 80)):
        text = lines[index].text.strip()
        bare = re.sub(r"^[\dIVX]+[.)]?\s+", "", text).strip(" .:—-")
        if KNOWN_HEADINGS.fullmatch(bare) or re.match(
            r"(abstract|summary)\b\s*[-—–.:]", text, re.I
        ):
            return index
        if bare.lower().startswith("abstract") and len(text) > 60:
            return index
        lower = re.findall(r"\b[a-z]{2,}\b", text)
        prose = (
            prose + 1 if len(text) > 45 and len(lower) >= max(5, len(text.split()) * 0.55) else 0
        )
        if prose == 3:
            return index - 2
    return min(len(lines), start + 3 if prose == 0 else start)


def _authors(lines: Sequence[Line]) -> list[str]:
    """Names in the lines under the title, of those set like the first that holds any."""
    found: list[str] = []
    style: tuple[float, bool] | None = None
    for line in lines:
        if style is not None and (abs(line.size - style[0]) > 0.6 or line.bold != style[1]):
            continue
        names = author_names(line.text)
        if names:
            style = style or (line.size, line.bold)
            found += [name for name in names if name not in found]
    return found[:200]


def _better(found: list[str], told: str, page: str) -> list[str]:
    """The record's authors where they are more than was found and all stand on the page."""
    pieces = [p.strip() for p in re.split(r"[;,]|\band\b|&", told) if p.strip()]
    names = [name for piece in pieces if (name := person(piece))]
    on_page = all(fold(family_name(name)) in page for name in names)
    return (
        names
        if names and len(names) == len(pieces) and on_page and len(names) > len(found)
        else found
    )


def _year(page: str, edges: str, told: Mapping[str, str]) -> int | None:
    arxiv = re.search(r"arXiv:(\d\d)\d\d\.\d{4,5}", page)
    if arxiv:
        return 2000 + int(arxiv[1])
    for text in (edges, page):
        dated = re.search(
            r"(?:©|\(c\)|copyright|published|accepted|19|20)\D{0,40}?\b((?:19|20)\d\d)\b",
            text,
            re.I,
        ) or re.search(r"\b((?:19|20)\d\d)\b", text if text is edges else text[:1500])
        if dated:
            return int(dated[1])
    made = re.search(r"D:((?:19|20)\d\d)", told.get("CreationDate", ""))
    return int(made[1]) if made else None


def _unshouted(title: str) -> str:
    title = re.sub(r"\s*[*∗†‡§¶]+$|(?<=[a-z])\d$", "", title.strip())
    return title.title() if title.isupper() and len(title) > 12 else title
