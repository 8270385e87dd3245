"""Telling people's names from the institutions and places around them."""

from __future__ import annotations

import re
import unicodedata

_INSTITUTION = frozenset(
    """
    university universität universite université universidad universidade universita università
    uniwersytet universitat college institute institut instituto istituto department departamento
    département dept dep school faculty faculté laboratory laboratories lab labs center centre
    center's research group inc corporation corp ltd gmbh company academy hospital clinic division
    society foundation technology technologies sciences science engineering computing computer
    informatics systems mathematics physics chemistry biology medicine pharmacy usa uk germany
    france italy spain china japan canada india brazil brasil australia switzerland netherlands
    sweden israel austria iran turkey korea poland egypt pakistan taiwan russia mexico street road
    avenue box email e-mail tel fax abstract introduction member fellow ieee acm press conference
    workshop symposium proceedings journal international national state united google microsoft
    yahoo amazon facebook ibm intel oracle cornell stanford mit berkeley project team draft version
    open access article original review paper report case author authors corresponding address
    january february march april may june july august september october november december
    south north west east new city province republic kingdom college key laboratory
    """.split()  # noqa: SIM905
)
_PARTICLES = frozenset(
    """
    van von de der den del della di da dos das du la le el al bin ben ten ter zu zur y e
    """.split()  # noqa: SIM905
)
_TITLES = re.compile(
    r"\b(?:Ph\.?\s?D|M\.?\s?D|M\.?\s?Sc|B\.?\s?Sc|M\.?\s?Pharm|M\.?V\.?Sc|MBBS|DDS|DMD|BDS|MDS|MPH|RN|"
    r"Prof|Dr|Jr|Sr|III|II|IV|Member|Fellow|IEEE|ACM|Student|Senior)\b\.?"
)
_MARKERS = re.compile(
    r"[*∗†‡§¶⋆♯#^✉ǁ‖]+|(?<=[^\W\d_])\d+(?:\s*[,–-]\s*\d+)*|\(\d+\)|\[\d+\]|\b\d+\b|[⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈ]+"
)
# A letter that says which institution a name belongs to, after the name.
_LETTERS = re.compile(
    r"(?<=[^\W\d_]{2})\s+[a-h](?:\s*,\s*(?:[a-h]\b|\*))*(?=\s*(?:,|;|$|\*|\band\b|&|,?\s[A-Z]))"
)
_GLUED = re.compile(r"(?<=\.)(?=[^\W\d_a-z][^\W\d_])")
_NAME_WORD = re.compile(
    r"(?:[^\W\d_a-z][^\W\d_]*(?:['’‘.-][^\W\d_]+)*\.?|[^\W\d_]\.(?:-?[^\W\d_]\.)*)"
)
_INITIALS = re.compile(r"(?:[^\W\d_a-z]\.?-?){1,4}")
# Names in a row: each a given name, initials, a family name.
_ROW = re.compile(r"[^\W\d_a-z][\w'’-]+(?:\s+[^\W\d_a-z]\.)*\s+[^\W\d_a-z][\w'’-]+")
_SEPARATOR = re.compile(r"[,;·•|/]|\s[&+]\s|\band\b|\bAND\b|\s{3,}")


def author_names(text: str) -> list[str]:
    """The names in a line of them; empty where it is no such line."""
    text = re.sub(r"\S*@\S*|\{[^}]*\}|https?:\S*", " ", text)
    text = re.sub(r"^\s*(?:by|authors?:)\s+", "", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[a-z])i?ID\b", " ", text)  # the mark of an ORCID
    text = _TITLES.sub(" ", text.replace("‑", "-").replace("‐", "-"))
    text = _LETTERS.sub(",", _MARKERS.sub(",", text))
    text = _GLUED.sub(" ", text)
    pieces = [p.strip(" .,:-") for p in _SEPARATOR.split(text)]
    pieces = [piece for piece in pieces if len(piece) > 1]
    if pieces and _people(pieces[0]):
        # `Mike Burrows, Some Company`: the institution says nothing against the name.
        pieces = [piece for piece in pieces if not _is_institution(piece.split())]
    names = [name for piece in pieces for name in _people(piece)]
    return names if names and len(names) >= len(pieces) * 0.6 else []


def _people(text: str) -> list[str]:
    """One name, or several that only room keeps apart."""
    words = text.split()
    if len(words) >= 5 and not _PARTICLES.intersection(word.lower() for word in words):
        row = _ROW.findall(text)
        if len(row) > 1 and sum(len(name.split()) for name in row) == len(words):
            names = [person(name) for name in row]
            return names if all(names) else []
    name = person(text)
    return [name] if name else []


def _is_institution(words: list[str]) -> bool:
    return any(word.strip(".,").lower() in _INSTITUTION for word in words)


def person(text: str) -> str:
    """The text when it is one person's name (capitals set in lower case), else nothing.

    Names with their initials last (`Keller AB`) are turned round.
    """
    words = [word.replace("´", "") for word in text.split()]
    if not 2 <= len(words) <= 6 or _is_institution(words):
        return ""
    long = 0
    for word in words:
        if word.lower() in _PARTICLES:
            continue
        if not _NAME_WORD.fullmatch(unicodedata.normalize("NFC", word)):
            return ""
        long += len(word.strip(".")) > 1
    if not long:
        return ""
    family = words[-1]
    if _INITIALS.fullmatch(family) and (len(family.strip(".")) == 1 or not text.isupper()):
        if len(words) > 3 or any(_INITIALS.fullmatch(word) for word in words[:-1]):
            return ""
        initials = " ".join(f"{letter}." for letter in re.findall(r"[^\W\d_]", family))
        words = [*initials.split(), *words[:-1]]
    if all(word.isupper() for word in words):
        words = [
            word if len(word.strip(".")) == 1 or "." in word else word.title() for word in words
        ]
    return " ".join(words)
