"""One job: what it is doing, its curves, what they say, what happened."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from screens.jobs.rows import curves, duration, status_word
from tui.domain.job import Event, Job, JobStatus, LossPoint
from tui.jobs import Diagnosis
from tui.mistral import Progress
from tui.text import shorten
from widgets.loss_plot import LossPlot

_EVENTS = 5


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

    def with_point(self, point: LossPoint) -> JobView:
        """With one more point; a step that was trained again after a restart replaces its own."""
        if self.points and point.step <= self.points[-1].step:
            kept = tuple(p for p in self.points if p.step != point.step)
            ordered = tuple(sorted((*kept, point), key=lambda p: p.step))
            return replace(self, points=ordered)
        return replace(self, points=(*self.points, point))

    def with_diagnosis(self, diagnosis: Diagnosis) -> JobView:
        """With a diagnosis; a newer one of the same rule replaces the older."""
        others = tuple(d for d in self.diagnoses if d.code != diagnosis.code)
        return replace(self, diagnoses=(*others, diagnosis))


class JobDetail(Vertical):
    """Draws a `JobView`; three small texts and the plot, each repainted only when it differs."""

    DEFAULT_CSS = """
    JobDetail { padding: 0 1; }
    JobDetail #head { height: auto; }
    JobDetail #said { height: auto; max-height: 4; color: $warning; }
    JobDetail #said.-none { display: none; }
    JobDetail #events { height: auto; max-height: 7; color: $muted; border-top: solid $line; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawn: dict[str, Content] = {}

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

    def show(self, view: JobView) -> None:
        """Draw what is known."""
        self._update("head", head(view))
        lines = said(view)
        self._update("said", Content("\n".join(lines)))
        self.query_one("#said").set_class(not lines, "-none")
        self._update("events", Content("\n".join(happened(view.job.events))))
        steps = view.job.hyperparameters.training_steps
        self.plot.show(curves(view.points, view.names), right=float(steps) if steps else None)

    def _update(self, name: str, content: Content) -> None:
        if self._drawn.get(name) != content:
            self._drawn[name] = content
            self.query_one(f"#{name}", Static).update(content)


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
    if job.trained_tokens and job.terminal:
        parts.append(f"{job.trained_tokens:,} tokens trained")
    source = shorten(view.dataset, 60)
    if job.fine_tuned_model:
        made = (f"{source or job.model} → {job.fine_tuned_model}", "$accent")
    else:
        made = (f"{job.id[:8]}, {job.model}" + (f" on {source}" if source else ""), "")
    return Content.assemble((", ".join(parts), "bold"), "\n", made)


def said(view: JobView) -> list[str]:
    """The newest message of the endpoint and the diagnoses."""
    lines = [d.message for d in view.diagnoses]
    if view.message:
        lines.insert(0, view.message)
    if not lines and view.job.status in (JobStatus.FAILED, JobStatus.FAILED_VALIDATION):
        lines = [_reason(view.job)]
    return [shorten(line, 300) for line in lines if line]


def happened(events: Sequence[Event]) -> list[str]:
    """The last events, newest first."""
    lines = []
    for event in list(reversed(events))[:_EVENTS]:
        status = event.data.get("status")
        what = event.data.get("message") or (status_word(status) if status else event.name)
        at = time.strftime("%H:%M:%S", time.localtime(event.created_at))
        lines.append(f"{at}  {shorten(str(what), 120)}")
    return lines


def _step(view: JobView) -> int:
    reached = view.points[-1].step if view.points else 0
    return max(reached, view.progress.step if view.progress else 0)


def _reason(job: Job) -> str:
    for event in reversed(job.events):
        for key in ("message", "error", "reason"):
            if event.data.get(key):
                return str(event.data[key])
    return "No reason was given; the engine's log may hold one."
