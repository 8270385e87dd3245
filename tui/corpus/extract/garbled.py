"""Text layers whose codes mean nothing: no reader would see the characters that they give.

It happens where a font was embedded without saying which characters its shapes show.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui.corpus.layout import Page

# Control and private characters, symbols, and letters that no page of prose is full of.
_ODD = re.compile(
    r"[\ufffd\ue000-\uf8ff\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f\x7f-\xa8\xaa-\xb0\xb2-\xbf"
    r"\u0180-\u02af]"
)
_MOST_ODD = 0.10
_SAMPLE = 20_000
# Words that make up a fifth of any prose in the languages that papers are written in.
_COMMON = frozenset(
    """
    the of and to in a is that for with as on we are by be this from an it at or not which der
    die und das ist von mit den ein eine für auf le la les des et de un une en est dans pour que
    el los del las por con para il di che per non da do dos uma com não het een van
    """.split()  # noqa: SIM905
)
_WORD = re.compile(r"[A-Za-z]{2,}")


def garbled_pages(pages: Sequence[Page]) -> list[Page]:
    """The pages that show no text, of those with enough on them to tell."""
    return [page for page in pages if _is_odd(page)]


def _is_odd(page: Page) -> bool:
    text = " ".join([line.text for line in page.lines])
    if len(text) < 200 or (text.isascii() and text.isprintable()):
        return False
    return len(_ODD.findall(text)) > _MOST_ODD * len(text)


def is_garbled(pages: Sequence[Page]) -> bool:
    """Whether a whole document's letters make no words, though each may be an honest letter."""
    parts: list[str] = []
    length = 0
    for page in pages:
        parts += [line.text for line in page.lines]
        length += page.characters
        if length > _SAMPLE:
            break
    sample = " ".join(parts)[:_SAMPLE]
    total = len(sample)
    if total < 3000:
        return False
    if not sample.isascii():
        # Greek and everything after it: other scripts have words that we do not know.
        foreign = sum(1 for c in sample if c > "\u036f" and c.isalpha())
        if foreign > total * 0.2:
            return False
    words = _WORD.findall(sample)
    letters = "".join(words).lower()
    vowels = sum(letters.count(vowel) for vowel in "aeiouy")
    common = sum(1 for word in words if word.lower() in _COMMON)
    # Languages that the list has no words of still speak in vowels.
    strange = common < len(words) * 0.02 and vowels < len(letters) * 0.28
    return strange or len(words) < total / 60
