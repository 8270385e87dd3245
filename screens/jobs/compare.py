"""Jobs laid over one another: their curves, what differs, what evaluations made of their models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from screens.base import BaseScreen
from screens.jobs.traces import AXES, UNITS, Traces
from tui.jobs.compare import ComparedJob, JobComparison, JobResult
from tui.keymap import bindings
from tui.text import visible
from widgets.braille import Curve
from widgets.loss_plot import MOST_CURVES, LossPlot

if TYPE_CHECKING:
    from tui.jobs import Jobs

_WHAT = ("memory", "train", "transfer")


class CompareScreen(BaseScreen[None]):
    """Up to six jobs side by side."""

    NAME = "Jobs"
    ABOUT = "Jobs side by side: their curves over one axis, and what sets them apart."
    BINDINGS = bindings("compare")
    DEFAULT_CSS = """
    CompareScreen #below { height: auto; max-height: 50%; border-top: solid $line; padding: 0 1; }
    """

    @dataclass
    class Loaded(Message):
        """The jobs and their comparison came."""

        results: Sequence[JobResult]
        comparison: JobComparison

    def __init__(self, jobs: Jobs, ids: Sequence[str]) -> None:
        super().__init__()
        self._jobs = jobs
        self._ids = list(ids)[:MOST_CURVES]
        self._results: Sequence[JobResult] = ()
        self._what, self._axis = 0, 0

    def compose_body(self) -> ComposeResult:
        """The curves, and the table below them."""
        yield LossPlot("Reading the curves…")
        with VerticalScroll(id="below", can_focus=False):
            yield Static(id="table")

    def on_mount(self) -> None:
        """Ask for the curves."""
        self._load()

    @work(exclusive=True, exit_on_error=False, group="load")
    async def _load(self) -> None:
        results = await self._jobs.results(self._ids)
        self.post_message(self.Loaded(results, await self._jobs.compare(self._ids)))

    def on_compare_screen_loaded(self, event: Loaded) -> None:
        """Draw them."""
        self._results = event.results
        words = "\n".join(lines_of(event.comparison))
        self.query_one("#table", Static).update(Content(words))
        self._draw()

    def _draw(self) -> None:
        what, axis = _WHAT[self._what], AXES[self._axis]
        found = []
        for result in self._results:
            curves = Traces(axis).curves(result.points, result.names)
            chosen = next((curve for curve in curves if curve.name == what), None)
            points = chosen.points if chosen else ()
            found.append(Curve(result.job.id[:8], points, marks=what != "train"))
        self.plot.show(found, unit=UNITS[axis])
        self.say(f"{what} loss of {len(found)} jobs")

    @property
    def plot(self) -> LossPlot:
        """The curves."""
        return self.query_one(LossPlot)

    def action_what(self) -> None:
        """Memory, train or transfer losses."""
        self._what = (self._what + 1) % len(_WHAT)
        self._draw()

    def action_axis(self) -> None:
        """Over steps, tokens or time."""
        self._axis = (self._axis + 1) % len(AXES)
        self._draw()

    def action_log(self) -> None:
        """Linear or logarithmic."""
        self.plot.toggle_log()

    def action_smooth(self) -> None:
        """None, some, much."""
        self.plot.next_smoothing()

    def action_left(self) -> None:
        """Move the cursor to the left."""
        self.plot.move_cursor(-1)

    def action_right(self) -> None:
        """Move the cursor to the right."""
        self.plot.move_cursor(1)

    def action_closer(self) -> None:
        """Show less, larger."""
        self.plot.zoom(True)

    def action_wider(self) -> None:
        """Show more."""
        self.plot.zoom(False)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_export(self) -> None:
        """Write the curves to a file."""
        from screens.jobs.acting import ask_export

        await ask_export(self.app, self._jobs, self._ids)

    def action_back(self) -> None:
        """Back to the jobs; first out of the zoom."""
        if not self.plot.hide_cursor():
            self.dismiss(None)


def lines_of(found: JobComparison) -> list[str]:
    """A line for each job, with what sets it apart, and its evaluations."""
    differs = [name for name in found.differs if name not in ("epochs",)]
    lines = []
    for row in found.jobs:
        apart = ", ".join(f"{name.replace('_', ' ')} {_value(row, name)}" for name in differs)
        best = "" if row.best_loss is None else f"memory {row.best_loss:.3f} at {row.best_step}"
        train = "" if row.train_loss is None else f"train {row.train_loss:.3f}"
        parts = [f"{row.job[:8]} {row.status.lower()}", best, train, apart]
        lines.append(visible("  ".join(part for part in parts if part)))
        lines += [
            f"    {item.test}: key phrase in {item.key_phrase:.0%} "
            f"({item.low:.0%} to {item.high:.0%}) of {item.n} answers"
            for item in row.results[:2]
        ]
    measured = [row for row in found.jobs if row.best_loss is not None]
    if len(measured) > 1:
        best_row = min(measured, key=lambda row: row.best_loss or 0.0)
        lines.append(f"Best by memory validation: {best_row.job[:8]}")
    if not differs:
        lines.append("They differ in nothing but their luck.")
    return lines


def _value(row: ComparedJob, name: str) -> str:
    value = getattr(row, name, None) if name in ("dataset", "model", "endpoint") else None
    value = row.hyperparameters.get(name) if value is None else value
    return f"{value:g}" if isinstance(value, int | float) else str(value or "none")
