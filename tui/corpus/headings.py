"""From lines in reading order to headings, paragraphs, captions, equations and references."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui.corpus.document import Block, BlockKind
from tui.corpus.extract.text import KNOWN_HEADINGS, section_kind
from tui.corpus.floats import Place, place_of, tabular, together
from tui.corpus.heading_rules import HeadingRules
from tui.corpus.layout import Line
from tui.corpus.lines import joined
from tui.corpus.normalise import joiner
from tui.corpus.styles import Style, Styles, style_of
from tui.domain.paper import SectionKind

_RUN_IN_ABSTRACT = re.compile(
    r"(?i:(abstract|summary))(?:\s*[-—–.:]+\s*(?=\S)|\s+(?=[A-Z][\w-]*\s.{25}))"
)
# The parts of an abstract, headed like sections in some journals.
_LABEL = re.compile(
    r"(?:background|introduction|context|objectives?|aims?|purpose|rationale|hypothesis|design|"
    r"settings?|participants|patients|interventions?|measurements?|methods?|methodology|"
    r"(?:materials?|patients|subjects) and methods|study design|findings|(?:main |key )?results|"
    r"discussion|conclusions?|interpretation|significance|implications|limitations|"
    r"trial registration|(?:background|aims?) and (?:aims?|objectives?|purpose)|"
    r"(?:aims?|background)[:/ ]+(?:background|aims?|objectives?))[ :.]*",
    re.IGNORECASE,
)
# What follows an abstract on the first page and is none of it.
_AFTER_ABSTRACT = re.compile(
    r"key\s?-?words?\b|index terms|categories and subject|general terms|ccs concepts|jel |©|"
    r"copyright|\(c\) |this is an open|correspond(?:ence|ing)|\*\s?correspond|received\b|"
    r"accepted\b|available online|abbreviations?\b|citation:|to cite|how to cite|doi:|"
    r"https?://(?:dx\.)?doi|editors?:|academic editor|handling editor|open access|e-?mail|"
    r"full list of author|access this article|quick response|address for|funding:|"
    r"peer review under|subject (?:areas|category)|pacs\b|msc\b|ams subject|classification|"
    r"cite this|\W*please cite|article (?:type|history)|supplement(?:ary|al) |permission to|"
    r"published online|"
    r"highlights\b|1 introduction|introduction$",
    re.IGNORECASE,
)
_REFERENCE_START = re.compile(r"(?:\[[^\]]{1,12}\]\s*|\(?\d{1,3}[.)]\s*(?=[^\W\d_]|[“\"‘]))(?=\S)")
# How an entry without a number begins: a family name and initials.
_AUTHOR_FIRST = re.compile(
    r"[^\W\d_a-z][\w’'-]+(?:\s[^\W\d_a-z][\w’'-]+)?,?\s(?:[A-Z]\.|[A-Z]{1,3}\b)"
)
_BULLET = re.compile(r"(?:[•▪■◦‣–—*]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s+\S")
_MATHS = re.compile(r"[=≤≥≠≈∈∑∏∫√∂∇→⇒∞×·±∀∃∪∩⊂⊆λμσαβγδεθπφψω∝∼≡⟨⟩]")
_TERMINAL = re.compile(r"[.!?:][\"'”’)\]]*(?:\[[\d,\s–-]+\])?\d{0,2}$")
_CONTENTS = re.compile(r"(?:table of )?contents[ :.]*", re.IGNORECASE)
_CONTENTS_LINE = re.compile(r".*(?:\.\s?){3,}|.*\s\d{1,3}$|\d+(?:\.\d+)*\.?\s+\S.*")
_FOOTNOTE = re.compile(r"(?:\d{1,2}|[*∗†‡§¶])\s*[A-Zh]")


class _Builder:
    """Collects blocks; what floats (captions, tables, footnotes) never ends a paragraph."""

    def __init__(self, lines: Sequence[Line], outline: Sequence[tuple[int, str]]) -> None:
        self.lines = lines
        self.styles = Styles(lines)
        self.body = self.styles.body
        self.pitch = self.styles.pitch
        self.rules = HeadingRules(lines, self.styles, outline)
        self.join = joiner(line.text for line in lines)
        self.blocks: list[Block] = []
        self._places: dict[int, Place] = {}
        self._floats: list[tuple[Block, Place | None]] = []
        self._run: list[Line] = []
        self._kind = SectionKind.BODY
        self._hanging = False
        self._list = self._numbered_list()
        self._abstract: Line | None = None
        self._labels: Style | None = None
        self._has_abstract = False

    def build(self) -> list[Block]:
        position = 0
        while position < len(self.lines):
            position = self._next(position)
        self._close()
        return together(self.blocks, self._places)

    def _next(self, position: int) -> int:  # noqa: PLR0911, PLR0912
        """Take one element, beginning at a line; returns the position after it."""
        line = self.lines[position]
        if position == self._list and self._kind is not SectionKind.REFERENCES:
            self._close()
            self._section("References", 1, line, SectionKind.REFERENCES)
        if self._kind is SectionKind.BODY and self._is_prose(position, line):
            return self._text(position)
        length = 0 if self._goes_on(line) else self.rules.length(position, self._kind)
        if length:
            return self._open(position, length)
        if self._kind is SectionKind.REFERENCES:
            self._reference(line)
            return position + 1
        if line.page <= 2 and not self._has_abstract:
            abstract = _RUN_IN_ABSTRACT.match(line.text)
            if abstract and (abstract[1][0].isupper() or line.run_in):
                self._close()
                self._section(abstract[1].capitalize(), 1, line, SectionKind.ABSTRACT)
                line.text = line.text[abstract.end() :]
                self._run.append(line)
                return position + 1
        if self._kind is SectionKind.ABSTRACT and self._ends_abstract(line):
            self._close()
            self._section("", 1, line, SectionKind.BODY)
        if self.rules.is_caption(line):
            return self._caption(position)
        if self._is_prose(position, line):
            return self._text(position)
        end = self._loose(position)
        if end > position:
            self._float(BlockKind.TABLE, position, end, "\n")
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

    def _goes_on(self, line: Line) -> bool:
        """Whether a line continues an abstract; some are set in a style of their own."""
        if self._kind is not SectionKind.ABSTRACT or not self._run:
            return False
        before = self._run[-1]
        near = 0 < line.gap < line.size * 1.7
        if not near or style_of(line)[:2] != style_of(before)[:2]:
            return False
        return not _ended(before.text) or not (
            line.bold or KNOWN_HEADINGS.fullmatch(line.text.strip(" .:"))
        )

    def _text(self, position: int) -> int:
        line = self.lines[position]
        if self._run and self._begins(line, self._run[-1]):
            self._close()
        self._run.append(line)
        return position + 1

    def _is_prose(self, position: int, line: Line) -> bool:
        """Whether a line can be nothing but text: set like it, long, and most of a column wide."""
        text = line.text
        return (
            len(text) > 40
            and self.styles.of[position] in self.styles.text
            and text[-12:].islower()
            and not line.run_in
            and line.x1 - line.x0 > 0.7 * (line.right - line.left)
            and not (text[0] in "AaSs" and line.page <= 2)
            and not (text[0].isupper() and self.rules.is_caption(line))
        )

    # sections

    def _open(self, position: int, length: int) -> int:
        """Take a heading of so many lines."""
        lines = self.lines[position : position + length]
        text = self.join(" ".join(line.text for line in lines)).strip()
        line = lines[0]
        if self._kind is SectionKind.ABSTRACT and self._is_label(text, line):
            # A label of a structured abstract begins a paragraph of it.
            self._close()
            self._run.extend(lines)
            return position + length
        if text[-1] == ":" and line.page == 1 and self._is_first_label(text):
            self._close()
            self._section("Abstract", 1, line, SectionKind.ABSTRACT)
            self._abstract, self._labels = line, style_of(line)
            self._run.extend(lines)
            return position + length
        if _CONTENTS.fullmatch(text):
            end = self._contents(position + length)
            if end > position + length:
                return end
        kind = section_kind(text)
        if kind is SectionKind.ABSTRACT:
            if self._has_abstract and line.page > 2:
                kind = SectionKind.BODY
            self._abstract = line
        self._close()
        self._section(text.rstrip(" ."), self.rules.level(position, text), line, kind)
        return position + length

    def _is_label(self, text: str, line: Line) -> bool:
        above = self._abstract
        if above is None or not _LABEL.fullmatch(text) or line.page > above.page + 1:
            return False
        # The first label comes right under the abstract's heading; the others are set like it.
        first = not self._run and bool(self.blocks) and self.blocks[-1].kind is BlockKind.HEADING
        if line.run_in or (first and line.size <= above.size):
            self._labels = self._labels or style_of(line)
            return True
        return style_of(line) == self._labels

    def _is_first_label(self, text: str) -> bool:
        """Whether a structured abstract begins here without a heading of its own."""
        headed = any(block.kind is BlockKind.HEADING and block.text for block in self.blocks)
        label = _LABEL.fullmatch(text) is not None and not text.lower().startswith("introd")
        return label and not self._has_abstract and not headed

    def _ends_abstract(self, line: Line) -> bool:
        """Whether what is written here belongs to the first page and no longer to the abstract."""
        return _AFTER_ABSTRACT.match(line.text.lstrip(" *•")) is not None

    def _contents(self, position: int) -> int:
        """The end of a table of contents that begins here."""
        end, other = position, 0
        listed: set[str] = set()
        while end < len(self.lines) and end - position < 400 and other < 3:
            text = self.lines[end].text
            if text.strip() in listed:
                return end  # the first of the titles, come to its section
            listed.add(re.sub(r"[\s.]+\d{1,4}$", "", text).strip())
            other = 0 if _CONTENTS_LINE.fullmatch(text) else other + 1
            end += 1
        return end - other if end - other - position >= 4 else position

    def _section(self, title: str, level: int, line: Line, kind: SectionKind) -> None:
        self._kind = kind
        self._has_abstract |= kind is SectionKind.ABSTRACT
        self.blocks.append(Block(BlockKind.HEADING, title, level, ((0, line.page),), kind))

    def _numbered_list(self) -> int:
        """Where a list of works begins that has no heading; -1 where none does."""
        for position in range(len(self.lines) - 1, len(self.lines) // 2, -1):
            if not self.lines[position].text.startswith("[1]"):
                continue
            after = [line.text[:3] for line in self.lines[position : position + 60]]
            return position if "[2]" in after and "[3]" in after and "[4]" in after else -1
        return -1

    # what floats

    def _float(self, kind: BlockKind, start: int, end: int, between: str = " ") -> None:
        lines = self.lines[start:end]
        self._floats.append((self._joined(kind, lines, between), place_of(lines)))

    def _caption(self, position: int) -> int:
        first = self.lines[position]
        end = position + 1
        size = first.size
        while end < len(self.lines) and end - position < 40:
            line = self.lines[end]
            before = self.lines[end - 1]
            if before.run_in:
                size = line.size
                end += 1
                continue
            near = 0 < line.gap < max(size, line.size) * 1.65
            same = abs(line.size - size) < 0.6 and line.column == first.column
            if not (near and same) or self.rules.is_caption(line) or tabular(line.text):
                break
            if abs(size - self.body) < 0.3 and _ended(before.text):
                short = before.x1 < line.right - 3 * line.size
                if short or line.gap > self.pitch * 1.1:
                    break
            end += 1
        self._float(BlockKind.CAPTION, position, end)
        return end

    def _loose(self, position: int) -> int:
        """The end of a run of table cells or a picture's labels; `position` where none begins."""
        end = position
        while end < len(self.lines):
            line = self.lines[end]
            short = line.x1 - line.x0 < (line.right - line.left) * 0.55
            cell = (short and line.size < self.body * 0.9) or tabular(line.text)
            if not cell and short and len(line.text) < 25:
                cell = len(re.findall(r"[a-z]{3,}", line.text)) < 3
            if (
                not cell
                or line.run_in
                or self.rules.is_caption(line)
                or (self._is_footnote(line) and not tabular(line.text))
            ):
                break
            if end > position and self.rules.length(end, self._kind):
                break
            end += 1
        count = end - position
        if count >= 3 or (
            count == 2 and all(tabular(line.text) for line in self.lines[position:end])
        ):
            return end
        return position

    def _is_footnote(self, line: Line) -> bool:
        return line.size < self.body * 0.93 and _FOOTNOTE.match(line.text) is not None

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
        block = self._joined(BlockKind.FOOTNOTE, self.lines[position:end])
        self._floats.append((block, None))
        return end

    def _is_equation(self, line: Line) -> bool:
        text = line.text
        if len(text) >= 120 or line.x0 <= line.left + line.size * 1.5:
            return False
        if len(re.findall(r"[A-Za-z]{4,}", text)) > 2:
            return False
        numbered = len(text) < 60 and re.search(r"\((?:\d{1,2}\.)?\d{1,3}[a-z]?\)$", text)
        return bool(numbered or _MATHS.search(text))

    # text

    def _reference(self, line: Line) -> None:
        if self._run and self._new_reference(line, self._run[-1]):
            self._close()
        self._run.append(line)

    def _new_reference(self, line: Line, before: Line) -> bool:
        if _REFERENCE_START.match(line.text):
            return True
        if _REFERENCE_START.match(self._run[0].text):
            return False
        if line.gap > 0 and line.x0 < before.x0 - 4:
            self._hanging = True
            return True
        if line.gap < 0:
            return _ended(before.text) and _AUTHOR_FIRST.match(line.text) is not None
        return (
            (self._hanging and abs(line.x0 - self._run[0].x0) < 2)
            or (line.gap > self.pitch * 1.3)
            or (
                before.x1 < before.right - 4 * before.size
                and before.text.endswith(".")
                and line.x0 < line.left + 2
            )
        )

    def _begins(self, line: Line, before: Line) -> bool:  # noqa: PLR0911
        """Whether a line begins a paragraph."""
        if line.page <= 2 and _AFTER_ABSTRACT.match(line.text):
            return True
        ended = _ended(before.text)
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
        if (ended or short) and _BULLET.match(line.text):
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
        for block, place in self._floats:
            if place is not None:
                self._places[len(self.blocks)] = place
            self.blocks.append(block)
        self._floats = []


def _ended(text: str) -> bool:
    """Whether a sentence ends here, with the marks that may stand behind it."""
    last = text[-1:]
    if last.isalpha() or last in ",;-":
        return False
    return last in ".!?:" or _TERMINAL.search(text, max(0, len(text) - 24)) is not None


def structure(lines: Sequence[Line], outline: Sequence[tuple[int, str]]) -> list[Block]:
    """The blocks of a paper from its lines in reading order.

    Headings are told by the outline, their fonts and their numbering; `outline` is (level, title).
    """
    return _Builder(lines, outline).build()
