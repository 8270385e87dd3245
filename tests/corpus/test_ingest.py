from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.corpus.papers import paper
from tui.corpus import Corpus, Progress
from tui.domain.errors import UsageError
from tui.domain.paper import FileStatus, IngestReport
from tui.storage.workspace import Workspace

NOTE = """# {title}

## Abstract

{words} is what this note is about, and it says so in one sentence.

## Results

The {words} was found in the river near the mill.
"""


def note(path: Path, title: str, words: str = "grey pebble") -> Path:
    path.write_text(NOTE.format(title=title, words=words))
    return path


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    found = (report.added, report.updated, report.unchanged, report.skipped, report.failed)
    assert sum(found) == report.files
    assert report.failed == len(report.failures)
    return found


def test_every_regular_file_is_counted_and_nothing_else(corpus: Corpus, folder: Path) -> None:
    note(folder / "a.md", "A note on grey pebbles")
    note(folder / ".hidden.md", "A hidden note on white pebbles")
    (folder / "data.csv").write_text("1,2")
    (folder / "empty.pdf").write_bytes(b"")
    os.mkfifo(folder / "pipe.pdf")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "again.md").symlink_to(folder / "a.md")
    (folder / "nowhere.md").symlink_to(folder / "missing.md")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fsencode(folder / "s.pdf"))
        report = corpus.add([folder])
    assert counts(report) == (2, 0, 0, 1, 1)
    assert report.papers == 2
    assert report.failures[0].reason == "empty file"


