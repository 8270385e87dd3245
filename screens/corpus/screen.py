"""The corpus: a filter, a list, a reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from screens.corpus import narrowing
from screens.corpus.acting import PaperActions
from screens.corpus.adding import Adding, nothing_to_add, summary
from screens.corpus.narrowing import Order, Wanted
from screens.corpus.rows import (
    MOST_PASSAGES,
    PAPER_COLUMNS,
    PASSAGE_COLUMNS,
    PaperRows,
    document,
    hit_row,
    nothing_words,
    paper_row,
)
from screens.corpus.services import CorpusServices
from tui.domain.paper import Paper
from tui.keymap import bindings
from widgets.dialogs import Prompt, TextInput
from widgets.path_input import PathSuggester
from widgets.reader import Document
from widgets.reader_pane import ReaderPane
from widgets.rows import Held, Row, RowSource
from widgets.virtual_list import PAGE, VirtualList

TYPING_PAUSE = 0.08
"""Seconds without a key before a search starts, so that a burst of keys is one search."""

LOOKING_PAUSE = 0.2
"""Seconds that the cursor rests on a row before its text is drawn beside the list."""


class CorpusScreen(PaperActions):
    """Every paper of the team: filtered as one types, read beside the list or, narrow, over it."""

    NAME = "Corpus"
    ABOUT = (
        'Every paper of the team. Filters: words, "phrases", author: year:2019..2022 tag: title: '
        "section: venue: in:DATASET problem: and -word."
    )
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("corpus")
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Found(Message):
        """What was found for `wanted`; without `whole` there is more to come."""

        wanted: Wanted
        source: RowSource
        count: int
        first: Sequence[Row]
        explanation: str
        total: int
        whole: bool

    @dataclass
    class Read(Message):
        """A paper's text came, for the row `key`."""

        key: str
        paper: Paper
        document: Document

    def __init__(self, services: CorpusServices) -> None:
        super().__init__(services)
        self.passages = False
        self.order = Order()
        self._shown = Wanted()
        self._wanted = Wanted()
        self._typing: Timer | None = None
        self._looking: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """Filter bar; list; reader."""
        with Horizontal(id="filterbar"):
            yield Static(id="scope")
            yield TextInput(id="filter", placeholder=f"{self.app.key_for('corpus.filter')} filters")
        with Horizontal():
            with Vertical(id="left"):
                yield Adding(self.services)
                yield VirtualList(PAPER_COLUMNS, id="papers")
                yield Static(id="empty")
            yield ReaderPane(id="reader")

    def on_mount(self) -> None:
        """Search for everything, once the frame is drawn: the services take a while to import."""
        self._scope()
        self.call_after_refresh(self.search)

    def on_screen_resume(self) -> None:
        """Others may have changed the workspace meanwhile."""
        if self.query_text or self.listing.count:
            self.search()

    @property
    def query_text(self) -> str:
        """What the filter says."""
        return self._wanted.query

    # Searching

    def search(self) -> None:
        """Search for what the filter says, as papers or as passages."""
        query = self.query_one("#filter", TextInput).value.strip()
        self._wanted = Wanted(query, self.passages, self.order)
        self._search(self._wanted)

    @work(thread=True, exclusive=True, exit_on_error=False, group="search")
    def _search(self, wanted: Wanted) -> None:
        explanation = self.corpus.explain(wanted.query) if wanted.query else ""
        tell = partial(self._tell, wanted, explanation, self.corpus.count())
        if wanted.as_passages:
            hits = self.corpus.search(wanted.query, limit=MOST_PASSAGES)
            tell(Held([hit_row(hit) for hit in hits]), len(hits))
            return
        if wanted.query and not wanted.order.sort:
            # The best come at once; how many there are in all may take a look at every one.
            best = [paper_row(p) for p in self.corpus.papers(wanted.query, limit=PAGE)]
            tell(Held(best), len(best), whole=len(best) < PAGE)
            if len(best) < PAGE or wanted != self._wanted:
                return
        source = PaperRows(self.corpus, wanted.query, wanted.order)
        tell(source, source.count())

    def _tell(
        self,
        wanted: Wanted,
        explanation: str,
        total: int,
        source: RowSource,
        count: int,
        *,
        whole: bool = True,
    ) -> None:
        first = source.rows(0, PAGE)
        self.post_message(self.Found(wanted, source, count, first, explanation, total, whole))

    def on_corpus_screen_found(self, event: Found) -> None:
        """Show what was found, unless something else is asked for by now."""
        if event.wanted != self._wanted:
            return
        keep = self.listing.cursor if event.wanted == self._shown else 0
        self._shown = event.wanted
        self.set_class(event.count == 0, "-nothing")
        columns = PASSAGE_COLUMNS if event.wanted.as_passages else PAPER_COLUMNS
        self.listing.show(event.source, event.count, event.first, keep, columns)
        self.refresh_bindings()
        self._words(event)
        if event.count == 0:
            self._nothing(event)

    def _words(self, event: Found) -> None:
        if event.explanation:
            self.say(event.explanation)
        elif event.wanted.as_passages:
            most = " (the best)" if event.count == MOST_PASSAGES else ""
            self.say(f"{event.count} passages{most}")
        elif event.wanted.query:
            some = "" if event.whole else " or more"
            self.say(f"{event.count:,}{some} of {event.total:,} papers")
        else:
            self.say(f"{event.total:,} papers")

    def _nothing(self, event: Found) -> None:
        words = nothing_words(event.wanted.query, event.total, self.app.key_for)
        self.query_one("#empty", Static).update(Content(words))
        self.paper = None
        self.pane.clear()

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_PAUSE, self.search)

    @on(Input.Submitted, "#filter")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.listing.focus()

    def action_filter(self) -> None:
        """Type a filter."""
        self.set_class(False, "-reading")
        self.query_one("#filter").focus()

    def action_passages(self) -> None:
        """Search passages instead of papers, or back."""
        self.passages = not self.passages
        self.listing.clear_selection()
        self._scope()
        self.search()
        if self.passages and not self.query_text:
            self.action_filter()

    def _scope(self) -> None:
        words = "passages" if self.passages else "papers"
        order = "" if self.passages else self.order.words
        self.query_one("#scope", Static).update(Content(" ".join(filter(None, (words, order)))))

    def filter_by(self, query: str) -> None:
        """Put a query into the filter, as if it was typed."""
        self.query_one("#filter", TextInput).value = query

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_sort(self) -> None:
        """Choose an order."""
        chosen = await narrowing.order(self.app, self.order)
        if chosen is not None:
            self.order = chosen
            self._scope()
            self.search()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_narrow(self) -> None:
        """Choose a year, an author, a tag, a venue or a problem to keep to."""
        query = await narrowing.narrow(self.app, self.corpus, self.query_text)
        if query is not None:
            self.filter_by(query)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_searches(self) -> None:
        """Take a saved search, save this one, or forget one."""
        query = await narrowing.saved(self.app, self.corpus, self.query_text)
        if query is not None:
            self.filter_by(query)

    # Reading

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        if self._looking is not None:
            self._looking.stop()
            self._looking = None
        if event.row is not None and self.has_class("-wide"):
            pause = LOOKING_PAUSE * (3 if self.app.remote else 1)
            self._looking = self.set_timer(pause, self._look)

    def _look(self) -> None:
        if row := self.listing.current:
            self._read(row.key)

    @on(VirtualList.Selected)
    def _selected(self, event: VirtualList.Selected) -> None:
        event.stop()
        self.refresh_bindings()

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.set_class(True, "-reading")
        self.refresh_bindings()
        self.pane.reader.focus()
        self._read(event.row.key)

    @work(thread=True, exclusive=True, exit_on_error=False, group="read")
    def _read(self, key: str) -> None:
        """Fetch a paper; a passage's key is `<paper>#<position>`."""
        paper_id, _, position = key.partition("#")
        paper = self.corpus.paper(paper_id)
        passages = self.corpus.passages(paper_id)
        text = self.corpus.text(paper_id)
        self.post_message(
            self.Read(key, paper, document(paper, text, passages, key if position else ""))
        )

    def on_corpus_screen_read(self, event: Read) -> None:
        """Show it, unless the cursor has moved on."""
        row = self.listing.current
        if row is None or row.key != event.key:
            return
        paper = event.paper
        same = self.paper is not None and self.paper.id == paper.id
        if same and event.document == self.pane.reader.document:
            return
        self.paper = paper
        byline = [", ".join(paper.authors), str(paper.year or ""), paper.venue]
        byline += ["private"] * paper.private
        # Title and authors stand above the text already: start with the first section.
        headings = event.document.headings
        at = headings[0].start if headings and not event.document.marks else None
        self.pane.show(paper.title or paper.id, byline, event.document, at)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Back is offered where there is something to go back from."""
        if action != "back":
            return True
        return bool(
            self.has_class("-reading")
            or self.query_text
            or self.query_one(Adding).busy
            or self.listing.selection
            or (self.focused is not None and self.focused.id == "filter")
        )

    def action_back(self) -> None:
        """From the reader to the list; from the filter too; then clear; cancel what runs."""
        if self.focused is not None and self.focused.id == "filter":
            self.listing.focus()
        elif self.has_class("-reading"):
            self.set_class(False, "-reading")
            self.listing.focus()
        elif self.query_one(Adding).busy:
            self.query_one(Adding).cancel()
        elif self.listing.selection:
            self.listing.clear_selection()
        elif self.query_text:
            self.query_one("#filter", TextInput).value = ""

    # Adding

    def action_add(self) -> None:
        """Ask what to add and read it; while something is read, pause that or go on."""
        if self.query_one(Adding).busy:
            self.query_one(Adding).toggle_pause()
            return
        self.app.push_screen(
            Prompt(
                "Add papers",
                "A file, a folder, arxiv:2401.01234 or doi:10.… Files stay where they are; known "
                "ones cost nothing.",
                value=self.app.prefill("path"),
                check=nothing_to_add,
                suggester=PathSuggester(),
            ),
            self._add,
        )

    def _add(self, answer: str | None) -> None:
        if answer is not None:
            self.query_one(Adding).start(answer)

    def on_adding_finished(self, event: Adding.Finished) -> None:
        """Say what came of it and show it."""
        if event.report.files or not event.cancelled:
            key = self.app.key_for("corpus.problems")
            self.app.flash(summary(event.report, event.cancelled, key))
        self.search()
        self.app.step_done("papers")
