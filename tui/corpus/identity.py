"""Which files are one work, and what the work is called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.corpus.document import Metadata

_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s\"<>{}|\\^`\[\]]+)", re.IGNORECASE)
_ARXIV = re.compile(
    r"(?:arxiv[:.\s/]*(?:org/)?(?:abs/|pdf/)?|10\.48550/arxiv\.)"
    r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})",
    re.IGNORECASE,
)
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_BARE_ARXIV = re.compile(r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE)
_DULL = frozenset(
    """
    the and for from with into over under toward towards using based via about some study
    investigation analysis case note notes new approach paper does how what why when are
    """.split()  # noqa: SIM905
)


def fold(text: str) -> str:
    """Lower-case ASCII letters, digits and single spaces, for comparison."""
    if text.isascii():
        return " ".join(_ASCII_WORD.findall(text.lower()))
    text = text.replace("ß", "ss").replace("ø", "o").replace("Ø", "O").replace("ł", "l")
    text = text.replace("Ł", "L").replace("æ", "ae").replace("đ", "d").replace("ı", "i")
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return " ".join(re.findall(r"[^\W_]+", plain))


def find_doi(text: str) -> str:
    """The first DOI in a text, without what sentences and URLs leave at its end."""
    match = _DOI.search(text)
    if not match:
        return ""
    doi = match[1].rstrip(".,;:'\"*")
    while doi.endswith((")", "]")) and doi.count("(") < doi.count(")"):
        doi = doi[:-1]
    return doi.lower()


def find_arxiv(text: str) -> str:
    """The first arXiv identifier in a text, without its version; a bare one counts alone."""
    match = _ARXIV.search(text) or _BARE_ARXIV.fullmatch(text.strip())
    return match[1] if match else ""


def family_name(author: str) -> str:
    """The family name of `Given Family` or `Family, Given`."""
    if "," in author:
        return author.split(",", 1)[0].strip()
    words = author.split()
    while len(words) > 1 and words[-1].rstrip(".").lower() in {
        "jr",
        "sr",
        "ii",
        "iii",
        "iv",
        "phd",
    }:
        words.pop()
    return words[-1] if words else ""


def title_key(title: str) -> str:
    """What two spellings of one title share."""
    return fold(title).replace(" ", "")


def same_work(
    title: str, authors: tuple[str, ...], other_title: str, other_authors: tuple[str, ...]
) -> bool:
    """Whether two records with equal title keys are one work.

    With authors on both sides one family name must be common to the first of each and the whole of
    the other: preprints reorder authors, but two works of one title rarely share any. Where a side
    names none, only a title too long to be a coincidence counts ("Introduction" does not).
    """
    if title_key(title) != title_key(other_title):
        return False
    if not authors or not other_authors:
        return len(fold(title).split()) >= 4
    ours = [fold(family_name(author)) for author in authors]
    theirs = [fold(family_name(author)) for author in other_authors]
    return ours[0] in theirs or theirs[0] in ours


def same_record(one: Metadata, other: Metadata) -> bool:
    """Whether two records are of one work: by DOI, arXiv identifier, or title and first author."""
    if (one.doi and one.doi == other.doi) or (one.arxiv and one.arxiv == other.arxiv):
        return True
    return bool(one.title) and same_work(one.title, one.authors, other.title, other.authors)


def citation_key(
    title: str, authors: tuple[str, ...], year: int | None, taken: Callable[[str], bool]
) -> str:
    """A new paper's id: `keller2024velmora`, ASCII, with a letter or number where it is taken."""
    name = re.sub(r"[^a-z]", "", fold(family_name(authors[0])) if authors else "")[:20]
    words = [re.sub(r"[^a-z0-9]", "", word) for word in fold(title).split()]
    long = [word for word in words if len(word) > 3 and word not in _DULL]
    word = next((w for w in long or words if w), "")[:20]
    key = f"{name}{year or ''}{word}" or "paper"
    if key.isdigit():
        key = f"paper{key}"
    if not taken(key):
        return key
    for letter in "bcdefghijklmnopqrstuvwxyz":
        if not taken(f"{key}-{letter}"):
            return f"{key}-{letter}"
    number = 2
    while taken(f"{key}-{number}"):
        number += 1
    return f"{key}-{number}"
