"""How well papers are read: title, authors, abstract and headings against what is known of them.

Usage: python bench/reading.py FOLDER_OF_PDFS [--held-out | --build] [--show]

`bench/reading_truth.json` holds the truth of public papers, each known by its file's SHA-256:
whatever of them lies in the folder is measured, the rest is left out. Papers marked held-out come
from publishers that were not looked at while the reader was built; those "since opened" were
measured once before their faults were read and mended.

A title is right when at least 95 % of it agrees, letters and digits alone counting; authors agree
in family name and first initial; an abstract is right when it begins and ends with the truth's
words; headings are those of the first two levels, without their numbers.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypdfium2

from tui.corpus.document import Extracted, Unreadable
from tui.corpus.extract import extract
from tui.corpus.identity import family_name, fold, title_key
from tui.domain.paper import FileKind, SectionKind

TRUTH = Path(__file__).with_name("reading_truth.json")
_NUMBER = re.compile(
    r"^(?:(?:\d{1,2}|[IVX]{1,5}|[A-Z])(?:\.\d{1,2})*[.):]?|Appendix [A-Z\d][.:]?)\s+(?:\|\s*)?"
)
# Headed on the page, and no sections in the truth's files.
_BACK = re.compile(
    r"abstract|references|bibliography|keywords|appendix|funding|abbreviations|open access|"
    r"acknowledge?ments?|(?:competing|conflicts? of|declaration of competing) interests?|"
    r"authors?.{0,2} (?:contributions?|details|information)|additional (?:files?|material)|"
    r"supplement\w+ (?:material|information)|(?:data )?availability.*|consent .*|ethic.*",
    re.IGNORECASE,
)


@dataclass
class Score:
    """Counts over papers."""

    papers: int = 0
    refused: list[str] = field(default_factory=list)
    titles: int = 0
    abstracts: int = 0
    with_abstract: int = 0
    names: list[int] = field(default_factory=lambda: [0, 0, 0])
    headings: list[int] = field(default_factory=lambda: [0, 0, 0])
    whole: int = 0
    with_headings: int = 0
    captions: list[int] = field(default_factory=lambda: [0, 0])
    references: list[int] = field(default_factory=lambda: [0, 0])
    heads: list[int] = field(default_factory=lambda: [0, 0])


def alike(a: str, b: str, least: float) -> bool:
    """Whether two texts agree in at least this share of their letters and digits."""
    a, b = title_key(a), title_key(b)
    return a == b or (bool(a and b) and difflib.SequenceMatcher(None, a, b, False).ratio() >= least)


def person(name: str) -> tuple[str, str]:
    """A name's family name and first initial, folded."""
    family = fold(family_name(name))
    return family.replace(" ", ""), fold(name)[:1]


def bare(heading: str) -> str:
    """A heading without its number."""
    return _NUMBER.sub("", heading).strip(" .:")


def matched(wanted: Iterable[str], found: Sequence[str]) -> list[str]:
    """The wanted headings that were found, each found one used once."""
    left = [bare(heading) for heading in found]
    hits = []
    for heading in wanted:
        same = next((other for other in left if alike(bare(heading), other, 0.9)), None)
        if same is not None:
            left.remove(same)
            hits.append(heading)
    return hits


def measure(truth: dict[str, Any], found: Extracted, score: Score) -> list[str]:  # noqa: PLR0912
    """Count one paper; what is wrong with it, for people."""
    wrong = []
    score.papers += 1
    if alike(truth["title"], found.metadata.title, 0.95):
        score.titles += 1
    else:
        wrong.append(f"title: {found.metadata.title!r}\n    wanted {truth['title']!r}")
    wanted = {person(name) for name in truth["authors"]}
    got = {person(name) for name in found.metadata.authors}
    if wanted:
        for index, number in enumerate((len(wanted & got), len(wanted), len(got))):
            score.names[index] += number
    if wanted and wanted != got:
        wrong.append(f"authors: missing {sorted(wanted - got)} false {sorted(got - wanted)}")
    if truth["abstract"]:
        score.with_abstract += 1
        first, last = (fold(part).split() for part in truth["abstract"])
        text = fold(found.metadata.abstract).split()
        begins = " ".join(first[:5]) in " ".join(text[: len(first) + 8])
        ends = " ".join(last[-5:]) in " ".join(text[-len(last) - 4 :])
        if begins and ends:
            score.abstracts += 1
        else:
            wrong.append(
                f"abstract ({len(text)} words): {' '.join(text[:8])} … {' '.join(text[-8:])}\n"
                f"    wanted {' '.join(first)} … {' '.join(last)}"
            )
    titles = [section.title for section in found.sections if section.title]
    hits = matched(truth["headings"], titles)
    known = [*truth["headings"], *truth["also"]]
    false = [
        title
        for title in titles
        if not _BACK.fullmatch(bare(title))
        and not any(alike(bare(title), bare(other), 0.9) for other in known)
    ]
    if truth["headings"]:
        score.with_headings += 1
        score.whole += len(hits) >= 0.85 * len(truth["headings"])
        for index, number in enumerate((len(hits), len(truth["headings"]), len(false))):
            score.headings[index] += number
        if len(hits) < len(truth["headings"]):
            missing = [h for h in truth["headings"] if h not in hits]
            wrong.append(f"headings missing: {missing}")
        if false:
            wrong.append(f"headings false: {false}")
    spans = [
        fold(found.text[span.start : span.end])[:160]
        for span in found.spans
        if span.kind is SectionKind.CAPTION
    ]
    for caption in truth.get("captions", ()):
        words = fold(caption.split(" | ", 1)[1])
        hit = any(words[:40] in span for span in spans)
        score.captions[0] += hit
        score.captions[1] += 1
        if not hit:
            wrong.append(f"caption missing: {caption}")
    if count := truth.get("references"):
        near = abs(len(found.references) - count) <= max(1, count * 0.1)
        score.references[0] += near
        score.references[1] += 1
        if not near:
            wrong.append(f"references: {len(found.references)} wanted {count}")
    return wrong


