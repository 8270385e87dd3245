"""The reader with its title, its place, and the line in which words to find are typed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.widgets import Input, Static

from widgets.dialogs import Choose, TextInput
from widgets.reader import Document, Reader
from widgets.status import fit


class ReaderPane(Vertical):
    """Title, reader and place; `/` finds, `o` chooses a section. Shows a hint while empty."""

    DEFAULT_CSS = """
    ReaderPane { height: 1fr; }
    ReaderPane > .title {
        height: auto; max-height: 3; padding: 0 2; text-style: bold;
    }
    ReaderPane > .byline { height: auto; max-height: 3; padding: 0 2 1 2; color: $muted; }
    ReaderPane.-bare > .byline { padding: 0; height: 1; }
    ReaderPane > .place { height: 1; padding: 0 2; color: $muted; }
    ReaderPane > Input { display: none; }
    ReaderPane.-finding > Input { display: block; }
    ReaderPane.-finding > .place { display: none; }
    ReaderPane > .hint { height: 1fr; padding: 1 2; color: $muted; display: none; }
    ReaderPane.-empty > .hint { display: block; }
    ReaderPane.-empty > .title, ReaderPane.-empty > .byline, ReaderPane.-empty > Reader,
    ReaderPane.-empty > .place { display: none; }
    """

    def __init__(self, hint: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id, classes="-empty")
        self._hint = hint
        self._found = 0

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Static(classes="title")
        yield Static(classes="byline")
        yield Reader()
        yield Static(classes="place")
        yield TextInput(placeholder="find in this text")
        yield Static(Content(self._hint), classes="hint")

    @property
    def reader(self) -> Reader:
        """The text itself, for focus."""
        return self.query_one(Reader)

    def show(
        self, title: str, byline: Sequence[str], document: Document, at: int | None = None
    ) -> None:
        """Show a document under its title; `byline` is joined by dots."""
        self.set_class(False, "-empty")
        self.query_one(".title", Static).update(Content(title))
        words = " · ".join(filter(None, byline))
        self.query_one(".byline", Static).update(Content(words))
        self.set_class(not words, "-bare")
        self.reader.show(document, at)

    def clear(self, hint: str = "") -> None:
        """Show nothing but a hint."""
        self.query_one(".hint", Static).update(Content(hint or self._hint))
        self.set_class(True, "-empty")

    @on(Reader.Moved)
    def _place(self, event: Reader.Moved) -> None:
        event.stop()
        page = f"p. {event.page}" if event.page else ""
        # A text that is all in sight has no place to tell but its page.
        share = f"{round(100 * event.share)} %" if self.reader.max_scroll_y else ""
        width = max(8, self.size.width - 4 - len(page) - len(share) - 6)
        parts = [page, fit(event.section, width) if share else "", share]
        self.query_one(".place", Static).update(Content(" · ".join(filter(None, parts))))

    @on(Reader.FindAsked)
    def _ask(self, event: Reader.FindAsked) -> None:
        event.stop()
        self.set_class(True, "-finding")
        field = self.query_one(TextInput)
        field.value = ""
        field.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.has_class("-finding"):
            self._found = self.reader.find(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._done()
        words = f"{self._found} found · n N move" if self._found else "Nothing found"
        self.query_one(".place", Static).update(Content(words))

    def on_key(self, event: Key) -> None:
        """Escape leaves the field, not the reader."""
        if event.key == "escape" and self.has_class("-finding"):
            event.stop()
            event.prevent_default()
            self.reader.find("")
            self._done()

    def _done(self) -> None:
        self.reader.focus()
        self.set_class(False, "-finding")

    @on(Reader.OutlineAsked)
    def _outline(self, event: Reader.OutlineAsked) -> None:
        event.stop()
        headings = self.reader.document.headings
        if headings:
            choices = [
                (str(place), "  " * (heading.level - 1) + heading.title, "")
                for place, heading in enumerate(headings)
            ]
            self.app.push_screen(Choose("Sections", choices), self._jump)

    def _jump(self, answer: str | None) -> None:
        if answer is not None:
            self.reader.go_to(self.reader.document.headings[int(answer)].start)
