"""What is wrong with files and records, by kind, and what to do about each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from tui.domain.errors import PapertuneError
from tui.keymap import bindings
from tui.text import visible
from widgets.dialogs import Choose
from widgets.rows import Column, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.corpus.ocr import Ocr
    from tui.corpus.problems import Problem

_COLUMNS = (Column("File or paper", 20, share=3), Column("Kind", 9), Column("Reason", 20, share=5))
_FINE = "Every file was read, and no record is in doubt."
_SCANS = ("scanned", "garbled")


class ProblemsScreen(BaseScreen[str]):
    """A list of every problem; ends with a query for the paper that was chosen, or nothing."""

    NAME = "Corpus"
    ABOUT = (
        "Files that gave no paper or only part of one, papers without a title, works that may be "
        "one. Each says what to do; enter goes to the paper."
    )
    BINDINGS = bindings("problems")
    CSS_PATH = "problems.tcss"

    @dataclass
    class Loaded(Message):
        """The problems there are."""

        problems: Sequence[Problem]

    def __init__(self, corpus: Corpus, ocr: Callable[[], Ocr]) -> None:
        super().__init__()
        self._corpus = corpus
        self._ocr = ocr
        self._problems: Sequence[Problem] = ()
        self._kind = ""

    def compose_body(self) -> ComposeResult:
        """List and details."""
        with Vertical():
            yield VirtualList(_COLUMNS)
            yield Static(id="detail")

    def on_mount(self) -> None:
        """Fetch."""
        self._load()

    @work(thread=True, exclusive=True, exit_on_error=False, group="problems")
    def _load(self) -> None:
        self.post_message(self.Loaded(self._corpus.problems()))

    def on_problems_screen_loaded(self, event: Loaded) -> None:
        """Show them."""
        self._problems = event.problems
        self._show()
        self.query_one(VirtualList).focus()

    def _show(self) -> None:
        rows = [
            Row(str(number), (_name(problem), problem.kind.value, problem.reason))
            for number, problem in enumerate(self._problems)
            if self._kind in ("", problem.kind.value)
        ]
        self.query_one(VirtualList).show_rows(rows)
        counts = Counter(problem.kind.value for problem in self._problems)
        told = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
        self.say(f"{self._kind}: {len(rows):,}" if self._kind else told or _FINE)
        self.refresh_bindings()

    @property
    def _current(self) -> Problem | None:
        row = self.query_one(VirtualList).current
        return self._problems[int(row.key)] if row else None

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        problem = self._problems[int(event.row.key)] if event.row else None
        if problem is None:
            text = _FINE if not self._problems else ""
        else:
            lines = (problem.path or problem.title, problem.reason, f"→ {problem.remedy}")
            text = "\n".join(filter(None, lines))
        self.query_one("#detail", Static).update(Content(text))

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        problem = self._problems[int(event.row.key)]
        if problem.title:
            words = " ".join(word for word in problem.title.split() if '"' not in word)
            self.dismiss(f'title:"{words}"')
        elif problem.paper:
            self.dismiss(f"problem:{problem.kind.value}")
        else:
            self.app.flash("It gave no paper. What to do about it stands below the list.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Recognising is offered where there are scans."""
        if action == "recognise":
            return any(problem.kind.value in _SCANS for problem in self._problems)
        return True

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_kind(self) -> None:
        """Keep to one kind, or show all."""
        counts = Counter(problem.kind.value for problem in self._problems)
        choices = [("", f"All  {len(self._problems):,}", "")]
        choices += [(kind, f"{kind}  {count:,}", "") for kind, count in counts.most_common()]
        kind = await self.app.push_screen_wait(Choose("Which kind?", choices, at=self._kind))
        if kind is not None:
            self._kind = kind
            self._show()

    @work(exclusive=True, exit_on_error=False, group="recognise")
    async def action_recognise(self) -> None:
        """Recognise the selected scans, or the one under the cursor."""
        chosen = [self._problems[int(key)] for key in self.query_one(VirtualList).chosen()]
        paths = [Path(problem.path) for problem in chosen if problem.kind.value in _SCANS]
        if not paths:
            self.app.flash("Choose scanned or garbled files.")
            return
        self.say(f"Recognising {len(paths)} files; this takes seconds a page…")
        try:
            report = await asyncio.to_thread(self._ocr().run, paths)
        except PapertuneError as error:
            self.app.report(error)
            return
        words = f"{report.recognised} of {report.files} recognised."
        if report.failures:
            words += f" {visible(report.failures[0].reason)}"
        self.app.flash(words)
        self._load()

    async def action_copy(self) -> None:
        """Copy the path, or the paper's id."""
        if problem := self._current:
            await self.app.copy(problem.path or problem.paper, "the path or id")

    def action_back(self) -> None:
        """Back to the corpus."""
        self.dismiss("")


def _name(problem: Problem) -> str:
    return problem.path.rsplit("/", 1)[-1] or problem.title or problem.paper
