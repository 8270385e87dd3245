"""Making extracted characters the ones that a reader would type, and nothing more.

NFKC as a whole would turn x² into x2 and ℝ into R, so only ligatures, spaces and the split
accents of old TeX fonts are mended here; NFC is left to `tui.text.clean`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

_LIGATURES = {
    0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st",
    0xFB06: "st", 0x0132: "IJ", 0x0133: "ij", 0x00A0: " ", 0x2007: " ", 0x2009: " ",
    0x2002: " ", 0x2003: " ", 0x2004: " ", 0x2005: " ", 0x2006: " ", 0x2008: " ",
    0x200A: " ", 0x200B: "", 0x202F: " ", 0x2010: "-", 0x2011: "-", 0x00AD: "",
}  # fmt: skip
_COMBINING = {
    "´": "\u0301", "`": "\u0300", "¨": "\u0308", "ˆ": "\u0302", "˜": "\u0303",
    "¸": "\u0327", "ˇ": "\u030c", "˘": "\u0306", "˚": "\u030a", "˝": "\u030b", "¯": "\u0304",
}  # fmt: skip
_ACCENT_FIRST = re.compile(r"(?<=[A-Za-z(\s])([´¨ˆ˜ˇ˘˚˝¯])([A-Za-zı])|^([´¨ˆ˜ˇ˘˚˝¯])([A-Za-zı])")
_ACCENT_LAST = re.compile(r"([A-Za-z]*[aeiouAEIOU])([b-df-hj-np-tv-z])([´`¨ˆ˜ˇ˝])(?=[\s,;.]|$)")
_TO_MEND = re.compile(
    "[" + "".join(map(chr, _LIGATURES)) + "".join(re.escape(c) for c in _COMBINING) + "]"
)
_CUT = re.compile("(?:[\u0002\ufffe]|-\n)\\s*")
_MARKS = re.compile("[\u0002\ufffe]\\s*")
_WORD_BEFORE = re.compile(r"[^\W\d_]+$")
_WORD_AFTER = re.compile(r"[^\W\d_]+")
_LONGEST_WORD = 60


def mend(text: str) -> str:
    """Ligatures written out, exotic spaces plain, an accent before its letter put onto it."""
    if text.isascii() or _TO_MEND.search(text) is None:
        return text
    text = text.translate(_LIGATURES)

    def compose(match: re.Match[str]) -> str:
        accent, letter = match[1] or match[3], match[2] or match[4]
        letter = {"ı": "i"}.get(letter, letter)
        composed = unicodedata.normalize("NFC", letter + _COMBINING[accent])
        return composed if len(composed) == 1 else match[0]

    def after(match: re.Match[str]) -> str:
        letter = unicodedata.normalize("NFC", match[1][-1] + _COMBINING[match[3]])
        return match[1][:-1] + letter + match[2] if len(letter) == 1 else match[0]

    # Some producers write an accent after the letter that follows its own (`Lof¨`).
    return _ACCENT_LAST.sub(after, _ACCENT_FIRST.sub(compose, text))


def joiner(texts: Iterable[str]) -> Callable[[str], str]:
    """A function that joins words cut at line ends, by the spellings used elsewhere in `texts`.

    pdfium marks such a hyphen U+0002 or U+FFFE and does not say whether it belongs to the word:
    where the text also has the word hyphenated and never whole, the hyphen stays.
    """
    known: list[frozenset[str]] = []

    def has(word: str) -> bool:
        """Whether the text has a word, gathered when the first cut one is met."""
        if not known:
            known.append(frozenset("\n".join(texts).lower().split()))
        words = known[0]
        return word in words or f"{word}," in words or f"{word}." in words

    def join(line: str) -> str:
        if "\u0002" not in line and "\ufffe" not in line and "-\n" not in line:
            return line
        parts: list[str] = []
        done = 0
        for cut in _CUT.finditer(line):
            left = _WORD_BEFORE.search(line, max(done, cut.start() - _LONGEST_WORD), cut.start())
            right = _WORD_AFTER.match(line, cut.end())
            if left is None or right is None:
                continue
            whole, hyphenated = f"{left[0]}{right[0]}".lower(), f"{left[0]}-{right[0]}".lower()
            parts.append(line[done : cut.start()])
            capital = right[0][0].isupper()
            if not has(whole) and (capital or has(hyphenated)):
                parts.append("-")
            done = cut.end()
        parts.append(line[done:])
        return _MARKS.sub("-", "".join(parts))

    return join
