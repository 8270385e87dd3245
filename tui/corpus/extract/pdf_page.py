"""A page of a PDF as lines: the place, size and font of a few characters of each.

Asking pdfium for every character would cost several times the extraction itself, so one character
in the middle of a line gives its font and size, the first and last its place. More are asked only
where a line's font changes: a heading may be run into its paragraph there.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any

from tui.corpus.extract import gutter
from tui.corpus.layout import Line, Page
from tui.corpus.normalise import mend

# A page with more characters than this is a bomb or a database print, not prose.
MOST_CHARACTERS = 200_000
_BOLD = re.compile(
    rb"bold|black|heavy|demi|semib|medi(?!um)|cmbx|cmssbx|bx\d|-b$|\.b$|\bbd", re.IGNORECASE
)
_ITALIC = re.compile(rb"ital|obl|cmti|cmsl|-it$|\bti\d|-i$", re.IGNORECASE)
# Where a short sentence at a line's start may be a heading run into its paragraph.
_BREAK = re.compile(r"[.:—–]\s+(?=\S)")
_LONGEST_RUN_IN = 130
_PLAIN_PAGES = 5
_NUMBERED = re.compile(r"\d{1,2}\.\d")


class Fonts:
    """The fonts of a document by number, with what their names say of weight and slant."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        # Pages in a row without lines that run across the room between two columns.
        self.plain_pages = 0
        self._by_name: dict[bytes, tuple[int, bool, bool]] = {}

    def style(self, name: bytes) -> tuple[int, bool, bool]:
        """Number, bold, italic; subsets of one font (`ABCDEF+Name`) have one number."""
        found = self._by_name.get(name)
        if found is None:
            bare = name[7:] if name[6:7] == b"+" else name
            number = self._numbers.setdefault(bare, len(self._numbers))
            found = number, bool(_BOLD.search(bare)), bool(_ITALIC.search(bare))
            self._by_name[name] = found
        return found


def read_page(document: Any, number: int, fonts: Fonts) -> Page:
    """The lines of page `number` (from 0) in pdfium's order."""
    page = document[number]
    textpage = page.get_textpage()
    try:
        width, height = page.get_size()
        reader = _Reader(textpage, fonts)
        placed = reader.lines()
        lines = [line for line, _ in placed]
        # A document is set in one way: once many pages had no such lines, few are looked at.
        if fonts.plain_pages < _PLAIN_PAGES or number % _PLAIN_PAGES == 0:
            lines = gutter.split(placed, width, reader.edges)
            fonts.plain_pages = fonts.plain_pages + 1 if len(lines) == len(placed) else 0
        return Page(number + 1, width, height, lines, len(reader.text))
    finally:
        textpage.close()
        page.close()


