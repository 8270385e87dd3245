"""Files that could not be read, or only partly: which, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from tui.keymap import bindings
from tui.text import visible
from widgets.rows import Column, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.corpus import Corpus

_COLUMNS = (Column("File", 20, share=3), Column("Status", 8), Column("Reason", 20, share=5))


class ProblemsScreen(BaseScreen[None]):
    """A list of every file that gave no paper, with its reason; the full path under it."""

    NAME = "Corpus"
    ABOUT = "Files that gave no paper, and why. Mend or remove a file, then add the folder again."
    BINDINGS = bindings("problems")
    CSS_PATH = "problems.tcss"

    @dataclass
    class Loaded(Message):
        """The problems, as rows whose keys are paths."""

        rows: list[Row]

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        self._corpus = corpus

    def compose_body(self) -> ComposeResult:
        """List and details."""
        with Vertical():
            yield VirtualList(_COLUMNS, selectable=False)
            yield Static(id="detail")

    def on_mount(self) -> None:
        """Fetch."""
        self._load()

    @work(thread=True, exclusive=True, exit_on_error=False, group="problems")
    def _load(self) -> None:
        rows = [
            Row(str(problem.path), (_tail(str(problem.path)), problem.status, problem.reason))
            for problem in self._corpus.problems()
        ]
        self.post_message(self.Loaded(rows))

    def on_problems_screen_loaded(self, event: Loaded) -> None:
        """Show them."""
        self.query_one(VirtualList).show_rows(event.rows)
        self.query_one(VirtualList).focus()
        self.say(f"{len(event.rows)} files with problems" if event.rows else "Every file was read.")

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        row = event.row
        text = f"{visible(row.key)}\n{row.cells[2]}" if row else "Every file was read."
        self.query_one("#detail", Static).update(Content(text))

    async def action_copy(self) -> None:
        """Copy the path."""
        if row := self.query_one(VirtualList).current:
            await self.app.copy(row.key, "the path")

    def action_back(self) -> None:
        """Back to the corpus."""
        self.dismiss()


def _tail(path: str) -> str:
    return visible(path.rsplit("/", 1)[-1])
