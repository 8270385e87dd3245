"""The form for a run of generation: what is written, by whom, of which papers, for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from screens.datasets.production import Wanted
from tui.domain.errors import PapertuneError, UsageError
from tui.domain.example import Kind
from tui.domain.usage import Amount
from tui.keymap import bindings
from widgets.dialogs import Dialog, TextInput

_MOST_WORDINGS = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the form: its name, what stands before it, in it while empty."""

    name: str
    label: str
    note: str = ""
    value: str = ""


_TYPED = (
    Line("mix", "Types", "result=3,method=1,unanswerable=1; empty: usual"),
    Line("wordings", "Wordings", "questions on one finding, 1 to 10", "4"),
)
_ALWAYS = (
    Line("query", "Papers", "a search as in the corpus; empty: all"),
    Line("count", "Count", "end after so many; empty: each passage once"),
    Line("budget", "Budget", "500ktok, 5usd, 2gpuh; empty: the settings' own"),
    Line("judge", "Judge", "a model that checks each answer; empty: none"),
)


class GenerationForm(Dialog[Wanted]):
    """Asks how much is written of what; enter starts from any field."""

    BINDINGS = bindings("writing")
    HINT = "tab next field · enter starts · esc closes"
    DEFAULT_CSS = """
    GenerationForm > .frame { width: 76; }
    GenerationForm #fields { height: auto; max-height: 14; }
    GenerationForm .field { height: 1; margin-bottom: 1; }
    GenerationForm .label { width: 12; color: $muted; }
    """

    def __init__(self, name: str, kind: Kind, model: str, values: Mapping[str, str]) -> None:
        """`values` fill the fields by name."""
        super().__init__(f"{model} writes {kind} into {name}")
        self._dataset, self._kind, self._model = name, kind, model
        self._values = values
        typed = kind in (Kind.QA, Kind.RETRIEVAL)
        self._lines: Sequence[Line] = (*(_TYPED if typed else ()), *_ALWAYS)

    def compose_question(self) -> ComposeResult:
        """One line per field, what is wrong below."""
        with VerticalScroll(id="fields", can_focus=False):
            for line in self._lines:
                with Horizontal(classes="field"):
                    yield Static(Content(line.label), classes="label")
                    value = self._values.get(line.name, line.value)
                    yield TextInput(value, placeholder=line.note, id=line.name)
        yield Static(classes="note")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Take it, or say what is wrong."""
        values = {line.name: self.query_one(f"#{line.name}", Input).value for line in self._lines}
        try:
            wanted = read_form(self._dataset, self._kind, self._model, values)
        except PapertuneError as error:
            self.query_one(".note", Static).update(Content.styled(str(error), "$error"))
        else:
            self.dismiss(wanted)


def read_form(name: str, kind: Kind, model: str, values: Mapping[str, str]) -> Wanted:
    """What a person typed as a run; raises UsageError that says which field is wrong."""
    from tui.datasets.generation import QuestionType

    given = {field: text.strip() for field, text in values.items()}
    mix: dict[QuestionType, float] = {}
    for part in filter(None, map(str.strip, given.get("mix", "").split(","))):
        type_, _, share = part.partition("=")
        try:
            mix[QuestionType(type_.strip())] = float(share or 1)
        except ValueError:
            types = ", ".join(QuestionType)
            raise UsageError(f"'{part}' is no share of a type.", f"Types are {types}.") from None
    wordings = _number("wordings", given.get("wordings") or "1")
    if not 1 <= wordings <= _MOST_WORDINGS:
        raise UsageError(f"Use 1 to {_MOST_WORDINGS} wordings.")
    return Wanted(
        name,
        kind,
        model,
        query=given["query"],
        count=_number("count", given["count"]) if given["count"] else None,
        budget=Amount.parse(given["budget"]) if given["budget"] else None,
        mix=mix or None,
        wordings=wordings,
        judge=given["judge"] or None,
    )


def _number(field: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(f"The {field} is a whole number from 1 on.")
    return int(text)
