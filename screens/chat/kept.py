"""An exchange that has ended, as one widget: its lines are made once and only shown after that.

The parts of an exchange under way are nine widgets, and to lay those out is what a page costs in a
long conversation; nothing of an exchange that has ended changes any more.
"""

from __future__ import annotations

from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from screens.chat.told import REFUSAL, asked, facts, label, notes, problems
from tui.chat.cite import marked
from tui.domain.chat import Exchange
from widgets.streamed import markdown_lines, text_lines


class KeptView(Widget):
    """One question with its one answer."""

    COMPONENT_CLASSES = {  # noqa: RUF012
        "kept--asked", "kept--label", "kept--refusal", "kept--problems", "kept--notes",
        "kept--facts",
    }  # fmt: skip
    DEFAULT_CSS = """
    KeptView { height: auto; padding: 0 1 1 1; background: $background; color: $foreground; }
    KeptView > .kept--asked { color: $accent; text-style: bold; }
    KeptView > .kept--label { color: $muted; }
    KeptView > .kept--refusal { color: $accent; }
    KeptView > .kept--problems { color: $warning; }
    KeptView > .kept--notes { color: $muted; }
    KeptView > .kept--facts { color: $muted; }
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.key = exchange.id
        self._exchange = exchange
        self._width = 0
        self._lines: list[Strip] = []

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """All there is."""
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Lines at this width."""
        self._wrap(width)
        return len(self._lines)

    def notify_style_update(self) -> None:
        """Another theme has other colours."""
        super().notify_style_update()
        self._width = 0

    def render_line(self, y: int) -> Strip:
        """One line."""
        base, width = self.rich_style, self.size.width
        self._wrap(width)
        if y >= len(self._lines):
            return Strip.blank(width, base)
        return self._lines[y].apply_style(base).adjust_cell_length(width, base)

    def _wrap(self, width: int) -> None:
        if width == self._width or width <= 0:
            return
        self._width = width
        answer, kind = self._exchange.answer, label(self._exchange)
        self._lines = self._told("asked", [asked(self._exchange.question)])
        if kind:
            self._lines += self._told("label", [f"  {kind}"])
        self._lines += [*markdown_lines(marked(answer.text, answer.flaws), width), Strip([])]
        self._lines += self._told("refusal", [REFUSAL] if answer.refused else [])
        self._lines += self._told("problems", problems(answer))
        self._lines += self._told("notes", notes(answer))
        self._lines += self._told("facts", [facts(answer)])

    def _told(self, name: str, lines: list[str]) -> list[Strip]:
        style = self.get_component_rich_style(f"kept--{name}", partial=True)
        return [strip for line in lines for strip in text_lines(line, style, self._width)]