def test_a_second_run_changes_nothing_and_reads_nothing(corpus: Corpus, folder: Path) -> None:
    note(folder / "a.md", "A note on grey pebbles")
    (folder / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    corpus.add([folder])
    before = corpus.papers()
    report = corpus.add([folder])
    assert counts(report) == (0, 0, 1, 0, 1)
    assert corpus.papers() == before


def test_a_changed_file_is_read_again_and_keeps_its_id(corpus: Corpus, folder: Path) -> None:
    path = note(folder / "a.md", "A note on grey pebbles")
    corpus.add([folder])
    first = corpus.papers()[0]
    note(path, "A note on grey pebbles", "red granite")
    report = corpus.add([folder])
    assert counts(report) == (0, 1, 0, 0, 0)
    assert corpus.papers()[0].id == first.id
    assert "red granite" in corpus.text(first.id)
    assert corpus.search("granite")
    assert not corpus.search("pebble river")[0].snippet.count("grey pebble was")


def test_a_moved_file_is_known_by_its_content(corpus: Corpus, folder: Path) -> None:
    path = note(folder / "a.md", "A note on grey pebbles")
    corpus.add([folder])
    path.rename(folder / "b.md")
    report = corpus.add([folder])
    assert counts(report) == (0, 0, 1, 0, 0)
    (only,) = corpus.papers()
    assert [Path(name).name for name in only.files] == ["b.md"]


def test_a_deleted_file_is_marked_and_its_paper_stays(corpus: Corpus, folder: Path) -> None:
    path = note(folder / "a.md", "A note on grey pebbles")
    corpus.add([folder])
    content = path.read_bytes()
    stamp = path.stat().st_mtime_ns
    path.unlink()
    corpus.add([folder])
    assert [problem.status for problem in corpus.problems()] == [FileStatus.MISSING]
    assert len(corpus.papers()) == 1
    path.write_bytes(content)
    os.utime(path, ns=(stamp, stamp))
    assert counts(corpus.add([folder])) == (0, 0, 1, 0, 0)
    assert not corpus.problems()


def test_files_of_one_work_are_one_paper(corpus: Corpus, folder: Path) -> None:
    title = "On the weight of grey pebbles in rivers"
    paper(folder / "a.pdf", title=title)
    (folder / "a.tex").write_text(
        rf"\documentclass{{article}}\title{{{title}}}\author{{Anna Keller \and Bo Lindgren}}"
        r"\begin{document}\begin{abstract}In TeX.\end{abstract}\section{One}Text.\end{document}"
    )
    (folder / "refs.bib").write_text(
        f"@article{{k, title={{{title}}}, author={{Keller, Anna and Lindgren, Bo}}, "
        "journal={Journal of Pebbles}, year=2019, doi={10.1234/pebbles}}"
    )
    report = corpus.add([folder])
    assert counts(report) == (2, 0, 0, 1, 0)
    (only,) = corpus.papers()
    assert only.id == "keller2019weight" or only.id.startswith("keller")
    assert (only.year, only.venue, only.doi) == (2019, "Journal of Pebbles", "10.1234/pebbles")
    assert len(only.files) == 2
    assert only.pages > 0


def test_a_bibliography_completes_papers_that_come_after_it(corpus: Corpus, folder: Path) -> None:
    (folder / "refs.bib").write_text(
        "@article{k, title={A note on grey pebbles}, author={Keller, Anna}, year=2019}"
    )
    corpus.add([folder])
    assert not corpus.papers()
    note(folder / "a.md", "A note on grey pebbles")
    corpus.add([folder])
    assert corpus.papers()[0].authors == ("Anna Keller",)


def test_a_copy_joins_its_work_without_being_read(corpus: Corpus, folder: Path) -> None:
    path = note(folder / "a.md", "A note on grey pebbles")
    corpus.add([folder])
    shutil.copy(path, folder / "copy.md")
    assert counts(corpus.add([folder])) == (1, 0, 1, 0, 0)
    assert len(corpus.papers()) == 1


def test_a_latex_paper_is_read_again_when_a_part_of_it_changes(
    corpus: Corpus, folder: Path
) -> None:
    (folder / "main.tex").write_text(
        r"\documentclass{article}\title{A long title for parts}\begin{document}\input{part}"
        r"\end{document}"
    )
    (folder / "part.tex").write_text("The part tells of marble.")
    report = corpus.add([folder])
    assert counts(report) == (1, 0, 0, 1, 0)
    (folder / "part.tex").write_text("The part now tells of basalt and marble.")
    report = corpus.add([folder])
    assert counts(report) == (0, 1, 0, 1, 0)
    assert corpus.search("basalt")


@pytest.mark.parametrize(
    "name",
    [b"new\nline.md", b"esc\x1b]52;c;QQ==\x07.md", b"latin\xff\xfe.md", "ümläut 文.md".encode()],
)
def test_odd_file_names_are_read_and_shown_safely(
    corpus: Corpus, folder: Path, name: bytes
) -> None:
    path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(NOTE.format(title="A note on grey pebbles", words="clay").encode())
    broken = os.path.join(os.fsencode(folder), b"broken" + name[:-3] + b".pdf")  # noqa: PTH118
    with open(broken, "wb") as file:  # noqa: PTH123
        file.write(b"%PDF-1.4")
    report = corpus.add([folder])
    assert counts(report) == (1, 0, 0, 0, 1)
    assert report.failures[0].path.isprintable()
    assert counts(corpus.add([folder])) == (0, 0, 1, 0, 1)
    (only,) = corpus.papers()
    assert corpus.files(only.id)[0].exists()


def test_escape_sequences_in_a_paper_never_reach_the_corpus(corpus: Corpus, folder: Path) -> None:
    (folder / "evil.md").write_text(
        '---\ntitle: "Evil \\e]52;c;QQ==\\a title"\nauthors: ["A\\e[31m B"]\n---\n\n'
        "Text with \x1b]0;gone\x07 escapes \u202e and \x00 zeros \x9b31m here."
    )
    corpus.add([folder])
    (only,) = corpus.papers()
    told = [only.title, *only.authors, corpus.text(only.id), corpus.search("escapes")[0].snippet]
    for text in told:
        assert not any(c in text for c in "\x1b\x07\u202e\x00\x9b")


def test_a_path_that_does_not_exist_is_a_usage_error(corpus: Corpus, folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        corpus.add([folder / "nowhere"])
    os.mkfifo(folder / "pipe")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        corpus.add([folder / "pipe"])


def test_a_cancelled_run_keeps_what_it_did_and_goes_on_later(corpus: Corpus, folder: Path) -> None:
    for number in range(12):
        note(folder / f"{number}.md", f"A note on pebble number {number} of many")
    seen: list[Progress] = []
    report = corpus.add([folder], on_progress=seen.append, cancelled=lambda: len(seen) >= 5)
    assert 0 < report.added < 12
    again = corpus.add([folder])
    assert report.added + again.added == 12
    assert again.unchanged == report.added
    assert corpus.totals().papers == 12
    assert len(corpus.papers("pebble")) == 12


def test_killed_at_any_moment_nothing_is_lost_or_doubled(folder: Path, tmp_path: Path) -> None:
    for number in range(30):
        note(folder / f"{number}.md", f"A note on pebble number {number} of many")
    place = tmp_path / "workspace"
    program = (
        "import sys; from pathlib import Path; from tui.corpus import Corpus; "
        "from tui.storage.workspace import Workspace; "
        "Corpus(Workspace.open(Path(sys.argv[1]))).add([Path(sys.argv[2])])"
    )
    for delay in (0.3, 0.5, 0.6):
        process = subprocess.Popen([sys.executable, "-c", program, place, folder])
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    corpus = Corpus(Workspace.open(place))
    report = corpus.add([folder])
    assert report.added + report.unchanged == 30
    assert corpus.totals().papers == 30
    assert sorted(p.title for p in corpus.papers("pebble")) == sorted(
        f"A note on pebble number {number} of many" for number in range(30)
    )


def test_a_file_that_hangs_or_crashes_its_reader_costs_only_itself() -> None:
    from tui.corpus.pool import Pool
    from tui.corpus.worker import Request
    from tui.domain.paper import FileKind

    with Pool[str](1) as pool:
        request = Request(b"/dev/null", FileKind.TEXT, False, 60.0)
        pool.submit("stopped", request)
        worker = pool._workers[0]
        os.killpg(worker.process.pid, signal.SIGKILL)
        (reply,) = _replies(pool, 1)
        assert reply == ("stopped", "damaged: the reader crashed on it")
        pool.submit("hung", Request(b"/dev/null", FileKind.TEXT, False, -15.0))
        assert _replies(pool, 1)[0][1].startswith("took longer")
        pool.submit("next", request)
        assert _replies(pool, 1) == [("next", "not a regular file")]
        pid = pool._workers[0].process.pid
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def _replies(pool: object, wanted: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    limit = time.monotonic() + 30
    while len(found) < wanted and time.monotonic() < limit:
        found += [(key, reply.reason) for key, reply in pool.results()]  # type: ignore[attr-defined]
    return found


def test_a_paused_run_reads_nothing_and_goes_on(corpus: Corpus, folder: Path) -> None:
    for number in range(8):
        note(folder / f"{number}.md", f"A note on pebble number {number} of many")
    asked: list[int] = []
    done: list[int] = []

    def paused() -> bool:
        # Paused from the third file on, until it was asked twenty times.
        if len(done) < 3 or len(asked) >= 20:
            return False
        asked.append(done[-1])
        return True

    report = corpus.add([folder], on_progress=lambda p: done.append(p.done), paused=paused)
    assert report.added == 8
    assert len(asked) == 20
    assert asked[-1] - asked[0] <= 2  # what was being read was finished, nothing was begun
