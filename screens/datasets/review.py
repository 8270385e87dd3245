"""The review queue: an example beside its passage, one key for each decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.base import BaseScreen
from screens.datasets.queue import ReviewQueue, keep_place, recall_place
from screens.datasets.words import editable, edited
from tui.domain.errors import NotFoundError, PapertuneError, UsageError
from tui.domain.example import Example, Status
from tui.domain.paper import Passage
from tui.keymap import bindings
from widgets.reader import Document
from widgets.reader_pane import ReaderPane

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import Datasets


class ReviewScreen(BaseScreen[None]):
    """Shows one example after the other; each decision is on disk before the next is drawn."""

    NAME = "Datasets"
    ABOUT = "Read the example beside its source and decide. A decision is on disk at once."
    BINDINGS = bindings("review")
    CSS_PATH = "review.tcss"
    AUTO_FOCUS = "Reader"

    def __init__(
        self,
        datasets: Datasets,
        corpus: Corpus,
        name: str,
        workspace: Path,
        *,
        everything: bool = False,
    ) -> None:
        super().__init__()
        self._corpus = corpus
        self._workspace = workspace
        self.queue = ReviewQueue(datasets, name, everything)

    def compose_body(self) -> ComposeResult:
        """Example and source: side by side, or one above the other where it is narrow."""
        with Horizontal(id="review"):
            with VerticalScroll(id="example", can_focus=False):
                yield Static(id="meta")
                yield Static(id="question")
                yield Static(id="answer")
                yield Static(id="quote")
            yield ReaderPane("This example names no source.", id="source")

    def on_mount(self) -> None:
        """Go to where this person was."""
        self._begin()

    @work(exit_on_error=False)
    async def _begin(self) -> None:
        place = 0
        if not self.queue.everything:
            place = await asyncio.to_thread(recall_place, self._workspace, self.queue.name)
        await self._do(lambda: self.queue.start(place))

    def on_unmount(self) -> None:
        """Keep the place."""
        if not self.queue.everything:
            keep_place(self._workspace, self.queue.name, self.queue.passed)

    # Every action waits for its write, so keys typed ahead are decided in order and none on an
    # example that was not drawn yet.

    async def _do(self, step: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(step)
        except PapertuneError as error:
            self.app.report(error)
        else:
            await self._draw()

    async def action_accept(self) -> None:
        """Accept."""
        await self._do(lambda: self.queue.decide(Status.ACCEPTED))

    async def action_reject(self) -> None:
        """Reject."""
        await self._do(lambda: self.queue.decide(Status.REJECTED))

    async def action_skip(self) -> None:
        """Leave it for later."""
        await self._do(self.queue.skip)

    async def action_undo(self) -> None:
        """Take back the last decision."""
        await self._do(self.queue.undo)

    async def action_edit(self) -> None:
        """Edit in the user's editor."""
        example = self.queue.current
        if example is None or (text := self.app.edit_text(editable(example))) is None:
            return
        try:
            changed = edited(example, text)
        except ValueError as error:
            self.app.report(UsageError(f"Nothing was changed: {error}."))
            return
        if changed is not None:
            await self._do(lambda: self.queue.edit(**changed))

    async def action_copy(self) -> None:
        """Copy question and answer."""
        if example := self.queue.current:
            await self.app.copy(f"{example.question}\n{example.answer}".strip(), "the example")

    def action_back(self) -> None:
        """Back to the datasets."""
        self.dismiss()

    # Drawing

    async def _draw(self) -> None:
        example = self.queue.current
        what = "examples" if self.queue.everything else "drafts left"
        self.say(f"{self.queue.name}: {self.queue.left:,} {what} · {self.queue.decided:,} decided")
        if example is None:
            self._draw_words("", "Nothing is left to review.", "", "")
            keys = f"{self.app.key_for('review.back')} goes back"
            self.query_one(ReaderPane).clear(f"{keys}, {self.app.key_for('review.undo')} undoes.")
            return
        role = f" · {example.role}" if example.role else ""
        meta = f"{example.kind} · {example.status}{role} · by {example.author or 'unknown'}"
        quote = f"“{example.quote}”" if example.quote else ""
        mark = "" if not quote else "quote found in the source" if example.verified else "not found"
        self._draw_words(meta, example.question, example.answer, f"{quote}\n{mark}".strip())
        await self._draw_source(example)

    def _draw_words(self, meta: str, question: str, answer: str, quote: str) -> None:
        parts = (("#meta", meta), ("#question", question), ("#answer", answer), ("#quote", quote))
        for selector, text in parts:
            widget = self.query_one(selector, Static)
            widget.update(Content(text))
            widget.display = bool(text)
        self.query_one("#example").scroll_home(animate=False)

    async def _draw_source(self, example: Example) -> None:
        pane = self.query_one(ReaderPane)
        passage = await asyncio.to_thread(self._passage, example)
        if passage is None:
            pane.clear()
            return
        start = passage.text.find(example.quote) if example.quote else -1
        marks = ((start, start + len(example.quote)),) if start >= 0 else ()
        page = f"p. {passage.page}" if passage.page else ""
        pane.show(example.paper, [page, passage.section], Document(passage.text, marks=marks))

    def _passage(self, example: Example) -> Passage | None:
        if not example.passages:
            return None
        try:
            return self._corpus.passage(example.passages[0])
        except NotFoundError:
            return None  # the paper has left the corpus since: the example stays
