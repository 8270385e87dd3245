"""Finding a quote word for word, whatever dashes, quotation marks and line breaks it came with."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "′": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
     "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "\u00ad": "", "…": "..."}
)  # fmt: skip


def normalise(text: str) -> str:
    """Text for comparison: compatibility forms, one kind of quote and dash, single spaces, case."""
    return _normalise(text)[0].strip()


def _normalise(text: str) -> tuple[str, list[int]]:
    """The normal form and, for each of its characters, the offset it came from."""
    characters: list[str] = []
    offsets: list[int] = []
    space = True
    for offset, character in enumerate(text):
        if character.isspace():
            if not space:
                characters.append(" ")
                offsets.append(offset)
            space = True
            continue
        space = False
        if character.isascii():
            characters.append(character.lower())
            offsets.append(offset)
            continue
        for part in unicodedata.normalize("NFKC", character.translate(_SIGNS)).casefold():
            characters.append(part)
            offsets.append(offset)
    return "".join(characters), offsets


def find(quote: str, text: str) -> tuple[int, int] | None:
    """Where `quote` stands in `text` as (start, end), exact after normalisation; None if nowhere.

    It must begin and end with whole words.
    """
    wanted = normalise(quote)
    if not wanted:
        return None
    normal, offsets = _normalise(text)
    for match in re.finditer(re.escape(wanted), normal):
        start, end = match.span()
        begins = start == 0 or not (normal[start - 1].isalnum() and wanted[0].isalnum())
        ends = end == len(normal) or not (normal[end].isalnum() and wanted[-1].isalnum())
        if begins and ends:
            return offsets[start], offsets[end - 1] + 1
    return None


def holds(text: str, quote: str) -> bool:
    """Whether `quote` stands in `text` word for word."""
    return find(quote, text) is not None
