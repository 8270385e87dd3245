"""What a person typed, as search terms; a bad query is mended and explained, never refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tui.corpus.identity import fold

FIELDS = ("author", "title", "section", "venue", "tag", "year", "in", "problem")
# These name sets of papers that the index knows nothing of; the corpus looks them up.
_SETS = ("in", "problem")
# Text in these is bounded so that a pasted page costs no more than a long question.
_MOST_TERMS = 64
_MOST_CHARACTERS = 4000

_TOKEN = re.compile(
    r"(?P<minus>-(?=[\w\"]))?(?:(?P<field>[A-Za-z]+):)?(?:\"(?P<phrase>[^\"]*)(?P<close>\"|$)|(?P<word>[^\s\"]+))"
)
_YEARS = re.compile(r"(\d{4})?(\.\.|-|–)?(\d{4})?")

STOP_WORDS = frozenset(
    """
    a an and any are as at be been but by can could did do does doing for from had has have how
    i if in into is it its many me much my of on or our out shall should so some than that the
    their them then there these they this those to under up upon us was we were what when where
    which while who whom whose why will with would you your
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase; `words` are folded to lower-case ASCII as the index holds them."""

    words: tuple[str, ...]
    field: str = ""
    phrase: bool = False
    negative: bool = False
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class PaperSet:
    """`in:dataset` or `problem:kind`: papers that are in a set, or are not."""

    field: str
    name: str
    negative: bool = False


Years = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. `question` means that most words matter more than all of them."""

    terms: tuple[Term, ...] = ()
    years: Years | None = None
    question: bool = False
    notes: tuple[str, ...] = ()
    without_years: tuple[Years, ...] = ()
    sets: tuple[PaperSet, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for in the index."""
        return not self.terms and self.years is None and not self.without_years


@dataclass(slots=True)
class _Reading:
    terms: list[Term] = field(default_factory=list)
    years: Years | None = None
    notes: list[str] = field(default_factory=list)
    without_years: list[Years] = field(default_factory=list)
    sets: list[PaperSet] = field(default_factory=list)


def parse(text: str) -> Query:
    """Read a query: words, "phrases", -without, prefixes, `field:value`, `year:2019..2022`.

    Never raises. What cannot be meant as written is taken as plain words, and `notes` say so.
    """
    reading = _Reading()
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS]
        reading.notes.append(f"Only the first {_MOST_CHARACTERS} characters are looked for.")
    for match in _TOKEN.finditer(text):
        if len(reading.terms) >= _MOST_TERMS:
            reading.notes.append(f"Only the first {_MOST_TERMS} words are looked for.")
            break
        _take(match, reading, last=match.end() == len(text))
    terms = _without_stop_words(reading.terms)
    limited = reading.years is not None or reading.sets
    if terms and all(term.negative for term in terms) and not limited:
        reading.notes.append("Only words to leave out: everything else is listed.")
    plain = [term for term in terms if not (term.field or term.phrase or term.negative)]
    question = text.rstrip().endswith("?") or len(plain) >= 5
    return Query(
        tuple(terms), reading.years, question, tuple(dict.fromkeys(reading.notes)),
        tuple(reading.without_years), tuple(reading.sets),
    )  # fmt: skip


def _take(match: re.Match[str], reading: _Reading, *, last: bool) -> None:
    name = (match["field"] or "").lower()
    phrase = match["phrase"]
    value = match["word"] if phrase is None else phrase
    if phrase is not None and match["close"] != '"':
        reading.notes.append("A quotation mark is not closed: the rest is taken as one phrase.")
    negative = match["minus"] is not None
    if name == "year" and phrase is None and _take_years(value, reading, negative):
        return
    if name in _SETS:
        reading.sets.append(PaperSet(name, " ".join(value.split()), negative))
        return
    if name and name not in FIELDS:
        # `http://…` and `note: text` are words with a colon, not fields.
        if phrase is not None or not value.startswith("/"):
            reading.notes.append(f"{name}: is no field (fields: {', '.join(FIELDS)}).")
        value, name = f"{name} {value}", ""
    elif name == "year":
        name = ""
    typed = re.search(r"[^\W_]\*?$", value) is not None
    words = tuple(fold(value).split())
    if not words:
        return
    prefix = phrase is None and typed and (last or value.endswith("*")) and not negative
    if phrase is not None or len(words) == 1:
        single = len(words) == 1
        reading.terms.append(Term(words, name, not single, negative, prefix and single))
        return
    # `multi-output` and `p53-null` are one word to a person and two to the index.
    if negative:
        reading.terms.append(Term(words, name, True, True))
        return
    for position, word in enumerate(words):
        reading.terms.append(Term((word,), name, prefix=prefix and position == len(words) - 1))


def _take_years(value: str, reading: _Reading, negative: bool) -> bool:
    match = _YEARS.fullmatch(value)
    if not match or not (match[1] or match[3]):
        reading.notes.append(f"year:{value[:20]} is no year; write year:2019 or year:2019..2022.")
        return False
    first, last = (int(part) if part else None for part in (match[1], match[3]))
    if match[2] is None:
        if last is not None:
            reading.notes.append("Write two years with two dots: year:2019..2022.")
            return False
        last = first
    if first and last and first > last:
        first, last = last, first
        reading.notes.append(f"The years are taken as {first}..{last}.")
    if negative:
        reading.without_years.append((first, last))
    else:
        reading.years = (first, last)
    return True


def _without_stop_words(terms: list[Term]) -> list[Term]:
    """Leave out words that every text has, unless nothing else is left or one is being typed."""
    kept = [
        term
        for term in terms
        if term.field or term.phrase or term.negative or term.words[0] not in STOP_WORDS
    ]
    if any(not term.negative for term in kept):
        return kept
    return terms


def words(text: str) -> list[str]:
    """The words of a text as the index holds them."""
    return fold(text).split()
