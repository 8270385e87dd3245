"""A PDF's title, authors, year and identifiers, from its first page and its own record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui.corpus.document import Block, BlockKind, Metadata
from tui.corpus.extract.text import KNOWN_HEADINGS
from tui.corpus.identity import family_name, find_arxiv, find_doi, fold, title_key
from tui.corpus.layout import Line, Page, body_size, in_reading_order, strip_furniture
from tui.corpus.names import author_names, person
from tui.corpus.normalise import joiner
from tui.domain.paper import SectionKind

_JUNK_TITLE = re.compile(
    r"microsoft word|untitled|\.(docx?|dvi|tex|pdf|ps|indd|qxd)\b|^paper\b|^doi:|^\W*$|"
    r"^[a-z0-9_.-]+$",
    re.IGNORECASE,
)
_NOT_TITLE = re.compile(
    r"proceedings|journal of|\bvol(ume|\.|\b)|^arxiv|^research (article|paper)|"
    r"^(?:original|regular|short|full|brief|rapid|invited) "
    r"(?:article|research|paper|communication|report|contribution)|"
    r"^(review|article|letter|contents|technical report|preprint|working paper|research|"
    r"open access|abstract|research note|communication|editorial|case report|mini-?review|"
    r"review article|research communication|perspective|commentary|full papers?)$|"
    r"https?:|www\.|^\S+\.\S+$|^doi|issn|copyright|©|accepted (for|manuscript)|published (in|by)|"
    r"^available online|^received|^submitted|permission|^lecture notes|^citation:",
    re.IGNORECASE,
)
_VOLUME = re.compile(r"\b(?:19|20)\d\d\b|\bvol\b|\d+\s*\(\d+\)|\d+\s*:\s*\d+", re.IGNORECASE)
# What some journals write behind a title: the state of its review.
_TITLE_TAIL = re.compile(r"\s*\[\s*(?:v\d|version \d).*$|\s*[*∗†‡§¶]+$", re.IGNORECASE)
_NOT_ABSTRACT = re.compile(
    r"key\s?-?words?\b|index terms|©|copyright|this is an open|\*?\s?correspond|"
    r"received\b.{0,60}accepted|\W*please cite|article (?:type|history)|doi:|https?://|"
    r"full list of author|how to cite|citation:",
    re.IGNORECASE,
)
_ADDRESSES = re.compile(
    r"@|(?:universit|department|institut|school of).*(?:universit|institut)", re.I
)
_SPACED = re.compile(r"(?:[^\W\d_] ){3,}[^\W\d_]\W?")
_SECTION = re.compile(r"(?:\d{1,2}|[IVX]{1,4})[.)]?\s+[^\W\d_a-z]")
_GIVEN = re.compile(r"[^\W\d_a-z][^\W\d_]+(?: [^\W\d_a-z]\.)?")
# Fewer characters than this on the first page, and it is a cover.
_COVER = 700


@dataclass(slots=True)
class Front:
    """What the first page says above the text."""

    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    doi: str = ""
    arxiv: str = ""


def front_matter(pages: Sequence[Page], told: Mapping[str, str]) -> tuple[Front, list[Line]]:
    """The front matter, and all other lines in reading order.

    `told` is the PDF's own record; it is believed where the first page says the same.
    """
    usual = body_size(pages)
    stamps = " ".join(line.text for page in pages[:1] for line in page.lines)
    taken = strip_furniture(pages)
    ordered = [line for page in pages for line in in_reading_order(page)]
    first, cover = _first_page(ordered, pages)
    for line in first:
        if line.text[1:2] == " " and _SPACED.fullmatch(line.text):
            # A B S T R A C T, with the head of the box beside it where that is on its line.
            line.text = re.sub(
                "^articleinfo(?=abstract)", "", line.text.replace(" ", ""), flags=re.I
            )
    heads = [fold(line.text) for line in [*taken[:60], *first[:80]] if _VOLUME.search(line.text)]
    begin, end = _title_lines(first, usual, told, heads)
    title = joiner(())(" ".join(line.text for line in first[begin:end]))
    title = _told_title(title, first, told)
    stop = _end_of_front(first, end)
    authors = _authors(first[end:stop])
    authors = _better(authors, told.get("Author", ""), first)
    if pages and pages[0].number > 1:
        # The first page says nothing legible, and what comes later is no title.
        title, authors, begin, end, stop = " ".join(told.get("Title", "").split()), [], 0, 0, 0
    edges = " ".join(line.text for line in taken if line.page <= 1)
    front = Front(
        title=_unshouted(title),
        authors=tuple(authors),
        doi=find_doi(stamps),
        arxiv=find_arxiv(stamps) if "arxiv" in stamps.lower() else "",
        year=_year(stamps, edges, told),
    )
    gone = {id(line) for line in [*cover, *first[begin:stop]]}
    if end:
        top = max(line.y0 for line in first[begin:end])
        # What stands above a title is the journal's, wherever it was written.
        room = top + first[begin].size
        gone |= {
            id(line)
            for line in first
            if line.y0 > room and (abs(line.size - usual) > 0.3 or len(line.text) < 45)
        }
        gone |= {id(line) for line in first[:begin] if line.y0 > top - 4 and line.size != usual}
    return front, [line for line in ordered if id(line) not in gone]


def _first_page(ordered: Sequence[Line], pages: Sequence[Page]) -> tuple[list[Line], list[Line]]:
    """The lines of the page that a paper begins on, and those of a cover before it."""
    if not pages:
        return [], []
    number = pages[0].number
    first = [line for line in ordered if line.page == number]
    if sum(len(line.text) for line in first) < _COVER and len(pages) > 1:
        second = [line for line in ordered if line.page == pages[1].number]
        key = title_key(" ".join(line.text for line in second[:30]))
        largest = max(first, key=lambda line: line.size, default=None)
        if largest is not None and len(largest.text) > 10 and title_key(largest.text) in key:
            return second, first
    return first, []


def _told_title(title: str, first: Sequence[Line], told: Mapping[str, str]) -> str:
    """The record's title where the page has it, or has it shorter than what was found."""
    own = " ".join(told.get("Title", "").split())
    own_key, key = _own_title(told), title_key(title)
    page_key = title_key(" ".join(line.text for line in first[:60]))
    if own_key and own_key in page_key:
        if own_key in key and len(own_key) < len(key) < 200:
            return title  # the record cuts long titles short
        return own
    return title


