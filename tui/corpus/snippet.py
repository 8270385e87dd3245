"""The part of a passage around what was looked for, with the hits marked."""

from __future__ import annotations

import re
from collections.abc import Collection

from tui.corpus.identity import fold

_WORD = re.compile(r"[^\W_]+")
_SPACE = re.compile(r"\s")
WIDTH = 240


def snippet(
    text: str, words: Collection[str], prefixes: tuple[str, ...] = (), width: int = WIDTH
) -> tuple[str, tuple[tuple[int, int], ...], int]:
    """A one-line cut of `text`, the marks in it as (start, end), and where it starts in `text`.

    The cut is the stretch that holds the most different words, from a word's start to a word's end.
    """
    flat = _SPACE.sub(" ", text)
    hits = _hits(flat, words, prefixes)
    start = _best(hits, width) if hits else 0
    start = _window_start(flat, start, width)
    end = min(len(flat), start + width)
    if end < len(flat):
        end = max(flat.rfind(" ", start + width // 2, end), start + width // 2)
    before, after = ("… " if start else ""), (" …" if end < len(flat) else "")
    shift = len(before) - start
    marks = tuple((s + shift, e + shift) for s, e, _ in hits if s >= start and e <= end)
    return before + flat[start:end].rstrip() + after, marks, start


def _hits(
    flat: str, words: Collection[str], prefixes: tuple[str, ...]
) -> list[tuple[int, int, str]]:
    """The words that were looked for, as (start, end, folded word)."""
    hits: list[tuple[int, int, str]] = []
    if flat.isascii():
        # One pattern finds them far faster than a look at every word.
        parts = [re.escape(word) for word in words]
        parts += [re.escape(prefix) + "[^\\W_]*" for prefix in prefixes]
        if parts:
            pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(parts)})(?![^\W_])", re.IGNORECASE)
            hits = [(m.start(), m.end(), m[0].lower()) for m in pattern.finditer(flat)]
        return [hit for hit in hits if hit[1] > hit[0]]
    for match in _WORD.finditer(flat):
        word = fold(match[0])
        if word in words or (prefixes and word.startswith(prefixes)):
            hits.append((match.start(), match.end(), word))
    return hits


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
