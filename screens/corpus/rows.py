"""What the corpus lists: papers or passages as rows, citations as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from screens.corpus.narrowing import Order
from tui.domain.paper import Hit, Paper, Passage
from widgets.reader import Document, Heading
from widgets.rows import Column, Row

if TYPE_CHECKING:
    from tui.corpus import Corpus

PAPER_COLUMNS = (
    Column("Title", 38, share=6),
    Column("Authors", 14, share=2, rank=2),
    Column("Year", 4, right=True),
    Column("Tags", 10, share=1, rank=3),
    Column("Venue", 10, share=1, rank=5),
    Column("Pages", 5, rank=4, right=True),
)
PASSAGE_COLUMNS = (
    Column("Passage", 24, share=7),
    Column("Paper", 16, share=3, rank=1),
    Column("Page", 4, right=True),
)
MOST_PASSAGES = 200


class PaperRows:
    """Papers that match a query in an order, fetched a page at a time."""

    def __init__(self, corpus: Corpus, query: str, order: Order) -> None:
        self._corpus = corpus
        # The whole library in its own order is paged by the database; all else is found once.
        self._ids: list[str] | None = None
        if query or order.sort:
            self._ids = corpus.ids(query, sort=order.sort, descending=order.descending)

    def count(self) -> int:
        """How many there are."""
        return self._corpus.count() if self._ids is None else len(self._ids)

    def rows(self, offset: int, limit: int) -> Sequence[Row]:
        """Rows of papers."""
        if self._ids is None:
            found = self._corpus.papers(limit=limit, offset=offset)
        else:
            found = self._corpus.by_ids(self._ids[offset : offset + limit])
        return [paper_row(paper) for paper in found]


def paper_row(paper: Paper) -> Row:
    """A paper in the columns of `PAPER_COLUMNS`."""
    tags = " ".join((*(("private",) if paper.private else ()), *paper.tags))
    return Row(
        paper.id,
        (
            paper.title or paper.id,
            short_authors(paper.authors),
            str(paper.year or ""),
            tags,
            paper.venue,
            str(paper.pages or ""),
        ),
    )


def hit_row(hit: Hit) -> Row:
    """A passage found, in the columns of `PASSAGE_COLUMNS`."""
    page = str(hit.page) if hit.page else ""
    return Row(hit.passage, (" ".join(hit.snippet.split()), hit.title or hit.paper, page))


def short_authors(authors: Sequence[str]) -> str:
    """`Keller`, `Keller & Osei` or `Keller et al.`: family names as a citation has them."""
    names = [
        name.split(",")[0].strip() if "," in name else name.split()[-1] for name in authors if name
    ]
    if len(names) > 2:
        return f"{names[0]} et al."
    return " & ".join(names)


def citation(paper: Paper) -> str:
    """One line to paste: authors, year, title, where it appeared, DOI or arXiv id."""
    year = f" ({paper.year})" if paper.year else ""
    place = f" {paper.venue}." if paper.venue else ""
    link = f" https://doi.org/{paper.doi}" if paper.doi else ""
    link = link or (f" arXiv:{paper.arxiv}" if paper.arxiv else "")
    return f"{', '.join(paper.authors) or 'Unknown'}{year}. {paper.title}.{place}{link}"


def document(paper: Paper, text: str, passages: Sequence[Passage], at: str = "") -> Document:
    """A paper for the reader; the passage `at` is marked."""
    pages: list[tuple[int, int]] = []
    places = [(p.start, p.page) for p in passages] + [(s.start, s.page) for s in paper.sections]
    for start, page in sorted(places):
        if page and (not pages or page > pages[-1][1]):
            pages.append((start, page))
    return Document(
        text,
        tuple(Heading(s.title, s.start, s.level) for s in paper.sections if s.path),
        tuple(pages),
        tuple((p.start, p.end) for p in passages if p.id == at),
    )


def nothing_words(query: str, total: int, key: Callable[[str], str]) -> str:
    """What to press where nothing is listed: in an empty corpus, or after a filter."""
    if total == 0:
        return (
            f"No papers yet.\n\nPress {key('corpus.add')} to add a file or a folder: "
            "PDF, LaTeX, Markdown, text or BibTeX.\nYour files stay where they are."
        )
    return (
        f"Nothing matches “{query}”.\n\n{key('corpus.filter')} changes the filter, "
        f"{key('corpus.back')} clears it, {key('corpus.passages')} looks for passages."
    )
