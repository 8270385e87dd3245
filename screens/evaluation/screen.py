"""Evaluation: the runs, one run's report, and the questions behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker

from screens.base import BaseScreen
from screens.evaluation.rows import (
    ITEM_COLUMNS,
    RUN_COLUMNS,
    item_document,
    item_row,
    report_content,
    run_row,
)
from tui.domain.errors import NotFoundError
from tui.domain.evaluation import ItemResult, RunReport
from tui.evaluation import TESTS, ItemDone, RunStarted
from tui.evaluation.document import as_lines
from tui.keymap import bindings
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.reader_pane import ReaderPane
from widgets.status import GuideStep
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.chat import Chat
    from tui.corpus import Corpus
    from tui.datasets import Datasets
    from tui.evaluation import Evaluator

_REPAINT_EVERY = 5  # answers between two words in the status line
_BARS_FIT = 130  # columns of a screen that shows the runs beside the report
_BARS_FIT_ALONE = 76  # columns of one that shows the report alone
_AIR = 34  # lines of a screen that has room for blank ones


class EvaluationScreen(BaseScreen[None]):
    """What tuning and retrieval bought: four arms on the same questions, with intervals."""

    NAME = "Evaluation"
    ABOUT = (
        "Four arms answer the same questions. Memory: new wordings of trained findings. "
        "Transfer: papers never trained on."
    )
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("evaluation")
    AUTO_FOCUS = "#runs"

    @dataclass
    class Listed(Message):
        """The finished runs, newest first."""

        reports: list[RunReport]

    @dataclass
    class Loaded(Message):
        """One run with its answers, each with the test it belongs to."""

        report: RunReport
        items: list[tuple[ItemResult, str]]

    @dataclass
    class Progressed(Message):
        """A run is under way."""

        words: str

    @dataclass
    class Measured(Message):
        """A run came to its end."""

        report: RunReport

    def __init__(
        self,
        evaluator: Evaluator,
        datasets: Callable[[], Datasets],
        corpus: Corpus,
        chat: Chat,
    ) -> None:
        super().__init__()
        self.evaluator = evaluator
        self.datasets = datasets
        self.corpus = corpus
        self.chat = chat
        self.report: RunReport | None = None
        self._reports: dict[str, RunReport] = {}
        self._items: list[tuple[ItemResult, str]] = []
        self._all = False
        self._measuring: Worker[None] | None = None

    def compose_body(self) -> ComposeResult:
        """Runs; the report over its answers; one question."""
        with Horizontal():
            with Vertical(id="left"):
                yield VirtualList(RUN_COLUMNS, selectable=False, id="runs")
                yield Static(id="empty")
            with Vertical(id="right"):
                with VerticalScroll(id="sheet"):
                    yield Static(id="report")
                yield VirtualList(ITEM_COLUMNS, selectable=False, id="items")
                yield ReaderPane(id="item")

    def on_mount(self) -> None:
        """List the runs."""
        self.list_runs()

    def on_screen_resume(self) -> None:
        """Runs may have been made elsewhere."""
        self.list_runs()

    @property
    def runs(self) -> VirtualList:
        """The runs."""
        return self.query_one("#runs", VirtualList)

    @property
    def answers(self) -> VirtualList:
        """The answered items of the run in view."""
        return self.query_one("#items", VirtualList)

    def guide_keys(self, step: GuideStep) -> list[str]:
        """Nothing is left to press while it is measured."""
        return [] if step.mode == "evaluation" and self._measuring else super().guide_keys(step)

    @property
    def _stop_key(self) -> str:
        return self.app.key_for("evaluation.back")

    # Listing

    @work(thread=True, exclusive=True, exit_on_error=False, group="list")
    def list_runs(self) -> None:
        """Read the finished runs."""
        self.post_message(self.Listed(self.evaluator.runs()))

    def on_evaluation_screen_listed(self, event: Listed) -> None:
        """Show them, the cursor staying on its run."""
        here = self.runs.current
        self._reports = {report.run: report for report in event.reports}
        rows = [run_row(report) for report in event.reports]
        keys = [row.key for row in rows]
        at = keys.index(here.key) if here is not None and here.key in keys else 0
        self.runs.show_rows(rows, at)
        self.set_class(not rows, "-nothing")
        if self._measuring is None:
            self.say("1 run" if len(rows) == 1 else f"{len(rows)} runs")
            self._nothing()

    def _nothing(self) -> None:
        key = self.app.key_for("evaluation.run")
        self.query_one("#empty", Static).update(
            Content(
                f"Nothing measured yet.\n\nPress {key} to ask a fine-tuned model the questions "
                "that were kept out of training: the base model and the tuned one, each with and "
                "without sources."
            )
        )

    # One run

    @on(VirtualList.Moved, "#runs")
    def _moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        if event.row is not None and self.has_class("-wide"):
            self._look(event.row.key)

    @on(VirtualList.Opened, "#runs")
    def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self._look(event.row.key)
        self.set_class(True, "-reading")
        self.answers.focus()
        self.refresh_bindings()

    def _look(self, run: str) -> None:
        report = self._reports.get(run)
        if report is not None and (self.report is None or self.report.run != run):
            self._load(report)

    @work(thread=True, exclusive=True, exit_on_error=False, group="load")
    def _load(self, report: RunReport) -> None:
        items = self.evaluator.items(report.run)
        try:
            version = self.datasets().version(report.dataset)
            tests = {
                example.id: name
                for name, role in TESTS.items()
                for example in self.datasets().test_items(version, role)
            }
        except NotFoundError:
            tests = {}  # the dataset is gone; the answers are still worth reading
        self.post_message(self.Loaded(report, [(i, tests.get(i.example, "")) for i in items]))

    def on_evaluation_screen_loaded(self, event: Loaded) -> None:
        """Draw the report and the wrong answers."""
        self.report = event.report
        self._items = event.items
        self._draw_report()
        self._show_items()
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Bars where there is room for them."""
        self._draw_report()

    def _draw_report(self) -> None:
        if self.report is not None:
            width = self.size.width
            bars = width >= _BARS_FIT or (self.has_class("-narrow") and width >= _BARS_FIT_ALONE)
            airy = self.size.height >= _AIR
            content = report_content(self.report, bars=bars, airy=airy)
            self.query_one("#report", Static).update(content)

    def _show_items(self) -> None:
        """Wrong answers of the tuned arm, or every answer."""
        tuned = any(item.arm == "tuned" for item, _ in self._items)
        arm = "tuned" if tuned else "base"  # a base model was measured by itself
        rows = [
            item_row(item, test)
            for item, test in sorted(self._items, key=lambda pair: (pair[1], pair[0].example))
            if self._all or (item.arm == arm and not item.scores["key_phrase"])
        ]
        self.answers.show_rows(rows)
        what = "Answers" if self._all else f"Wrong answers of {arm}"
        self.answers.border_title = Content(f"{what}: {len(rows)}")

    def action_all(self) -> None:
        """Every answer, or the tuned arm's wrong ones."""
        self._all = not self._all
        self._show_items()

    # One question

    @on(VirtualList.Opened, "#items")
    def _item(self, event: VirtualList.Opened) -> None:
        event.stop()
        self._read(event.row.key.partition("\t")[0])

    @work(thread=True, exclusive=True, exit_on_error=False, group="read")
    def _read(self, example: str) -> None:
        items = [item for item, _ in self._items if item.example == example]
        passage = ""
        try:
            held = self.datasets().example(example)
            if held.passages:
                passage = self.corpus.passage(held.passages[0]).text
        except NotFoundError:
            pass  # removed since; question and answers are in the run
        if items:
            self.app.call_from_thread(self._show_item, items, passage)

    def _show_item(self, items: Sequence[ItemResult], passage: str) -> None:
        pane = self.query_one("#item", ReaderPane)
        first = items[0]
        pane.show(first.question, [f"Expected: {first.expected}"], item_document(items, passage), 0)
        self.set_class(True, "-item")
        pane.reader.focus()
        self.refresh_bindings()

    # Measuring

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_run(self) -> None:
        """Ask which model and dataset, then measure."""
        if self._measuring is not None:
            self.app.flash(f"This is being measured; {self._stop_key} stops it.")
            return
        model = self.app.prefill("model") or await self._choose_model()
        if not model:
            return
        dataset = await self.app.push_screen_wait(
            Prompt(
                "Measure a model",
                f"{model}\n\nAsk it the test questions of which frozen dataset?",
                value=self.app.prefill("dataset") or await asyncio.to_thread(self._newest),
                placeholder="name or name@v2",
            )
        )
        if dataset:
            self._measuring = self._measure(dataset.strip(), model)
            self.refresh_bindings()

    async def _choose_model(self) -> str:
        cards = [card for card in await self.chat.models() if card.tuned]
        if not cards:
            self.app.flash("There is no fine-tuned model to measure yet.")
            return ""
        choices = [(card.id, card.id, card.lineage.dataset) for card in cards]
        return await self.app.push_screen_wait(Choose("Measure which model?", choices)) or ""

    def _newest(self) -> str:
        frozen = [dataset for dataset in self.datasets().list() if dataset.versions]
        newest = max(frozen, key=lambda dataset: dataset.created_at, default=None)
        return newest.name if newest else ""

    @work(exclusive=True, exit_on_error=False, group="measure")
    async def _measure(self, dataset: str, model: str) -> None:
        try:
            async for event in self.evaluator.run(dataset, model):
                if isinstance(event, RunStarted):
                    self.post_message(self.Progressed(f"Measuring: {event.done} of {event.total}"))
                elif isinstance(event, ItemDone):
                    if event.done % _REPAINT_EVERY == 0:
                        words = f"Measuring: {event.done} of {event.total} answers"
                        self.post_message(self.Progressed(words))
                else:
                    self.post_message(self.Measured(event))
        finally:
            self._measuring = None
            self.list_runs()

    def on_evaluation_screen_progressed(self, event: Progressed) -> None:
        """Say how far it is."""
        self.say(f"{event.words} · {self._stop_key} stops")
        self.query_one("#empty", Static).update(
            Content(f"{event.words}.\n\nEvery question is answered by each of the four arms.")
        )

    def on_evaluation_screen_measured(self, event: Measured) -> None:
        """Show the new run."""
        self.app.step_done("evaluate")
        self.report = None
        self._reports[event.report.run] = event.report
        self._load(event.report)
        if not self.has_class("-item"):
            self.set_class(True, "-reading")
            self.answers.focus()

    @work(exclusive=True, exit_on_error=False, group="back")
    async def _stop(self) -> None:
        question = "Stop measuring? What was answered is kept; the same run goes on from there."
        if await self.app.push_screen_wait(Confirm("Stop", question)) and self._measuring:
            self._measuring.cancel()
            self.say("")
            self.app.flash("Stopped; measure the same again to go on from there.")

    async def action_copy(self) -> None:
        """Copy the report."""
        if self.report is not None:
            await self.app.copy("\n".join(as_lines(self.report)), "the report")

    def action_back(self) -> None:
        """From the question to the report, from there to the runs, from there stop measuring."""
        if self.has_class("-item"):
            self.set_class(False, "-item")
            self.answers.focus()
        elif self.has_class("-reading"):
            self.set_class(False, "-reading")
            self.runs.focus()
        elif self._measuring is not None:
            self._stop()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense now."""
        if action in ("copy", "all"):
            return self.report is not None
        if action == "back":
            return self.has_class("-item") or self.has_class("-reading") or bool(self._measuring)
        return True
