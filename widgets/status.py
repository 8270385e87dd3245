"""The frame around every screen: modes on top, facts and keys at the bottom, values in only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

NOTICE_SECONDS = 8.0


class Tone(StrEnum):
    """How a notice is meant."""

    INFO = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line that is shown for a while in place of the facts; a newer one replaces it."""

    text: str
    tone: Tone = Tone.INFO


@dataclass(frozen=True, slots=True)
class Status:
    """What holds across screens: where work is kept, where the API is spoken, what is running."""

    workspace: str = ""
    endpoint: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True)
class GuideStep:
    """Where the guide stands: `key` does the step; `prefill` is what its dialog should offer.

    `mode` is where the step is done; elsewhere its suggestions mean nothing, and `go` leads there.
    `number` is 0 after the last step, when only words are left.
    """

    number: int
    total: int
    text: str
    key: str = ""
    prefill: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""
    go: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """A key and its word; `rank` says which go first when not all fit."""

    key: str
    label: str
    rank: int = 50


def fit(text: str, width: int) -> str:
    """Text cut to `width` cells, ending in `…` where it was cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


class Line(Widget):
    """A widget of one line that draws itself from values and never takes the focus."""

    DEFAULT_CSS = """
    Line { height: 1; width: 1fr; }
    """


class ModeBar(Line):
    """The modes with their keys, the current one marked, the workspace's name at the right."""

    DEFAULT_CSS = """
    ModeBar { background: $panel; color: $muted; }
    ModeBar.-none { display: none; }
    """

    workspace: reactive[str] = reactive("")

    def __init__(self, modes: Sequence[tuple[str, str]], current: str) -> None:
        super().__init__()
        self._modes = modes
        self._current = current
        self.set_class(not modes, "-none")

    def render(self) -> Content:
        """` 1 Corpus  2 Datasets …`, as much of the workspace's name as is left.

        Where the words do not fit, the other modes keep their keys only.
        """
        parts: list[tuple[str, str]] = [(" ", "")]
        whole = sum(len(key) + len(label) + 3 for key, label in self._modes) < self.size.width
        for key, label in self._modes:
            here = label == self._current
            style = "bold $cursor-text on $cursor" if here else "$muted"
            parts.append((f" {key} ", style if here else "$accent"))
            if here or whole:
                parts.append((f"{label} ", style))
        used = sum(cell_len(text) for text, _ in parts)
        name = fit(self.workspace, self.size.width - used - 2)
        parts.append((" " * max(0, self.size.width - used - cell_len(name) - 1), ""))
        parts.append((name, "$muted"))
        return Content.assemble(*parts)


class GuideBar(Line):
    """The guide's step and its key; takes no room while there is no guide."""

    DEFAULT_CSS = """
    GuideBar { background: $mark; color: $mark-text; display: none; }
    GuideBar.-on { display: block; }
    """

    step: reactive[GuideStep | None] = reactive(None)

    def watch_step(self, step: GuideStep | None) -> None:
        """Show or hide the bar."""
        self.set_class(step is not None, "-on")

    def render(self) -> Content:
        """`Step 3 of 8: … — press n`; the key is never what is cut."""
        step = self.step
        if step is None:
            return Content("")
        press = f" — press {step.key}" if step.key else ""
        head = f" Step {step.number} of {step.total}: " if step.number else " "
        text = fit(step.text, self.size.width - cell_len(head) - cell_len(press) - 1)
        return Content.assemble((head, "bold"), text, (press, "bold"))


class StatusLine(Line):
    """A screen's own words at the left, what is running at the right; a notice covers both."""

    DEFAULT_CSS = """
    StatusLine { background: $surface; color: $muted; }
    StatusLine.-error { color: $error; text-style: bold; }
    StatusLine.-warning { color: $warning; }
    StatusLine.-information { color: $foreground; }
    """

    words: reactive[str] = reactive("")
    status: reactive[Status] = reactive(Status())
    notice: reactive[Notice | None] = reactive(None)

    _timer: Timer | None = None

    def watch_notice(self, notice: Notice | None) -> None:
        """Colour the line by its tone and take the notice away after a while."""
        for tone in Tone:
            self.set_class(notice is not None and notice.tone is tone, f"-{tone}")
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if notice is not None:
            self._timer = self.set_timer(NOTICE_SECONDS, self.clear)

    def clear(self) -> None:
        """Take the notice away."""
        self.notice = None

    def render(self) -> Content:
        """The notice, or the facts."""
        width = self.size.width - 2
        if self.notice is not None:
            return Content(" " + fit(self.notice.text, width))
        right = "  ".join(part for part in (self.status.job, self.status.endpoint) if part)
        right = fit(right, width // 2)
        left = fit(self.words, width - cell_len(right) - 1)
        gap = " " * max(1, width - cell_len(left) - cell_len(right))
        return Content(f" {left}{gap}{right}")


class KeyBar(Line):
    """The keys that matter here, most important first, as many as fit."""

    DEFAULT_CSS = """
    KeyBar { background: $panel; color: $foreground; }
    """

    hints: reactive[tuple[Hint, ...]] = reactive(())

    def render(self) -> Content:
        """` a Add  d To dataset … ? Help`: the lowest ranks are left out when room is short."""
        parts: list[tuple[str, str]] = []
        for hint in chosen(self.hints, self.size.width):
            parts += [(f" {hint.key} ", "bold $footer-key-foreground"), (f"{hint.label} ", "")]
        return Content.assemble(*parts)


def chosen(hints: Sequence[Hint], width: int) -> list[Hint]:
    """The hints that fit in `width` cells: help (the last) always, then by rank."""
    ordered = sorted(hints, key=lambda hint: hint.rank)
    if not ordered:
        return []

    def size(hint: Hint) -> int:
        return cell_len(hint.key) + cell_len(hint.label) + 3

    last = ordered.pop()
    room = width - size(last)
    kept: list[Hint] = []
    for hint in ordered:
        if size(hint) > room:
            break
        kept.append(hint)
        room -= size(hint)
    return [*kept, last]
