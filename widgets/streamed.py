"""Markdown that grows: one widget per answer, of which only the last block is drawn anew.

A widget for every paragraph costs layout by the number of paragraphs at each word (350 ms of CPU at
3,000 tokens of Textual's own Markdown); here a block that is complete is turned into lines once.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.markdown import Markdown
    from rich.style import Style

_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
# One block may not grow without end either: hostile output need not hold a blank line.
_LONGEST_BLOCK = 4000
_STYLES = {
    "markdown.code": "bold",
    "markdown.code_block": "none",
    "markdown.item.bullet": "bold",
    "markdown.item.number": "bold",
    "markdown.link": "underline",
    "markdown.link_url": "underline",
    "markdown.block_quote": "italic",
}


class Growing(Widget):
    """A widget that a layout made larger and that is drawn once for it.

    Textual lays out and draws again when a widget's virtual size has changed, which matters where
    scrollbars may come and go. Here that would send each line of a stream twice.
    """

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)


class Streamed(Growing):
    """Shows Markdown; `append` costs the same at the end of a long answer as at its beginning."""

    DEFAULT_CSS = """
    Streamed { height: auto; width: 1fr; background: $background; color: $foreground; }
    """

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._done: list[str] = []
        self._open = ""
        self._width = 0
        self._lines: list[Strip] = []
        # How many lines, and of which blocks, are those of complete blocks.
        self._kept = 0
        self._drawn = 0
        if text:
            self._take(text)

    @property
    def text(self) -> str:
        """All that is shown, as Markdown."""
        return "".join(self._done) + self._open

    def append(self, text: str) -> None:
        """Show some more."""
        before, first = self._lines[self._kept :], self._kept
        count = len(self._lines)
        self._take(text)
        if not self._width:
            return
        self._wrap(self._width)
        if len(self._lines) != count:
            self.refresh(layout=True)
            return
        # What stands above the line that grew is not sent again.
        for old, new in zip(before, self._lines[first:], strict=True):
            if old != new:
                break
            first += 1
        self.refresh(Region(0, first, self._width, len(self._lines) - first))

    def update(self, text: str) -> None:
        """Show something else."""
        self._done, self._open = [], ""
        self._lines, self._kept, self._drawn = [], 0, 0
        self._take(text)
        self.refresh(layout=True)

    def _take(self, text: str) -> None:
        """Add text, and close the blocks that a blank line ends outside a code fence."""
        self._open += text
        while (end := _block_end(self._open)) > 0:
            self._done.append(self._open[:end])
            self._open = self._open[end:]

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """All there is."""
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Lines at this width."""
        self._wrap(width)
        return max(1, len(self._lines))

    def render_line(self, y: int) -> Strip:
        """One line."""
        base = self.rich_style
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, base)
        return self._lines[y].apply_style(base).adjust_cell_length(width, base)

    def _wrap(self, width: int) -> None:
        if width != self._width:
            self._width, self._lines, self._kept, self._drawn = width, [], 0, 0
        if width <= 0:
            return
        del self._lines[self._kept :]
        for block in self._done[self._drawn :]:
            self._add(block, width)
        self._drawn, self._kept = len(self._done), len(self._lines)
        if self._open.strip():
            self._add(self._open, width)

    def _add(self, block: str, width: int) -> None:
        _add(self._lines, block, width)


def markdown_lines(text: str, width: int) -> list[Strip]:
    """Markdown that grows no more, as lines of at most `width` cells."""
    lines: list[Strip] = []
    while (end := _block_end(text)) > 0:
        _add(lines, text[:end], width)
        text = text[end:]
    if text.strip():
        _add(lines, text, width)
    return lines


def text_lines(text: str, style: Style, width: int) -> list[Strip]:
    """Plain words in one style, wrapped."""
    from rich.text import Text

    console = _console()
    options = console.options.update(width=width, highlight=False)
    return [Strip(line) for line in console.render_lines(Text(text, style), options, pad=False)]


def _add(lines: list[Strip], block: str, width: int) -> None:
    drawn = [Strip(line) for line in _drawn(block, width)]
    if drawn and lines:
        drawn.insert(0, Strip([]))
    lines += drawn


def _block_end(text: str) -> int:
    """Where the first block of `text` ends for good; 0 while it may go on."""
    offset, fenced = 0, False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line):
            fenced = not fenced
        if not line.strip() and not fenced and text[:offset].strip() and line.endswith("\n"):
            return offset + len(line)
        offset += len(line)
        if offset > _LONGEST_BLOCK and line.endswith("\n"):
            return offset
    return len(text) if len(text) > 2 * _LONGEST_BLOCK else 0


def _drawn(block: str, width: int) -> list[list[Segment]]:
    """A block's lines as segments, without blank ones at either end."""
    console = _console()
    options = console.options.update(width=width, highlight=False)
    lines = console.render_lines(_markdown(block), options, pad=False)
    while lines and not "".join(segment.text for segment in lines[-1]).strip():
        lines.pop()
    while lines and not "".join(segment.text for segment in lines[0]).strip():
        lines.pop(0)
    return lines


_made: list[Console] = []


def _console() -> Console:
    """A console that only measures and styles; made when the first answer is drawn."""
    if not _made:
        from rich.console import Console
        from rich.theme import Theme

        _made.append(
            Console(
                file=io.StringIO(),
                force_terminal=True,
                color_system="truecolor",
                theme=Theme(_STYLES),
                legacy_windows=False,
            )
        )
    return _made[0]


def _markdown(block: str) -> Markdown:
    """Rich's Markdown with headings at the left; links are shown and never made clickable."""
    from rich.markdown import Heading, Markdown

    class _Heading(Heading):
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            self.text.justify = "left"
            yield self.text

    class _Left(Markdown):
        elements = {**Markdown.elements, "heading_open": _Heading}  # noqa: RUF012

    return _Left(block, hyperlinks=False, code_theme="ansi_dark")
