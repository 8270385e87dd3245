"""Merging, splitting and taking back; orders, facets, sets and saved searches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tui.corpus import Corpus
from tui.corpus.listing import Sort
from tui.corpus.problems import ProblemKind
from tui.domain.errors import ConflictError, NotFoundError, UsageError
from tui.domain.paper import Paper
from tui.storage.workspace import Workspace

NOTE = """---
title: {title}
authors: [{author}]
year: {year}
venue: {venue}
tags: [{tag}]
{more}
---

## Results

The {thing} was found in the river near the mill.
"""


def note(path: Path, title: str, thing: str, *, author: str = "Anna Keller", year: int = 2019,
         venue: str = "Annals", tag: str = "stone", more: str = "") -> Path:  # fmt: skip
    path.write_text(
        NOTE.format(title=title, thing=thing, author=author, year=year, venue=venue, tag=tag,
                    more=more)
    )  # fmt: skip
    return path


@pytest.fixture
def library(corpus: Corpus, folder: Path) -> Corpus:
    note(folder / "a.md", "Grey pebbles of the river", "granite", tag="stone")
    note(folder / "b.md", "White sand of the shore", "quartz", author="Zoë Müller", year=2021,
         tag="beach", more="doi: 10.1234/sand")  # fmt: skip
    note(folder / "c.md", "Black clay of the field", "loam", author="Bo Adler", year=2020,
         venue="Zeitschrift")  # fmt: skip
    corpus.add([folder])
    return corpus


def everything(corpus: Corpus) -> list[object]:
    return [
        (p, corpus.text(p.id), corpus.passages(p.id), corpus.paper(p.id).sections)
        for p in corpus.papers()
    ]


def test_merged_papers_are_one_that_answers_to_both_names(library: Corpus) -> None:
    library.set_private(["muller2021white"], True)
    kept = library.merge(["keller2019grey", "muller2021white"])
    assert kept.id == "keller2019grey"
    assert {Path(name).name for name in kept.files} == {"a.md", "b.md"}
    assert (kept.title, kept.doi) == ("Grey pebbles of the river", "10.1234/sand")
    assert set(kept.tags) == {"stone", "beach"}
    assert kept.private
    assert library.totals().papers == 2
    for name in ("muller2021white", "doi:10.1234/sand"):
        assert library.resolve(name).id == "keller2019grey"
    assert not library.search("quartz")


def test_a_merge_taken_back_leaves_all_as_it_was(library: Corpus) -> None:
    before = everything(library)
    library.merge(["keller2019grey", "muller2021white", "adler2020black"])
    assert library.totals().papers == 1
    assert "merged" in library.undo()
    assert everything(library) == before
    assert library.search("quartz")[0].paper == "muller2021white"
    assert library.undo() == ""


def test_merged_papers_stay_merged_when_they_are_imported_again(
    library: Corpus, folder: Path
) -> None:
    library.merge(["keller2019grey", "muller2021white"])
    note(folder / "b.md", "White sand of the shore", "feldspar", author="Zoë Müller", year=2021)
    (folder / "new.md").write_text(
        "---\ntitle: White sand of the shore\nauthors: [Zoë Müller]\n---\n\nAnother copy of it."
    )
    library.add([folder])
    assert library.totals().papers == 2
    (folder / "refs.bib").write_text(
        "@article{k, title={White sand of the shore}, author={Müller, Zoë}, doi={10.1234/sand}}"
    )
    assert library.import_bibtex(folder / "refs.bib").added == 0


def test_split_files_stay_apart_and_both_have_text(library: Corpus, folder: Path) -> None:
    note(folder / "grey2.md", "Grey pebbles of the river", "marble")
    library.add([folder])
    (both,) = [p for p in library.papers() if len(p.files) == 2]
    second = next(path for path in library.files(both.id) if path.name == "grey2.md")
    made = library.split(both.id, [second])
    assert made.id != both.id
    assert [Path(name).name for name in made.files] == ["grey2.md"]
    assert made.tags == both.tags
    assert library.search("granite")[0].paper == both.id
    assert library.search("marble")[0].paper == made.id
    for thing in ("marble", "basalt"):
        note(folder / "grey2.md", "Grey pebbles of the river", thing)
        report = library.add([folder])
        assert report.failed == 0
        assert library.paper(made.id).files == made.files
        assert len(library.paper(both.id).files) == 1
    assert library.search("basalt")[0].paper == made.id
    moved = folder / "elsewhere.md"
    second.rename(moved)
    library.add([folder])
    assert library.files(made.id) == [moved]


def test_a_split_can_be_taken_back_after_more_happened(library: Corpus, folder: Path) -> None:
    note(folder / "grey2.md", "Grey pebbles of the river", "marble")
    library.add([folder])
    files = library.paper("keller2019grey").files
    made = library.split("keller2019grey", [files[1]])
    library.tag(["keller2019grey"], add=["later"])
    note(folder / "grey2.md", "Grey pebbles of the river", "basalt")
    library.add([folder])
    library.undo()
    assert library.paper("keller2019grey").files == files
    assert "later" in library.paper("keller2019grey").tags
    with pytest.raises(NotFoundError):
        library.paper(made.id)
    assert library.add([folder]).failed == 0
    assert library.paper("keller2019grey").files == files


def test_what_cannot_be_merged_split_or_taken_back_says_so(library: Corpus) -> None:
    with pytest.raises(UsageError):
        library.merge(["keller2019grey"])
    with pytest.raises(NotFoundError):
        library.merge(["keller2019grey", "nobody"])
    with pytest.raises(UsageError):
        library.split("keller2019grey", library.paper("keller2019grey").files)
    with pytest.raises(UsageError):
        library.split("keller2019grey", ["/no/file.md"])
    library.merge(["keller2019grey", "muller2021white"])
    library.remove(["keller2019grey"])
    with pytest.raises(ConflictError):
        library.undo()
    assert library.undo() == ""


def test_records_of_a_bibliography_merge_too(corpus: Corpus, folder: Path) -> None:
    path = folder / "refs.bib"
    path.write_text(
        "@article{one, title={A preprint on pebbles}, author={Keller, A}, eprint={2401.00001},"
        "archiveprefix={arXiv}}\n"
        "@article{two, title={Pebbles, as published}, author={Keller, A}, doi={10.1234/p}}"
    )
    corpus.import_bibtex(path)
    ids = [corpus.resolve(name).id for name in ("10.1234/p", "2401.00001")]
    kept = corpus.merge(ids)
    assert (kept.doi, kept.arxiv) == ("10.1234/p", "2401.00001")
    assert corpus.import_bibtex(path).added == 0
    assert corpus.totals().papers == 1


@pytest.mark.parametrize(("sort", "names"), [("title", "bgw"), ("year", "gbw"), ("author", "bgw")])
def test_papers_in_every_order_and_back(library: Corpus, sort: Sort, names: str) -> None:
    assert initials(library.papers(sort=sort)) == names
    assert initials(library.papers(sort=sort, descending=True)) == names[::-1]
    assert initials(library.papers(sort=sort, limit=1, offset=1)) == names[1]
    assert initials(library.papers("tag:stone", sort=sort)) == names.replace("w", "")


def test_papers_by_venue_and_by_when_they_came(library: Corpus, folder: Path) -> None:
    assert initials(library.papers(sort="venue"))[-1] == "b"
    assert initials(library.papers(sort="venue", descending=True))[0] == "b"
    (folder / "last.txt").write_text("The very last one, it came later than all of the others.")
    library.add([folder])
    last = library.papers(sort="added", descending=True)[0]
    assert Path(last.files[0]).name == "last.txt"
    assert library.ids(sort="added")[-1] == last.id
    assert [p.id for p in library.by_ids(["nobody", last.id])] == [last.id]


def initials(papers: Sequence[Paper]) -> str:
    return "".join(paper.title[0].lower() for paper in papers)


def test_an_unknown_order_is_refused(library: Corpus) -> None:
    with pytest.raises(UsageError, match="no order"):
        library.papers(sort="colour")  # type: ignore[arg-type]


def test_facets_count_what_matches(library: Corpus, folder: Path) -> None:
    facets = library.facets()
    assert facets["year"] == [("2021", 1), ("2020", 1), ("2019", 1)]
    assert facets["tag"] == [("stone", 2), ("beach", 1)]
    assert facets["venue"][0] == ("Annals", 2)
    assert facets["problem"] == []
    assert library.facets("tag:beach")["author"] == [("Zoë Müller", 1)]
    (folder / "untitled.txt").write_text("")
    for name, values in library.facets().items():
        for value, count in values:
            assert (
                library.count(f'{name}:"{value}"' if name != "year" else f"year:{value}") == count
            )


def test_sets_keep_to_a_dataset_or_leave_it_out(workspace: Workspace, library: Corpus) -> None:
    known = {"mine": {"keller2019grey", "adler2020black"}}
    scoped = Corpus(workspace, known.get)

    def found(query: str) -> set[str]:
        return {paper.id for paper in scoped.papers(query)}

    assert found("in:mine") == known["mine"]
    assert found("in:mine granite") == {"keller2019grey"}
    assert found("-in:mine") == {"muller2021white"}
    assert found("in:mine -year:2019") == {"adler2020black"}
    assert found("-year:2019..2020") == {"muller2021white"}
    assert {hit.paper for hit in scoped.search("river -in:mine")} == {"muller2021white"}
    assert scoped.search("in:mine")
    assert "no dataset 'nothing'" in scoped.explain("in:nothing granite")
    assert found("in:nothing granite") == {"keller2019grey"}
    assert "problems are" in scoped.explain("problem:odd")


def test_saved_searches_are_the_workspaces(workspace: Workspace, library: Corpus) -> None:
    library.save(" recent \n", "year:2020..")
    assert [(s.name, s.query) for s in Corpus(workspace).saved()] == [("recent", "year:2020..")]
    library.save("recent", "year:2021..")
    assert library.saved()[0].query == "year:2021.."
    library.forget("recent")
    assert library.saved() == []
    with pytest.raises(NotFoundError):
        library.forget("recent")
    with pytest.raises(UsageError):
        library.save("", "x")


def test_every_problem_has_its_kind_and_what_to_do(corpus: Corpus, folder: Path) -> None:
    note(folder / "a.md", "Grey pebbles of the river and of the lake", "granite")
    note(folder / "b.md", "Grey pebbles of the river and of the lakes", "granite, too,")
    (folder / "untitled.txt").write_text("nothing but these few words, no title at all. " * 20)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4")
    (folder / "empty.pdf").write_bytes(b"")
    gone = note(folder / "gone.md", "A note that goes away again", "slate")
    corpus.add([folder])
    gone.unlink()
    corpus.add([folder])
    found = {problem.kind: problem for problem in corpus.problems()}
    assert set(found) >= {ProblemKind.FAILED, ProblemKind.DUPLICATE, ProblemKind.MISSING}
    for problem in found.values():
        assert problem.reason
        assert problem.remedy
    doubles = [p.paper for p in corpus.problems() if p.kind is ProblemKind.DUPLICATE]
    assert len(doubles) == 2
    assert dict(corpus.facets()["problem"])["duplicate"] == 2
    assert {p.id for p in corpus.papers("problem:duplicate")} == set(doubles)
    corpus.merge(doubles)
    assert not corpus.papers("problem:duplicate")