def _own_title(told: Mapping[str, str]) -> str:
    """The key of the record's title; empty where it is a file's name or a journal's line."""
    title = told.get("Title", "").strip()
    key = title_key(title)
    good = len(key) > 12 and not _JUNK_TITLE.search(title) and not _NOT_TITLE.search(title)
    return key if good and " " in title else ""


def complete(front: Front, blocks: Sequence[Block]) -> Metadata:
    """The metadata once the abstract is known: under its heading, else what stands before any."""
    abstract = _abstract(blocks)
    return Metadata(front.title, front.authors, front.year, "", front.doi, front.arxiv, abstract)


def _abstract(blocks: Sequence[Block]) -> str:
    inside = False
    found: list[str] = []
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            if found:
                break
            inside = block.kind_of_section is SectionKind.ABSTRACT
        elif inside and block.kind is BlockKind.PARAGRAPH:
            if _NOT_ABSTRACT.match(block.text):
                if found:
                    break
                continue
            found.append(block.text)
    if found:
        return "\n\n".join(found)
    # Some journals give it no heading: it is the first text before any.
    for block in blocks[:16]:
        if block.kind is BlockKind.HEADING and block.text:
            break
        prose = block.kind is BlockKind.PARAGRAPH and 250 <= len(block.text) <= 4000
        if prose and not (_NOT_ABSTRACT.match(block.text) or _ADDRESSES.search(block.text)):
            return block.text
    return ""


def _title_lines(
    lines: Sequence[Line], usual: float, told: Mapping[str, str], heads: Sequence[str]
) -> tuple[int, int]:
    """Where the title stands among the first page's lines, as (begin, end).

    `heads` are lines with a year or a volume, folded: a text that they hold is a journal's name.
    """
    own = _own_title(told)
    height = max((line.y0 for line in lines), default=0.0)
    best, score = (0, 0), 0.0
    for begin, end in _groups(lines):
        text = _TITLE_TAIL.sub("", " ".join(line.text for line in lines[begin:end]))
        words = re.findall(r"[^\W\d_]{2,}", text)
        if len(words) < 1 or len(text) < 6 or len(text) > 350 or _NOT_TITLE.search(text):
            continue
        bare = re.sub(r"^[\dIVX]+\.?\s+", "", text).strip(" .:")
        if KNOWN_HEADINGS.fullmatch(bare) or (len(words) < 2 and lines[begin].size < usual * 1.4):
            continue
        size = max(line.size for line in lines[begin:end])
        points = size / usual + (0.08 if lines[begin].bold else 0) - begin * 0.004
        points -= 0.25 * (height - lines[begin].y0) / max(height, 1.0)
        points -= {1: 0.8, 2: 0.3}.get(len(words), 0.0)
        key = title_key(text)
        if own and len(key) > 8 and (own in key or key in own):
            points += 1.0
        folded = fold(text)
        if any(folded in head and len(folded) < len(head) for head in heads):
            points -= 0.8
        if any(author_names(line.text) for line in lines[end : end + 2]):
            points += 0.25
        if len(words) <= 20 and author_names(text):
            points -= 0.4
        if points > score:
            best, score = (begin, end), points
    return best


