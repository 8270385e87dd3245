"""Datasets: what there is, in which state, and the key that brings each one on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from screens.datasets import words
from screens.datasets.disagreements import DisagreementsScreen
from screens.datasets.examples import ExamplesScreen
from screens.datasets.report import ReportScreen
from screens.datasets.review import ReviewScreen
from tui.domain.errors import PapertuneError
from tui.domain.example import DatasetSummary, Kind
from tui.domain.identifiers import dataset_name
from tui.keymap import bindings
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.path_input import PathSuggester, typed_path
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.datasets import AddReport, Datasets

_SHARES = "10 20"


class DatasetsScreen(BaseScreen[None]):
    """A list of datasets with the details of one, and the steps from papers to a frozen version."""

    NAME = "Datasets"
    ABOUT = "Sets of examples to train and test on. A frozen version never changes."
    BINDINGS = bindings("datasets")
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Loaded(Message):
        """The datasets as they are now; the cursor goes to `at` when it is named."""

        datasets: Sequence[DatasetSummary]
        at: str

    def __init__(self, datasets: Datasets, corpus: Corpus, workspace: Path) -> None:
        super().__init__()
        self.datasets = datasets
        self.corpus = corpus
        self.workspace = workspace
        self._known: dict[str, DatasetSummary] = {}
        self._at = ""

    def compose_body(self) -> ComposeResult:
        """List and details."""
        with Horizontal(id="panes"):
            yield VirtualList(words.COLUMNS, selectable=False, id="datasets")
            yield Static(id="detail")
        yield Static(id="empty")

    def on_screen_resume(self) -> None:
        """Fetch: on the first showing, and whenever somebody may have changed something."""
        self.load()

    # The list

    @work(thread=True, exclusive=True, exit_on_error=False, group="load")
    def load(self, at: str = "") -> None:
        """Fetch all datasets."""
        self.post_message(self.Loaded(self.datasets.list(), at))

    def on_datasets_screen_loaded(self, event: Loaded) -> None:
        """Show them, with the cursor where it was."""
        self._known = {dataset.name: dataset for dataset in event.datasets}
        names = list(self._known)
        at = event.at or self._at or self.app.prefill("dataset")
        self.set_class(not names, "-nothing")
        if not names:
            new, add = self.app.key_for("datasets.new"), self.app.key_for("datasets.add")
            self.query_one("#empty", Static).update(
                Content(
                    f"No datasets yet.\n\nPress {add} to make one from your papers or from a file "
                    f"of question-answer pairs, {new} for an empty one."
                )
            )
        listing = self.query_one(VirtualList)
        rows = [words.row(dataset) for dataset in event.datasets]
        listing.show_rows(rows, names.index(at) if at in names else 0)
        self.say(f"{len(names)} datasets" if len(names) != 1 else "1 dataset")
        self.refresh_bindings()

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        dataset = self._known.get(event.row.key) if event.row else None
        if dataset is None:
            return
        self._at = dataset.name
        detail = self.query_one("#detail", Static)
        width = max(40, detail.content_size.width)
        parts: list[str | tuple[str, str]] = [(f"{dataset.name}\n\n", "bold")]
        for label, value in words.details(dataset, self.app.key_for):
            if label == "Next" and self.app.guide is not None:
                continue  # the guide says what is next
            style = "$accent" if label == "Next" else ""
            text = words.hanging(value, width)
            parts += [(f"{label:<{words.LABEL}}", "$muted"), (f"{text}\n", style)]
        detail.update(Content.assemble(*parts))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Without a dataset there is nothing to review, split, check or freeze."""
        needs_one = {"review", "split", "check", "freeze", "remove"}
        return bool(self._known) if action in needs_one else True

    @property
    def current(self) -> str:
        """The dataset under the cursor; nothing when there is none."""
        row = self.query_one(VirtualList).current
        return row.key if row else ""

    # Composing

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_new(self) -> None:
        """Start an empty dataset."""
        await self._create()

    async def _create(self) -> str:
        name = await self.app.push_screen_wait(
            Prompt(
                "A new dataset",
                "Its name:",
                value=self.app.prefill("name"),
                placeholder="answers",
                check=_name_problem,
            )
        )
        if not name:
            return ""
        await asyncio.to_thread(self.datasets.create, name)
        self.load(name)
        return name

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_add(self) -> None:
        """Add examples to the dataset under the cursor, or to a new one."""
        wanted = self.app.prefill("name")
        name = wanted if wanted in self._known else "" if wanted else self.current
        name = name or await self._create()
        if not name:
            return
        kind = await self.app.push_screen_wait(
            Choose(
                f"Add to {name}",
                (
                    (
                        Kind.QA,
                        "Question-answer pairs",
                        "From a file of JSON Lines; quotes checked.",
                    ),
                    (Kind.SUMMARY, "Summaries", "The abstract of every paper in the corpus."),
                    (Kind.FULL_TEXT, "Full text", "Every paper, section by section."),
                ),
                at=self.app.prefill("kind"),
            )
        )
        if kind is None:
            return
        if kind == Kind.QA:
            path = await self._ask_file()
            if path is None:
                return
            self.say(f"Reading {path.name}…")
            report = await asyncio.to_thread(self.datasets.add_pairs, name, path)
        else:
            self.say("Composing…")
            report = await asyncio.to_thread(self.datasets.add_from_corpus, name, Kind(kind))
        self._say_added(name, report)

    async def _ask_file(self) -> Path | None:
        answer = await self.app.push_screen_wait(
            Prompt(
                "Question-answer pairs",
                "Which file? One JSON object a line, with question and answer.",
                value=self.app.prefill("file"),
                check=_file_problem,
                suggester=PathSuggester(),
            )
        )
        return typed_path(answer) if answer else None

    def _say_added(self, name: str, report: AddReport) -> None:
        self.load(name)
        self.app.flash(words.added(name, report))
        # Only while it is the guide's step: another dataset later is not the guided one.
        self.app.step_done("compose", name if self.app.prefill("name") else "")
        if report.failed:
            self.app.push_screen(
                ReportScreen(f"Added to {name}", words.added(name, report), words.failures(report))
            )

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_remove(self) -> None:
        """Remove the dataset under the cursor."""
        name = self.current
        question = "Its examples, decisions and frozen versions go with it."
        if await self.app.push_screen_wait(Confirm(f"Remove {name}", question)):
            await asyncio.to_thread(self.datasets.remove, name)
            self.app.flash(f"Removed {name}.")
            self.load()

    # Reviewing

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        """Look at everything in the dataset."""
        event.stop()
        self.app.push_screen(
            ExamplesScreen(self.datasets, self.corpus, event.row.key, self.workspace)
        )

    def action_review(self) -> None:
        """Review the drafts."""
        if name := self.current:
            self.app.push_screen(ReviewScreen(self.datasets, self.corpus, name, self.workspace))

    def action_disagreements(self) -> None:
        """Where reviewers disagree."""
        if name := self.current:
            screen = DisagreementsScreen(self.datasets, self.corpus, name, self.workspace)
            self.app.push_screen(screen)

    # Splitting, checking, freezing

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_split(self) -> None:
        """Ask for the shares and give every example its role."""
        name = self.current
        answer = await self.app.push_screen_wait(
            Prompt(
                f"Split {name}",
                "Percent of papers kept for transfer, percent of wordings kept for memory:",
                value=_SHARES,
                note="Tests are measured on what is kept; roles given in a file stay.",
                check=_shares_problem,
            )
        )
        if answer is None:
            return
        transfer, memory = _shares(answer)
        report = await asyncio.to_thread(
            self.datasets.split, name, transfer=transfer, memory=memory
        )
        self.load(name)
        self.app.step_done("split", name)
        self.app.push_screen(ReportScreen(f"Split of {name}", "", words.split(report)))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_check(self) -> None:
        """Check the dataset and show the report."""
        name = self.current
        self.say(f"Checking {name}…")
        report = await asyncio.to_thread(self.datasets.check, name)
        self.load(name)
        self.app.step_done("check", name)
        self.app.push_screen(
            ReportScreen(f"Check of {name}", f"{report.lines:,} examples", words.check(report))
        )

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_freeze(self) -> None:
        """Freeze a version."""
        name = self.current
        self.say(f"Freezing {name}…")
        version = await asyncio.to_thread(self.datasets.freeze, name)
        self.load(name)
        self.app.flash(f"Frozen {words.frozen(version)}. {self.app.key_for('app.jobs')} trains.")
        self.app.step_done("freeze")


def _name_problem(name: str) -> str:
    try:
        dataset_name(name)
    except PapertuneError as error:
        return str(error)
    return ""


def _file_problem(answer: str) -> str:
    path = typed_path(answer)
    return "" if path.is_file() else f"There is no file at {answer.strip() or 'an empty path'}."


def _shares(answer: str) -> tuple[float, float]:
    transfer, memory = (float(part.rstrip("%")) / 100 for part in answer.split())
    return transfer, memory


def _shares_problem(answer: str) -> str:
    try:
        shares = _shares(answer)
    except ValueError:
        return "Two numbers, e.g. 10 20"
    return "" if all(0 <= share <= 0.9 for share in shares) else "Each between 0 and 90."
