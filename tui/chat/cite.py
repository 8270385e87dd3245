"""Holding an answer to its sources: every `[n]` exists, every quote stands, every number occurs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tui.chat import numbers
from tui.corpus import quotes
from tui.domain.chat import Flaw, Source

_CITATION = re.compile(r"\[(\d{1,3}(?:\s*[,;]\s*\d{1,3}|\s*[-–]\s*\d{1,3})*)\]")
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]{12,1200})[\"”»]|‘([^‘’]{12,600})’")
_BLOCK = re.compile(r"^[ \t]*>[ \t]?(.+)$", re.MULTILINE)
_GAP = re.compile(r"\[[^\]]*\]|…|\.\.\.")
# Fewer words than this in quotation marks are a term, not a quote.
_QUOTE_WORDS = 4
# A statement ends at a line end, or at a full stop with the citations that stand behind it.
_END = re.compile(
    r"\n+|(?<=[.!?])(?<!\b[A-Z]\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bal\.)(?<!\bcf\.)(?<!\bvs\.)"
    r"(?<!\bFig\.)(?<!\bEq\.)(?<!\bSec\.)(?<!\bNo\.)[\"”’)\]]*(?:\s*\[[\d,;–\- ]+\])*[.]?\s+"
    r"(?=[\"“‘(*_]*[A-Z0-9À-Þ])"
)
# Numbers that count the answer's own parts: list items, ideas, questions, sources by name.
_OWN = re.compile(
    r"(?m)^[\s>*#_]*\(?\d{1,3}[.):]|\b(?:sources?|ideas?|questions?|steps?|papers?|passages?)\s+"
    r"\d{1,3}(?:(?:,| and| or|, and)\s+\d{1,3})*\b",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"[*_`]+")

Statement = tuple[int, int]


def cited(answer: str) -> set[int]:
    """The numbers `answer` cites as `[n]`, `[n, m]` or `[n-m]`."""
    return {n for match in _CITATION.finditer(answer) for n in _listed(match[1])}


def _listed(inside: str) -> list[int]:
    found: list[int] = []
    for part in re.split(r"[,;]", inside):
        ends = [int(n) for n in re.findall(r"\d+", part)]
        if len(ends) == 2 and ends[0] < ends[1] <= ends[0] + 20:
            found += range(ends[0], ends[1] + 1)
        else:
            found += ends
    return found


def verify(
    answer: str,
    sources: Sequence[Source],
    passage_text: Callable[[str], str],
    about: Callable[[Source], str] = lambda source: source.title,
) -> tuple[tuple[Source, ...], tuple[Flaw, ...]]:
    """Check `answer` against `sources`; `passage_text` gives the whole text of a passage id.

    `about` gives what else is known of a source, e.g. its year: a number that stands there is not
    invented. Returns the sources, `verified` set where the model quoted them, and one flaw per
    place that does not hold, in the order of the answer.
    """
    texts = {source.n: passage_text(source.passage) or source.quote for source in sources}
    flaws = [
        Flaw(m.start(), m.end(), "citation", f"[{n}] is no source.")
        for m in _CITATION.finditer(answer)
        for n in _listed(m[1])
        if n not in texts
    ]
    verified: dict[int, bool] = {}
    flaws += _wrong_quotes(answer, texts, verified)
    known = {s.n: (texts[s.n], about(s), s.quote) for s in sources}
    flaws += _strays(answer, known)
    checked = tuple(replace(source, verified=verified.get(source.n)) for source in sources)
    return checked, tuple(sorted(flaws, key=lambda flaw: (flaw.start, flaw.end)))


def marked(answer: str, flaws: Sequence[Flaw]) -> str:
    """The answer with a mark after each place that does not hold."""
    for flaw in sorted(flaws, key=lambda flaw: flaw.end, reverse=True):
        answer = f"{answer[: flaw.end]} ✗{answer[flaw.end :]}"
    return answer


def statements(answer: str) -> Iterator[Statement]:
    """The (start, end) of each sentence, list item or heading, with the citations behind it."""
    start = 0
    for match in _END.finditer(answer):
        if match.end() > start:
            yield start, match.end()
        start = match.end()
    if start < len(answer):
        yield start, len(answer)


def _wrong_quotes(
    answer: str, texts: Mapping[int, str], verified: dict[int, bool]
) -> Iterator[Flaw]:
    for start, end, quote in _quotes(answer):
        named = _named(answer, start, end) & texts.keys()
        holders = {n for n, text in texts.items() if _stands(quote, text)}
        for n in holders & named or holders:
            verified.setdefault(n, True)
        if holders and (not named or holders & named):
            continue
        for n in named:
            verified[n] = False
        if holders:
            where = ", ".join(f"[{n}]" for n in sorted(holders))
            cites = ", ".join(f"[{n}]" for n in sorted(named))
            yield Flaw(
                start, end, "quote", f"This quote stands in {where}, not {cites}: “{quote}”."
            )
        else:
            yield Flaw(start, end, "quote", f"This quote stands in no source: “{quote}”.")


def _quotes(answer: str) -> Iterator[tuple[int, int, str]]:
    """What the answer gives as somebody's words: in quotation marks, or as a block."""
    blocks = [(m.start(1), m.end(1)) for m in _BLOCK.finditer(answer)]
    for start, end in blocks:
        inside = _CITATION.sub("", answer[start:end])
        inside = re.sub(r"\s+[—–-]+\s+[^.]*$", "", inside).strip(' "“”«».,;*_')
        if not _QUOTED.search(answer[start:end]) and _counts(inside):
            yield start, end, inside
    for match in _QUOTED.finditer(answer):
        quote = (match[1] or match[2]).strip(" .,;:!?*_`")
        if "\n\n" not in quote and _counts(quote):
            yield match.start(), match.end(), quote


