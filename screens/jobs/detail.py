"""One job: what it is doing, its curves, what they say, what happened."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from screens.jobs.info import PANES, lines_of
from screens.jobs.rows import duration, status_word
from screens.jobs.traces import AXES, QUANTITIES, UNITS, Traces
from tui.domain.job import Job, JobStatus, LossPoint
from tui.jobs import Diagnosis
from tui.jobs.diagnose import Remedy, about_transfer
from tui.mistral import LocalJob, Progress
from tui.text import shorten
from widgets.loss_plot import LossPlot

# On a screen of 24 lines the curves need the room more than what happened.
_LOW = 26


@dataclass(frozen=True, slots=True)
class JobView:
    """What is known of a job now; `names` say which validation file is memory, which transfer."""

    job: Job
    dataset: str = ""
    points: tuple[LossPoint, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    progress: Progress | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    message: str = ""
    extra: LocalJob | None = None

    def with_point(self, point: LossPoint) -> JobView:
        """With one more point; a step that was trained again after a restart replaces its own."""
        if self.points and point.step <= self.points[-1].step:
            at = bisect_left(self.points, point.step, key=lambda p: p.step)
            if self.points[at] == point:
                return self
            kept = tuple(p for p in self.points if p.step != point.step)
            ordered = tuple(sorted((*kept, point), key=lambda p: p.step))
            return replace(self, points=ordered)
        return replace(self, points=(*self.points, point))

    def with_diagnosis(self, diagnosis: Diagnosis) -> JobView:
        """With a diagnosis; a newer one of the same rule replaces the older."""
        others = tuple(d for d in self.diagnoses if d.code != diagnosis.code)
        return replace(self, diagnoses=(*others, diagnosis))

    @property
    def transfer(self) -> str | None:
        """The validation file on other papers."""
        return next((key for key, name in self.names.items() if name == "transfer"), None)


class JobDetail(Vertical):
    """Draws a `JobView`; three small texts and the plot, each repainted only when it differs."""

    DEFAULT_CSS = """
    JobDetail { padding: 0 1; }
    JobDetail #head { height: auto; }
    JobDetail #said { height: auto; max-height: 6; color: $warning; }
    JobDetail #said.-none { display: none; }
    JobDetail #events { height: auto; max-height: 9; color: $muted; border-top: solid $line; }
    JobDetail.-log #events { height: 2fr; max-height: 100%; }
    """

    def __init__(self, key_for: Callable[[str], str], id: str | None = None) -> None:
        """`key_for` says which key runs an action now."""
        super().__init__(id=id)
        self._key_for = key_for
        self._drawn: dict[str, Content] = {}
        self._traces = Traces()
        self._view: JobView | None = None
        self._pane = 0

    def compose(self) -> ComposeResult:
        """Head, what the curves say, curves, events."""
        yield Static(id="head")
        yield Static(id="said")
        yield LossPlot("No losses measured yet.")
        yield Static(id="events")

    @property
    def plot(self) -> LossPlot:
        """The curves."""
        return self.query_one(LossPlot)

    @property
    def pane(self) -> str:
        """What is shown below the curves."""
        return PANES[self._pane]

    def next_pane(self) -> None:
        """Events, checkpoints, settings and lineage, log in turn."""
        self.show_pane(PANES[(self._pane + 1) % len(PANES)])

    def show_pane(self, name: str) -> None:
        """Show one of `PANES` below the curves."""
        self._pane = PANES.index(name)
        self.set_class(name == "log", "-log")
        if self._view is not None:
            self.show(self._view)

    def next_axis(self) -> None:
        """Over steps, tokens, seconds."""
        place = (AXES.index(self._traces.axis) + 1) % len(AXES)
        self._traces.choose(AXES[place], self._traces.quantity)
        self._again()

    def next_quantity(self) -> None:
        """Losses, learning rate, gradient norm."""
        place = (QUANTITIES.index(self._traces.quantity) + 1) % len(QUANTITIES)
        self._traces.choose(self._traces.axis, QUANTITIES[place])
        self._again()

    def show(self, view: JobView) -> None:
        """Draw what is known."""
        if self._view is not None and self._view.job.id != view.job.id:
            self._traces = Traces(self._traces.axis, self._traces.quantity)
            self.plot.hide_cursor()
        self._view = view
        self._update("head", head(view))
        lines = self._said(view)
        self._update("said", Content("\n".join(lines)))
        self.query_one("#said").set_class(not lines, "-none")
        self._update("events", self._info(view))
        steps = view.job.hyperparameters.training_steps
        right = float(steps) if steps and self._traces.axis == "step" else None
        curves = self._traces.curves(view.points, view.names)
        self.plot.show(curves, right=right, unit=UNITS[self._traces.axis])

    def _again(self) -> None:
        if self._view is not None:
            self.show(self._view)

    def _said(self, view: JobView) -> list[str]:
        lines = said(view)
        acts = [item for item in view.diagnoses if item.remedy is not Remedy.NONE and item.advice]
        if acts:
            first = acts[0]
            lines.append(f"→ {self._key_for('jobs.act')}: {shorten(first.advice, 120)}")
        return lines

    def _info(self, view: JobView) -> Content:
        key = self._key_for("jobs.info")
        names = [f"[{name}]" if name == self.pane else name for name in PANES]
        room = self.size.height if self.pane == "log" else 7 if self.size.height > _LOW else 3
        lines = lines_of(self.pane, view.job, view.extra, view.dataset, max(3, room))
        return Content("\n".join((f"{key}: {'  '.join(names)}", *lines)))

    def _update(self, name: str, content: Content) -> None:
        before = self._drawn.get(name)
        if before != content:
            self._drawn[name] = content
            # As many lines as before leave everything else where it is.
            same = before is not None and _lines(before) == _lines(content)
            self.query_one(f"#{name}", Static).update(content, layout=not same)


def _lines(content: Content) -> list[int]:
    return [len(line) // 40 for line in content.plain.splitlines()]


def head(view: JobView) -> Content:
    """Two lines: where it stands; what is made of what."""
    job = view.job
    parts = [status_word(job.status)]
    steps = job.hyperparameters.training_steps
    step = _step(view)
    if steps:
        parts.append(f"step {min(step, steps)} of {steps}")
    if view.progress is not None and not job.terminal:
        if view.progress.seconds_left is not None:
            parts.append(f"{duration(view.progress.seconds_left)} left")
        if view.progress.tokens_per_second:
            parts.append(f"{view.progress.tokens_per_second:.0f} tokens/s")
    if view.extra is not None and not job.terminal:
        if view.extra.memory:
            used, total = view.extra.memory
            parts.append(f"memory {used / 2**30:.1f} of {total / 2**30:.0f} GB")
        if view.extra.device:
            parts.append(shorten(view.extra.device, 40))
    if job.trained_tokens and job.terminal:
        parts.append(f"{job.trained_tokens:,} tokens trained")
    source = shorten(view.dataset, 60)
    if job.fine_tuned_model:
        made = (f"{source or job.model} → {job.fine_tuned_model}", "$accent")
    else:
        made = (f"{job.id[:8]}, {job.model}" + (f" on {source}" if source else ""), "")
    return Content.assemble((", ".join(parts), "bold"), "\n", made)


def said(view: JobView) -> list[str]:
    """The newest message of the endpoint, the diagnoses, and why transfer is no alarm."""
    lines = [d.message for d in view.diagnoses]
    if view.message:
        lines.insert(0, view.message)
    if not lines and view.job.status in (JobStatus.FAILED, JobStatus.FAILED_VALIDATION):
        lines = [_reason(view.job)]
    if explained := about_transfer(view.points, view.transfer):
        lines.append(explained)
    return [shorten(line, 300) for line in lines if line]


def _step(view: JobView) -> int:
    reached = view.points[-1].step if view.points else 0
    return max(reached, view.progress.step if view.progress else 0)


def _reason(job: Job) -> str:
    for event in reversed(job.events):
        for key in ("message", "error", "reason"):
            if event.data.get(key):
                return str(event.data[key])
    return "No reason was given; the engine's log may hold one."
