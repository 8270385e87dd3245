"""Reading PDFs: pages per CPU-second with all the structure, against pdfium's bare text.

Usage: python bench/corpus.py FOLDER_OF_PDFS [ROUNDS]

Both are measured on the same files in one run, alternating, in one process; then the whole
`corpus add` with one worker and with two: on the wall clock, and in CPU-seconds a page, which rise
where two workers share one core's parts (hyperthreads) or others use the machine. What two workers
would reach on cores of their own is twice the ratio of those. Give papers that nobody here made.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import pypdfium2

from tui.corpus import Corpus
from tui.corpus.document import Unreadable
from tui.corpus.extract import extract
from tui.domain.paper import FileKind
from tui.storage.workspace import Workspace


def bare(path: Path) -> int:
    document = pypdfium2.PdfDocument(path.read_bytes())
    try:
        for page in document:
            text = page.get_textpage()
            text.get_text_range()
            text.close()
            page.close()
        return len(document)
    finally:
        document.close()


def structured(path: Path) -> int:
    return extract(str(path), FileKind.PDF, archive=False, seconds=600).pages


def readable(path: Path) -> bool:
    try:
        return structured(path) > 0
    except Unreadable as refusal:
        print(f"  left out: {path.name}: {refusal}")
        return False


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def whole(paths: list[Path], workers: int) -> tuple[float, float, float, int]:
    """Wall seconds, CPU-seconds of the parent and of the workers, pages."""
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.open(Path(place) / "workspace")
        started, parent, before = time.perf_counter(), time.process_time(), children()
        report = Corpus(workspace).add(paths, workers=workers)
        wall = time.perf_counter() - started
        used = time.process_time() - parent, children() - before
        workspace.close()
        return wall, *used, report.pages


def main() -> None:
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    paths = [path for path in sorted(folder.glob("*.pdf")) if readable(path)]
    spent = {"bare": 0.0, "structured": 0.0}
    pages = 0
    for _ in range(rounds):
        for name, function in (("bare", bare), ("structured", structured)):
            started = time.process_time()
            pages = sum(map(function, paths))
            spent[name] += time.process_time() - started
    rates = {name: pages * rounds / seconds for name, seconds in spent.items()}
    print(f"{len(paths)} files, {pages} pages, {rounds} rounds")
    print(f"bare text        {rates['bare']:7.1f} pages/CPU-s")
    print(f"with structure   {rates['structured']:7.1f} pages/CPU-s", end="")
    print(f"  ({rates['structured'] / rates['bare']:.0%} of bare; wanted: at least 50 %)")
    walls, costs = {}, {}
    for workers in (1, 2):
        wall, parent, reading, count = whole(paths, workers)
        walls[workers] = wall
        costs[workers] = (parent + reading) / count
        print(
            f"corpus add, {workers} worker(s): {wall:.2f} s, {count / wall:.0f} pages/s; storing "
            f"and indexing {parent:.2f} CPU-s on {reading:.2f} of reading ({parent / reading:.0%})"
        )
        print(f"  {count / (parent + reading):.0f} pages/CPU-s, the whole import")
    print(f"two workers: {walls[1] / walls[2]:.2f} times one (wanted: at least 1.8 on quiet cores)")
    print(f"on cores of their own: {2 * costs[1] / costs[2]:.2f} times one, by CPU-seconds")


if __name__ == "__main__":
    main()
