"""From lines in reading order to headings, paragraphs, captions, equations and references."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui.corpus.document import Block, BlockKind
from tui.corpus.extract.text import KNOWN_HEADINGS, section_kind
from tui.corpus.identity import fold
from tui.corpus.layout import Line, mostly_bold, pitch, usual_size
from tui.corpus.lines import joined
from tui.corpus.normalise import joiner
from tui.domain.paper import SectionKind

_NUMBER = re.compile(
    r"(?:(?P<digits>\d{1,2}(?:\.\d{1,2}){0,3})\.?|(?P<roman>[IVX]{1,5})\.|(?P<letter>[A-Z])(?:\.\d{1,2}){0,2}\.?"
    r"|(?P<word>Appendix(?:\s+[A-Z\d])?|Chapter\s+\d+|Section\s+\d+)[.:]?)\s+(?P<title>\S.*)",
)
_CAPTION = re.compile(
    r"(?:fig(?:ure|\.)?|table|tab\.|algorithm|listing|scheme|box|plate)\s*(?:[A-Z]?\d{1,3}|[IVX]{1,5}|[A-Z])"
    r"(?:\s*[.:|—–-]|\s*$|\s+(?=[A-Z(]))",
    re.IGNORECASE,
)
_CAPTION_INITIALS = frozenset("FfTtAaLlSsBbPp")
_RUN_IN_ABSTRACT = re.compile(r"(abstract|summary)\s*[-—–.:]+\s*(?=\S)", re.IGNORECASE)
_KEYWORDS = re.compile(
    r"(?:key\s?words|index terms|categories and subject|general terms|ccs concepts|jel )", re.I
)
_REFERENCE_START = re.compile(r"(?:\[[^\]]{1,12}\]|\(?\d{1,3}[.)])\s*(?=\S)")
_BULLET = re.compile(r"(?:[•▪■◦‣–—*]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+\S")
_MATHS = re.compile(r"[=≤≥≠≈∈∑∏∫√∂∇→⇒∞×·±∀∃∪∩⊂⊆λμσαβγδεθπφψω∝∼≡⟨⟩]")
_TERMINAL = re.compile(r"[.!?:][\"'”’)\]]*(?:\[[\d,\s–-]+\])?\d{0,2}$")
_NUMERIC = re.compile(r"[-+±.,%\d/()*<>=x×–]+$")


class _Builder:
    """Collects blocks; what floats (captions, tables, footnotes) never ends a paragraph."""

    def __init__(self, lines: Sequence[Line], outline: Sequence[tuple[int, str]]) -> None:
        self.lines = lines
        self.body = usual_size(lines)
        self.pitch = pitch(lines, self.body)
        self.outline = {fold(re.sub(r"^[\d.]+\s+", "", title)): level for level, title in outline}
        self.bold_body = mostly_bold(lines, self.body)
        self.numbered = sum(1 for line in lines if self._numbered(line)) >= 3
        self._titles: frozenset[str] | None = None
        self.join = joiner("\n".join(line.text for line in lines))
        self.blocks: list[Block] = []
        self._floats: list[Block] = []
        self._run: list[Line] = []
        self._kind = SectionKind.BODY
        self._levels: list[tuple[float, bool]] = []

    def build(self) -> list[Block]:
        position = 0
        while position < len(self.lines):
            position = self._next(position)
        self._close()
        return self.blocks

    def _next(self, position: int) -> int:  # noqa: PLR0911
        """Take one element, beginning at a line; returns the position after it."""
        line = self.lines[position]
        length = self._heading(position)
        if length:
            self._open(self.lines[position : position + length])
            return position + length
        if self._kind is SectionKind.REFERENCES:
            self._reference(line)
            return position + 1
        abstract = _RUN_IN_ABSTRACT.match(line.text) if line.page <= 2 else None
        if abstract and not any(b.kind_of_section is SectionKind.ABSTRACT for b in self.blocks):
            self._close()
            self._section(abstract[1].capitalize(), 1, line, SectionKind.ABSTRACT)
            line.text = line.text[abstract.end() :]
            self._run.append(line)
            return position + 1
        if self._is_caption(line):
            return self._caption(position)
        if self._is_prose(line):
            return self._text(position)
        end = self._loose(position)
        if end > position:
            self._floats.append(self._joined(BlockKind.TABLE, self.lines[position:end], "\n"))
            return end
        end = position
        while end < len(self.lines) and self._is_equation(self.lines[end]):
            end += 1
        if end > position:
            self._close()
            self.blocks.append(self._joined(BlockKind.EQUATION, self.lines[position:end], "\n"))
            return end
        if self._is_footnote(line):
            return self._footnote(position)
        return self._text(position)

    def _text(self, position: int) -> int:
        line = self.lines[position]
        if self._run and self._begins(line, self._run[-1]):
            self._close()
        self._run.append(line)
        return position + 1

    def _is_prose(self, line: Line) -> bool:
        """Whether a line can be nothing but text: of its size, long, and most of a column wide."""
        return (
            abs(line.size - self.body) < 0.3
            and len(line.text) > 40
            and line.x1 - line.x0 > 0.7 * (line.right - line.left)
            and line.text[-12:].islower()
        )

    # headings

    def _strong(self, line: Line) -> bool:
        """Set larger or bolder than the text."""
        return line.size > self.body * 1.07 or (line.bold and not self.bold_body)

    def _numbered(self, line: Line) -> bool:
        match = _NUMBER.fullmatch(line.text)
        if match is None or len(line.text) >= 120:
            return False
        return self._strong(line) or match["title"].isupper()

    def _heading(self, position: int) -> int:
        """How many lines of a heading begin here; 0 where none does."""
        line = self.lines[position]
        text = line.text.strip()
        if len(text) > 150 or len(text) < 3:
            return 0
        if len(text) > 60 and not self._strong(line) and not line.italic and text[1:2].islower():
            return 0  # nearly every line of prose ends here
        if not any(c.isalpha() for c in text):
            return 0
        if not self._looks_like_heading(position) or self._is_contents(text):
            return 0
        length = 1
        while length < 3 and position + length < len(self.lines):
            after = self.lines[position + length]
            same = abs(after.size - line.size) < 0.3 and after.bold == line.bold
            close = 0 < after.gap < line.size * 1.6
            if not (same and close and self._strong(line) and not _NUMBER.fullmatch(after.text)):
                break
            if KNOWN_HEADINGS.fullmatch(after.text.strip(" :.")) or len(after.text) > 100:
                break
            length += 1
        return length if length < 3 or line.size > self.body * 1.07 else 0

    def _looks_like_heading(self, position: int) -> bool:  # noqa: PLR0911
        line = self.lines[position]
        text = line.text.strip()
        match = _NUMBER.fullmatch(text)
        bare = (match["title"] if match else text).strip(" .:")
        strong = self._strong(line)
        alone = line.gap < 0 or line.gap > self.pitch * 1.15
        after = self.lines[position + 1] if position + 1 < len(self.lines) else None
        alone_below = after is None or after.gap < 0 or after.gap > self.pitch * 1.1
        if self._is_caption(line) or bare.count("  ") or bare.endswith((",", ";", "-")):
            return False
        if (
            self.outline
            and self.outline.get(fold(bare))
            and (strong or alone or line.italic or bare.isupper())
        ):
            return True
        capitals = bare.isupper() and len(bare) > 3
        if KNOWN_HEADINGS.fullmatch(bare):
            return strong or capitals or line.italic or (alone and alone_below) or bool(match)
        if self._kind is SectionKind.REFERENCES:
            return bool(match and match["word"]) and strong
        if not (bare[:1].isupper() or bare[:1].isdigit()) or _sentence(bare):
            return False
        if match and (match["digits"] or match["roman"] or match["letter"] or match["word"]):
            if match["digits"] and int(match["digits"].split(".")[0]) > 30:
                return False
            if self._tabular(line) or not re.search(r"[^\W\d_]{3,}", bare):
                return False
            slanted = line.italic and len(bare) < 70 and (match["letter"] or "." in text[:4])
            return (strong or capitals or bool(slanted)) and (alone or strong)
        if not strong or len(text) > 90 or self._tabular(line) or not alone:
            return False
        if not re.search(r"[^\W\d_]{3,}", text):
            return False
        if after is not None and (self._tabular(after) or self._is_cell(after)):
            return False
        left = line.x0 - line.left < line.size * 1.5
        if self.numbered or self.outline:
            larger = line.size > self.body * 1.12
            return larger or (left and alone_below and len(text) < 60 and not self.outline)
        centred = abs((line.x0 + line.x1) / 2 - (line.left + line.right) / 2) < line.size * 2
        return left or centred

    def _is_contents(self, text: str) -> bool:
        """Whether a line is of a table of contents: a title that comes again, and a page."""
        title = re.sub(r"[\s.]+\d{1,3}$", "", text)
        if title == text:
            return False
        if self._titles is None:
            self._titles = frozenset(fold(line.text) for line in self.lines if len(line.text) < 120)
        return ". ." in text or "..." in text or fold(title) in self._titles

    def _is_cell(self, line: Line) -> bool:
        """Whether a line could be a row of a table: short and smaller than the text."""
        return line.size < self.body * 0.95 and line.x1 - line.x0 < (line.right - line.left) * 0.6

    def _open(self, lines: Sequence[Line]) -> None:
        self._close()
        text = self.join(" ".join(line.text for line in lines))
        match = _NUMBER.fullmatch(text)
        bare = (match["title"] if match else text).strip(" .:")
        self._section(
            text.strip(), self._level(lines[0], match, bare), lines[0], section_kind(text)
        )

    def _level(self, line: Line, match: re.Match[str] | None, bare: str) -> int:
        if level := self.outline.get(fold(bare)):
            return level
        if match and match["digits"]:
            return match["digits"].count(".") + 1
        if match and (match["roman"] or match["word"]):
            return 1
        if KNOWN_HEADINGS.fullmatch(bare):
            return 1
        if match and match["letter"]:
            return 2 if "." not in match[0].split()[0].rstrip(".") else 3
        style = (line.size, line.bold)
        larger = [s for s in self._levels if s[0] > style[0] + 0.4]
        if style not in self._levels:
            self._levels.append(style)
        return 2 if larger or self.numbered else 1

    def _section(self, title: str, level: int, line: Line, kind: SectionKind) -> None:
        self._kind = kind
        self.blocks.append(Block(BlockKind.HEADING, title, level, ((0, line.page),), kind))

    # what floats

    def _is_caption(self, line: Line) -> bool:
        return (
            line.text[:1] in _CAPTION_INITIALS
            and _CAPTION.match(line.text) is not None
            and (
                line.gap < 0
                or line.gap > self.pitch * 1.1
                or line.bold
                or line.size < self.body * 0.95
            )
        )

    def _caption(self, position: int) -> int:
        first = self.lines[position]
        end = position + 1
        while end < len(self.lines) and end - position < 25:
            line = self.lines[end]
            near = 0 < line.gap < first.size * 1.55
            same = abs(line.size - first.size) < 0.6 and line.column == first.column
            if not (near and same) or self._is_caption(line) or self._tabular(line):
                break
            if abs(first.size - self.body) < 0.3 and _TERMINAL.search(self.lines[end - 1].text):
                short = self.lines[end - 1].x1 < line.right - 3 * line.size
                if short or line.gap > self.pitch * 1.1:
                    break
            end += 1
        self._floats.append(self._joined(BlockKind.CAPTION, self.lines[position:end]))
        return end

    def _tabular(self, line: Line) -> bool:
        tokens = line.text.split()
        numbers = sum(1 for token in tokens if _NUMERIC.match(token))
        return numbers >= 2 and numbers * 2 >= len(tokens)

    def _loose(self, position: int) -> int:
        """The end of a run of table cells or a picture's labels; `position` where none begins."""
        end = position
        while end < len(self.lines):
            line = self.lines[end]
            short = line.x1 - line.x0 < (line.right - line.left) * 0.55
            small = line.size < self.body * 0.9
            wordless = len(re.findall(r"[a-z]{3,}", line.text)) < 3
            cell = (
                self._tabular(line)
                or (small and short)
                or (short and wordless and len(line.text) < 25)
            )
            if (
                not cell
                or self._is_caption(line)
                or (self._is_footnote(line) and not self._tabular(line))
            ):
                break
            if end > position and self._heading(end):
                break
            end += 1
        lines = self.lines[position:end]
        if len(lines) >= 3 or (
            lines and all(self._tabular(line) for line in lines) and len(lines) >= 2
        ):
            return end
        return position

    def _is_footnote(self, line: Line) -> bool:
        return (
            line.size < self.body * 0.93
            and re.match(r"(?:\d{1,2}|[*∗†‡§¶])\s*[A-Zh]", line.text) is not None
        )

    def _footnote(self, position: int) -> int:
        first = self.lines[position]
        end = position + 1
        while end < len(self.lines):
            line = self.lines[end]
            if not 0 < line.gap < first.size * 1.6 or abs(line.size - first.size) > 0.4:
                break
            if self._is_footnote(line):
                break
            end += 1
        self._floats.append(self._joined(BlockKind.PARAGRAPH, self.lines[position:end]))
        return end

    def _is_equation(self, line: Line) -> bool:
        text = line.text
        words = len(re.findall(r"[A-Za-z]{4,}", text))
        indented = line.x0 > line.left + line.size * 1.5
        numbered = re.search(r"\((?:\d{1,2}\.)?\d{1,3}[a-z]?\)$", text) is not None
        return (
            len(text) < 120
            and words <= 2
            and indented
            and bool(_MATHS.search(text) or (numbered and len(text) < 60))
        )

    # text

    def _reference(self, line: Line) -> None:
        if self._run and self._new_reference(line, self._run[-1]):
            self._close()
        self._run.append(line)

    def _new_reference(self, line: Line, before: Line) -> bool:
        if _REFERENCE_START.match(line.text):
            return True
        if any(_REFERENCE_START.match(run.text) for run in self._run[:1]):
            return False
        hanging = line.x0 < line.left + line.size * 0.5 and self._run[-1].x0 > self._run[0].x0 + 2
        return (
            hanging
            or (line.gap > self.pitch * 1.3)
            or (
                before.x1 < before.right - 4 * before.size
                and before.text.endswith(".")
                and line.x0 < line.left + 2
            )
        )

    def _begins(self, line: Line, before: Line) -> bool:  # noqa: PLR0911
        """Whether a line begins a paragraph."""
        ended = _TERMINAL.search(before.text) is not None
        if _KEYWORDS.match(line.text) and line.page <= 2:
            return True
        if line.text[:1].islower() and not ended:
            return False
        if abs(line.size - before.size) > self.body * 0.09 and ended:
            return True
        short = before.x1 < before.right - 3 * before.size
        indent = line.size * 0.6 < line.x0 - line.left < line.size * 5
        if line.gap < 0:
            return ended and (indent or short)
        if line.gap > self.pitch * 1.45:
            return ended or line.gap > self.pitch * 2.2
        if _BULLET.match(line.text) and (ended or short):
            return True
        return (ended and short) or (
            indent and before.x0 - before.left < before.size * 0.5 and ended
        )

    def _joined(self, kind: BlockKind, lines: Sequence[Line], between: str = " ") -> Block:
        return joined(kind, lines, self.join, between)

    def _close(self) -> None:
        if self._run:
            references = self._kind is SectionKind.REFERENCES
            kind = BlockKind.REFERENCE if references else BlockKind.PARAGRAPH
            self.blocks.append(self._joined(kind, self._run))
            self._run = []
        self.blocks.extend(self._floats)
        self._floats = []


def structure(lines: Sequence[Line], outline: Sequence[tuple[int, str]]) -> list[Block]:
    """The blocks of a paper from its lines in reading order.

    Headings are told by the outline, their fonts and their numbering; `outline` is (level, title).
    """
    return _Builder(lines, outline).build()


def _sentence(text: str) -> bool:
    return len(text.split()) > 14 or (text.endswith(".") and len(text.split()) > 6)
