"""The passages that an answer stands on: which, from where, and what the model saw of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tui.domain.chat import Source
from tui.domain.errors import NotFoundError
from tui.keymap import bindings
from widgets.reader import Document, Heading
from widgets.reader_pane import ReaderPane
from widgets.rows import Column, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.corpus import Corpus

_COLUMNS = (
    Column("", 3),
    Column("Source", 16, share=1),
    Column("Page", 4, rank=1, right=True),
)
_REMOVED = "(The paper was removed since; this is what the model saw.)"
_MARKS = {True: "✓", False: "✗", None: " "}


class SourcesPane(Vertical):
    """A short list over a reader; the cursor in the list says which passage is read."""

    BINDINGS = bindings("sources")

    @dataclass
    class Left(Message):
        """The person wants back to the conversation."""

    @dataclass
    class Passage(Message):
        """What a source shows came: its passage, or its whole paper with the passage at `at`."""

        source: Source
        document: Document
        at: int = 0

    @dataclass
    class Opened(Message):
        """The person opened a source's paper at its passage."""

        source: Source

    def __init__(self, corpus: Callable[[], Corpus], id: str | None = None) -> None:
        super().__init__(id=id)
        self._corpus = corpus
        self._sources: tuple[Source, ...] = ()

    def compose(self) -> ComposeResult:
        """List and reader."""
        yield VirtualList(_COLUMNS, selectable=False, id="sources")
        yield ReaderPane("The passages that an answer stands on appear here.", id="passage")

    @property
    def sources(self) -> tuple[Source, ...]:
        """What is shown."""
        return self._sources

    @property
    def listing(self) -> VirtualList:
        """The list, for focus."""
        return self.query_one(VirtualList)

    def show(self, sources: tuple[Source, ...]) -> None:
        """Show other sources; a quote that is not in its source is marked."""
        self._sources = sources
        rows = [
            Row(
                str(source.n),
                (
                    f"{source.n}{_MARKS[source.verified]}",
                    source.title or source.paper,
                    str(source.page or ""),
                ),
                "warning" if source.verified is False else "",
            )
            for source in sources
        ]
        self.listing.show_rows(rows)
        self.set_class(not rows, "-none")
        if not rows:
            self.query_one(ReaderPane).clear()

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        source = next((s for s in self._sources if event.row and str(s.n) == event.row.key), None)
        if source is not None:
            self._read(source)

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        source = next((s for s in self._sources if str(s.n) == event.row.key), None)
        if source is not None:
            self._read_paper(source)
            self.query_one(ReaderPane).reader.focus()
            self.post_message(self.Opened(source))

    def action_back(self) -> None:
        """Give the focus back."""
        self.post_message(self.Left())

    @work(thread=True, exclusive=True, exit_on_error=False, group="read")
    def _read(self, source: Source) -> None:
        try:
            text = self._corpus().passage(source.passage).text
        except NotFoundError:
            shown = Document(f"{source.quote}\n\n{_REMOVED}")
        else:
            shown = Document(text, marks=tuple(seen(source.quote, text)))
        self.post_message(self.Passage(source, shown))

    @work(thread=True, exclusive=True, exit_on_error=False, group="read")
    def _read_paper(self, source: Source) -> None:
        """The whole paper, opened at the passage, with what the model saw of it marked."""
        corpus = self._corpus()
        try:
            passage, paper = corpus.passage(source.passage), corpus.paper(source.paper)
            text = corpus.text(source.paper)
        except NotFoundError:
            shown, at = Document(f"{source.quote}\n\n{_REMOVED}"), 0
        else:
            at = passage.start
            marks = seen(source.quote, text[at : passage.end])
            shown = Document(
                text,
                tuple(Heading(s.title, s.start, s.level) for s in paper.sections if s.path),
                _pages([(s.start, s.page) for s in paper.sections] + [(at, passage.page)]),
                tuple((at + start, at + end) for start, end in marks),
            )
        self.post_message(self.Passage(source, shown, at))

    def on_sources_pane_passage(self, event: Passage) -> None:
        """Show it."""
        event.stop()
        source = event.source
        if source not in self._sources:
            return
        byline = [source.section, f"p. {source.page}" if source.page else ""]
        pane = self.query_one(ReaderPane)
        pane.show(source.title or source.paper, byline, event.document, event.at)


def _pages(places: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Where each page is first known to be, as (offset, page)."""
    pages: list[tuple[int, int]] = []
    for start, page in sorted(places):
        if page and (not pages or page > pages[-1][1]):
            pages.append((start, page))
    return tuple(pages)


def seen(quote: str, text: str) -> list[tuple[int, int]]:
    """Where the sentences that were put before the model stand in the whole passage."""
    marks = []
    for sentence in filter(None, map(str.strip, quote.split(". "))):
        start = text.find(sentence)
        if start >= 0:
            marks.append((start, start + len(sentence)))
    return marks
