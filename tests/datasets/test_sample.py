"""The sample pairs on the sample corpus, all real: everything is found, nothing leaks."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from tui.corpus import Corpus
from tui.corpus.quotes import normalise
from tui.datasets import Datasets
from tui.domain.example import Kind, Role
from tui.storage.workspace import Workspace

SAMPLE = Path(str(resources.files("assets") / "sample"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Datasets]:
    workspace = Workspace.open(tmp_path_factory.mktemp("sample") / "workspace")
    corpus = Corpus(workspace)
    corpus.add([SAMPLE / "papers"])
    datasets = Datasets(workspace, corpus, "Ada")
    datasets.create("sample")
    return corpus, datasets


def test_every_pair_is_grounded_and_a_version_has_all_five_roles(
    sample: tuple[Corpus, Datasets],
) -> None:
    corpus, datasets = sample
    pairs = SAMPLE / "pairs.jsonl"
    report = datasets.add_pairs("sample", pairs)
    assert report.failures == ()
    assert report.added == len(pairs.read_text(encoding="utf-8").splitlines())
    for example in datasets.examples("sample"):
        passage = corpus.passage(example.passages[0])
        assert normalise(example.quote) in normalise(passage.text)
    given = {e.id: e.role for e in datasets.examples("sample")}
    assert datasets.split("sample").notes == ()
    assert {e.id: e.role for e in datasets.examples("sample")} == given
    checked = datasets.check("sample")
    assert (checked.invalid, checked.duplicates, checked.leaks) == (0, 0, 0)
    version = datasets.freeze("sample")
    assert set(version.files) == {f"{role.value}.messages" for role in Role}
    assert len(datasets.test_items(version, Role.TEST_MEMORY)) >= 60


def test_summaries_and_full_text_of_kept_papers_stay_out_of_training(
    sample: tuple[Corpus, Datasets],
) -> None:
    _, datasets = sample
    datasets.add_from_corpus("sample", Kind.SUMMARY)
    datasets.add_from_corpus("sample", Kind.FULL_TEXT)
    version = datasets.freeze("sample")
    away = {item.paper for item in datasets.test_items(version, Role.TEST_TRANSFER)}
    assert len(away) >= 2
    trained = datasets.frozen(version, Role.TRAIN)
    assert {Kind.QA, Kind.FULL_TEXT} <= {example.kind for example in trained}
    assert not away & {example.paper for example in trained}
