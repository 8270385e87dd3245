from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.corpus import Corpus
from tui.domain.errors import NotFoundError
from tui.storage.workspace import Workspace

NOTES = (
    (
        "grey",
        "title: Grey pebbles of the river\nauthors: [Anna Keller]\nyear: 2019\n"
        "venue: Annals of Stones\ntags: [stone]",
        "Granite is common there. It was weighed twice.",
    ),
    (
        "white",
        "title: White sand and its uses\nauthors: [Zoë Müller]\nyear: 2021",
        "A pebble is measured against sand. The measurement took a day.",
    ),
    (
        "black",
        "title: Black clay\nauthors: [Bo Lindgren]\nyear: 2023",
        "Clay keeps water. A river passes and the granite stays.",
    ),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of three notes, made once; tests get copies."""
    place = tmp_path_factory.mktemp("library")
    for name, front, body in NOTES:
        text = f"---\n{front}\n---\n\n## Methods\n\n{body}\n\n## Results\n\nNothing else of {name}."
        (place / f"{name}.md").write_text(text)
    workspace = Workspace.open(place / "workspace")
    Corpus(workspace).add(sorted(place.glob("*.md")))
    workspace.close()
    return place / "workspace"


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(made, tmp_path / "copy")
    opened = Workspace.open(tmp_path / "copy")
    yield opened
    opened.close()


@pytest.fixture
def library(workspace: Workspace) -> Corpus:
    return Corpus(workspace)


def ids(corpus: Corpus, query: str) -> list[str]:
    return [paper.id.split("20")[0] for paper in corpus.papers(query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("granite", {"keller", "lindgren"}),
        ("granite -clay", {"keller"}),
        ('"granite stays"', {"lindgren"}),
        ('"stays granite"', set()),
        ("author:muller", {"muller"}),
        ("author:Müller sand", {"muller"}),
        ("year:2019..2021", {"keller", "muller"}),
        ("year:2022..", {"lindgren"}),
        ("tag:stone", {"keller"}),
        ("venue:annals", {"keller"}),
        ("title:clay", {"lindgren"}),
        ("section:methods weighed", {"keller"}),
        ("gran", {"keller", "lindgren"}),
        ("gran* year:2019", {"keller"}),
        ("measurements", {"muller"}),
    ],
)
def test_each_part_of_the_query_language_finds_its_papers(
    library: Corpus, query: str, expected: set[str]
) -> None:
    assert set(ids(library, query)) == expected
    assert library.count(query) == len(expected)


def test_hits_say_where_and_mark_what(library: Corpus) -> None:
    hit = library.search("granite weighed")[0]
    assert hit.paper == "keller2019grey"
    assert hit.section == "Methods"
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["Granite", "weighed"]
    assert library.passage(hit.passage).text.startswith("Granite is common")


def test_passages_with_every_word_come_first_and_others_follow(library: Corpus) -> None:
    found = [hit.paper for hit in library.search("granite river water")]
    assert found[0] == "lindgren2023black"
    assert "keller2019grey" in found


def test_a_question_finds_its_passage(library: Corpus) -> None:
    hit = library.search("How long did the measurement of the sand take?")[0]
    assert hit.paper == "muller2021white"


def test_search_can_be_kept_to_some_papers(library: Corpus) -> None:
    found = library.search("granite", papers=["lindgren2023black"])
    assert {hit.paper for hit in found} == {"lindgren2023black"}
    assert not library.search("granite", papers=[])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=40))
def test_no_query_breaks_the_search(library: Corpus, text: str) -> None:
    library.search(text, limit=3)
    library.papers(text, limit=3)
    assert isinstance(library.explain(text), str)


def test_tags_and_removal_are_found_at_once(library: Corpus) -> None:
    library.tag(["muller2021white"], add=["beach"])
    assert ids(library, "tag:beach") == ["muller"]
    library.tag(["muller2021white"], remove=["beach"])
    assert not ids(library, "tag:beach")
    library.remove(["keller2019grey"])
    assert set(ids(library, "granite")) == {"lindgren"}
    with pytest.raises(NotFoundError):
        library.paper("keller2019grey")


def test_private_papers_are_told_by_mark_and_by_tag(library: Corpus) -> None:
    everything = [paper.id for paper in library.papers()]
    library.set_private(["muller2021white"], True)
    library.set_private_tag("stone", True)
    assert library.private(everything) == {"muller2021white", "keller2019grey"}
    library.set_private(["muller2021white"], False)
    library.set_private_tag("stone", False)
    assert not library.private(everything)


@pytest.mark.parametrize("name", ["keller2019grey", "Grey Pebbles of the River", "grey.md", "grey"])
def test_papers_are_resolved_by_many_names(library: Corpus, name: str) -> None:
    assert library.resolve(name).id == "keller2019grey"
    with pytest.raises(NotFoundError):
        library.resolve(name + "x")


def test_quotes_are_found_whatever_their_dashes_and_line_breaks(library: Corpus) -> None:
    found = library.find_quote("“granite is\n  common there.”".strip("“”"))
    assert found is not None
    assert found.paper == "keller2019grey"
    across = library.find_quote("Granite is common there. It was weighed twice.", "keller2019grey")
    assert across is not None
    assert library.find_quote("ranite is common") is None
    assert library.find_quote("Granite is rare there.") is None
    assert library.find_quote("") is None


def test_a_missing_index_is_made_anew(library: Corpus, workspace: Workspace) -> None:
    shutil.rmtree(workspace.index)
    assert library.search("granite")
    assert Corpus(workspace).search("granite")


@pytest.mark.parametrize("damage", ["meta.json", "*.store", "*.term", "*.idx"])
def test_a_damaged_index_is_made_anew(library: Corpus, workspace: Workspace, damage: str) -> None:
    for path in workspace.index.glob(damage):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    fresh = Corpus(workspace)
    assert {hit.paper for hit in fresh.search("granite")} == {"keller2019grey", "lindgren2023black"}


def test_an_index_of_another_library_is_not_believed(
    library: Corpus, workspace: Workspace, tmp_path: Path
) -> None:
    other = Workspace.open(tmp_path / "other")
    shutil.copytree(workspace.index, other.index)
    assert not Corpus(other).search("granite")


def test_search_goes_on_while_another_process_writes_the_index(
    library: Corpus, workspace: Workspace
) -> None:
    lock = workspace.index.with_name("index.lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        library.tag(["muller2021white"], add=["late"])
        assert library.search("granite")
        assert not library.papers("tag:late")
    assert library.papers("tag:late")


def test_every_match_is_listed_however_many_there_are(
    library: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.corpus import index, query

    monkeypatch.setattr(index, "_GROUPS", 1)
    parsed = query.parse("nothing else")
    everything = library._index.papers(parsed)
    assert len(everything) == 3
    assert set(library._index.papers(parsed, ranked=1)) == set(everything)
    assert len(library._index.papers(parsed, ranked=1, most=1)) == 1
