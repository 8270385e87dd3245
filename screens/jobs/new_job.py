"""The form for a new job, with the estimate beside it as one types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from screens.jobs.rows import duration
from tui.domain.errors import PapertuneError, UsageError
from tui.domain.job import Hyperparameters
from tui.domain.usage import Amount
from tui.jobs import Estimate, JobRequest
from tui.jobs.request import LAUNCHER_SETTING
from tui.jobs.suggest import KNOBS
from tui.jobs.sweep import read_grid
from tui.keymap import bindings
from tui.text import visible
from widgets.dialogs import Dialog, TextInput

_TYPING_PAUSE = 0.4
_MEANINGS = {knob.name: knob.meaning for knob in KNOBS}
_LABELS = {knob.name: knob.label for knob in KNOBS}


@dataclass(frozen=True, slots=True)
class Field:
    """A line of the form: its name, what stands before it, in it while empty, and what it means."""

    name: str
    label: str
    note: str
    meaning: str


def _knob(name: str, note: str) -> Field:
    return Field(name, _LABELS[name], note, _MEANINGS[name])


FIELDS = (
    Field("dataset", "Dataset", "a frozen version: name or name@v2", "what it learns from"),
    Field("model", "Model", "the base model to start from", "a larger one learns more, slower"),
    Field("endpoint", "Endpoint", "empty: the one of the settings", "where it is trained"),
    Field(
        "steps",
        _LABELS["training_steps"],
        "empty: suits the model and the data",
        _MEANINGS["training_steps"],
    ),
    _knob("epochs", "instead of steps"),
    _knob("learning_rate", "empty: the model's default"),
    _knob("batch_size", "empty: the model's default"),
    _knob("lora_rank", "empty: the model's default"),
    _knob("seq_len", "empty: the model's default"),
    _knob("warmup_fraction", "empty: 0.05"),
    _knob("weight_decay", "empty: 0.1"),
    _knob("seed", "empty: 0"),
    Field("suffix", "Suffix", "for the new model's name, at most 18 letters", "ends its name"),
    Field("budget", "Budget", "e.g. 0.5gpuh or 500ktok; empty: none", "refuses what is beyond it"),
    Field(
        "month_budget",
        "Month's budget",
        "raises it for this job, e.g. 30usd",
        "on purpose and for once; [budget] month in config.toml holds for all",
    ),
    Field(
        "grid",
        "Sweep",
        "learning_rate=1e-3,5e-4 lora_rank=8,16",
        "a job for each combination, one after the other, the best named",
    ),
)
_OPTIONS = ("batch_size", "lora_rank", "seed")
_FLOATS = ("learning_rate", "epochs", "warmup_fraction", "weight_decay")
_WHOLE = ("seq_len", *_OPTIONS)


@dataclass(frozen=True, slots=True)
class Launch:
    """What the form asks for: a job, or one for each point of a grid."""

    request: JobRequest
    grid: dict[str, list[float | int]]


class NewJob(Dialog[Launch]):
    """Asks what to train; enter launches from any field."""

    BINDINGS = bindings("newjob")
    HINT = "tab next field · enter starts · ctrl+s starts small · esc closes"

    @dataclass
    class Estimated(Message):
        """What the fields would take, or what is wrong with them."""

        request: Launch
        words: str
        wrong: bool = False
        launch: bool = False

    def __init__(
        self,
        values: dict[str, str],
        estimate: Callable[[JobRequest], Awaitable[Estimate]],
        *,
        source: JobRequest | None = None,
    ) -> None:
        """`values` fill the fields by name; `estimate` says what a request would take.

        `source` is the request that a copy starts from, for what the form has no field for.
        """
        super().__init__("A copy with changes" if source else "New fine-tuning job")
        self._values = values
        self._ask = estimate
        self._source = source
        self._timer: Timer | None = None

    def compose_question(self) -> ComposeResult:
        """One line per field, what the present one means, the estimate below."""
        with VerticalScroll(id="fields", can_focus=False):
            for field in FIELDS:
                with Horizontal(classes="field"):
                    yield Static(Content(field.label), classes="label")
                    value = self._values.get(field.name, "")
                    yield TextInput(value, placeholder=field.note, id=field.name)
        yield Static(id="meaning", classes="note")
        yield Static(id="estimate", classes="note")

    def on_mount(self) -> None:
        """Start in the first field that is needed and empty, with an estimate of what is there."""
        needed = [name for name in ("dataset", "model") if not self._values.get(name)]
        self.query_one(f"#{needed[0] if needed else 'steps'}").focus()
        self._look()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say what the field means."""
        meaning = next((f"{f.label}: {f.meaning}" for f in FIELDS if f.name == event.widget.id), "")
        self.query_one("#meaning", Static).update(Content(meaning))

    def action_small(self) -> None:
        """Start with a tenth of the data and few steps."""
        self._look(launch=True, small=True)

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

    def _look(self, *, launch: bool = False, small: bool = False) -> None:
        if self._timer is not None:
            self._timer.stop()  # a look that is still due would take this one's place
        try:
            wanted = self._wanted()
            if small:
                wanted = replace(wanted, request=replace(wanted.request, small=True))
            self._estimate(wanted, launch)
        except PapertuneError as error:
            self._say(str(error), wrong=True)

    @work(exclusive=True, exit_on_error=False, group="estimate")
    async def _estimate(self, wanted: Launch, launch: bool) -> None:
        """Say what it would take; what is wrong is said here, where it can still be mended."""
        try:
            estimate = await self._ask(wanted.request)
            estimate.require(wanted.request.budget)
        except PapertuneError as error:
            self.post_message(self.Estimated(wanted, str(error), wrong=True))
        else:
            words = in_words(estimate)
            if wanted.grid:
                jobs = 1
                for values in wanted.grid.values():
                    jobs *= len(values)
                words = f"{jobs} jobs, one after the other; each about:\n{words}"
            self.post_message(self.Estimated(wanted, words, launch=launch))

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

    def _wanted(self) -> Launch:
        value = {f.name: self.query_one(f"#{f.name}", TextInput).value.strip() for f in FIELDS}
        if not value["dataset"]:
            raise UsageError("Name a dataset.")
        numbers: dict[str, float | int | None] = {
            **{name: _number(value[name], _LABELS[name].lower()) for name in _FLOATS},
            **{name: _whole(value[name], _LABELS[name].lower()) for name in _WHOLE},
        }
        numbers["training_steps"] = _whole(value["steps"], "number of steps")
        options = {name: numbers.pop(name) for name in _OPTIONS}
        before = self._source.options if self._source else {}
        request = JobRequest(
            dataset=value["dataset"],
            model=value["model"],
            endpoint=value["endpoint"] or None,
            hyperparameters=Hyperparameters(**numbers),  # type: ignore[arg-type]
            suffix=value["suffix"] or None,
            budget=Amount.parse(value["budget"]) if value["budget"] else None,
            month_budget=Amount.parse(value["month_budget"]) if value["month_budget"] else None,
            options={**before, **{name: n for name, n in options.items() if n is not None}},
        )
        request.check()
        return Launch(request, read_grid(value["grid"].split()) if value["grid"] else {})


