"""Datasets: what there is, in which state, and the key that brings each one on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from screens.datasets import composing, exporting, findings, judging, versions, words
from screens.datasets.disagreements import DisagreementsScreen
from screens.datasets.examples import ExamplesScreen
from screens.datasets.generation import GenerationScreen
from screens.datasets.models import allow, ask_model
from screens.datasets.production import Production, Wanted
from screens.datasets.report import ReportScreen
from screens.datasets.review import ReviewScreen
from screens.datasets.services import DatasetServices
from tui.domain.errors import PapertuneError
from tui.domain.example import DatasetSummary
from tui.domain.identifiers import dataset_name
from tui.keymap import bindings
from tui.mistral import ConsentNeeded
from tui.text import visible
from widgets.dialogs import Confirm, Prompt
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.datasets import AddReport, SplitReport

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

    def __init__(self, services: DatasetServices) -> None:
        super().__init__()
        self.services = services
        self.datasets = services.datasets
        self.corpus = services.corpus
        self.workspace = services.workspace
        self.production: Production | None = None
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
        if event.row is not None:
            self._at = event.row.key
            self._detail()

    def _detail(self) -> None:
        """Show the dataset under the cursor."""
        dataset = self._known.get(self._at)
        if dataset is None:
            return
        detail = self.query_one("#detail", Static)
        width = max(40, detail.content_size.width)
        parts: list[str | tuple[str, str]] = [(f"{dataset.name}\n\n", "bold")]
        for label, value in words.details(dataset, self.app.key_for):
            if label == "Next" and self.app.guide is not None:
                continue  # the guide says what is next
            style = "$accent" if label == "Next" else ""
            text = words.hanging(value, width)
            parts += [(f"{label:<{words.LABEL}}", "$muted"), (f"{text}\n", style)]
        run = self.production
        if run is not None and run.running and run.wanted.name == dataset.name:
            parts += ["\n", "\n".join(run.lines())]
        detail.update(Content.assemble(*parts))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Without a dataset there is nothing to review, split, check or freeze."""
        return bool(self._known) or action in ("new", "add", "check_file")

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
        report = await composing.add(self.app, self.services, name)
        if report is not None:
            self._say_added(name, report)

    def _say_added(self, name: str, report: AddReport) -> None:
        self.load(name)
        self.app.flash(words.added(name, report))
        # Only while it is the guide's step: another dataset later is not the guided one.
        self.app.step_done("compose", name if self.app.prefill("name") else "")
        if report.failed or report.notes:
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

    # Having models write and judge

    def action_generate(self) -> None:
        """Look at the run, or choose one and start it."""
        if name := self.current:
            self.app.push_screen(
                GenerationScreen(
                    self.services, name, lambda: self.production, self._begin, self._end
                )
            )

    def _begin(self, wanted: Wanted) -> None:
        self._produce(wanted)

    @work(exclusive=True, exit_on_error=False, group="produce")
    async def _produce(self, wanted: Wanted) -> None:
        """Run to the end, wherever the person is; asks first where texts were never sent."""
        generator = await asyncio.to_thread(self.services.generator)
        self.production = Production(wanted, self._news)
        try:
            await self.production.run(generator)
        except ConsentNeeded as needed:
            if not await allow(self.app, self.services, needed):
                raise
            await self.production.run(generator)
        self.app.flash(f"Generation into {wanted.name} ended. {self.production.lines()[-1]}")

    def _end(self) -> None:
        self.workers.cancel_group(self, "produce")

    def _news(self) -> None:
        """Tell whichever screen shows the run."""
        for screen in self.app.screen_stack:
            if isinstance(screen, GenerationScreen):
                screen.news()
        if self.is_current:
            self._detail()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_judge(self) -> None:
        """Choose a judge, and have it judge meanwhile."""
        name = self.current
        wanted = await judging.ask(self.app, self.services, name)
        if wanted is not None:
            self._judge(name, wanted)

    @work(exclusive=True, exit_on_error=False, group="judge")
    async def _judge(self, name: str, wanted: judging.Judging) -> None:
        done = await judging.judge(self.app, self.services, name, wanted, self.say)
        self.load(name)
        told = f"{done.model} judged {done.judged:,} examples of {name}."
        self.app.flash(told)
        if self.is_current:
            self.app.push_screen(ReportScreen(f"{name} judged", told, judging.report(done)))

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
        report, withdrawn = await asyncio.to_thread(self._split, name, transfer, memory)
        self.load(name)
        self.app.step_done("split", name)
        if withdrawn:
            self.app.flash(f"{withdrawn:,} examples had sources on both sides: rejected.")
        self.app.push_screen(ReportScreen(f"Split of {name}", "", words.split(report)))

    def _split(self, name: str, transfer: float, memory: float) -> tuple[SplitReport, int]:
        """Split; examples whose sources that tears apart are withdrawn, and the rest drawn anew."""
        report = self.datasets.split(name, transfer=transfer, memory=memory)
        withdrawn = self.services.sourcing().withdraw(name)
        if withdrawn:
            report = self.datasets.split(name, transfer=transfer, memory=memory)
        return report, withdrawn

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_check(self) -> None:
        """Check the dataset and show the report."""
        name = self.current
        self.say(f"Checking {name}…")
        checked = await asyncio.to_thread(findings.check, self.services, name)
        self.load(name)
        self.app.step_done("check", name)
        self.app.push_screen(findings.FindingsScreen(self.services, name, checked))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_check_file(self) -> None:
        """Check a training file of anybody's."""
        path = await composing.ask_file(self.app, "Check a training file", "Which JSON Lines file?")
        if path is None:
            return
        self.say(f"Checking {path.name}…")
        checked = await asyncio.to_thread(findings.check, self.services, path)
        self.app.push_screen(findings.FindingsScreen(self.services, path, checked))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_estimate(self) -> None:
        """What training a model on the newest version would take."""
        from tui.jobs import JobRequest

        name = self.current
        model = await ask_model(self.app, self.services, f"Train which model on {name}?")
        if not model:
            return
        self.say(f"Counting as {model} does…")
        jobs = await asyncio.to_thread(self.services.jobs)
        found = await jobs.estimate(JobRequest(dataset=name, model=model))
        self.load(name)
        self.app.push_screen(ReportScreen(f"Estimate for {name}", "", words.estimate(found)))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_versions(self) -> None:
        """Cards of versions, and what changed."""
        await versions.look(self.app, self.services, self.current)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_export(self) -> None:
        """Write examples to a file."""
        report = await exporting.export(self.app, self.services, self.current)
        if report is None:
            return
        told = f"{report.written:,} written to {visible(report.path)}"
        self.app.flash(told + (f", {report.failed:,} refused." if report.failed else "."))
        if report.failed:
            document = words.refusals(report.failures, ())
            self.app.push_screen(ReportScreen("Export", told, document))

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


def _shares(answer: str) -> tuple[float, float]:
    transfer, memory = (float(part.rstrip("%")) / 100 for part in answer.split())
    return transfer, memory


def _shares_problem(answer: str) -> str:
    try:
        shares = _shares(answer)
    except ValueError:
        return "Two numbers, e.g. 10 20"
    return "" if all(0 <= share <= 0.9 for share in shares) else "Each between 0 and 90."
