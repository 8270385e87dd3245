"""Telling people's names from the institutions and places around them."""

from __future__ import annotations

import re

_INSTITUTION = frozenset(
    """
    university universität université universidad universidade universita college institute
    institut instituto department dept school faculty laboratory laboratories lab labs center
    centre research group inc corporation corp ltd gmbh company academy hospital division
    society foundation technology sciences science engineering computing computer informatics
    systems mathematics physics usa uk germany france italy spain china japan canada india
    brazil australia switzerland netherlands sweden israel austria street road avenue box email
    e-mail tel fax abstract introduction member fellow ieee acm press conference workshop
    symposium proceedings journal international national state united google microsoft yahoo
    amazon facebook ibm intel oracle cornell stanford mit berkeley project team draft version
    january
    february march april may june july august september october november december
    """.split()  # noqa: SIM905
)
_PARTICLES = frozenset(
    """
    van von de der den del della di da dos das du la le el al bin ben ten ter zu zur y e
    """.split()  # noqa: SIM905
)
_MARKERS = re.compile(r"[*∗†‡§¶⋆♯#^]+|(?<=[^\W\d_])\d+(?:\s*,\s*\d+)*|\(\d+\)|\[\d+\]|\b\d+\b")
_NAME_WORD = re.compile(
    r"(?:[^\W\d_a-z][^\W\d_]*(?:['’.-][^\W\d_]+)*\.?|[^\W\d_]\.(?:-?[^\W\d_]\.)*)"
)


def author_names(text: str) -> list[str]:
    """The names in a line of them; empty where it is no such line."""
    text = re.sub(r"\S*@\S*|\{[^}]*\}|https?:\S*", " ", text)
    text = re.sub(r"^\s*(?:by|authors?:)\s+", "", text, flags=re.IGNORECASE)
    text = re.sub(
        r"\b(?:Ph\.?D|M\.?D|MSc|BSc|Prof|Dr|Jr|Sr|Member|Fellow|IEEE|Student|Senior)\b\.?",
        " ",
        text,
    )
    text = _MARKERS.sub(",", text)
    pieces = [p.strip(" .,:") for p in re.split(r"[,;·•|/]|\s&\s|\band\b|\bAND\b|\s{3,}", text)]
    pieces = [piece for piece in pieces if len(piece) > 1]
    names = [name for piece in pieces if (name := person(piece))]
    return names if names and len(names) >= len(pieces) * 0.6 else []


def person(text: str) -> str:
    """The text when it is one person's name (capitals set in lower case), else nothing."""
    words = text.split()
    if not 2 <= len(words) <= 5 or any(word.strip(".").lower() in _INSTITUTION for word in words):
        return ""
    long = 0
    for word in words:
        if word.lower() in _PARTICLES:
            continue
        if not _NAME_WORD.fullmatch(word):
            return ""
        long += len(word.strip(".")) > 1
    if not long or len(words[-1].strip(".")) < 2:
        return ""
    if text.isupper():
        text = " ".join(w if len(w.strip(".")) == 1 else w.title() for w in words)
    return text