def values_of(request: JobRequest) -> dict[str, str]:
    """A request as the form's fields."""
    given = request.hyperparameters
    numbers = {
        name: request.options.get(name) if name in _OPTIONS else getattr(given, name)
        for name in (*_FLOATS, *_WHOLE)
    }
    return {
        "dataset": request.dataset,
        "model": request.model,
        "endpoint": request.endpoint or "",
        "suffix": request.suffix or "",
        "steps": str(given.training_steps or ""),
        **{name: f"{value:g}" for name, value in numbers.items() if value is not None},
    }


def in_words(estimate: Estimate) -> str:
    """What a job would take, in a few lines."""
    about = "" if estimate.exact else "about "
    time = f", about {duration(estimate.seconds)}" if estimate.seconds is not None else ""
    cost = f", {estimate.cost:.2f} {estimate.currency}" if estimate.cost else ""
    room = f" of {estimate.memory_present / 2**30:.1f}" if estimate.memory_present else ""
    memory = f", {estimate.memory / 2**30:.1f}{room} GB of memory" if estimate.memory else ""
    rate = estimate.hyperparameters.learning_rate
    lines = [
        f"{estimate.steps} steps, {estimate.epochs:.1f} epochs over {estimate.examples} examples",
        f"{about}{estimate.tokens:,} tokens{time}{memory}{cost}, "
        + (f"learning rate {rate:g}" if rate else "the model's own learning rate"),
    ]
    if estimate.truncated:
        lines.append(f"{estimate.truncated} examples are longer than the context and will be cut")
    if estimate.launcher:
        lines.append(f"launched as {estimate.launcher} ({LAUNCHER_SETTING})")
    return "\n".join([*lines, *estimate.notes])


def _number(text: str, name: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise UsageError(f"The {name} '{visible(text)}' is no number.") from None


def _whole(text: str, name: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        raise UsageError(f"The {name} '{visible(text)}' is no whole number.") from None
