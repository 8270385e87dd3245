"""Telling a paper's headings from its other lines, by outline, style and numbering."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui.corpus.extract.text import KNOWN_HEADINGS
from tui.corpus.floats import CAPTION, CAPTION_INITIALS, tabular
from tui.corpus.identity import fold
from tui.corpus.layout import Line
from tui.corpus.styles import Style, Styles
from tui.domain.paper import SectionKind

NUMBER = re.compile(
    r"(?:(?P<digits>\d{1,2}(?:\.\d{1,2}){0,3})[.)]?|(?P<roman>[IVX]{1,5})\."
    r"|(?P<letter>[A-Z])(?:\.\d{1,2}){0,2}[.)]?"
    r"|(?P<word>Appendix(?:\s+[A-Z\d])?|Chapter\s+\d+|Section\s+\d+)[.:]?)"
    r"\s+(?:\|\s*)?(?P<title>\S.*)",
)
# What begins a numbered statement or a labelled note, set like a heading and none.
_STATEMENT = re.compile(
    r"(?:theorem|lemma|proof|proposition|corollary|definition|remark|example|conjecture|claim|"
    r"assumption|observation|property|fact|case|step|note|key\s?words?|index terms|exercise|"
    r"question|hypothesis|algorithm|additional files?|supplementary (?:fig|tab|file)\w*|"
    r"how to cite|grant info\w*|first published|cite this|dear|fig|figure|table|input|output|"
    r"abbreviations|open(?: access)?$|e-?mail|doi|citation|correspond\w+|received|accepted|"
    r"published|editor|copyright|highlights)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{3,}")
_MOST_LINES = 4


class HeadingRules:
    """Whether a heading begins at a line, how long it is, and how deep it stands."""

    def __init__(
        self, lines: Sequence[Line], styles: Styles, outline: Sequence[tuple[int, str]]
    ) -> None:
        self._lines = lines
        self._styles = styles
        self._outline = {fold(re.sub(r"^[\d.]+\s+", "", title)): level for level, title in outline}
        self._body = styles.body
        self._pitch = styles.pitch
        self._numbered = sum(1 for line in lines if self._is_numbered(line)) >= 3
        self._titles: frozenset[str] | None = None
        self._levels: list[Style] = []
        self._top = 0

    def strong(self, line: Line) -> bool:
        """Set larger or bolder than the text."""
        return line.size > self._body * 1.07 or (line.bold and not self._styles.bold_body)

    def _is_numbered(self, line: Line) -> bool:
        text = line.text
        if len(text) >= 120 or not (self.strong(line) or text[-8:].isupper()):
            return False
        match = NUMBER.fullmatch(text)
        return match is not None and (self.strong(line) or match["title"].isupper())

    def length(self, position: int, kind: SectionKind) -> int:  # noqa: PLR0911
        """How many lines of a heading begin at a line; 0 where none does."""
        line = self._lines[position]
        text = line.text.strip()
        style = self._styles.of[position]
        if len(text) > 180 or len(text) < 3:
            return 0
        plain = style in self._styles.text and not line.run_in
        if plain and len(text) > 60 and text[1:2].islower():
            return 0  # nearly every line of prose ends here
        if not any(c.isalpha() for c in text):
            return 0
        if not self._looks_like_one(position, text, kind) or self._is_contents(text):
            return 0
        if line.run_in:
            return 1
        length = 1
        while length < _MOST_LINES and position + length < len(self._lines):
            after = self._lines[position + length]
            other = self._styles.of[position + length]
            same = other == style or (
                abs(after.size - line.size) < 0.3
                and after.bold == line.bold
                and (other in self._styles.heads or line.size > self._body * 1.07)
            )
            close = 0 < after.gap < line.size * 1.6
            if not (same and close and not plain) or NUMBER.fullmatch(after.text):
                break
            bare = after.text.strip(" :.")
            if KNOWN_HEADINGS.fullmatch(bare) or len(after.text) > 130:
                break
            length += 1
        if length > 1:
            larger = line.size > self._body * 1.07
            last = self._lines[position + length - 1]
            total = sum(len(self._lines[position + i].text) for i in range(length))
            if total > (240 if larger else 180) or (
                not larger and (length == _MOST_LINES or (total > 120 and last.text[-1] == "."))
            ):
                return 0
        return length

    def _looks_like_one(self, position: int, text: str, kind: SectionKind) -> bool:  # noqa: PLR0911
        line = self._lines[position]
        match = NUMBER.fullmatch(text)
        bare = (match["title"] if match else text).strip(" .:■●▪□◼")
        if bare.endswith((",", ";", "-")) or self.is_caption(line):
            return False
        if line.run_in:
            return kind is SectionKind.BODY and self._is_run_in(position, match, bare)
        strong = self.strong(line)
        styled = self._styles.of[position] in self._styles.heads
        alone = line.gap < 0 or line.gap > self._pitch * 1.15
        after = self._lines[position + 1] if position + 1 < len(self._lines) else None
        below = after is None or after.gap < 0 or after.gap > self._pitch * 1.1
        listed = self._outline and (strong or alone or line.italic or bare.isupper())
        if listed and self._outline.get(fold(bare)):
            return True
        capitals = bare.isupper() and len(bare) > 3
        if KNOWN_HEADINGS.fullmatch(bare):
            return strong or styled or capitals or line.italic or (alone and below) or bool(match)
        if kind is SectionKind.REFERENCES:
            return bool(match and match["word"]) and strong
        if not (bare[:1].isupper() or bare[:1].isdigit() or styled) or _sentence(bare):
            return False
        if not _WORD.search(bare) or tabular(text):
            return False
        if match:
            return self._is_numbered_one(line, match, strong, styled, capitals, alone)
        if styled and not _STATEMENT.match(bare):
            return (line.gap < 0 or line.gap > self._pitch * 0.85) and self._heads_text(position)
        if not strong or len(text) > 90 or not alone or _STATEMENT.match(bare):
            return False
        if after is not None and (tabular(after.text) or self._is_cell(after)):
            return False
        left = line.x0 - line.left < line.size * 1.5
        if self._numbered or self._outline or self._styles.heads:
            larger = line.size > self._body * 1.12
            return larger and left and self._before_text(position)
        centred = abs((line.x0 + line.x1) / 2 - (line.left + line.right) / 2) < line.size * 2
        return left or centred

    def _is_numbered_one(
        self,
        line: Line,
        match: re.Match[str],
        strong: bool,
        styled: bool,
        capitals: bool,
        alone: bool,
    ) -> bool:
        digits = match["digits"]
        if line.size < self._body * 0.93 and not capitals:
            return False  # a footnote
        if digits:
            top = int(digits.split(".")[0])
            # Sections count upwards; the items of a list begin anew.
            larger = line.size > self._body * 1.07
            if top > 30 or (not larger and (top < self._top or top > self._top + 3)):
                return False
        slanted = (
            line.italic and len(match["title"]) < 90 and (match["letter"] or "." in match[0][:4])
        )
        return (strong or styled or capitals or bool(slanted)) and (alone or strong or styled)

    def _is_run_in(self, position: int, match: re.Match[str] | None, bare: str) -> bool:
        if _STATEMENT.match(bare) or not _WORD.search(bare) or len(bare) > 120:
            return False
        if match and match["digits"] and "." in match["digits"]:
            return True
        styled = self._styles.of[position] in self._styles.run_ins
        return styled and not match and bare[:1].isupper() and len(bare.split()) <= 14

    def _heads_text(self, position: int) -> bool:
        """Whether text or another heading follows, not a table's cells."""
        end = self._styles.group(self._lines, position)
        if end >= len(self._lines) or self._lines[end].gap < 0 or self._lines[end].run_in:
            return True
        style = self._styles.of[end]
        return (
            style in self._styles.text
            or style in self._styles.heads
            or self.is_caption(self._lines[end])
            or len(self._lines[end].text) > 60
        )

    def _before_text(self, position: int) -> bool:
        """Whether prose stands under a line."""
        for line in self._lines[position + 1 : position + 4]:
            if abs(line.size - self._body) < 0.6 and len(line.text) > 30:
                return True
        return False

    def is_caption(self, line: Line) -> bool:
        """Whether a caption begins here."""
        return (
            line.text[:1] in CAPTION_INITIALS
            and CAPTION.match(line.text) is not None
            and (
                line.gap < 0
                or line.gap > self._pitch * 1.1
                or line.bold
                or line.run_in
                or line.size < self._body * 0.95
            )
        )

    def _is_contents(self, text: str) -> bool:
        """Whether a line is of a table of contents: a title that comes again, and a page."""
        if not text[-1].isdigit():
            return False
        title = re.sub(r"[\s.]+\d{1,3}$", "", text)
        if title == text:
            return False
        if self._titles is None:
            self._titles = frozenset(
                fold(line.text) for line in self._lines if len(line.text) < 120
            )
        return ". ." in text or "..." in text or fold(title) in self._titles

    def _is_cell(self, line: Line) -> bool:
        """Whether a line could be a row of a table: short and smaller than the text."""
        return line.size < self._body * 0.95 and line.x1 - line.x0 < (line.right - line.left) * 0.6

    def level(self, position: int, text: str) -> int:  # noqa: PLR0911
        """How deep a heading stands, from 1."""
        line, style = self._lines[position], self._styles.of[position]
        match = NUMBER.fullmatch(text)
        bare = (match["title"] if match else text).strip(" .:■●▪□◼")
        if match and match["digits"]:
            self._top = max(self._top, int(match["digits"].split(".")[0]))
        if level := self._outline.get(fold(bare)):
            return level
        if match and match["digits"]:
            return match["digits"].count(".") + 1
        if match and (match["roman"] or match["word"]):
            return 1
        if KNOWN_HEADINGS.fullmatch(bare):
            return 1
        if match and match["letter"]:
            return 2 if "." not in match[0].split()[0].rstrip(".") else 3
        if line.run_in:
            return 3
        larger = [s for s in self._levels if s[1] > style[1] + 0.4 or (s[2] and not style[2])]
        if style not in self._levels:
            self._levels.append(style)
        return 2 if larger or self._numbered else 1


def _sentence(text: str) -> bool:
    words = text.count(" ") + 1
    return words > 24 or (text.endswith(".") and words > 6)
