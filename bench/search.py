"""Search in a generated library: two-word queries, and every key of a query typed.

Usage: python bench/search.py [PAPERS] [FOLDER]

10,000 papers by default, ten passages each; FOLDER keeps the library for the next run. Times
include the snippets of the 20 visible rows, as the screen asks for them.
"""

from __future__ import annotations

import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tui.corpus import Corpus
from tui.corpus.identity import title_key
from tui.storage.workspace import Workspace

PASSAGES = 10
ROWS = 20
SEED = 7
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il")]


def vocabulary(chance: random.Random, size: int = 300_000) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < size:
        words["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))] = None
    return list(words)


def fill(workspace: Workspace, papers: int) -> None:
    """Papers of Zipf-distributed words, as `corpus add` leaves them, straight into the tables.

    In the order of the keys and in large transactions: a million passages in minutes.
    """
    chance = random.Random(SEED)
    words = vocabulary(chance)
    weights = [1 / (rank + 10) for rank in range(len(words))]
    pool = chance.choices(words, weights, k=4_000_000)

    def text(count: int) -> str:
        start = chance.randrange(len(pool) - count)
        return " ".join(pool[start : start + count])

    db = workspace.connection()
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -400000")
    for begin in range(0, papers, 10_000):
        with workspace.transaction():
            for number in range(begin, min(papers, begin + 10_000)):
                one_paper(db, number, text)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def one_paper(db: sqlite3.Connection, number: int, text: Callable[[int], str]) -> None:
    key = f"p{number:06}"
    title, venue = f"{text(7)} {number}", f"Journal of {text(1).title()}"
    parts = [text(150) for _ in range(PASSAGES)]
    body = "\n\n".join(parts)
    db.execute(
        "INSERT INTO paper (id, title, title_key, year, venue, pages, text, text_sha256, "
        "text_file, page_starts, added_at) VALUES (?,?,?,?,?,8,?,?,?,'[]',?)",
        (key, title, title_key(title), 2000 + number % 25, venue, body, f"{number:064x}",
         f"/library/{number}.pdf", float(number)),
    )  # fmt: skip
    db.execute(
        "INSERT INTO file (path, paper, kind, size, mtime_ns, sha256, status, seen_at) "
        "VALUES (?,?,'pdf',1,1,?,'read',0)",
        (f"/library/{number:06}.pdf", key, f"{number:064x}"),
    )
    authors = [(key, n, f"{text(1).title()} {text(1).title()}") for n in range(3)]
    db.executemany("INSERT INTO author VALUES (?,?,?)", authors)
    start, rows = 0, []
    for position, part in enumerate(parts):
        rows.append((f"{key}#{position}", key, position, "Results", "body", 1, start,
                     start + len(part), part))  # fmt: skip
        start += len(part) + 2
    db.executemany("INSERT INTO passage VALUES (?,?,?,?,?,?,?,?,?)", rows)
    db.execute("INSERT INTO section VALUES (?,0,'Results',1,'body',1,0,?)", (key, start))
    db.execute("INSERT INTO change (paper) VALUES (?)", (key,))


def report(name: str, times: list[tuple[float, float]], wanted: float) -> None:
    """Wall time and, because others may use this machine, CPU time."""
    told = f"{name:24}"
    for kind, values in zip(("wall", "CPU"), map(sorted, zip(*times, strict=True)), strict=True):
        middle, late = values[len(values) // 2], values[int(len(values) * 0.95)]
        told += f" {kind}: p50 {middle:5.1f} p95 {late:5.1f} ms  "
    print(f"{told}(wanted: p95 {wanted:.0f})")


def timed(ask: Callable[[], object]) -> tuple[float, float]:
    wall, used = time.perf_counter(), time.process_time()
    ask()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - used) * 1000


def main() -> None:
    papers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    kept = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.open(kept or Path(place) / "workspace")
        corpus = Corpus(workspace)
        if not corpus.totals().papers:
            started = time.perf_counter()
            fill(workspace, papers)
            print(f"stored {papers} papers in {time.perf_counter() - started:.1f} s")
            started = time.process_time()
            corpus.reindex()
            print(f"indexed them in {time.process_time() - started:.1f} CPU-s")
        started = time.perf_counter()
        fresh = Corpus(workspace)
        fresh.search("zzzz")
        print(f"opened in {(time.perf_counter() - started) * 1000:.1f} ms (wanted: 100)")
        chance = random.Random(SEED)
        words = vocabulary(chance)[:3000]
        pairs = [" ".join(chance.sample(words, 2)) + " " for _ in range(100)]
        report("two words", [timed(partial(fresh.search, q, limit=ROWS)) for q in pairs], 20)
        report(
            "two words, papers", [timed(partial(fresh.papers, q, limit=ROWS)) for q in pairs], 20
        )
        typed = [" ".join(chance.sample(words, 2)) for _ in range(30)]
        keys = [query[:end] for query in typed for end in range(1, len(query) + 1)]
        report("each key typed", [timed(partial(fresh.search, q, limit=ROWS)) for q in keys], 50)
        report("each key, papers", [timed(partial(fresh.papers, q, limit=ROWS)) for q in keys], 50)
        asked = ["what is the " + " ".join(chance.sample(words, 6)) + "?" for _ in range(50)]
        report("questions", [timed(partial(fresh.search, q, limit=ROWS)) for q in asked], 50)
        common = words[0]
        others: dict[str, Callable[[], object]] = {
            "first rows of the list": lambda: fresh.papers(limit=100),
            "count of a common word": lambda: fresh.count(common),
            "ids by title": lambda: fresh.ids(sort="title"),
            "ids by author": lambda: fresh.ids(sort="author"),
            "facets of all": fresh.facets,
            "facets of a common word": lambda: fresh.facets(common),
        }
        for name, ask in others.items():
            wall, used = timed(ask)
            print(f"{name:24} {wall:6.0f} ms, {used:.0f} ms of CPU")
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        workspace.close()


if __name__ == "__main__":
    main()
