"""A report to read: of a check, a split, or what was refused."""

from __future__ import annotations

from textual.app import ComposeResult

from screens.base import BaseScreen
from tui.keymap import bindings
from widgets.reader import Document
from widgets.reader_pane import ReaderPane


class ReportScreen(BaseScreen[None]):
    """Shows a document under a title."""

    NAME = "Datasets"
    ABOUT = "A report: what was found, and where."
    BINDINGS = bindings("report")

    def __init__(self, title: str, byline: str, document: Document) -> None:
        super().__init__()
        self._heading = title
        self._byline = byline
        self._document = document

    def compose_body(self) -> ComposeResult:
        """The reader."""
        yield ReaderPane()

    def on_mount(self) -> None:
        """Show it."""
        pane = self.query_one(ReaderPane)
        pane.show(self._heading, [self._byline], self._document)
        pane.reader.focus()

    async def action_copy(self) -> None:
        """Copy it."""
        await self.app.copy(self._document.text, "the report")

    def action_back(self) -> None:
        """Back."""
        self.dismiss()
