"""The form for a new job, with the estimate beside it as one types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from screens.jobs.rows import duration
from tui.domain.errors import PapertuneError, UsageError
from tui.domain.job import Hyperparameters
from tui.domain.usage import Amount
from tui.jobs import Estimate, JobRequest
from tui.text import visible
from widgets.dialogs import Dialog, TextInput

_TYPING_PAUSE = 0.4

FIELDS = (
    ("dataset", "Dataset", "a frozen version: name or name@v2"),
    ("model", "Model", "the base model to start from"),
    ("steps", "Steps", "empty: the model's default for this much data"),
    ("learning_rate", "Learning rate", "empty: the model's default"),
    ("suffix", "Suffix", "for the new model's name, at most 18 letters"),
    ("budget", "Budget", "e.g. 0.5gpuh or 500ktok; empty: none"),
)


class NewJob(Dialog[JobRequest]):
    """Asks what to train; enter launches from any field."""

    HINT = "tab next field · enter starts · esc closes"

    @dataclass
    class Estimated(Message):
        """What the fields would take, or what is wrong with them."""

        request: JobRequest
        words: str
        wrong: bool = False
        launch: bool = False

    def __init__(
        self,
        values: dict[str, str],
        estimate: Callable[[JobRequest], Awaitable[Estimate]],
        endpoint: str | None,
    ) -> None:
        """`values` fill the fields by name; `estimate` says what a request would take."""
        super().__init__("New fine-tuning job")
        self._values = values
        self._ask = estimate
        self._endpoint = endpoint
        self._timer: Timer | None = None

    def compose_question(self) -> ComposeResult:
        """One line per field, the estimate below."""
        for name, label, note in FIELDS:
            with Horizontal(classes="field"):
                yield Static(Content(label), classes="label")
                yield TextInput(self._values.get(name, ""), placeholder=note, id=name)
        yield Static(id="estimate", classes="note")

    def on_mount(self) -> None:
        """Start in the first field that is needed and empty, with an estimate of what is there."""
        needed = [name for name in ("dataset", "model") if not self._values.get(name)]
        self.query_one(f"#{needed[0] if needed else 'steps'}").focus()
        self._look()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_TYPING_PAUSE, self._look)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._look(launch=True)

    def _look(self, *, launch: bool = False) -> None:
        if self._timer is not None:
            self._timer.stop()  # a look that is still due would take this one's place
        try:
            self._estimate(self._request(), launch)
        except PapertuneError as error:
            self._say(str(error), wrong=True)

    @work(exclusive=True, exit_on_error=False, group="estimate")
    async def _estimate(self, request: JobRequest, launch: bool) -> None:
        """Say what it would take; what is wrong is said here, where it can still be mended."""
        try:
            estimate = await self._ask(request)
            estimate.require(request.budget)
        except PapertuneError as error:
            self.post_message(self.Estimated(request, str(error), wrong=True))
        else:
            self.post_message(self.Estimated(request, in_words(estimate), launch=launch))

    def on_new_job_estimated(self, event: Estimated) -> None:
        """Show it beside the fields, or be done."""
        if event.launch:
            self.dismiss(event.request)
        else:
            self._say(event.words, event.wrong)

    def _say(self, words: str, wrong: bool) -> None:
        text = "\n".join(map(visible, words.splitlines()))
        shown = Content.styled(text, "$error") if wrong else Content(text)
        self.query_one("#estimate", Static).update(shown)

    def _request(self) -> JobRequest:
        value = {name: self.query_one(f"#{name}", TextInput).value.strip() for name, _, _ in FIELDS}
        if not value["dataset"]:
            raise UsageError("Name a dataset.")
        request = JobRequest(
            dataset=value["dataset"],
            model=value["model"],
            endpoint=self._endpoint,
            hyperparameters=Hyperparameters(
                learning_rate=_number(value["learning_rate"], "learning rate"),
                training_steps=_whole(value["steps"]),
            ),
            suffix=value["suffix"] or None,
            budget=Amount.parse(value["budget"]) if value["budget"] else None,
        )
        request.check()
        return request


def in_words(estimate: Estimate) -> str:
    """What a job would take, in two lines."""
    about = "" if estimate.exact else "about "
    time = f", about {duration(estimate.seconds)}" if estimate.seconds is not None else ""
    cost = f", {estimate.cost:.2f} {estimate.currency}" if estimate.cost else ""
    rate = estimate.hyperparameters.learning_rate
    lines = [
        f"{estimate.steps} steps, {estimate.epochs:.1f} epochs over {estimate.examples} examples",
        f"{about}{estimate.tokens:,} tokens{time}{cost}, "
        + (f"learning rate {rate:g}" if rate else "the model's own learning rate"),
    ]
    if estimate.truncated:
        lines.append(f"{estimate.truncated} examples are longer than the context and will be cut")
    return "\n".join([*lines, *estimate.notes])


def _number(text: str, name: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise UsageError(f"The {name} '{visible(text)}' is no number.") from None


def _whole(text: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        raise UsageError(f"'{visible(text)}' steps are no whole number.") from None
