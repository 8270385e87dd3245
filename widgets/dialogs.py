"""Small questions over a screen: yes or no, a line of text, one of a few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.keymap import bindings

Answer = TypeVar("Answer")

LONGEST = 4096
"""Characters that a line takes: a pasted megabyte is a mistake, not a path or a question."""


class TextInput(Input):
    """A line of text whose cursor does not blink: blinking is bytes on the wire."""

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        password: bool = False,
        suggester: Suggester | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(
            value,
            placeholder=placeholder,
            password=password,
            suggester=suggester,
            id=id,
            select_on_focus=False,
            compact=True,
            max_length=LONGEST,
        )
        self.cursor_blink = False


class Dialog(ModalScreen[Answer | None], Generic[Answer], inherit_bindings=False):
    """A framed question; escape dismisses it with None. Look: `screens/base/shell.tcss`."""

    BINDINGS = bindings("dialog")
    HINT: ClassVar[str] = "esc closes"

    def __init__(self, title: str, *, hint: str = "") -> None:
        super().__init__()
        self._title = title
        self._hint = hint or self.HINT

    def compose(self) -> ComposeResult:
        """The frame around what a dialog asks."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(self._title)
            frame.border_subtitle = Content(self._hint)
            yield from self.compose_question()

    def compose_question(self) -> ComposeResult:
        """What is asked: for subclasses."""
        yield from ()

    def action_close(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class Confirm(Dialog[bool]):
    """Asks before something that cannot be undone; only `y` does it."""

    BINDINGS = bindings("confirm")
    HINT = "y does it · n or esc leaves it"

    def __init__(self, title: str, question: str) -> None:
        super().__init__(title)
        self._question = question

    def compose_question(self) -> ComposeResult:
        """The question."""
        yield Static(Content(self._question))

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)


class Prompt(Dialog[str]):
    """Asks for one line; `check` returns what is wrong with it, or nothing."""

    HINT = "enter takes it · esc closes"

    def __init__(
        self,
        title: str,
        question: str = "",
        *,
        value: str = "",
        placeholder: str = "",
        note: str = "",
        password: bool = False,
        check: Callable[[str], str] | None = None,
        suggester: Suggester | None = None,
    ) -> None:
        super().__init__(
            title, hint="→ completes · enter takes it · esc closes" if suggester else ""
        )
        self._question = question
        self._value = value
        self._placeholder = placeholder
        self._note = note
        self._password = password
        self._check = check
        self._suggester = suggester

    def compose_question(self) -> ComposeResult:
        """Question, field, note."""
        if self._question:
            yield Static(Content(self._question), classes="question")
        yield TextInput(
            self._value,
            placeholder=self._placeholder,
            password=self._password,
            suggester=self._suggester,
        )
        yield Static(Content(self._note), classes="note")

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        event.stop()
        wrong = self._check(event.value) if self._check else ""
        if wrong:
            self.query_one(".note", Static).update(Content.styled(wrong, "$error"))
        else:
            self.dismiss(event.value)


class Choose(Dialog[str]):
    """Offers a few things; the answer is the chosen one's key."""

    BINDINGS = bindings("choose")
    HINT = "j k move · enter takes it · esc closes"

    def __init__(
        self,
        title: str,
        choices: Sequence[tuple[str, str, str]],
        *,
        question: str = "",
        at: str = "",
    ) -> None:
        """`choices` are (key, label, explanation); `at` is where the cursor starts."""
        super().__init__(title)
        self._choices = choices
        self._question = question
        self._at = at

    def compose_question(self) -> ComposeResult:
        """Question and choices."""
        if self._question:
            yield Static(Content(self._question), classes="question")
        yield OptionList(
            *(
                Option(
                    Content.assemble(label, (f"\n{note}" if note else "", "$muted")),
                    id=f"choice-{position}",
                )
                for position, (_, label, note) in enumerate(self._choices)
            )
        )

    def on_mount(self) -> None:
        """Put the cursor where it was."""
        keys = [key for key, _, _ in self._choices]
        self.query_one(OptionList).highlighted = keys.index(self._at) if self._at in keys else 0

    def action_down(self) -> None:
        """Next choice."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """Previous choice."""
        self.query_one(OptionList).action_cursor_up()

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._choices[event.option_index][0])