def _counts(quote: str) -> bool:
    return len(quote.split()) >= _QUOTE_WORDS


def _stands(quote: str, text: str) -> bool:
    """Whether every part of a quote, left out parts apart, stands in a text."""
    parts = [part.strip(" .,;:") for part in _GAP.split(quote)]
    long = [part for part in parts if len(part.split()) > 1] or parts
    # A model may emphasise in a quote; a paper may hold the same signs as its own.
    return all(
        quotes.holds(text, part) or quotes.holds(_EMPHASIS.sub("", text), _EMPHASIS.sub("", part))
        for part in long
        if part
    )


def _named(answer: str, start: int, end: int) -> set[int]:
    """The sources cited behind a quote in its statement, else in the statement at all."""
    place = next((s for s in statements(answer) if s[0] <= start < s[1]), (start, len(answer)))
    stop = max(place[1], end)
    # A quote may end its sentence itself; the citation then stands behind the quotation mark.
    after = re.match(r"[.!?\s]*(?:\[[\d,;–\- ]+\]\s*)*", answer[stop:])
    return cited(answer[end : stop + (after.end() if after else 0)]) or cited(answer[slice(*place)])


def _strays(answer: str, known: Mapping[int, tuple[str, ...]]) -> Iterator[Flaw]:
    """Numbers of statements that cite sources none of which holds them."""
    ready: dict[int, numbers.Known] = {}
    for start, end in statements(answer):
        statement = answer[start:end]
        holders = cited(statement) & known.keys()
        if not holders:
            continue
        for n in holders - ready.keys():
            ready[n] = numbers.Known(known[n])
        bare = _CITATION.sub(lambda m: " " * len(m[0]), statement)
        bare = _OWN.sub(lambda m: " " * len(m[0]), bare)
        for number in numbers.find(bare):
            what = numbers.counted(bare, number)
            label = numbers.labelled(bare, number)
            if number.named or any(ready[n].holds(number, what, label) for n in holders):
                continue
            said = bare[number.start : number.end]
            where = ", ".join(f"[{n}]" for n in sorted(holders))
            message = f"The number {said} does not stand in {where}."
            yield Flaw(start + number.start, start + number.end, "number", message)
