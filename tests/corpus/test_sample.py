"""The sample corpus as users get it: each planted sentence is found, and questions find it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tui.corpus import Corpus
from tui.storage.workspace import Workspace

SAMPLE = Path(str(resources.files("assets"))) / "sample"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    workspace = Workspace.open(tmp_path_factory.mktemp("sample") / "workspace")
    corpus = Corpus(workspace)
    report = corpus.add([SAMPLE / "papers"])
    assert not report.failed
    yield corpus
    workspace.close()


def pairs(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / name).read_text().splitlines()]


def test_every_planted_sentence_is_found_in_its_paper_and_anywhere(sample: Corpus) -> None:
    for quote, paper in {(pair["quote"], pair["paper"]) for pair in pairs("pairs.jsonl")}:
        owner = sample.resolve(paper).id
        found = sample.find_quote(quote, owner)
        assert found is not None, quote
        anywhere = sample.find_quote(quote)
        assert anywhere is not None and anywhere.paper == owner, quote
        if sample.paper(owner).pages:
            assert 1 <= found.page <= sample.paper(owner).pages


def test_questions_find_the_passage_that_answers_them(sample: Corpus) -> None:
    known = pairs("pairs.jsonl")
    places: dict[str, str] = {}
    for pair in known:
        found = sample.find_quote(pair["quote"], sample.resolve(pair["paper"]).id)
        assert found is not None
        places[pair["finding"]] = found.id
    asked = [*known, *pairs("other-wordings.jsonl")]
    right = sum(
        places[pair["finding"]] in {hit.passage for hit in sample.search(pair["question"], limit=5)}
        for pair in asked
    )
    assert right >= 0.95 * len(asked), f"{right} of {len(asked)}"


def test_the_work_in_two_forms_is_one_paper(sample: Corpus) -> None:
    papers = sample.papers()
    assert len({paper.doi for paper in papers}) == len(papers)
    kinds = {Path(name).suffix for paper in papers for name in paper.files if len(paper.files) > 1}
    assert kinds == {".pdf", ".tex"}
    for paper in papers:
        full = sample.paper(paper.id)
        assert paper.title and paper.authors and paper.year and paper.abstract
        assert full.references
        assert len(full.sections) >= 5
