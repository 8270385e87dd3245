"""The citation check, tried on planted faults and on what is true, from sentences of papers.

    python bench/citations.py [-v] [FOLDER_OF_PAPERS…]

The sample corpus, and any folders of papers that are named. Answers are made of sentences of the
papers: numbers and quotes as they stand, and as people and models retell them (`1,204` as 1204,
42 % as 42 percent, a range as "10 to 20", a quote with a part left out), against the same with one
digit changed, one word exchanged, left out or put in, or a source that does not exist. A planted
number that happens to stand in its passage all the same counts as planted, and so as missed.
Sentences are prose: rows of tables and formulas are left out.
Exit code 1 when less than 95 % of what is wrong is found or more than 2 % of what is true accused.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from tui.chat.cite import verify
from tui.chat.condense import split_sentences
from tui.corpus import Corpus
from tui.domain.chat import Source
from tui.domain.paper import Passage, SectionKind
from tui.storage.workspace import Workspace

SEED = 11
VERBOSE = "-v" in sys.argv
PER_PAPER = 40
FOUND, ACCUSED = 0.95, 0.02
# A number as prose has it: not a part of a name, a reference in brackets, a decimal's tail.
_PLAIN = re.compile(
    r"(?<![\w.,\[–-])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w\]])|(?<![\w.,\[–-])\d+(?:\.\d+)?(?![\w\],.–-])"
)
_RETOLD = (
    ("thousands without comma", re.compile(r"(?<=\d),(?=\d{3}\b)"), ""),
    ("percent in words", re.compile(r"(?<=\d)\s?%"), " percent"),
    ("range in words", re.compile(r"(?<=\d)\s?[–-]\s?(?=\d)"), " to "),
    ("unit attached", re.compile(r"(?<=\d) (?=(?:ms|s|km|m|kg|g|MB|GB|Hz)\b)"), ""),
)
_OTHER = ("never", "always", "lower", "random", "seven", "partial", "hidden", "slower")

Case = tuple[str, str]


def prose(sentence: str) -> bool:
    """Whether a sentence is one: rows of tables and formulas are not what answers are made of."""
    words = re.findall(r"[A-Za-z]{2,}", sentence)
    letters = sum(sign.isalpha() or sign.isspace() for sign in sentence)
    return (
        40 <= len(sentence) <= 400
        and len(words) >= 8
        and letters >= 0.8 * len(sentence)
        and sentence.endswith(".")
        and not re.search(r"[\[|=↔→∈<>\\]", sentence)
    )


def true_answers(sentence: str, chance: random.Random) -> Iterator[Case]:
    """Ways to retell a sentence without changing what it says, by kind."""
    yield "number as it stands", f"They say that {sentence.rstrip('.')} [1]."
    for kind, pattern, instead in _RETOLD:
        if pattern.search(sentence):
            yield kind, f"{pattern.sub(instead, sentence)} [1]"
    words = sentence.split()
    if len(words) >= 8:
        size = chance.randint(5, min(20, len(words)))
        start = chance.randrange(len(words) - size + 1)
        part = words[start : start + size]
        quote = " ".join(part).strip(" .,;:")
        if len(quote) > 20 and '"' not in quote and "“" not in quote and "”" not in quote:
            yield "quote", f"The paper says “{quote}” [1]."
            yield "quote in plain marks", f'As they put it, "{quote}" [1].'
            yield "quote with a capital", f"“{quote[0].upper()}{quote[1:]}.” [1]"
            if size >= 10:
                middle = size // 2
                left, right = " ".join(part[: middle - 1]), " ".join(part[middle + 1 :])
                yield "quote with a gap", f"They write “{left} … {right}” [1]."
            yield "quote as a block", f"> {quote} [1]"


def wrong_answers(sentence: str, chance: random.Random) -> Iterator[Case]:
    """The same with one thing that the source does not say."""
    numbers = list(_PLAIN.finditer(sentence))
    if numbers:
        match = chance.choice(numbers)
        yield "number", f"{changed(sentence, match, chance).rstrip('.')} [1]."
    words = sentence.split()
    if len(words) >= 8:
        size = chance.randint(6, min(20, len(words)))
        start = chance.randrange(len(words) - size + 1)
        part = words[start : start + size]
        if not any(mark in " ".join(part) for mark in '"“”'):
            place = chance.randrange(1, size - 1)
            swapped = [*part[:place], chance.choice(_OTHER), *part[place + 1 :]]
            yield "quote, a word exchanged", f"They write “{' '.join(swapped).strip(' .,;:')}” [1]."
            added = [*part[:place], "not", *part[place:]]
            yield "quote, a word put in", f"They write “{' '.join(added).strip(' .,;:')}” [1]."
            less = [*part[:place], *part[place + 1 :]]
            yield "quote, a word left out", f"They write “{' '.join(less).strip(' .,;:')}” [1]."
    yield "source", f"{sentence.rstrip('.')} [7]."


def changed(sentence: str, match: re.Match[str], chance: random.Random) -> str:
    """The sentence with one digit of a number exchanged for another."""
    number = match[0]
    places = [place for place, sign in enumerate(number) if sign.isdigit()]
    place = chance.choice(places)
    others = [d for d in "123456789" if d != number[place]]
    other = number[:place] + chance.choice(others) + number[place + 1 :]
    return sentence[: match.start()] + other + sentence[match.end() :]


def judge(answer: str, passage: Passage, title: str) -> bool:
    """Whether the check finds anything wrong."""
    source = Source(
        1, passage.paper, title, passage.id, passage.page, passage.section, passage.text
    )
    _, flaws = verify(answer, [source], lambda _: passage.text)
    return bool(flaws)


def measure(name: str, corpus: Corpus) -> tuple[int, int, int, int]:
    """Print what was found and accused by kind; the sums."""
    chance = random.Random(SEED)
    planted, found, told, accused = (Counter[str]() for _ in range(4))
    for paper in corpus.papers():
        sentences = [
            (passage, sentence)
            for passage in corpus.passages(paper.id)
            if passage.kind is not SectionKind.REFERENCES
            for sentence in split_sentences(passage.text)
            if prose(sentence)
        ]
        numbered = [entry for entry in sentences if _PLAIN.search(entry[1])]
        plain = [entry for entry in sentences if not _PLAIN.search(entry[1])]
        chosen = chance.sample(numbered, min(PER_PAPER, len(numbered)))
        chosen += chance.sample(plain, min(PER_PAPER // 4, len(plain)))
        for passage, sentence in chosen:
            for kind, answer in true_answers(sentence, chance):
                told[kind] += 1
                blamed = judge(answer, passage, paper.title)
                accused[kind] += blamed
                if VERBOSE and blamed:
                    print(f"accused ({kind}): {answer}")
            for kind, answer in wrong_answers(sentence, chance):
                planted[kind] += 1
                seen = judge(answer, passage, paper.title)
                found[kind] += seen
                if VERBOSE and not seen:
                    print(f"missed ({kind}): {answer}")
    print(f"{name}: {corpus.totals().papers} papers")
    for kind, number in planted.items():
        print(f"  wrong  {kind:26} {number:6}  found   {found[kind] / number:7.2%}")
    for kind, number in told.items():
        print(f"  true   {kind:26} {number:6}  accused {accused[kind] / number:7.2%}")
    sums = sum(planted.values()), sum(found.values()), sum(told.values()), sum(accused.values())
    share, wrongly = sums[1] / max(1, sums[0]), sums[3] / max(1, sums[2])
    print(f"  all    {sums[0]} planted, {share:.2%} found (wanted: {FOUND:.0%} or more)")
    print(f"         {sums[2]} true, {wrongly:.2%} accused (wanted: {ACCUSED:.0%} or less)")
    return sums


def main() -> int:
    """Measure each library."""
    sample = Path(str(resources.files("assets"))) / "sample" / "papers"
    good = True
    for folder in [sample, *(Path(name) for name in sys.argv[1:] if name != "-v")]:
        with tempfile.TemporaryDirectory() as place:
            workspace = Workspace.open(Path(place) / "workspace")
            corpus = Corpus(workspace)
            corpus.add([folder])
            planted, found, told, accused = measure(folder.name, corpus)
            good &= found >= FOUND * planted and accused <= ACCUSED * told
            workspace.close()
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
