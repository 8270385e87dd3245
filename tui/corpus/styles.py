"""The styles a paper is set in: which is its text's, and which its headings', learnt from itself.

A heading's style is one whose lines mostly stand alone, begin like a title and have prose under
them. A label in a picture or the head of a table's column has the first two, never the third.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tui.corpus.extract.text import KNOWN_HEADINGS
from tui.corpus.layout import Line, pitch

Style = tuple[int, float, bool, bool]

_REFERENCES = re.compile(
    r"(?:\d{1,2}\.?\s+|■\s*)?(references|notes and references|bibliography|literature cited)[ :.]*",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|[A-Z]\.)[\s|]+[^\W\d_]")
_SHARE, _SHARE_OF_PLAIN = 0.55, 0.7
_MOST_LINES = 4


def style_of(line: Line) -> Style:
    """A line's style: font, size in half points, weight, slant."""
    return line.font, round(line.size * 2) / 2, line.bold, line.italic


class Styles:
    """What was learnt of one paper's styles."""

    def __init__(self, lines: Sequence[Line]) -> None:
        weights: Counter[Style] = Counter()
        self.of = [style_of(line) for line in lines]
        for line, style in zip(lines, self.of, strict=True):
            weights[style] += len(line.text)
        most = weights.most_common(12)
        main = most[0][0] if most else (0, 10.0, False, False)
        self.body_font = main[0]
        sizes: Counter[float] = Counter()
        for line, style in zip(lines, self.of, strict=True):
            if style == main:
                sizes[line.size] += len(line.text)
        self.body = sizes.most_common(1)[0][0] if sizes else 10.0
        # Some papers set their text in several fonts; each holds much of it.
        least = most[0][1] * 0.2 if most else 0
        self.text = frozenset(
            style for style, weight in most if weight >= least and abs(style[1] - main[1]) <= 1
        )
        self.bold_body = main[2]
        self.pitch = pitch(lines, self.body)
        self.heads: frozenset[Style] = frozenset()
        self.run_ins: frozenset[Style] = frozenset()
        self._learn(lines)

    def _learn(self, lines: Sequence[Line]) -> None:
        heads: Counter[Style] = Counter()
        groups: Counter[Style] = Counter()
        anchored: set[Style] = set()
        run_ins = Counter(style for line, style in zip(lines, self.of, strict=True) if line.run_in)
        end = self._references(lines)
        position = 0
        while position < end:
            style = self.of[position]
            if style in self.text or lines[position].run_in:
                position += 1
                continue
            after = self.group(lines, position)
            groups[style] += 1
            if self._heads_prose(lines, position, after):
                heads[style] += 1
                text = lines[position].text.strip(" .:")
                if _NUMBERED.match(text) or KNOWN_HEADINGS.fullmatch(text):
                    anchored.add(style)
            position = after
        self.heads = frozenset(
            style for style, count in heads.items() if self._enough(style, count, groups, anchored)
        )
        self.run_ins = frozenset(style for style, count in run_ins.items() if count >= 2)

    def _enough(
        self, style: Style, count: int, groups: Counter[Style], anchored: set[Style]
    ) -> bool:
        if style[1] < self.body * 0.85:
            return False
        if style in anchored:
            return count >= 0.4 * groups[style]
        plain = not style[2] and style[1] <= self.body * 1.07
        return count >= 2 and count >= (_SHARE_OF_PLAIN if plain else _SHARE) * groups[style]

    def _references(self, lines: Sequence[Line]) -> int:
        """Where the references begin; a list of works has styles of its own."""
        for position in range(len(lines) - 1, len(lines) // 3, -1):
            line = lines[position]
            if len(line.text) < 30 and _REFERENCES.fullmatch(line.text.strip()):
                return position + 1
        return len(lines)

    def group(self, lines: Sequence[Line], position: int) -> int:
        """The end of the run of lines set alike that begins at a line."""
        style, end = self.of[position], position + 1
        while end < len(lines) and self.of[end] == style and not lines[end].run_in:
            if not 0 < lines[end].gap < lines[end].size * 1.75:
                break
            end += 1
        return end

    def _heads_prose(self, lines: Sequence[Line], start: int, end: int) -> bool:
        first, last = lines[start], lines[end - 1]
        if end - start > _MOST_LINES or not heading_like(first.text, last.text):
            return False
        if 0 < first.gap < self.pitch * 0.9:
            return False
        width = first.right - first.left
        # Without room above it, a line that fills its column is a line of text.
        tight = end - start == 1 and 0 < first.gap < self.pitch * 1.15
        if tight and last.x1 > last.right - last.size * 1.5 and abs(first.size - self.body) < 0.6:
            return False
        left = first.x0 - first.left < first.size * 2.5
        centred = abs((first.x0 + first.x1) / 2 - (first.left + first.right) / 2) < first.size * 2
        if not (left or centred) or width <= 0:
            return False
        return self._prose_at(lines, end) or (
            end < len(lines)
            and self.of[end] not in self.text
            and heading_like(lines[end].text, lines[end].text)
            and self._prose_at(lines, self.group(lines, end))
        )

    def _prose_at(self, lines: Sequence[Line], position: int) -> bool:
        if position >= len(lines):
            return False
        line = lines[position]
        if line.run_in:
            return True
        if self.of[position] not in self.text or line.gap > self.pitch * 4:
            return False
        wide = line.x1 - line.x0 > (line.right - line.left) * 0.55
        return wide and len(line.text) > 20 and any(c.islower() for c in line.text)


def heading_like(first: str, last: str) -> bool:
    """Whether a text of these first and last lines could be a heading."""
    start = first[:1]
    return (
        (start.isupper() or start.isdigit() or not start.isalpha())
        and len(first) <= 140
        and last[-1:] not in ",;-"
        and sum(c.isalpha() for c in first) >= 3
    )
