"""A reader for texts of any length: only the lines in sight are drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.events import Key
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.keymap import bindings
from widgets.choice import Choice
from widgets.document import Document, Heading
from widgets.text_layout import find, line_at, wrap

__all__ = ["Document", "Heading", "Reader"]

MEASURE = 88
"""Longest line in cells: longer ones are tiring to read."""

_MARGIN = 2
_GUTTER = 7  # room for "p. 123" at the right


class Reader(ScrollView, can_focus=True):
    """Shows a document, finds words in it, walks its sections; quotes can be marked."""

    BINDINGS = bindings("reader")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"reader--{part}" for part in ("heading", "mark", "hit", "here", "page", "chosen")
    }
    DEFAULT_CSS = """
    Reader {
        height: 1fr;
        background: $background;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        overflow-y: auto;
    }
    Reader > .reader--heading { color: $primary; text-style: bold; }
    Reader > .reader--mark { background: $mark; color: $mark-text; }
    Reader > .reader--hit { color: $accent; text-style: underline; }
    Reader > .reader--here { color: $accent; text-style: bold reverse; }
    Reader > .reader--page { color: $muted; }
    Reader > .reader--chosen {
        background: $block-cursor-background; color: $block-cursor-foreground;
    }
    """

    @dataclass
    class Moved(Message):
        """Another place is in sight: the section's title, the page (0 for none), the share read."""

        reader: Reader
        section: str
        page: int
        share: float

        @property
        def control(self) -> Reader:
            """The reader."""
            return self.reader

    @dataclass
    class Chosen(Message):
        """Another stretch of the text is selected, or none."""

        reader: Reader
        span: tuple[int, int] | None

    @dataclass
    class FindAsked(Message):
        """The key that finds was pressed."""

    @dataclass
    class OutlineAsked(Message):
        """The key for the outline was pressed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._document = Document()
        self._lines: list[tuple[int, int]] = []
        self._wrapped_at = 0
        self._opened_at: int | None = None
        self._hits: list[tuple[int, int]] = []
        self._hit = -1
        self._place: tuple[str, int, int] = ("", 0, 0)
        self._choice: Choice | None = None
        self._strips: LRUCache[int, Strip] = LRUCache(512)

    @property
    def document(self) -> Document:
        """What is shown."""
        return self._document

    def show(self, document: Document, at: int | None = None) -> None:
        """Show a document with its first mark in sight, or from offset `at` on."""
        self._document = document
        self._hits, self._hit = [], -1
        self._choice = None
        self._place = ("", -1, 0)
        self._opened_at = at
        self._wrap()
        if at is None and document.marks:
            self.go_to(document.marks[0][0])
        else:
            self._go(line_at(self._lines, at or 0))
        self._tell()

    # Layout

    def _wrap(self) -> None:
        # Hidden, a reader has no width yet: it is wrapped when it gets one.
        known = self.size.width > 0
        self._wrapped_at = self._measure() if known else 0
        text = self._document.text
        self._lines = wrap(text, self._wrapped_at) if known and text else []
        self._strips.clear()
        self.virtual_size = Size(0, len(self._lines))
        self.refresh()

    def _measure(self) -> int:
        return max(8, min(MEASURE, self.size.width - _MARGIN - _GUTTER))

    def on_resize(self) -> None:
        """Wrap again and stay at the same words."""
        if self._document.text and not self._wrapped_at:
            self.show(self._document, self._opened_at)
        elif self._lines and self._wrapped_at != self._measure():
            top = self._lines[min(self.scroll_offset.y, len(self._lines) - 1)][0]
            self._wrap()
            self._go(line_at(self._lines, top))
        self._strips.clear()

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        self._strips.clear()
        super().notify_style_update()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """One line: margin, text with its marks, the page's number where a page begins."""
        number = self.scroll_offset.y + y
        width = self.size.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(number)
        if strip is None:
            strip = self._draw(number).adjust_cell_length(width, self.rich_style)
            self._strips[number] = strip
        return strip

    def _draw(self, number: int) -> Strip:
        base = self.rich_style
        start, end = self._lines[number]
        segments = [Segment(" " * _MARGIN, base)]
        cuts = {start, end}
        layers: list[tuple[int, int, Style]] = []
        for component, spans in (
            ("reader--heading", self._heading_spans(start, end)),
            ("reader--mark", self._document.marks),
            ("reader--chosen", (self.chosen,) if self.chosen else ()),
            ("reader--hit", self._near(start, end)),
            ("reader--here", self._hits[self._hit : self._hit + 1] if self._hit >= 0 else ()),
        ):
            for a, b in spans:
                if a < end and b > start:
                    style = self.get_component_rich_style(component, partial=True)
                    layers.append((max(a, start), min(b, end), style))
                    cuts.update((max(a, start), min(b, end)))
        edges = sorted(cuts)
        for a, b in pairwise(edges):
            style = base
            for from_, to, layer in layers:
                if from_ <= a and b <= to:
                    style += layer
            segments.append(Segment(self._document.text[a:b], style))
        page = self._page_starting(number)
        if page:
            used = _MARGIN + cell_len(self._document.text[start:end])
            label = f"p. {page}"
            pad = (
                min(self.size.width, _MARGIN + self._wrapped_at + _GUTTER) - used - cell_len(label)
            )
            segments.append(Segment(" " * max(1, pad - 1), base))
            segments.append(
                Segment(label, base + self.get_component_rich_style("reader--page", partial=True))
            )
        return Strip(segments)

    def _near(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        first = max(0, bisect_right(self._hits, (start, start)) - 1)
        return self._hits[first : bisect_right(self._hits, (end, end))]

    def _heading_spans(self, start: int, end: int) -> list[tuple[int, int]]:
        spans = []
        text = self._document.text
        for heading in self._document.headings:
            if heading.start >= end:
                break
            stop = text.find("\n", heading.start)
            stop = len(text) if stop < 0 else stop
            if stop > start:
                spans.append((heading.start, stop))
        return spans

    def _page_starting(self, number: int) -> int:
        """The page that begins on this line, 0 for none."""
        start = self._lines[number][0]
        before = self._lines[number - 1][0] if number else -1
        page = self._page_at(start)
        return page if page and page != (self._page_at(before) if before >= 0 else 0) else 0

    def _page_at(self, offset: int) -> int:
        place = bisect_right(self._document.pages, (offset, float("inf"))) - 1
        return self._document.pages[place][1] if place >= 0 else 0

    def _heading_at(self, offset: int) -> int:
        starts = [heading.start for heading in self._document.headings]
        return bisect_right(starts, offset) - 1

    # Moving

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell where the reader is now."""
        super().watch_scroll_y(old_value, new_value)
        self._tell()

    def _tell(self) -> None:
        if not self._lines:
            self.post_message(self.Moved(self, "", 0, 0.0))
            return
        top = min(self.scroll_offset.y, len(self._lines) - 1)
        offset = self._lines[top][0]
        heading = self._heading_at(offset)
        section = self._document.headings[heading].title if heading >= 0 else ""
        last = max(1, len(self._lines) - self.size.height)
        place = (section, self._page_at(offset), min(100, 100 * top // last))
        if place != self._place:
            self._place = place
            self.post_message(self.Moved(self, place[0], place[1], place[2] / 100))

    def _go(self, y: float) -> None:
        # Forced: a text just shown has no scrollbar yet, without which textual would not move.
        self.scroll_to(y=y, animate=False, force=True, immediate=True)

    def go_to(self, offset: int) -> None:
        """Bring a text offset into sight, a third from the top."""
        self._go(max(0, line_at(self._lines, offset) - self.size.height // 3))

    def action_down(self) -> None:
        """One line down, or the selection to the next paragraph."""
        if self._choice:
            self._choose(self._choice.moved(1))
        else:
            self._go(self.scroll_offset.y + 1)

    def action_up(self) -> None:
        """One line up, or the selection to the paragraph before."""
        if self._choice:
            self._choose(self._choice.moved(-1))
        else:
            self._go(self.scroll_offset.y - 1)

    def action_page_down(self) -> None:
        """One page down, two lines kept."""
        self._go(self.scroll_offset.y + max(1, self.size.height - 2))

    def action_page_up(self) -> None:
        """One page up, two lines kept."""
        self._go(self.scroll_offset.y - max(1, self.size.height - 2))

    def action_first(self) -> None:
        """Start of the text."""
        self._go(0)

    def action_last(self) -> None:
        """End of the text."""
        self._go(len(self._lines))

    def action_next_section(self) -> None:
        """Next section."""
        self._section(1)

    def action_previous_section(self) -> None:
        """Previous section, or the start of this one."""
        self._section(-1)

    def _section(self, step: int) -> None:
        if not self._lines or not self._document.headings:
            return
        top = self._lines[min(self.scroll_offset.y, len(self._lines) - 1)][0]
        here = self._heading_at(top)
        on_it = here >= 0 and line_at(self._lines, self._document.headings[here].start) == (
            self.scroll_offset.y
        )
        target = here + 1 if step > 0 else here - 1 if on_it else here
        if 0 <= target < len(self._document.headings):
            self._go(line_at(self._lines, self._document.headings[target].start))

    def action_outline(self) -> None:
        """Ask for the outline."""
        self.post_message(self.OutlineAsked())

    # Finding

    def action_find(self) -> None:
        """Ask for what to find."""
        self.post_message(self.FindAsked())

    def find(self, query: str) -> int:
        """Mark every place where `query` stands, go to the first from here on, and count them."""
        self._hits = find(self._document.text, query)
        self._strips.clear()
        top = self._lines[min(self.scroll_offset.y, len(self._lines) - 1)][0] if self._lines else 0
        self._hit = min(bisect_right(self._hits, (top, -1)), len(self._hits) - 1)
        if self._hits:
            self.go_to(self._hits[self._hit][0])
        self.refresh()
        return len(self._hits)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Keys that go from hit to hit are the screen's while nothing was found."""
        return bool(self._hits) if action in ("next", "previous") else True

    def action_next(self) -> None:
        """Next place found."""
        self._step(1)

    def action_previous(self) -> None:
        """Previous place found."""
        self._step(-1)

    def _step(self, step: int) -> None:
        if self._hits:
            self._hit = (self._hit + step) % len(self._hits)
            self._strips.clear()
            self.go_to(self._hits[self._hit][0])
            self.refresh()

    # Selecting

    @property
    def chosen(self) -> tuple[int, int] | None:
        """The selected stretch as offsets into the text; None when nothing is selected."""
        return self._choice.span if self._choice else None

    def choose_nothing(self) -> None:
        """End selecting."""
        self._choose(None)

    def on_key(self, event: Key) -> None:
        """Escape ends selecting before it leaves the reader."""
        if event.key == "escape" and self._choice:
            event.stop()
            event.prevent_default()
            self.choose_nothing()

    def action_select(self) -> None:
        """Select the paragraph at the top of what is in sight; again, nothing."""
        if self._choice or not self._lines:
            self._choose(None)
        else:
            top = self._lines[min(self.scroll_offset.y, len(self._lines) - 1)][0]
            self._choose(Choice.at(self._document.text, top))

    def action_grow(self) -> None:
        """Take the next paragraph into the selection."""
        if self._choice:
            self._choose(self._choice.grown(1))

    def action_shrink(self) -> None:
        """Leave the selection's last paragraph out again."""
        if self._choice:
            self._choose(self._choice.grown(-1))

    def _choose(self, choice: Choice | None) -> None:
        self._choice = choice
        self._strips.clear()
        if choice:
            first, last = (line_at(self._lines, offset) for offset in choice.span)
            height = self.size.height
            end_first = max(0, last - height + 1)
            if first < self.scroll_offset.y or last >= self.scroll_offset.y + height:
                self._go(first if choice.first == choice.last else end_first)
        self.refresh()
        self.post_message(self.Chosen(self, self.chosen))
