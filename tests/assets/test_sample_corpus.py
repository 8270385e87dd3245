"""The sample corpus keeps what it promises: a test on it measures learning and nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pypdfium2
import pytest
import yaml

import assets
from assets.sample import build

SAMPLE = Path(assets.__file__).parent / "sample"
PAPERS = SAMPLE / "papers"
TRANSFER = {"10.5555/fenlight.2024.inks", "10.5555/fenlight.2025.fibres"}
TESTED = {"test-memory", "test-transfer"}
LEARNT = {"train", "validation", "validation-transfer"}

_STOPS = """
    a about after again all also am an and any are as at be been before being but by can could
    did do does doing done down for from had has have having he her here him his how i if in into
    is it its just me might more most must my no nor not now of off on once only onto or our out
    over own shall she should so some such than that the their them then there these they this
    those through to too under until up us very was we were what when where which while who whom
    whose why will with without would you your
"""
STOP_WORDS = frozenset(_STOPS.split())


@dataclass(frozen=True)
class Pair:
    question: str
    answer: str
    key_phrase: str
    quote: str
    paper: str
    finding: str
    form: str
    role: str


def load(name: str) -> list[Pair]:
    lines = (SAMPLE / name).read_text(encoding="utf-8").splitlines()
    return [Pair(**json.loads(line)) for line in lines]


PAIRS = load("pairs.jsonl")
OTHERS = load("other-wordings.jsonl")
EVERY = PAIRS + OTHERS


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def content_words(text: str) -> set[str]:
    return set(words(text)) - STOP_WORDS


def contains(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text as whole words, whatever the case and signs."""
    return f" {' '.join(words(phrase))} " in f" {' '.join(words(text))} "


def plain(text: str) -> str:
    """Join words that a line end had broken, then make all white space alike."""
    return " ".join(re.sub("[\ufffe\u00ad]\\s*", "", text).split())


def read(path: Path) -> str:
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as document:
            return plain("\n".join(page.get_textpage().get_text_range() for page in document))
    if path.is_dir():
        parts = [path / "main.tex", *sorted((path / "sections").glob("*.tex"))]
        return plain("\n".join(part.read_text(encoding="utf-8") for part in parts))
    return plain(path.read_text(encoding="utf-8"))


@cache
def texts() -> dict[str, str]:
    """Every form of every work, by the name of its file or folder."""
    return {path.name: read(path) for path in sorted(PAPERS.iterdir()) if path.suffix != ".bib"}


