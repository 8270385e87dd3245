"""A form beside the text that it is about: what a person writes of a passage, field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from tui.keymap import bindings
from widgets.dialogs import Dialog
from widgets.document import Document
from widgets.reader import Reader

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to write; `chosen` says that a stretch selected in the text goes here."""

    name: str
    label: str
    hint: str = ""
    value: str = ""
    chosen: bool = False


class Lines(TextArea):
    """A field of a few lines; tab leaves it."""

    DEFAULT_CSS = """
    Lines, Lines:focus {
        height: auto; min-height: 1; max-height: 5; border: none; padding: 0 1;
        background: $panel; scrollbar-size-vertical: 1;
    }
    """

    def __init__(self, field: Field) -> None:
        super().__init__(
            field.value,
            id=field.name,
            soft_wrap=True,
            show_line_numbers=False,
            compact=True,
            highlight_cursor_line=False,
            placeholder=field.hint,
            tab_behavior="focus",
        )
        self.cursor_blink = False


class WritingForm(Dialog[Values]):
    """Asks for a few fields with their source in sight; `check` returns what is wrong, or nothing.

    `suggest` may fill fields that were left empty from those that were not; what it fills is shown
    before it is taken.
    """

    BINDINGS = bindings("writing")
    HINT = "tab next field · ctrl+s takes it · esc closes"
    DEFAULT_CSS = """
    WritingForm > .frame { width: 100; height: 90%; }
    WritingForm Reader { height: 1fr; min-height: 4; background: $surface; margin-bottom: 1; }
    WritingForm .field { height: auto; margin-bottom: 1; }
    WritingForm .label { width: 12; color: $muted; }
    WritingForm .note { margin-top: 0; }
    """

    def __init__(
        self,
        title: str,
        source: Document,
        fields: Sequence[Field],
        check: Callable[[Values], str],
        suggest: Callable[[Values], Values] = lambda _: {},
    ) -> None:
        super().__init__(title)
        self._source = source
        self._fields = fields
        self._check = check
        self._suggest = suggest

    def compose_question(self) -> ComposeResult:
        """The source, the fields, what is wrong."""
        yield Reader()
        with Vertical(id="fields"):
            for field in self._fields:
                with Horizontal(classes="field"):
                    yield Static(Content(field.label), classes="label")
                    yield Lines(field)
        yield Static(classes="note")

    def on_mount(self) -> None:
        """Start in the first empty field."""
        self.query_one("#fields").styles.height = "auto"
        self.query_one(Reader).show(self._source)
        empty = [field.name for field in self._fields if not field.value]
        self.query_one(f"#{(empty or [self._fields[0].name])[0]}").focus()

    @property
    def values(self) -> dict[str, str]:
        """What the fields hold."""
        return {f.name: self.query_one(f"#{f.name}", Lines).text.strip() for f in self._fields}

    @on(Reader.Chosen)
    def _chosen(self, event: Reader.Chosen) -> None:
        event.stop()
        field = next((field for field in self._fields if field.chosen), None)
        if field is not None and event.span is not None:
            words = " ".join(self._source.text[slice(*event.span)].split())
            self.query_one(f"#{field.name}", Lines).text = words

    def action_take(self) -> None:
        """Take what was written, or say what is wrong with it."""
        values = self.values
        if wrong := self._check(values):
            self._say(Content.styled(wrong, "$error"))
            return
        offered = {name: text for name, text in self._suggest(values).items() if not values[name]}
        for name, text in offered.items():
            self.query_one(f"#{name}", Lines).text = text
        if offered:
            labels = [field.label.lower() for field in self._fields if field.name in offered]
            self._say(
                Content(f"The {' and '.join(labels)} came from the text; take it, or change.")
            )
            self._suggest = lambda _: {}
            return
        self.dismiss(values)

    def _say(self, words: Content) -> None:
        self.query_one(".note", Static).update(words)