def _groups(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Runs of lines set alike and close together, that could be a title."""
    groups: list[tuple[int, int]] = []
    for index, line in enumerate(lines[:120]):
        if groups and index == groups[-1][1]:
            before = lines[index - 1]
            near = 0 < line.gap < max(line.size, before.size) * 2.0 or (
                before.y1 - line.y0 > 0 and before.y1 - line.y0 < line.size * 2.0
            )
            if near and abs(line.size - before.size) < 0.8 and line.bold == before.bold:
                groups[-1] = (groups[-1][0], index + 1)
                continue
        groups.append((index, index + 1))
    found = []
    for start, end in groups:
        begin = start
        # The kind of article may be set like its title, right above it.
        while begin < end - 1 and _NOT_TITLE.search(lines[begin].text):
            begin += 1
        found.append((begin, _without_names(lines, begin, end)))
    return found


def _without_names(lines: Sequence[Line], begin: int, end: int) -> int:
    """The end of a group without the authors, who may be set like the title."""
    while (
        end - begin > 1
        and re.match(r"\d?[^\W\d_]", lines[end - 1].text)
        and ("," in lines[end - 1].text and author_names(lines[end - 1].text))
    ):
        end -= 1
    return end


def _end_of_front(lines: Sequence[Line], start: int) -> int:
    """Where the lines about authors end: at the abstract, a heading, or the first prose."""
    prose = 0
    for index in range(start, min(len(lines), start + 80)):
        text = lines[index].text.strip()
        bare = re.sub(r"^[\dIVX]+[.)]?\s+(?:\|\s*)?", "", text).strip(" .:—-")
        if KNOWN_HEADINGS.fullmatch(bare) or re.match(
            r"(abstract|summary)\b\s*[-—–.:]", text, re.I
        ):
            return index
        if bare.lower().startswith("abstract") and len(text) > 60:
            return index
        if re.fullmatch(r"(?:table of )?contents", bare, re.I):
            return index
        lower = re.findall(r"\b[a-z]{2,}\b", text)
        prose = (
            prose + 1 if len(text) > 45 and len(lower) >= max(5, len(text.split()) * 0.55) else 0
        )
        if prose == 3:
            above = lines[index - 3] if index - 3 >= start else None
            headed = above is not None and _SECTION.match(above.text) is not None
            return index - 3 if headed else index - 2
    return min(len(lines), start + 3 if prose == 0 else start)


def _authors(lines: Sequence[Line]) -> list[str]:
    """Names in the lines under the title, of those set like the first that holds any."""
    found: list[str] = []
    style: tuple[float, bool] | None = None
    begun = ""
    for line in lines:
        if style is not None and (abs(line.size - style[0]) > 0.6 or line.bold != style[1]):
            continue
        text, begun = f"{begun} {line.text}".strip(), ""
        # A name begun at a line's end goes on in the next one.
        head, comma, last = text.rpartition(", ")
        if comma and _GIVEN.fullmatch(last):
            text, begun = head, last
        names = author_names(text)
        if names:
            style = style or (line.size, line.bold)
            found += [name for name in names if name not in found]
        else:
            begun = ""
    return found[:200]


def _better(found: list[str], told: str, first: Sequence[Line]) -> list[str]:
    """The record's authors where they are more than was found and all stand on the page."""
    pieces = [p.strip() for p in re.split(r"[;,]|\band\b|&", told) if p.strip()]
    names = [name for piece in pieces if (name := person(piece))]
    if len(names) <= len(found) or len(names) != len(pieces):
        return found
    page = fold(" ".join(line.text for line in first))
    return names if all(fold(family_name(name)) in page for name in names) else found


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
    title = re.sub(r"(?<=[a-z])\d$", "", _TITLE_TAIL.sub("", title.strip()))
    return title.title() if title.isupper() and len(title) > 12 else title
