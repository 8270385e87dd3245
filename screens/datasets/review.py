"""The review queue: an example beside its passage, one key for each decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.datasets import editing, sources
from screens.datasets.choosing import ask_filter
from screens.datasets.queue import Filter, Place, ReviewQueue, keep_place, recall_place
from screens.datasets.why import AsksWhy
from tui.domain.errors import PapertuneError
from tui.domain.example import Example, Form, Kind, Status
from tui.keymap import bindings
from widgets.dialogs import Prompt
from widgets.reader_pane import ReaderPane

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import Datasets


class ReviewScreen(AsksWhy):
    """Shows one example after the other; each decision is on disk before the next is drawn.

    Without `passing` it goes on where this person was; with `only` it shows these examples.
    `reason` is what a decision here is given where the person names none.
    """

    NAME = "Datasets"
    ABOUT = "Read the example beside its source and decide. A decision is on disk at once."
    BINDINGS = bindings("review") + bindings("why")
    CSS_PATH = "review.tcss"
    AUTO_FOCUS = "Reader"

    def __init__(
        self,
        datasets: Datasets,
        corpus: Corpus,
        name: str,
        workspace: Path,
        *,
        passing: Filter | None = None,
        only: Sequence[str] | None = None,
        at: str = "",
        reason: str = "",
    ) -> None:
        super().__init__()
        self._datasets = datasets
        self._corpus = corpus
        self._workspace = workspace
        self._at = at
        self._reason = reason
        self._kept = passing is None and only is None
        self.queue = ReviewQueue(datasets, name, passing or Filter(), only)

    def compose_body(self) -> ComposeResult:
        """Example and source: side by side, or one above the other where it is narrow."""
        with Horizontal(id="review"):
            with VerticalScroll(id="example"):
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
        place = Place(example=self._at)
        if self._kept:
            place = await asyncio.to_thread(recall_place, self._workspace, self.queue.name)
            self.queue.filter = place.filter
        await self._do(lambda: self.queue.start(place.example, place.position))

    def on_unmount(self) -> None:
        """Keep the place."""
        self._keep_place()

    def _keep_place(self) -> None:
        if self._kept:
            queue = self.queue
            here = Place()
            if queue.current is not None and (queue.position or queue.filter != Filter()):
                here = Place(queue.filter, queue.current.id, queue.position)
            keep_place(self._workspace, queue.name, here)

    # Every action waits for its write, so keys typed ahead are decided in order and none on an
    # example that was not drawn yet.

    async def _do(self, step: Callable[[], None]) -> bool:
        try:
            await asyncio.to_thread(step)
        except PapertuneError as error:
            self.app.report(error)
            return False
        await self._draw()
        return True

    async def action_accept(self) -> None:
        """Accept."""
        await self._settle()
        await self._do(lambda: self.queue.decide(Status.ACCEPTED, self._reason))

    async def action_reject(self) -> None:
        """Reject as soon as a reason's key, or any other, has followed."""
        await self._settle()
        if self.queue.current is None:
            return
        self.ask_why()

    async def answered(self, reason: str | None) -> None:
        """Reject with the reason, or not at all."""
        if reason is None:
            self.asking = False
            self._say_where()
        else:
            await self._settle(reason)

    async def _settle(self, reason: str = "") -> None:
        """Reject what awaits its reason, with this one or none."""
        if self.asking:
            self.asking = False
            await self._do(lambda: self.queue.decide(Status.REJECTED, self._reason or reason))

    async def action_repeat(self) -> None:
        """Decide as the last time."""
        await self._settle()
        await self._do(self.queue.repeat)

    async def action_skip(self) -> None:
        """Leave it for later."""
        await self._settle()
        await self._do(self.queue.skip)
        await asyncio.to_thread(self._keep_place)

    async def action_previous(self) -> None:
        """The example before."""
        await self._settle()
        await self._do(self.queue.back)

    async def action_undo(self) -> None:
        """Take back the last decision."""
        await self._do(self.queue.undo)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_note(self) -> None:
        """Write a note."""
        await self._settle()
        if (example := self.queue.current) is None:
            return
        text = await self.app.push_screen_wait(Prompt("Note", value=example.note))
        if text is not None and text.strip() != example.note:
            await self._do(lambda: self.queue.note(text.strip()))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_edit(self) -> None:
        """Edit beside the passage."""
        await self._settle()
        if (example := self.queue.current) is None:
            return
        document, _ = await asyncio.to_thread(sources.source, self._corpus, example)
        changed = await editing.in_form(self.app, example, document)
        if changed is not None:
            await self._do(lambda: self.queue.edit(**changed))

    async def action_editor(self) -> None:
        """Edit in the user's editor."""
        await self._settle()
        if (example := self.queue.current) is None:
            return
        changed = editing.in_editor(self.app, example)
        if changed is not None:
            await self._do(lambda: self.queue.edit(**changed))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_filter(self) -> None:
        """Keep to some examples."""
        await self._settle()
        queue = self.queue
        if queue.only is not None:
            self.app.flash("These examples were chosen one by one; go back to filter all.")
            return
        wanted = await ask_filter(self.app, self._datasets, self._corpus, queue.name, queue.filter)
        if wanted is not None:
            queue.filter = wanted
            await self._do(queue.start)
            await asyncio.to_thread(self._keep_place)

    async def action_list(self) -> None:
        """The same examples as a list."""
        from screens.datasets.examples import ExamplesScreen

        await self._settle()
        at = self.queue.current.id if self.queue.current else ""
        screen = ExamplesScreen(
            self._datasets,
            self._corpus,
            self.queue.name,
            self._workspace,
            passing=self.queue.filter,
            at=at,
        )
        self.app.push_screen(screen, self._listed)

    def _listed(self, _: None) -> None:
        self._again()

    @work(exclusive=True, exit_on_error=False, group="again")
    async def _again(self) -> None:
        """Take in what was decided in the list."""
        at = self.queue.current.id if self.queue.current else ""
        place = self.queue.position
        await self._do(lambda: self.queue.start(at, place))

    async def action_copy(self) -> None:
        """Copy question and answer."""
        if example := self.queue.current:
            await self.app.copy("\n".join(sources.told(example)).strip(), "the example")

    async def action_back(self) -> None:
        """Back; an example that awaits its reason is rejected without one."""
        await self._settle()
        self.dismiss()

    # Drawing

    def _say_where(self) -> None:
        queue = self.queue
        drafts = queue.filter == Filter() and queue.only is None
        what = "drafts left" if drafts else "left"
        words = [f"{queue.name}: {queue.left:,} {what}", f"{queue.decided:,} decided"]
        if not drafts and queue.only is None:
            words.insert(1, queue.filter.words)
        self.say(" · ".join(words))

    async def _draw(self) -> None:
        example = self.queue.current
        self._say_where()
        if example is None:
            self._draw_words("", "Nothing is left to review.", "", "")
            keys = f"{self.app.key_for('review.back')} goes back"
            if self.queue.left:
                keys += f", {self.app.key_for('review.skip')} shows the {self.queue.left:,} skipped"
            undo = f"{self.app.key_for('review.undo')} undoes."
            self.query_one(ReaderPane).clear(f"{keys}, {undo}")
            return
        question, answer = sources.told(example)
        quote = f"“{example.quote}”" if example.quote else ""
        mark = "" if not quote else "quote found in the source" if example.verified else "not found"
        self._draw_words(_meta(example), question, answer, f"{quote}\n{mark}".strip())
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
        document, byline = await asyncio.to_thread(sources.source, self._corpus, example)
        if document.text:
            pane.show(example.paper, byline, document)
        else:
            pane.clear()


def _meta(example: Example) -> str:
    parts: list[str] = [example.kind, example.status]
    if example.reason:
        parts[-1] += f" ({example.reason})"
    if example.role:
        parts.append(example.role)
    if example.question_type:
        parts.append(f"asks for {example.question_type}")
    if example.form is Form.TEXT and example.kind is not Kind.FULL_TEXT:
        parts.append("plain text")
    parts.append(f"by {example.author or 'unknown'}")
    words = " · ".join(parts)
    return f"{words}\nnote: {example.note}" if example.note else words
