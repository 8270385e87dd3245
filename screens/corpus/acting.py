"""What is done with papers: marked, joined, opened, handed over. Keys that need no list alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work

from screens.base import BaseScreen
from screens.corpus.rows import citation
from screens.corpus.services import CorpusServices
from tui.domain.paper import Paper
from widgets.reader_pane import ReaderPane
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.corpus import Corpus


class PaperActions(BaseScreen[None]):
    """The half of the corpus screen that acts on the papers chosen."""

    def __init__(self, services: CorpusServices) -> None:
        super().__init__()
        self.services = services
        self.paper: Paper | None = None

    @property
    def corpus(self) -> Corpus:
        """The service, for workers."""
        return self.services.corpus()

    @property
    def listing(self) -> VirtualList:
        """The list."""
        return self.query_one(VirtualList)

    @property
    def pane(self) -> ReaderPane:
        """The reader with its frame."""
        return self.query_one(ReaderPane)

    def search(self) -> None:
        """List anew what the filter says."""
        raise NotImplementedError

    def filter_by(self, query: str) -> None:
        """Put a query into the filter."""
        raise NotImplementedError

    def _papers(self) -> list[str]:
        """Ids of the papers an action is meant for; in the reader, the one that is read."""
        if self.paper is not None and self.pane.reader.has_focus:
            return [self.paper.id]
        return sorted({key.partition("#")[0] for key in self.listing.chosen()})

    # Marks

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_tag(self) -> None:
        """Tag papers."""
        from screens.corpus import flows

        if (ids := self._papers()) and await flows.tag(self.app, self.corpus, ids):
            self.search()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_private(self) -> None:
        """Mark papers private, or not."""
        from screens.corpus import flows

        if (ids := self._papers()) and await flows.private(self.app, self.corpus, ids):
            self.search()

    # Works

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_remove(self) -> None:
        """Remove papers."""
        from screens.corpus import flows

        if (ids := self._papers()) and await flows.remove(self.app, self.corpus, ids):
            self._regrouped()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_merge(self) -> None:
        """Make one work of the selected papers."""
        from screens.corpus import works

        if await works.merge(self.app, self.corpus, self._papers()):
            self._regrouped()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_split(self) -> None:
        """Make a file of a paper a work of its own."""
        from screens.corpus import works

        if (ids := self._papers()) and await works.split(self.app, self.corpus, ids[0]):
            self._regrouped()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_undo(self) -> None:
        """Take back the last merge or split."""
        done = await asyncio.to_thread(self.corpus.undo)
        self.app.flash(f"Taken back: {done}" if done else "There is no merge or split to undo.")
        if done:
            self._regrouped()

    def _regrouped(self) -> None:
        self.listing.clear_selection()
        self.search()

    # Handing over

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_to_dataset(self) -> None:
        """Make examples of papers, or of what is selected in the one that is read."""
        from screens.corpus import composing, flows

        reader = self.pane.reader
        if self.paper is not None and reader.has_focus and reader.chosen is not None:
            done = await composing.from_selection(
                self.app, self.corpus, self.services.datasets(), self.paper, reader.chosen
            )
            if done:
                reader.choose_nothing()
                self.app.step_done("compose")
        elif ids := self._papers():
            if await flows.to_dataset(self.app, self.services.datasets(), ids):
                self.listing.clear_selection()
            self.app.step_done("compose")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_copy(self) -> None:
        """Copy what is selected in the reader, the passage under the cursor, or citations."""
        row = self.listing.current
        reader = self.pane.reader
        if reader.has_focus and reader.chosen is not None:
            await self.app.copy(reader.document.text[slice(*reader.chosen)], "the selection")
        elif row is not None and "#" in row.key and not self.listing.selection:
            passage = await asyncio.to_thread(self.corpus.passage, row.key)
            await self.app.copy(passage.text, "the passage")
        elif ids := self._papers():
            found = [await asyncio.to_thread(self.corpus.paper, name) for name in ids]
            count = "the citation" if len(ids) == 1 else f"{len(ids)} citations"
            await self.app.copy("\n".join(map(citation, found)), count)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_editor(self) -> None:
        """Open the text in the editor, to read or search it there; the corpus keeps its own."""
        if ids := self._papers()[:1]:
            text = await asyncio.to_thread(self.corpus.text, ids[0])
            if self.app.edit_text(text) is not None:
                self.app.flash("That was a copy of the text; the corpus is unchanged.")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_open_file(self) -> None:
        """Open a paper's file with the desktop, or copy its path where there is none."""
        from screens.corpus import works

        if ids := self._papers()[:1]:
            await works.open_file(self.app, self.corpus, ids[0])

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_problems(self) -> None:
        """Show what could not be read or is in doubt; go to the paper that was chosen there."""
        from screens.corpus.problems import ProblemsScreen

        query = await self.app.push_screen_wait(ProblemsScreen(self.corpus, self.services.ocr))
        if query:
            self.filter_by(query)
        self.search()
