"""Comparing words: the same normalisation wherever texts are matched, scored or ranked."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:[.,'’-][^\W_]+)*")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]|_")

# Words that say nothing about what is asked; kept short, since every word here is lost to ranking.
STOP_WORDS = frozenset(
    """a about after all also an and any are as at be been before being but by can could did do does
    for from had has have how if in into is it its may me might most no not of on one or our over
    please shall should so some such tell than that the their them then there these they this those
    to under was we were what when where which while who whom whose why will with within would you
    your""".split()  # noqa: SIM905 - one word a line would hide the list
)


def words(text: str) -> list[str]:
    """Lower-case words of `text`; inner hyphens, points and apostrophes stay (`4.2`, `x-ray`)."""
    return [match.lower() for match in _WORD.findall(unicodedata.normalize("NFKC", text))]


def content_words(text: str) -> list[str]:
    """The words of `text` that carry meaning: all but `STOP_WORDS`."""
    return [word for word in words(text) if word not in STOP_WORDS]


def squad_normalise(text: str) -> str:
    """Lower case, without punctuation and articles, single spaces.

    The normalisation of SQuAD's official evaluation script (Rajpurkar et al., 2016), so that exact
    match and F1 mean what the literature means.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    return " ".join(_ARTICLES.sub(" ", _PUNCTUATION.sub("", text)).split())
