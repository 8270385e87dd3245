"""Generation: what a model writes as it comes, and the keys that hold, end or repeat it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen, ShellApp
from screens.datasets.generation_form import GenerationForm
from screens.datasets.models import ask_model
from screens.datasets.production import Production, Wanted
from screens.datasets.review import ReviewScreen
from screens.datasets.services import DatasetServices
from tui.domain.example import Kind
from tui.keymap import bindings
from tui.text import shorten
from widgets.dialogs import Choose
from widgets.rows import Column, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.datasets.generation import FailedTurn, Written

COLUMNS = (
    Column("What", 10),
    Column("Written, or why not", 30, share=4),
    Column("Reason", 14, rank=1),
    Column("Type", 12, rank=2),
    Column("Passage", 14, share=1, rank=3),
)
_KINDS = (
    (Kind.QA.value, "Questions and answers", "Each rests on a quote of its passage."),
    (Kind.SUMMARY.value, "Summaries", "One a paper."),
    (Kind.CONVERSATION.value, "Conversations", "Several turns on one passage."),
    (Kind.RETRIEVAL.value, "Questions with sources", "To find the right passage among others."),
)
_TRIMMED = 200


async def ask_run(app: ShellApp, services: DatasetServices, name: str) -> Wanted | None:
    """Ask what is written, by whom, and how much; None when nothing was chosen."""
    kind = await app.push_screen_wait(Choose(f"Write into {name}", _KINDS))
    if kind is None:
        return None
    model = await ask_model(app, services, "Who writes?")
    if not model:
        return None
    return await app.push_screen_wait(GenerationForm(name, Kind(kind), model, {}))


class GenerationScreen(BaseScreen[None]):
    """One dataset's run, which goes on while the person is elsewhere.

    `production` says which run there is; `start` begins one and `stop` ends it: whoever opened this
    screen keeps them.
    """

    NAME = "Datasets"
    ABOUT = "A model writes drafts; each is checked before you see it. It goes on if you leave."
    BINDINGS = bindings("generation")
    CSS_PATH = "generation.tcss"
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Failures(Message):
        """Passages without a usable answer, of earlier runs too."""

        turns: Sequence[FailedTurn]

    def __init__(
        self,
        services: DatasetServices,
        name: str,
        production: Callable[[], Production | None],
        start: Callable[[Wanted], None],
        stop: Callable[[], None],
    ) -> None:
        super().__init__()
        self._services = services
        self._dataset = name
        self._production = production
        self._start = start
        self._stop = stop
        self._failures: Sequence[FailedTurn] = ()

    def compose_body(self) -> ComposeResult:
        """How it stands; what came."""
        yield Static(id="progress")
        yield VirtualList(COLUMNS, selectable=False, id="written")

    def on_screen_resume(self) -> None:
        """Show it as it is now."""
        self.news()
        self._look()

    @work(thread=True, exclusive=True, exit_on_error=False, group="failures")
    def _look(self) -> None:
        self.post_message(self.Failures(self._services.generator().failures(self._dataset)))

    def on_generation_screen_failures(self, event: Failures) -> None:
        """Show what can be asked again."""
        self._failures = event.turns
        self.news()

    @property
    def mine(self) -> Production | None:
        """The run into this dataset, if there is or was one."""
        found = self._production()
        return found if found is not None and found.wanted.name == self._dataset else None

    def news(self) -> None:
        """Draw how the run stands."""
        run = self.mine
        keys = self.app.key_for
        if run is None:
            lines = [f"Nothing is being written into {self._dataset}."]
            lines.append(f"{keys('generation.start')} chooses what is written, and starts.")
        else:
            lines = run.lines()
        failures = len(self._failures)
        if failures and (run is None or not run.running):
            lines.append(
                f"{failures:,} passages have no usable answer; {keys('generation.retry')} asks "
                "about them again."
            )
        self.query_one("#progress", Static).update(Content("\n".join(lines)))
        rows = [_row(str(place), event) for place, event in enumerate(run.latest if run else ())]
        if run is None or not run.running:
            rows += [_failed(str(len(rows) + n), turn) for n, turn in enumerate(self._failures)]
        listing = self.query_one(VirtualList)
        listing.show_rows(rows, listing.cursor)
        self.say(f"{self._dataset}: generation")
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only a run that goes can be held or ended, and only then nothing else be started."""
        found = self._production()
        running = found is not None and found.running
        if action in ("pause", "stop"):
            return running and self.mine is not None
        if action == "retry":
            return bool(self._failures) and not running
        return not running if action == "start" else True

    @on(VirtualList.Opened)
    def _opened(self, event: VirtualList.Opened) -> None:
        """Read an example beside its passage; a refusal can be overruled there."""
        event.stop()
        place = int(event.row.key)
        latest = self.mine.latest if self.mine is not None else ()
        example = latest[place].id if place < len(latest) else ""
        if not example:
            self.app.flash("There is no example: no answer could be used.")
            return
        services = self._services
        self.app.push_screen(
            ReviewScreen(
                services.datasets,
                services.corpus,
                self._dataset,
                services.workspace,
                only=[example],
            )
        )

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_start(self) -> None:
        """Choose what is written, then start."""
        wanted = await ask_run(self.app, self._services, self._dataset)
        if wanted is not None:
            self._start(wanted)

    @work(exit_on_error=False, group="pause")
    async def action_pause(self) -> None:
        """Have it wait, or go on; on disk, so a command in another terminal sees it too."""
        generator = self._services.generator()
        waits = await asyncio.to_thread(generator.paused, self._dataset)
        step = generator.resume if waits else generator.pause
        await asyncio.to_thread(step, self._dataset)
        what = "It goes on." if waits else "It waits when what is under way has come."
        self.app.flash(what)

    def action_stop(self) -> None:
        """End the run."""
        self._stop()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_retry(self) -> None:
        """Ask again where no answer could be used."""
        groups: dict[tuple[Kind, str, bool], list[FailedTurn]] = defaultdict(list)
        for turn in self._failures:
            groups[turn.kind, turn.model, turn.lost].append(turn)
        choices = [
            (
                str(place),
                f"{len(turns):,} {kind} of {model}",
                "They were under way when a run was killed: they may be paid for twice."
                if lost
                else shorten(turns[0].reason, 70),
            )
            for place, ((kind, model, lost), turns) in enumerate(groups.items())
        ]
        chosen = await self.app.push_screen_wait(Choose("Ask again", choices))
        if chosen is None:
            return
        turns = list(groups.values())[int(chosen)]
        generator = self._services.generator()
        only = await asyncio.to_thread(generator.reopen, self._dataset, turns)
        before = self.mine
        wanted = Wanted(self._dataset, turns[0].kind, turns[0].model)
        if before is not None and (before.wanted.kind, before.wanted.model) == (
            wanted.kind,
            wanted.model,
        ):
            wanted = before.wanted
        self._failures = ()
        self._start(replace(wanted, query="", count=None, only=only))

    def action_back(self) -> None:
        """Back; the run goes on."""
        self.dismiss()


def _row(key: str, event: Written) -> Row:
    words = event.message if event.event == "failed" else event.question or event.answer
    shown = shorten(" ".join(words.split()), _TRIMMED)
    tone = {"accepted": "", "rejected": "dim", "failed": "warning"}[event.event]
    name = "to review" if event.event == "accepted" else event.event
    return Row(key, (name, shown, event.reason, event.type, event.passage), tone)


def _failed(key: str, turn: FailedTurn) -> Row:
    state = "lost" if turn.lost else "failed"
    return Row(key, (state, shorten(turn.reason, _TRIMMED), "", turn.kind, turn.unit), "warning")
