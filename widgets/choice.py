"""A selection by paragraphs, which needs no cursor and few keys."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

from widgets.text_layout import paragraphs


@dataclass(frozen=True, slots=True)
class Choice:
    """Paragraphs `first` to `last` of a text."""

    paragraphs: tuple[tuple[int, int], ...]
    first: int
    last: int

    @classmethod
    def at(cls, text: str, offset: int) -> Choice | None:
        """The first paragraph that ends after `offset`; None in a text without one."""
        found = tuple(paragraphs(text))
        place = bisect_left(found, offset + 1, key=lambda span: span[1])
        return cls(found, min(place, len(found) - 1), min(place, len(found) - 1)) if found else None

    @property
    def span(self) -> tuple[int, int]:
        """Offsets from the first paragraph's start to the last one's end."""
        return self.paragraphs[self.first][0], self.paragraphs[self.last][1]

    def moved(self, step: int) -> Choice:
        """One paragraph, next to this selection."""
        edge = self.last if step > 0 else self.first
        place = max(0, min(edge + step, len(self.paragraphs) - 1))
        return replace(self, first=place, last=place)

    def grown(self, step: int) -> Choice:
        """One paragraph more at the end, or one fewer."""
        last = max(self.first, min(self.last + step, len(self.paragraphs) - 1))
        return replace(self, last=last)
