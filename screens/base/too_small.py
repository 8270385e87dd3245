"""A terminal that is too small gets a sentence instead of a broken screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

MINIMUM = Size(60, 16)


def is_too_small(size: Size) -> bool:
    """Whether no screen can be drawn in `size`."""
    return size.width < MINIMUM.width or size.height < MINIMUM.height


class TooSmall(ModalScreen[None], inherit_bindings=False):
    """Covers the screen, whose state is kept, until the terminal is large enough again."""

    DEFAULT_CSS = """
    TooSmall { align: center middle; background: $background; color: $foreground; }
    TooSmall Static { width: 100%; height: auto; text-align: center; }
    """

    def compose(self) -> ComposeResult:
        """One sentence, centred."""
        yield Static(
            Content(f"papertune needs {MINIMUM.width}×{MINIMUM.height}; make the terminal larger.")
        )
