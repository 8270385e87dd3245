"""The last gate before the terminal: no control character of any text is ever drawn."""

from __future__ import annotations

import re

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

# C0, DEL, C1, and the format characters that reorder or hide what is read. All are of width zero,
# so dropping them moves nothing.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


class ControlFilter(LineFilter):
    """Drops control characters and hyperlinks from whatever is drawn.

    Every widget of textual, Markdown and text areas included, hands escape sequences in its text
    on to the terminal, where they could write the clipboard or repaint the screen.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """The same segments with safe text; they are returned unchanged when they are safe."""
        if not any(_UNSAFE.search(text) or (style and style.link) for text, style, _ in segments):
            return segments
        return [Segment(_UNSAFE.sub("", text), _without_link(style)) for text, style, _ in segments]


def _without_link(style: Style | None) -> Style | None:
    return style.update_link(None) if style is not None and style.link else style