def running_heads(path: Path) -> list[str]:
    """Lines that stand on at least three pages, and on a third of them, numbers aside."""
    document = pypdfium2.PdfDocument(path)
    pages: Counter[str] = Counter()
    for page in document:
        lines = page.get_textpage().get_text_range().split("\r\n")
        pages.update({key for line in lines if len(key := _letters(line)) >= 18})
    least = max(3, len(document) / 3)
    document.close()
    return [line for line, count in pages.items() if count >= least]


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", " ", text).strip().lower()


def report(name: str, score: Score) -> None:
    """Print one line for each figure."""
    hits, wanted, got = score.names
    recall, precision = hits / max(1, wanted), hits / max(1, got)
    f1 = 2 * recall * precision / max(1e-9, recall + precision)
    found, headings, false = score.headings
    print(f"{name}: {score.papers} papers read, {len(score.refused)} refused {score.refused}")
    print(f"  title     {score.titles}/{score.papers} = {score.titles / score.papers:.1%}  (97 %)")
    print(f"  authors   F1 {f1:.3f}, precision {precision:.3f}, recall {recall:.3f}  (0.9)")
    print(
        f"  abstract  {score.abstracts}/{score.with_abstract} = "
        f"{score.abstracts / max(1, score.with_abstract):.1%}  (85 %)"
    )
    print(
        f"  headings  {found}/{headings} = {found / max(1, headings):.1%}  (85 %), precision "
        f"{found / max(1, found + false):.1%}; papers with at least 85 % of theirs: "
        f"{score.whole}/{score.with_headings}"
    )
    for label, (good, count) in (
        ("captions as captions", score.captions),
        ("reference lists within 10 % of their length", score.references),
        ("running heads gone", score.heads),
    ):
        print(f"  {label}: {good}/{count} = {good / max(1, count):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("--show", action="store_true", help="tell what is wrong with each paper")
    chosen = parser.parse_args()
    truths = {row["sha256"]: row for row in json.loads(TRUTH.read_text(encoding="utf-8"))}
    scores = {"build": Score(), "held out, since opened": Score(), "held out": Score()}
    for path in sorted(chosen.folder.rglob("*.pdf")):
        truth = truths.pop(hashlib.sha256(path.read_bytes()).hexdigest(), None)
        if truth is None:
            continue
        name = {True: "held out", False: "build"}.get(truth["held_out"], "held out, since opened")
        if (name != "held out" and chosen.held_out) or (name == "held out" and chosen.build):
            continue
        try:
            found = extract(str(path), FileKind.PDF, archive=False, seconds=120)
        except Unreadable as refusal:
            scores[name].refused.append(f"{path.name}: {refusal}")
            continue
        wrong = measure(truth, found, scores[name])
        text = _letters(found.text)
        for head in running_heads(path):
            # Once is where the head is the title, the journal's name or a heading.
            gone = text.count(head) <= 1
            scores[name].heads[0] += gone
            scores[name].heads[1] += 1
            if not gone:
                wrong.append(f"running head left: {head}")
        if chosen.show and wrong:
            print(f"{path.name} ({truth['journal']})")
            for line in wrong:
                print(f"  {line}")
    for name, score in scores.items():
        if score.papers:
            report(name, score)


if __name__ == "__main__":
    main()
