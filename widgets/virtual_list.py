"""One list for data of any length: it draws only the rows in sight and repaints only what changed.

DataTable and OptionList measure every cell they hold (28 and 18 CPU-seconds at 100,000 rows); this
list holds a page of rows and asks its source for the next one from a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events, work
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import Worker, WorkerState

from tui.keymap import bindings
from widgets.rows import Column, Held, Row, RowSource, line

PAGE = 100  # rows asked for at once: two screens of a tall terminal


class VirtualList(ScrollView, can_focus=True):
    """A list with a cursor, columns that adapt to the width, and a selection by key."""

    BINDINGS = bindings("list")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "virtual-list--header",
        "virtual-list--cursor",
        "virtual-list--cursor-blurred",
        "virtual-list--selected",
        "virtual-list--dim",
        "virtual-list--warning",
    }
    DEFAULT_CSS = """
    VirtualList {
        height: 1fr;
        background: $background;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        overflow-y: auto;
    }
    VirtualList > .virtual-list--header { color: $muted; text-style: none; }
    VirtualList > .virtual-list--cursor { background: $cursor; color: $cursor-text; }
    VirtualList > .virtual-list--cursor-blurred { background: $cursor-blurred; }
    VirtualList > .virtual-list--selected { color: $accent; }
    VirtualList > .virtual-list--dim { color: $muted; }
    VirtualList > .virtual-list--warning { color: $warning; }
    """

    cursor: reactive[int] = reactive(0, repaint=False)

    @dataclass
    class Told(Message):
        """Anything the list tells; `@on(VirtualList.Moved, "#papers")` picks one of several."""

        list: VirtualList

        @property
        def control(self) -> VirtualList:
            """The list."""
            return self.list

    @dataclass
    class Moved(Told):
        """The cursor is on another row; `row` is None while it is being fetched."""

        index: int
        row: Row | None

    @dataclass
    class Opened(Told):
        """A row was opened."""

        row: Row

    @dataclass
    class Selected(Told):
        """The selection changed."""

        keys: frozenset[str]

    @dataclass
    class Failed(Message):
        """The source could not give its rows."""

        error: BaseException

    @dataclass
    class Fetched(Message):
        """Rows came from the source; internal."""

        source: RowSource
        offset: int
        rows: Sequence[Row]

    @dataclass
    class Keys(Message):
        """Keys of a whole range came from the source; internal."""

        source: RowSource
        keys: Sequence[str]

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        header: bool = True,
        selectable: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._header = int(header)
        self._selectable = selectable
        self._source: RowSource = Held(())
        self._count = 0
        self._pages: LRUCache[int, Sequence[Row]] = LRUCache(16)
        self._asked: set[int] = set()
        self._selection: set[str] = set()
        self._anchor: int | None = None
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(512)

    # What it shows

    def show(
        self,
        source: RowSource,
        count: int,
        first: Sequence[Row] = (),
        at: int = 0,
        columns: Sequence[Column] | None = None,
    ) -> None:
        """Show `count` rows of `source`; `first` is its first page where it is known already."""
        self._source, self._count = source, count
        self._columns = tuple(columns or self._columns)
        for cache in (self._pages, self._asked, self._strips):
            cache.clear()
        self._anchor = None
        if first:
            self._pages[0] = first
        self.virtual_size = Size(0, count + self._header)
        self.set_reactive(VirtualList.cursor, 0)
        self.cursor = max(0, min(at, count - 1))
        self._follow()
        self.refresh()
        self.post_message(self.Moved(self, self.cursor, self.current))

    def show_rows(self, rows: Sequence[Row], at: int = 0) -> None:
        """Show rows that are in memory."""
        self.show(Held(rows), len(rows), rows[:PAGE], at)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._count

    @property
    def current(self) -> Row | None:
        """The row under the cursor, None when there is none or it is still being fetched."""
        return self.row(self.cursor)

    def row(self, index: int) -> Row | None:
        """A row, if it is at hand; otherwise its page is asked for."""
        if not 0 <= index < self._count:
            return None
        page, position = divmod(index, PAGE)
        rows = self._pages.get(page)
        if rows is None:
            if page not in self._asked:
                self._asked.add(page)
                self._fetch(self._source, page * PAGE)
            return None
        return rows[position] if position < len(rows) else None

    @property
    def selection(self) -> frozenset[str]:
        """Keys of the selected rows, also of rows that are not listed now."""
        return frozenset(self._selection)

    def chosen(self) -> list[str]:
        """What an action is meant for: the selection, else the row under the cursor."""
        if self._selection:
            return sorted(self._selection)
        return [self.current.key] if self.current else []

    def clear_selection(self) -> None:
        """Select nothing."""
        self._select(set())

    # Fetching

    @work(thread=True, exit_on_error=False, group="rows")
    def _fetch(self, source: RowSource, offset: int) -> None:
        self.post_message(self.Fetched(source, offset, source.rows(offset, PAGE)))

    @work(thread=True, exclusive=True, exit_on_error=False, group="keys")
    def _fetch_keys(self, source: RowSource, offset: int, limit: int) -> None:
        self.post_message(self.Keys(source, [row.key for row in source.rows(offset, limit)]))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Hand a source's error on; textual tells it only to whoever started the worker."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.post_message(self.Failed(event.worker.error))

    def on_virtual_list_fetched(self, event: Fetched) -> None:
        """Take rows in, unless the list shows something else by now."""
        event.stop()
        if event.source is not self._source:
            return
        page = event.offset // PAGE
        self._asked.discard(page)
        self._pages[page] = event.rows
        self.refresh()
        if self.cursor // PAGE == page:
            self.post_message(self.Moved(self, self.cursor, self.current))

    def on_virtual_list_keys(self, event: Keys) -> None:
        """Select a range whose rows were not at hand."""
        event.stop()
        if event.source is self._source:
            self._select(self._selection | set(event.keys))

    # Drawing

    def render_line(self, y: int) -> Strip:
        """One line of the viewport: the header stays, rows scroll beneath it."""
        width = self.size.width
        if self._header and y == 0:
            return self._strip(("header", width), self._titles(), "virtual-list--header", width)
        index = self.scroll_offset.y + y - self._header
        if index >= self._count:
            return Strip.blank(width, self.rich_style)
        row = self.row(index)
        texts, tone, key = (row.cells, row.tone, row.key) if row else (("…",), "dim", "")
        selected = key in self._selection
        component = (
            "virtual-list--selected" if selected else f"virtual-list--{tone}" if tone else ""
        )
        cursor = ""
        if index == self.cursor:
            cursor = "virtual-list--cursor" + ("" if self.has_focus else "-blurred")
        return self._strip(
            (index, width, selected, cursor, texts, tone), texts, component, width, cursor, selected
        )

    def _strip(
        self,
        cache_key: tuple[object, ...],
        texts: Sequence[str],
        component: str,
        width: int,
        cursor: str = "",
        selected: bool = False,
    ) -> Strip:
        strip = self._strips.get(cache_key)
        if strip is None:
            style = self.rich_style
            for name in (cursor, component):
                if name:
                    style += self.get_component_rich_style(name, partial=True)
            strip = Strip([Segment(line(self._columns, texts, width, selected), style)], width)
            self._strips[cache_key] = strip
        return strip

    def _titles(self) -> tuple[str, ...]:
        return tuple(column.title for column in self._columns)

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        self._strips.clear()
        super().notify_style_update()

    # Moving

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, self._count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Repaint two rows, not the list."""
        if not self._follow():
            self._repaint(old)
            self._repaint(new)
        self.post_message(self.Moved(self, new, self.current))

    def _repaint(self, index: int) -> None:
        y = index - self.scroll_offset.y + self._header
        if self._header <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _follow(self) -> bool:
        """Bring the cursor into sight; say whether that scrolled (and so repaints everything).

        It scrolls by half a page, so that over SSH most keys cost two rows and not a screenful.
        """
        visible = self.size.height - self._header
        if visible <= 0:
            return False
        top = self.scroll_offset.y
        if top <= self.cursor < top + visible:
            return False
        if self.cursor in {top - 1, top + visible}:
            target = self.cursor - visible // 2
        else:
            target = self.cursor if self.cursor < top else self.cursor - visible + 1
        self.scroll_to(y=max(0, target), animate=False, force=True, immediate=True)
        return self.scroll_offset.y != top

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._follow()

    def watch_has_focus(self, _has_focus: bool) -> None:
        """The cursor shows whether the keys come here."""
        super().watch_has_focus(_has_focus)
        self._repaint(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one opens."""
        index = self.scroll_offset.y + event.y - self._header
        if event.y >= self._header and 0 <= index < self._count:
            if index == self.cursor and event.chain > 1:
                self.action_open()
            self.cursor = index

    def action_down(self) -> None:
        """Next row."""
        self.cursor += 1

    def action_up(self) -> None:
        """Previous row."""
        self.cursor -= 1

    def action_first(self) -> None:
        """First row."""
        self.cursor = 0

    def action_last(self) -> None:
        """Last row."""
        self.cursor = self._count - 1

    def action_page_down(self) -> None:
        """One page down."""
        self.cursor += max(1, self.size.height - self._header - 1)

    def action_page_up(self) -> None:
        """One page up."""
        self.cursor -= max(1, self.size.height - self._header - 1)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self, self.current))

    # Selecting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Selecting is off in lists where it means nothing; opening in empty ones."""
        if action in {"mark", "range", "all"}:
            return self._selectable
        return True

    def action_mark(self) -> None:
        """Select the row under the cursor, or take it back, and go on to the next."""
        if self.current is None:
            return
        self._anchor = self.cursor
        self._select(self._selection ^ {self.current.key})
        self.cursor += 1

    def action_range(self) -> None:
        """Select from the row that was last selected to the one under the cursor."""
        start, end = sorted((self.cursor if self._anchor is None else self._anchor, self.cursor))
        self._anchor = self.cursor
        self._fetch_keys(self._source, start, end - start + 1)

    def action_all(self) -> None:
        """Select everything listed; again, nothing."""
        if self._selection:
            self._select(set())
        else:
            self._fetch_keys(self._source, 0, self._count)

    def _select(self, keys: set[str]) -> None:
        changed = keys ^ self._selection
        if not changed:
            return
        self._selection = keys
        if len(changed) == 1 and self.current and self.current.key in changed:
            self._repaint(self.cursor)
        else:
            self.refresh()
        self.post_message(self.Selected(self, self.selection))
