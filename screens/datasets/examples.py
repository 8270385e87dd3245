"""The examples of a dataset as a list: looked through, filtered, decided on many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.datasets import sources
from screens.datasets.choosing import ask_filter
from screens.datasets.queue import EVERYTHING, Filter
from screens.datasets.review import ReviewScreen
from screens.datasets.why import AsksWhy
from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Role, Status
from tui.keymap import bindings
from tui.text import shorten
from widgets.dialogs import Choose, Prompt
from widgets.rows import Column, Row
from widgets.virtual_list import PAGE, VirtualList

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import Datasets

COLUMNS = (
    Column("Example", 36, share=4),
    Column("Status", 8),
    Column("Kind", 9, rank=1),
    Column("Role", 12, rank=3),
    Column("Reason", 14, share=1, rank=2),
    Column("By", 10, rank=4),
)
_WORDS = 200


class ExampleRows:
    """Rows of examples by their ids; only a page of them is read at a time."""

    def __init__(self, datasets: Datasets, name: str, ids: Sequence[str]) -> None:
        self._datasets = datasets
        self._dataset = name
        self._ids = ids

    def rows(self, offset: int, limit: int) -> Sequence[Row]:
        """At most `limit` rows; of more than a page only the keys are wanted."""
        wanted = self._ids[offset : offset + limit]
        if limit > PAGE:
            return [Row(example, ()) for example in wanted]
        try:
            return [row(example) for example in self._datasets.some(self._dataset, wanted)]
        except NotFoundError:
            return [Row(example, ("gone since",), "dim") for example in wanted]


def row(example: Example) -> Row:
    """An example in the list."""
    question, answer = sources.told(example)
    words = shorten(" ".join((question or answer).split()), _WORDS)
    tone = "dim" if example.status is Status.REJECTED else ""
    role = example.role.value if example.role else ""
    cells = (words, example.status.value, example.kind.value, role, example.reason, example.author)
    return Row(example.id, cells, tone)


class ExamplesScreen(AsksWhy):
    """All examples that pass a filter; decisions are for the selection, else the one under it."""

    NAME = "Datasets"
    ABOUT = "Examples of one dataset: select some with space, v or *, then decide on all of them."
    BINDINGS = bindings("examples") + bindings("why")
    CSS_PATH = "examples.tcss"
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Loaded(Message):
        """The examples that pass the filter."""

        ids: Sequence[str]
        first: Sequence[Row]
        passing: Filter

    def __init__(
        self,
        datasets: Datasets,
        corpus: Corpus,
        name: str,
        workspace: Path,
        *,
        passing: Filter = EVERYTHING,
        at: str = "",
    ) -> None:
        super().__init__()
        self._datasets = datasets
        self._corpus = corpus
        self._dataset = name
        self._workspace = workspace
        self._filter = passing
        self._at = at
        self._pending: list[str] = []

    def compose_body(self) -> ComposeResult:
        """The list."""
        yield VirtualList(COLUMNS, id="examples")
        yield Static(id="empty")

    @property
    def listing(self) -> VirtualList:
        """The list."""
        return self.query_one(VirtualList)

    def on_screen_resume(self) -> None:
        """Fetch: first, and when a review above has changed something."""
        self.load()

    @work(thread=True, exclusive=True, exit_on_error=False, group="load")
    def load(self) -> None:
        """Fetch the order and the first page."""
        passing = self._filter
        ids = passing.ids(self._datasets, self._dataset)
        first = ExampleRows(self._datasets, self._dataset, ids).rows(0, PAGE)
        self.post_message(self.Loaded(ids, first, passing))

    def on_examples_screen_loaded(self, event: Loaded) -> None:
        """Show them, with the cursor where it was."""
        if event.passing != self._filter:
            return
        listing = self.listing
        at = listing.cursor
        if self._at:
            at = event.ids.index(self._at) if self._at in event.ids else 0
            self._at = ""
        source = ExampleRows(self._datasets, self._dataset, event.ids)
        listing.show(source, len(event.ids), event.first, at)
        self.set_class(not event.ids, "-nothing")
        self._say_where()
        if not event.ids:
            keys = f"{self.app.key_for('examples.filter')} keeps to others"
            words = f"No example passes: {self._filter.words}.\n\n{keys}, "
            words += f"{self.app.key_for('examples.back')} goes back."
            self.query_one("#empty", Static).update(Content(words))
        self.refresh_bindings()

    def _say_where(self) -> None:
        selected = len(self.listing.selection)
        words = [f"{self._dataset}: {self.listing.count:,} examples", self._filter.words]
        if selected:
            words.append(f"{selected:,} selected")
        self.say(" · ".join(words))

    @on(VirtualList.Selected)
    def _selected(self, event: VirtualList.Selected) -> None:
        event.stop()
        self._say_where()

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        """Read one beside its passage, and the others from there on."""
        event.stop()
        if self.asking:  # the same key rejects without a reason
            self._settle()
            return
        self.app.push_screen(
            ReviewScreen(
                self._datasets,
                self._corpus,
                self._dataset,
                self._workspace,
                passing=self._filter,
                at=event.row.key,
            )
        )

    # Deciding

    async def _do(self, step: Callable[[], None], told: str) -> None:
        """Write it, say what was done, and fetch again; the selection has served its purpose."""
        await asyncio.to_thread(step)
        self.listing.clear_selection()
        self.app.flash(told)
        self.load()

    def _decide(self, ids: list[str], status: Status, reason: str = "") -> None:
        """Decide about all of them as one decision, which one undo takes back."""

        def step() -> None:
            self._datasets.decide(self._dataset, ids, status, reason=reason)

        if ids:
            undo = self.app.key_for("examples.undo")
            self._run(step, f"{len(ids):,} {_DONE[status]}; {undo} takes it back.")

    @work(exit_on_error=False, group="decide")
    async def _run(self, step: Callable[[], None], told: str) -> None:
        await self._do(step, told)

    def action_accept(self) -> None:
        """Accept."""
        self._settle()
        self._decide(self.listing.chosen(), Status.ACCEPTED)

    def action_reopen(self) -> None:
        """Make drafts again."""
        self._settle()
        self._decide(self.listing.chosen(), Status.DRAFT)

    def action_reject(self) -> None:
        """Reject as soon as a reason's key, or any other, has followed."""
        self._settle()
        self._pending = self.listing.chosen()
        if self._pending:
            self.ask_why(f" {len(self._pending):,}")

    async def answered(self, reason: str | None) -> None:
        """Reject with the reason, or not at all."""
        if reason is None:
            self._pending, self.asking = [], False
            self._say_where()
        else:
            self._settle(reason)

    def _settle(self, reason: str = "") -> None:
        if self._pending:
            ids, self._pending, self.asking = self._pending, [], False
            self._say_where()
            self._decide(ids, Status.REJECTED, reason)

    def action_repeat(self) -> None:
        """Decide as the last time."""
        self._settle()
        ids = self.listing.chosen()
        if ids:
            self._run(lambda: self._repeat(ids), f"Repeated on {len(ids):,}.")

    def _repeat(self, ids: list[str]) -> None:
        self._datasets.repeat(self._dataset, ids)

    def action_undo(self) -> None:
        """Take back the last decision."""

        def step() -> None:
            self._datasets.undo(self._dataset)

        self._run(step, "Taken back.")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_note(self) -> None:
        """Write a note."""
        self._settle()
        ids = self.listing.chosen()
        if not ids:
            return
        text = await self.app.push_screen_wait(Prompt(f"Note on {len(ids):,}"))
        if text is not None:

            def step() -> None:
                self._datasets.note(self._dataset, ids, text.strip())

            await self._do(step, f"Noted on {len(ids):,}.")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_move(self) -> None:
        """Give a role that splits leave alone."""
        self._settle()
        ids = self.listing.chosen()
        if not ids:
            return
        choices = [(role.value, role.value, _ROLES[role]) for role in Role]
        role = await self.app.push_screen_wait(Choose(f"The role of {len(ids):,}", choices))
        if role is not None:
            report = await asyncio.to_thread(self._datasets.move, self._dataset, ids, Role(role))
            self.listing.clear_selection()
            self.app.flash(" ".join((f"{report.moved:,} are {role} now.", *report.notes)))
            self.load()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_filter(self) -> None:
        """Keep to some."""
        self._settle()
        wanted = await ask_filter(
            self.app, self._datasets, self._corpus, self._dataset, self._filter
        )
        if wanted is not None:
            self._filter = wanted
            self.listing.clear_selection()
            self.load()

    def action_back(self) -> None:
        """First let go of the selection, then go back."""
        if self.listing.selection:
            self.listing.clear_selection()
        else:
            self.dismiss()


_DONE = {Status.ACCEPTED: "accepted", Status.REJECTED: "rejected", Status.DRAFT: "are drafts again"}
_ROLES = {
    Role.TRAIN: "Trained on.",
    Role.VALIDATION: "A new wording of a trained finding, watched during training.",
    Role.TEST_MEMORY: "A new wording of a trained finding, asked after training.",
    Role.VALIDATION_TRANSFER: "Of a paper never trained on, watched during training.",
    Role.TEST_TRANSFER: "Of a paper never trained on, asked after training.",
}
