"""Lines of a page put together to a block of text that knows its pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui.corpus.document import Block, BlockKind
from tui.corpus.layout import Line


def joined(
    kind: BlockKind, lines: Sequence[Line], join: Callable[[str], str], between: str = " "
) -> Block:
    """A block of lines; words cut at line ends are put together by `join` (see `joiner`)."""
    pages: list[tuple[int, int]] = []
    parts: list[str] = []
    length = 0
    for line in lines:
        if not pages or pages[-1][1] != line.page:
            pages.append((length, line.page))
        text = line.text
        if parts and between == " ":
            # A real hyphen at the end of a line: decided by the document's own spellings.
            above = parts[-1]
            cut = above[-1:] == "-" and above[-2:-1].isalpha() and text[:1].isalpha()
            parts.append("\n" if cut else " ")
            length += 1
        elif parts:
            parts.append(between)
            length += 1
        parts.append(text)
        length += len(text)
    text = join("".join(parts))
    return Block(kind, text if between == "\n" else text.replace("\n", " "), pages=tuple(pages))
