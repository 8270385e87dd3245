"""Where reviewers disagree: who says what, and one key that settles it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from screens.datasets.review import ReviewScreen
from tui.domain.example import Status
from tui.keymap import bindings
from tui.text import shorten
from widgets.rows import Column, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import Datasets

COLUMNS = (Column("Example", 24, share=3), Column("Who says what", 28, share=2))
_WORDS = 200


class DisagreementsScreen(BaseScreen[None]):
    """Examples that one person accepts and another rejects; a verdict here ends that."""

    NAME = "Datasets"
    ABOUT = "Examples on which reviewers differ. What you decide here holds and settles it."
    BINDINGS = bindings("disagreements")
    CSS_PATH = "disagreements.tcss"
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Loaded(Message):
        """What is not settled."""

        rows: Sequence[Row]

    def __init__(self, datasets: Datasets, corpus: Corpus, name: str, workspace: Path) -> None:
        super().__init__()
        self._datasets = datasets
        self._corpus = corpus
        self._dataset = name
        self._workspace = workspace

    def compose_body(self) -> ComposeResult:
        """The list."""
        yield VirtualList(COLUMNS, selectable=False, id="disagreements")
        yield Static(id="empty")

    def on_screen_resume(self) -> None:
        """Fetch."""
        self.load()

    @work(thread=True, exclusive=True, exit_on_error=False, group="load")
    def load(self) -> None:
        """Fetch what is not settled."""
        rows = []
        for found in self._datasets.disagreements(self._dataset):
            said = ", ".join(f"{who} {status}" for who, status in found.verdicts.items())
            rows.append(Row(found.example, (shorten(" ".join(found.words.split()), _WORDS), said)))
        self.post_message(self.Loaded(rows))

    def on_disagreements_screen_loaded(self, event: Loaded) -> None:
        """Show it."""
        listing = self.query_one(VirtualList)
        listing.show_rows(event.rows, listing.cursor)
        self.set_class(not event.rows, "-nothing")
        words = f"No reviewers of {self._dataset} disagree.\n\n"
        words += f"{self.app.key_for('disagreements.back')} goes back."
        self.query_one("#empty", Static).update(Content(words))
        self.say(f"{self._dataset}: {len(event.rows):,} disagreements")

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        """Read it beside its passage and decide there, and on those after it."""
        from tui.datasets.review import SETTLED

        event.stop()
        listing = self.query_one(VirtualList)
        rows = [listing.row(place) for place in range(listing.count)]
        self.app.push_screen(
            ReviewScreen(
                self._datasets,
                self._corpus,
                self._dataset,
                self._workspace,
                only=[row.key for row in rows if row is not None],
                at=event.row.key,
                reason=SETTLED,
            )
        )

    def action_accept(self) -> None:
        """Settle it: accepted."""
        self._settle(Status.ACCEPTED)

    def action_reject(self) -> None:
        """Settle it: rejected."""
        self._settle(Status.REJECTED)

    @work(exit_on_error=False, group="decide")
    async def _settle(self, status: Status) -> None:
        from tui.datasets.review import SETTLED

        row = self.query_one(VirtualList).current
        if row is None:
            return
        await asyncio.to_thread(
            self._datasets.decide, self._dataset, [row.key], status, reason=SETTLED
        )
        self.app.flash(f"Settled: {status}. {self.app.key_for('disagreements.undo')} undoes.")
        self.load()

    @work(exit_on_error=False, group="decide")
    async def action_undo(self) -> None:
        """Take back the last decision."""
        await asyncio.to_thread(self._datasets.undo, self._dataset)
        self.load()

    def action_back(self) -> None:
        """Back."""
        self.dismiss()
