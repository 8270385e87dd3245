"""A corpus of a few papers in memory, for tests that need no extraction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from tui.corpus.quotes import normalise
from tui.domain.errors import NotFoundError
from tui.domain.paper import Hit, Paper, Passage, Section, SectionKind
from tui.domain.text import words


class PaperShelf:
    """Papers made of paragraphs; each paragraph is a section and a passage of its own."""

    def __init__(self) -> None:
        self._papers: dict[str, Paper] = {}
        self._texts: dict[str, str] = {}
        self._passages: dict[str, list[Passage]] = {}

    def add(self, paper: Paper, paragraphs: Sequence[str]) -> None:
        text = "\n\n".join(paragraphs)
        sections, passages, start = [], [], 0
        for position, paragraph in enumerate(paragraphs):
            end = start + len(paragraph)
            kind = SectionKind.ABSTRACT if paragraph == paper.abstract else SectionKind.BODY
            if paragraph.startswith("References"):
                kind = SectionKind.REFERENCES
            title = f"{position + 1} Part"
            sections.append(Section(title, start, end, position + 1, kind=kind))
            passages.append(
                Passage(
                    f"{paper.id}#{position}",
                    paper.id,
                    position,
                    paragraph,
                    start,
                    end,
                    position + 1,
                    title,
                    kind,
                )
            )
            start = end + 2
        self._papers[paper.id] = replace(paper, sections=tuple(sections))
        self._texts[paper.id] = text
        self._passages[paper.id] = passages

    def papers(
        self, query: str = "", *, limit: int | None = None, offset: int = 0
    ) -> Sequence[Paper]:
        found = [p for p in self._papers.values() if query.lower() in p.title.lower()]
        return found[offset : None if limit is None else offset + limit]

    def paper(self, paper_id: str) -> Paper:
        if paper_id not in self._papers:
            raise NotFoundError(f"There is no paper '{paper_id}'.")
        return self._papers[paper_id]

    def resolve(self, name: str) -> Paper:
        for paper in self._papers.values():
            if name in (paper.id, paper.doi, paper.title) and name:
                return paper
        raise NotFoundError(f"There is no paper '{name}'.")

    def text(self, paper_id: str) -> str:
        return self._texts[paper_id]

    def passages(self, paper_id: str) -> Sequence[Passage]:
        return self._passages[paper_id]

    def passage(self, passage_id: str) -> Passage:
        for passage in self._passages.get(passage_id.rsplit("#", 1)[0], ()):
            if passage.id == passage_id:
                return passage
        raise NotFoundError(f"There is no passage '{passage_id}'.")

    def search(
        self, text: str, *, limit: int = 20, papers: Collection[str] | None = None
    ) -> Sequence[Hit]:
        """Passages by the number of words they share with the text."""
        wanted = set(words(text))
        hits = [
            Hit(p.paper, "", None, p.id, p.section, p.page, p.text, float(shared))
            for paper, passages in self._passages.items()
            if papers is None or paper in papers
            for p in passages
            if (shared := len(wanted.intersection(words(p.text))))
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage))[:limit]

    def find_quote(self, quote: str, paper: str | None = None) -> Passage | None:
        wanted = normalise(quote)
        for paper_id, passages in self._passages.items():
            if paper in (None, paper_id):
                for passage in passages:
                    if wanted and wanted in normalise(passage.text):
                        return passage
        return None
