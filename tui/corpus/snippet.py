"""The part of a passage around what was looked for, with the hits marked."""

from __future__ import annotations

import re
from collections.abc import Collection

from tui.corpus.identity import fold

_WORD = re.compile(r"[^\W_]+")
WIDTH = 240


def snippet(
    text: str, words: Collection[str], prefixes: tuple[str, ...] = (), width: int = WIDTH
) -> tuple[str, tuple[tuple[int, int], ...], int]:
    """A one-line cut of `text`, the marks in it as (start, end), and where it starts in `text`.

    The cut is the stretch that holds the most different words, from a word's start to a word's end.
    """
    flat = re.sub(r"\s", " ", text)
    hits: list[tuple[int, int, str]] = []
    for match in _WORD.finditer(flat):
        word = match[0].lower()
        word = word if word.isascii() else fold(word)
        if word in words or (prefixes and word.startswith(prefixes)):
            hits.append((match.start(), match.end(), word))
    start = _best(hits, width) if hits else 0
    start = _window_start(flat, start, width)
    end = min(len(flat), start + width)
    if end < len(flat):
        end = max(flat.rfind(" ", start + width // 2, end), start + width // 2)
    before, after = ("… " if start else ""), (" …" if end < len(flat) else "")
    shift = len(before) - start
    marks = tuple((s + shift, e + shift) for s, e, _ in hits if s >= start and e <= end)
    return before + flat[start:end].rstrip() + after, marks, start


def _best(hits: list[tuple[int, int, str]], width: int) -> int:
    best, where = 0, hits[0][0]
    for index, (start, _, _) in enumerate(hits):
        inside = {word for s, e, word in hits[index : index + 40] if e <= start + width * 3 // 4}
        if len(inside) > best:
            best, where = len(inside), start
    return where


def _window_start(flat: str, hit: int, width: int) -> int:
    """Begin with the hit's sentence when it is near, else at a word a little before it."""
    if hit < width // 3 or len(flat) <= width:
        return 0
    near = flat[hit - width // 3 : hit]
    sentence = max(near.rfind(". "), near.rfind("? "), near.rfind("! "))
    offset = sentence + 2 if sentence >= 0 else near.find(" ") + 1
    return hit - width // 3 + offset