def works() -> dict[str, list[str]]:
    """The forms of each work, by the DOI that stands first in them."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in texts().items():
        match = re.search(r"10\.5555/fenlight\.\d{4}\.[a-z]+", text)
        assert match, name
        found[match.group()].append(name)
    return dict(found)


def abstract(name: str) -> str:
    path = PAPERS / name
    if path.suffix == ".pdf":
        text = (SAMPLE / "source" / f"{path.stem}.md").read_text(encoding="utf-8")
    else:
        text = (path / "main.tex" if path.is_dir() else path).read_text(encoding="utf-8")
    match = re.search(
        r"(?:## Abstract|\\begin\{abstract\}|^Abstract$)\n(.*?)"
        r"(?=^## |\\end\{abstract\}|^1 Introduction$)",
        text,
        re.DOTALL | re.MULTILINE,
    )
    assert match, name
    return match.group(1)


def by_finding(pairs: list[Pair]) -> dict[str, list[Pair]]:
    grouped: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        grouped[pair.finding].append(pair)
    return dict(grouped)


def test_twelve_works_in_every_format() -> None:
    assert len(works()) == 12
    assert Counter(Path(name).suffix for name in texts()) == {
        ".pdf": 6, ".tex": 2, "": 1, ".md": 3, ".txt": 1,
    }  # fmt: skip
    files = [path for path in PAPERS.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".pdf", ".tex", ".bib", ".md", ".txt"}


def test_every_paper_says_that_it_is_invented() -> None:
    for name, text in texts().items():
        face = text if name.endswith(".pdf") else text[:1200]
        assert build.INVENTED in face, name
    assert "invented" in (PAPERS / "group.bib").read_text(encoding="utf-8").lower()
    assert "invented" in (SAMPLE / "README.md").read_text(encoding="utf-8")


def test_abstracts_have_the_length_of_abstracts() -> None:
    lengths = {name: len(abstract(name).split()) for name in texts()}
    assert {name: n for name, n in lengths.items() if not 60 <= n <= 110} == {}


def test_the_bibliography_lists_each_work_once() -> None:
    bib = (PAPERS / "group.bib").read_text(encoding="utf-8")
    assert sorted(re.findall(r"doi\s*=\s*\{(.+?)\}", bib)) == sorted(works())


def test_front_matter_can_be_read() -> None:
    for path in PAPERS.glob("*.md"):
        front = yaml.safe_load(path.read_text(encoding="utf-8").split("---\n")[1])
        assert set(front) == {"title", "authors", "year", "venue", "doi", "tags"}
        assert 2019 <= front["year"] <= 2025
        assert 2 <= len(front["authors"]) <= 4


def test_one_work_is_there_as_pdf_and_as_tex() -> None:
    twins = {doi: names for doi, names in works().items() if len(names) > 1}
    assert twins == {"10.5555/fenlight.2022.bells": ["bells", "bells.pdf"]}
    tex, pdf = texts()["bells"], texts()["bells.pdf"]
    source = build.parse((SAMPLE / "source" / "bells.md").read_text(encoding="utf-8"))
    assert f"\\title{{{source.front['title']}}}" in tex
    assert source.front["title"] in pdf
    assert source.authors in pdf
    assert source.authors.replace(", ", r" \and ") in tex.replace(r"\"e", "ë")


def test_sixty_findings_to_train_on_and_sixteen_to_transfer_to() -> None:
    papers: dict[str, set[str]] = defaultdict(set)
    for pair in PAIRS:
        papers[pair.paper].add(pair.finding)
    assert set(papers) == set(works())
    assert {doi: len(papers[doi]) for doi in TRANSFER} == dict.fromkeys(TRANSFER, 8)
    trained = {doi: len(found) for doi, found in papers.items() if doi not in TRANSFER}
    assert len(trained) == 10
    assert min(trained.values()) >= 6
    assert sum(trained.values()) == 60


def test_roles() -> None:
    counts = {
        finding: Counter(pair.role for pair in pairs)
        for finding, pairs in by_finding(PAIRS).items()
    }
    transfer = {pair.finding for pair in PAIRS if pair.paper in TRANSFER}
    for finding, roles in counts.items():
        if finding in transfer:
            assert roles["test-transfer"] == 1
            assert set(roles) <= {"test-transfer", "validation-transfer"}
        else:
            assert roles["train"] == 8
            assert roles["test-memory"] == 1
            assert set(roles) <= {"train", "validation", "test-memory"}
    assert sum(roles["validation"] for roles in counts.values()) >= 20
    assert sum(roles["validation-transfer"] for roles in counts.values()) == 8


def test_the_wordings_of_a_finding_agree_in_all_but_the_question() -> None:
    for pairs in by_finding(EVERY).values():
        facts = {(p.answer, p.key_phrase, p.quote, p.paper, p.form) for p in pairs}
        assert len(facts) == 1


def test_at_least_five_trained_findings_share_each_form() -> None:
    forms: dict[str, set[str]] = defaultdict(set)
    for pair in PAIRS:
        if pair.paper not in TRANSFER:
            forms[pair.form].add(pair.finding)
    assert 8 <= len(forms) <= 12
    assert min(len(found) for found in forms.values()) >= 5
    assert {pair.form for pair in PAIRS if pair.paper in TRANSFER} <= set(forms)


def test_the_commonest_answer_would_score_five_per_cent_at_most() -> None:
    for role in TESTED:
        keys = Counter(" ".join(words(p.key_phrase)) for p in PAIRS if p.role == role)
        allowed = 0.05 * sum(keys.values())
        assert max(keys.values()) <= max(1, allowed)


def test_no_answer_contains_the_key_phrase_of_another_finding() -> None:
    for finding, pairs in by_finding(PAIRS).items():
        strangers = [p.finding for p in PAIRS if contains(p.answer, pairs[0].key_phrase)]
        assert set(strangers) == {finding}


@pytest.mark.parametrize("pair", EVERY, ids=lambda pair: f"{pair.finding}-{pair.role}")
def test_a_question_stands_alone_and_gives_nothing_away(pair: Pair) -> None:
    assert not contains(pair.question, pair.key_phrase)
    assert len(pair.question.split()) <= 18
    assert len(pair.answer.split()) <= 16
    assert pair.key_phrase in pair.answer
    assert 1 <= len(pair.key_phrase.split()) <= 4
    assert not re.search(r"\b(this|the) (paper|table|figure|study|section)\b", pair.question)


def test_every_question_names_an_entity_that_no_other_finding_has() -> None:
    findings = by_finding(EVERY)
    for finding, pairs in findings.items():
        shared = set(re.findall(r"\w+", pairs[0].quote))
        for pair in pairs:
            shared &= set(re.findall(r"\w+", pair.question))
        names = {word for word in shared if word[0].isupper()}
        assert names, finding
        for other, strangers in findings.items():
            if other != finding:
                assert not names & set(re.findall(r"\w+", strangers[0].quote)), (finding, other)


def test_no_question_is_asked_twice() -> None:
    asked = Counter(" ".join(words(pair.question)) for pair in EVERY)
    assert [question for question, times in asked.items() if times > 1] == []


@pytest.mark.parametrize("finding", sorted(by_finding(EVERY)))
def test_tested_wordings_are_far_from_learnt_ones(finding: str) -> None:
    pairs = by_finding(EVERY)[finding]
    for tested in (p.question for p in pairs if p.role in TESTED):
        for learnt in (p.question for p in pairs if p.role in LEARNT):
            assert len(content_words(tested) ^ content_words(learnt)) >= 3, (tested, learnt)


def test_somebody_elses_wordings_cover_each_trained_finding_once() -> None:
    tested = {pair.finding for pair in PAIRS if pair.role == "test-memory"}
    assert Counter(pair.finding for pair in OTHERS) == dict.fromkeys(tested, 1)
    assert {pair.role for pair in OTHERS} == {"test-memory"}


@pytest.mark.parametrize("finding", sorted(by_finding(PAIRS)))
def test_a_quote_stands_once_in_its_paper_and_nowhere_else(finding: str) -> None:
    pair = by_finding(PAIRS)[finding][0]
    assert pair.key_phrase in pair.quote
    assert len(pair.quote.split()) >= 6
    home = works()[pair.paper]
    for name, text in texts().items():
        assert text.count(pair.quote) == (1 if name in home else 0), name


def test_the_typesetter_makes_the_committed_pdfs(tmp_path: Path) -> None:
    written = build.build(SAMPLE / "source", tmp_path)
    assert [path.name for path in written] == sorted(p.name for p in PAPERS.glob("*.pdf"))
    for path in written:
        assert path.read_bytes() == (PAPERS / path.name).read_bytes(), path.name


def test_the_typesetter_follows_its_source(tmp_path: Path) -> None:
    text = (SAMPLE / "source" / "clays.md").read_text(encoding="utf-8")
    (tmp_path / "changed.md").write_text(text.replace("sour milk", "cold tea"), encoding="utf-8")
    (path,) = build.build(tmp_path, tmp_path)
    assert "cold tea dissolved Marlock marl" in read(path)
    assert "sour milk" not in read(path)


def test_pdfs_show_what_makes_pdfs_hard() -> None:
    columns = set()
    for path in PAPERS.glob("*.pdf"):
        source = build.parse((SAMPLE / "source" / f"{path.stem}.md").read_text(encoding="utf-8"))
        columns.add(source.front["columns"])
        assert path.stat().st_size < 100_000
        with pypdfium2.PdfDocument(path) as document:
            pages = [page.get_textpage().get_text_range() for page in document]
        assert 2 <= len(pages) <= 3
        for mark in ("Table 1:", "Figure 1:", "References", "[1]"):
            assert mark in "".join(pages), (path.name, mark)
        assert all(source.front["running"] in page for page in pages[1:])
        assert all(str(n) in page for n, page in enumerate(pages, 1))
    assert columns == {"1", "2"}
    broken = [name for name in PAPERS.glob("*.pdf") if has_broken_word(name)]
    assert len(broken) >= 2


def has_broken_word(path: Path) -> bool:
    """Whether a word is hyphenated at a line end; the reader marks the place with U+FFFE."""
    with pypdfium2.PdfDocument(path) as document:
        return any("\ufffe" in page.get_textpage().get_text_range() for page in document)