class _Reader:
    """One page's text with what pdfium says of its characters."""

    def __init__(self, textpage: Any, fonts: Fonts) -> None:
        from pypdfium2 import raw

        self._raw = raw
        self._page = textpage.raw
        self._fonts = fonts
        count = textpage.count_chars()
        kept = min(count, MOST_CHARACTERS)
        buffer = (ctypes.c_ushort * (kept + 1))()
        got = raw.FPDFText_GetText(textpage, 0, kept, buffer) - 1 if kept > 0 else 0
        self.text = ctypes.string_at(buffer, max(0, got) * 2).decode("utf-16-le", "replace")
        self._exact = got == count
        # pdfium counts UTF-16 units: a mathematical letter may take two.
        self._wide = len(self.text) != got
        self._box = tuple(ctypes.c_double() for _ in range(4))
        self._flags = ctypes.c_int()
        self._name = ctypes.create_string_buffer(96)

    def edges(self, offset: int) -> tuple[float, float]:
        """The left and right edge of a character, by its offset in the text."""
        left, right, bottom, top = self._box
        self._raw.FPDFText_GetCharBox(self._page, self._index(offset), left, right, bottom, top)
        return left.value, right.value

    def _index(self, offset: int) -> int:
        if self._exact:
            return offset
        return int(self._raw.FPDFText_GetCharIndexFromTextIndex(self._page, offset))

    def _font(self, index: int) -> tuple[int, bool, bool]:
        got = self._raw.FPDFText_GetFontInfo(self._page, index, self._name, 96, self._flags)
        return self._fonts.style(self._name.value if got <= 96 else b"")

    def lines(self) -> list[tuple[Line, int]]:  # noqa: PLR0915
        """Lines with the offset of their first character; -1 where it no longer tells the rest."""
        box = self._raw.FPDFText_GetCharBox
        size_of, matrix_of = self._raw.FPDFText_GetFontSize, self._raw.FPDFText_GetMatrix
        page, exact, wide, font_of = self._page, self._exact, self._wide, self._font
        left, right, bottom, top = self._box
        matrix = self._raw.FS_MATRIX()
        found: list[tuple[Line, int]] = []
        before: Line | None = None
        offset = 0
        for part in self.text.split("\r\n"):
            pairs = sum(c > "\uffff" for c in part) if wide else 0
            start, offset = offset, offset + len(part) + pairs + 2
            text = part.strip()
            if not text:
                continue
            lead = 0 if part[0] == text[0] else len(part) - len(part.lstrip())
            begin, last = start + lead, start + lead + len(text) + pairs - 1
            middle = (begin + last) // 2
            if not pairs and not text[middle - begin].isalpha():
                middle = begin + _letter(text, middle - begin)
            first, end, centre = begin, last, middle
            if not exact:
                first, centre, end = (self._index(i) for i in (begin, middle, last))
            if not box(page, first, left, right, bottom, top):
                continue
            x0, y0, high = left.value, bottom.value, top.value
            box(page, end, left, right, bottom, top)
            x1, y1 = right.value, bottom.value
            size = size_of(page, centre)
            turned = False
            if matrix_of(page, centre, matrix):
                c, d = matrix.c, matrix.d
                turned = abs(matrix.b) > abs(matrix.a)
                scale = (c * c + d * d) ** 0.5
                if 0.01 < scale < 1000:
                    size *= scale
            if size < 1.5:
                # Type 3 fonts tell no size: it is guessed from the tallest known character.
                size = max(4.0, min(40.0, (high - y0) * 1.3))
            style = font_of(centre)
            above = before.font if before is not None else -1
            if len(text) > 3 and not pairs and (style[0] != above or style[1] or style[2]):
                style = self._whole(text, begin, style, above)
            line = Line(
                text, x0, x1, y0, y1, high, round(size, 1), style[1], style[2], turned, style[0]
            )
            if before is not None and _continues(before, line):
                line.text = mend(text)
                _append(before, line)
                found[-1] = (before, -1)
                continue
            at = begin
            if not pairs and text[0].isalnum() and not text[0].islower():
                head = self._run_in(line, begin, before)
                if head is not None:
                    head.text = mend(head.text)
                    found.append((head, -1))
                    at = -1
            line.text = mend(line.text)
            # A mended line's characters are no longer those of the page: it is never cut.
            found.append((line, at if line.text == text and not pairs else -1))
            before = line
        return found

    def _whole(
        self, text: str, begin: int, style: tuple[int, bool, bool], before: int
    ) -> tuple[int, bool, bool]:
        """The style of a line that is set unlike the one before, or unlike plain text.

        A word in italics in its middle makes no heading: a line is set as it begins, and where it
        ends like the line before, as it ends.
        """
        start = self._font(self._index(begin + _letter(text, 0)))
        if start[0] != style[0]:
            return start
        end = self._font(self._index(begin + _letter_back(text)))
        return end if end[0] == before else style

    def _run_in(self, line: Line, begin: int, before: Line | None) -> Line | None:
        """Cut a heading off the line that it is run into; None where there is none.

        It is a short sentence at the start of a paragraph, in a font that ends with it.
        """
        text = line.text
        match = _BREAK.search(text, 2, _LONGEST_RUN_IN)
        if match is None:
            return None
        if before is not None and not text[0].isdigit() and before.font == line.font:
            ended = before.text[-1:] in ".!?:)]”0123456789"
            if not ended and before.x1 > line.x1 - 2 * line.size:
                return None
        first = self._font(self._index(begin + _letter(text, 0)))
        if not (first[1] or first[2] or text[0].isdigit()):
            return None
        after, last = first, None
        while match is not None:
            if match.start() > 3 and text[match.end()].isalnum():
                last = match
                after = self._font(self._index(begin + _letter(text, match.end())))
                if after[0] != first[0]:
                    break
            match = _BREAK.search(text, match.end(), _LONGEST_RUN_IN)
        if match is None:
            # The text may begin with a word set like the heading; its number tells the heading.
            if last is None or not _NUMBERED.match(text) or line.font == first[0]:
                return None
            match, after = last, (line.font, line.bold, line.italic)
        inside = self._font(self._index(begin + _letter_back(text[: match.start()])))
        if inside[0] != first[0]:
            return None
        head = Line(
            text[: match.start() + 1].rstrip(" —–"), line.x0, 0.0, line.y0, line.y0, line.top,
            line.size, first[1], first[2], line.turned, first[0], run_in=True,
        )  # fmt: skip
        head.x1 = self.edges(begin + match.start())[1]
        line.text = text[match.end() :]
        line.x0 = self.edges(begin + match.end())[0]
        line.font, line.bold, line.italic = after
        return head


def _letter(text: str, start: int) -> int:
    """The first letter from `start` on, else `start` or the last character."""
    for index in range(start, min(len(text), start + 12)):
        if text[index].isalpha():
            return index
    return min(start, len(text) - 1)


def _letter_back(text: str) -> int:
    """The last letter of a text among its last few characters."""
    for index in range(len(text) - 1, max(-1, len(text) - 12), -1):
        if text[index].isalpha():
            return index
    return len(text) - 1


def _continues(before: Line, line: Line) -> bool:
    """Whether a line is the rest of the one before: pdfium breaks lines at raised letters."""
    size = before.size if before.size > line.size else line.size
    return (
        -0.25 * size < line.x0 - before.x1 < 0.5 * size
        and abs(line.y0 - before.y1) < 0.62 * size
        and not (before.turned or line.turned)
    )


def _append(before: Line, line: Line) -> None:
    gap = line.x0 - before.x1 > 0.12 * before.size and line.text[:1] not in ",.;:)]"
    longer = len(line.text) > len(before.text)
    before.text += (" " if gap else "") + line.text
    before.x1 = line.x1
    before.y1 = line.y1 if line.y1 < line.y0 - line.size * 0.5 else before.y0
    if longer:
        before.size, before.font = line.size, line.font
        before.bold, before.italic = line.bold, line.italic
