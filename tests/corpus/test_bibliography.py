from __future__ import annotations

from pathlib import Path

import pytest

from tui.corpus import Corpus
from tui.domain.errors import NotFoundError, UsageError

GOOD = r"""@string{annals = "Annals of Stones"}
@article{keller2019, author = {Keller, Anna and M{\"u}ller, Bo and {The Stone Group}},
  title = {The {Grey} Pebble \& its $x^2$}, journal = annals, year = {2019},
  doi = {https://doi.org/10.1234/GREY}, keywords = {stone, river}}
@misc{arx, author = {Lindgren, B.}, title = {White Pebbles in the Snow}, eprint = {2401.01234v3},
  archiveprefix = {arXiv}, year = 2024}
"""
BROKEN = GOOD + "@article{bad, title={never closed\n@article{untitled, year=2000}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "refs.bib"
    path.write_text(text)
    return path


def test_entries_become_papers_and_broken_ones_are_reported_one_by_one(
    corpus: Corpus, folder: Path
) -> None:
    report = corpus.import_bibtex(write(folder, BROKEN))
    assert (report.added, report.updated, report.failed) == (2, 0, 2)
    assert report.entries == 4
    assert {failure.path for failure in report.failures} == {"bad", "untitled"}
    paper = corpus.resolve("10.1234/grey")
    assert paper.authors == ("Anna Keller", "Bo Müller", "The Stone Group")
    assert paper.title == "The Grey Pebble & its $x^2$"
    assert (paper.year, paper.venue, paper.tags) == (2019, "Annals of Stones", ("river", "stone"))
    assert corpus.resolve("arXiv:2401.01234").title == "White Pebbles in the Snow"
    assert [hit.paper for hit in corpus.search("white snow")] == [corpus.resolve("2401.01234").id]


def test_importing_twice_adds_nothing(corpus: Corpus, folder: Path) -> None:
    path = write(folder, GOOD)
    corpus.import_bibtex(path)
    report = corpus.import_bibtex(path)
    assert (report.added, report.updated) == (0, 2)
    assert corpus.totals().papers == 2


def test_what_is_exported_can_be_imported(corpus: Corpus, folder: Path, tmp_path: Path) -> None:
    from tui.storage.workspace import Workspace

    corpus.import_bibtex(write(folder, GOOD))
    text = corpus.export_bibtex()
    other = Corpus(Workspace.open(tmp_path / "other"))
    assert other.import_bibtex(write(folder, text)).failed == 0

    def told(library: Corpus) -> list[object]:
        return [(p.title, p.authors, p.year, p.doi, p.arxiv, p.tags) for p in library.papers()]

    assert told(other) == told(corpus)
    with pytest.raises(NotFoundError):
        corpus.export_bibtex(["nobody2000"])


@pytest.mark.parametrize("text", ["", "no entry here", "@comment{x}"])
def test_a_file_without_entries_is_refused(corpus: Corpus, folder: Path, text: str) -> None:
    with pytest.raises(UsageError):
        corpus.import_bibtex(write(folder, text))
    with pytest.raises(UsageError):
        corpus.import_bibtex(folder / "nowhere.bib")


BEFORE = "@article{before, title={The one before}, year=2001}\n"
AFTER = "@article{after, title={The one after}, year=2002}\n"


@pytest.mark.parametrize(
    "broken",
    [
        "@article{bad, title={never closed\n",
        '@article{bad, title="never closed, year=2000}\n',
        "@article{bad, title={No comma} year={2000}}\n",
        "@article{bad title={No key}}\n",
        "@article{bad, year=2000}\n",
        "@article{bad, title={}}\n",
        "@article{bad, title=undefined # {}}\n",
        "@article{bad",
    ],
)
def test_a_broken_entry_costs_only_itself(corpus: Corpus, folder: Path, broken: str) -> None:
    report = corpus.import_bibtex(write(folder, f"{BEFORE}{broken}\n{AFTER}"))
    assert {paper.title for paper in corpus.papers()} >= {"The one before", "The one after"}
    assert report.added + report.failed == report.entries
    assert all(failure.reason for failure in report.failures)


@pytest.mark.parametrize(
    "odd",
    [
        "@article{odd, title={" + "{" * 3000 + "deep" + "}" * 3000 + "}}\n",
        "@article{odd, title={\\input{/etc/passwd} \\def\\x{\\x}\\x}}\n",
        '@comment{jabref-meta: grouping:;}\n@preamble{"\\newcommand"}\n',
        "@article(odd, title={In parentheses})\n",
        "@article{odd, title={Mail me@home.org now}}\n",
        "@article{odd, title={Ansi \x1b]52;c;x\x07 \u202e and [@click=app.quit]}}\n",
        "junk @ @@ } { \n",
    ],
)
def test_odd_entries_do_no_harm(corpus: Corpus, folder: Path, odd: str) -> None:
    corpus.import_bibtex(write(folder, f"{BEFORE}{odd}{AFTER}"))
    titles = [paper.title for paper in corpus.papers()]
    assert {"The one before", "The one after"} <= set(titles)
    assert not any(c in title for title in titles for c in "\x1b\x07\u202e")
    assert not any("root:" in title for title in titles)


def test_an_entry_takes_year_and_book_from_the_one_it_refers_to(
    corpus: Corpus, folder: Path
) -> None:
    corpus.import_bibtex(
        write(
            folder,
            "@inproceedings{a, title={A talk on pebbles}, crossref={p}}\n"
            "@proceedings{p, title={Proceedings on Stones}, year=2001}\n",
        )
    )
    talk = corpus.resolve("A talk on pebbles")
    assert (talk.year, talk.venue) == (2001, "Proceedings on Stones")
