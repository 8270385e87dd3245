"""Importing ten thousand files: memory of the parent, and a scan that finds nothing new.

Usage: python bench/ingest.py [FILES]

The files are short notes made here: this measures the import, not the reading of papers.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from tui.corpus import Corpus
from tui.storage.workspace import Workspace

NOTE = """---
title: A note of number {n} on pebbles and what they weigh
authors: [Anna Keller{n}]
year: {year}
---

## Methods

{body}

## Results

{body}
"""


def make(folder: Path, files: int) -> None:
    for n in range(files):
        part = folder / f"{n % 100:02}"
        part.mkdir(exist_ok=True)
        body = f"Pebble {n} was weighed on day {n % 365} and found to be heavy. " * 60
        (part / f"{n:06}.md").write_text(NOTE.format(n=n, year=2000 + n % 25, body=body))


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "papers"
        folder.mkdir()
        make(folder, files)
        workspace = Workspace.open(Path(place) / "workspace")
        corpus = Corpus(workspace)
        wall, used = time.perf_counter(), time.process_time()
        report = corpus.add([folder])
        print(
            f"{report.added} of {files} files added in {time.perf_counter() - wall:.1f} s, "
            f"{time.process_time() - used:.1f} CPU-s in the parent"
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of the parent {peak:.0f} MB (wanted: under 500)")
        for name, again in (("same program", corpus), ("fresh program", Corpus(workspace))):
            wall, used = time.perf_counter(), time.process_time()
            report = again.add([folder])
            wall, used = time.perf_counter() - wall, time.process_time() - used
            print(
                f"unchanged ({name}): {report.unchanged} files in {wall:.2f} s, "
                f"{used:.2f} CPU-s (wanted: 2)"
            )
        workspace.close()


if __name__ == "__main__":
    main()
