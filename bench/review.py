"""The review queue: how fast by keys alone through a slow line, and what 100,000 examples cost.

    python bench/review.py [EXAMPLES]

The app runs in a pseudo-terminal of 120×40. Through a line of 150 ms round trip and 256 kbit/s
(`bench/relay.py`) a script decides on one example after the other as a person would: it scrolls
the passage, accepts most, rejects some with a reason, edits, undoes. It reads nothing, so what is
measured is what the screen adds to a person's reading: examples a minute, and from the key that
decides to the next example's words on the far screen.

Then list, queue and examples are opened on a dataset of so many drafts and on one of 100; the
CPU-seconds of the second opening are told (the first one also imports).

Exit code 1 below 15 examples a minute, beyond the round trip and 50 ms in the median, or beyond
0.2 CPU-s to open. Times are the machine's as busy as it is; CPU-seconds hardly depend on it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from relay import Relay  # type: ignore[import-not-found]  # beside this file

from tui.corpus import Corpus
from tui.datasets import Datasets
from tui.datasets.store import Store
from tui.domain.example import Example, Form, Kind, Status, Turn
from tui.domain.paper import Passage
from tui.storage.workspace import Workspace

PACE, NEXT, OPENS = 15.0, 0.050, 0.2
ROUND_TRIP, BITS = 0.150, 256_000
DECIDED = 45
_FILLER = "The measurements were repeated on three evenings and agreed within their error. " * 9


def workspace(folder: Path, examples: int) -> Path:
    """A workspace of twenty papers and a dataset `answers` of so many drafts about them."""
    papers = folder / "papers"
    papers.mkdir(parents=True)
    for number in range(20):
        (papers / f"{number}.md").write_text(
            f"# Paper number {number}\n\n## Abstract\n\nOn the resins of fen {number}.\n\n"
            f"## Results\n\n{_FILLER}\n\nResin {number} of the fen hardens for {number + 2} hours "
            f"at dusk.\n\n{_FILLER}\n",
            encoding="utf-8",
        )
    opened = Workspace.open(folder / "work")
    corpus = Corpus(opened)
    corpus.add([papers])
    passages: list[Passage] = []
    for paper in corpus.papers():
        passages += [p for p in corpus.passages(paper.id) if "hardens for" in p.text][:1]
    Datasets(opened, corpus, "ada").create("answers")
    Store(opened).insert("answers", (_example(n, passages) for n in range(examples)))
    opened.close()
    return folder / "work"


def _example(number: int, passages: Sequence[Passage]) -> Example:
    passage = passages[number % len(passages)]
    text: str = passage.text
    start = text.index("Resin ")
    quote = text[start : text.index(" hours", start) + 6]
    turns = (
        Turn("user", f"Item {number:06}: for how long does the resin of that fen harden at dusk?"),
        Turn("assistant", f"It hardens as long as item {number} says, which is some hours."),
    )
    return Example(
        "",
        "answers",
        Kind.QA,
        Form.MESSAGES,
        turns,
        status=Status.DRAFT,
        author="writer",
        paper=passage.paper,
        passages=(passage.id,),
        quote=quote,
        verified=True,
        created_at=1_700_000_000.0 + number,
    )


def item(number: int) -> bytes:
    return f"Item {number:06}".encode()


def to_datasets(relay: Relay, words: bytes) -> None:
    relay.wait_for(b"20 papers")
    relay.quiet(0.7)
    relay.send(b"2")
    relay.wait_for(words)
    relay.quiet(0.7)


def pace(root: Path, env: dict[str, str]) -> tuple[float, list[float], float]:
    """Examples a minute, seconds from each deciding key to the next example, bytes each."""
    command = [sys.executable, "-m", "tui", "-w", str(root), "--no-mouse"]
    waits: list[float] = []
    with Relay(command, delay=ROUND_TRIP / 2, rate=BITS, env=env) as relay:
        to_datasets(relay, b"drafts")
        relay.send(b"r")
        relay.wait_for(item(0))
        relay.quiet(0.7)
        begun, sent = time.perf_counter(), len(relay.output)

        def key(keys: bytes, wanted: int) -> None:
            since, start = len(relay.output), time.perf_counter()
            relay.send(keys)
            waits.append(relay.wait_for(item(wanted), since=since, seconds=20) - start)

        for at in range(DECIDED):
            if at % 5 == 1:  # look at more of the passage first
                relay.send(b" ")
                relay.quiet(0.2, 1.0)
            if at % 9 == 4:  # put the answer otherwise before accepting it
                since = len(relay.output)
                relay.send(b"e")
                relay.wait_for(b"takes it", since=since)
                relay.send(b"\tNo: ")
                relay.quiet(0.2, 1.0)
                since = len(relay.output)
                relay.send(b"\x13")
                relay.wait_for(b"No: It hardens", since=since)
                relay.quiet(0.2, 1.0)
            if at % 11 == 10:  # a slip, and its undoing
                key(b"a", at + 1)
                key(b"u", at)
            if at % 3 == 2:
                relay.send(b"r")
                relay.wait_for(b"Why?", since=len(relay.output) - 1)
                key(b"w", at + 1)
            else:
                key(b"a", at + 1)
        took = time.perf_counter() - begun
        size = (len(relay.output) - sent) / DECIDED
    return 60 * DECIDED / took, waits, size


def cpu(relay: Relay) -> float:
    used = psutil.Process(relay.pid).cpu_times()
    return float(used.user + used.system)


def opening(root: Path, env: dict[str, str], examples: int) -> dict[str, float]:
    """CPU-seconds of opening each, once its modules are imported: the median of five."""
    command = [sys.executable, "-m", "tui", "-w", str(root), "--no-mouse"]
    with Relay(command, env=env) as relay:
        to_datasets(relay, b"drafts")

        def cost(keys: bytes, words: bytes, leave: Callable[[], None]) -> float:
            used = []
            for _ in range(6):
                before, since = cpu(relay), len(relay.output)
                relay.send(keys)
                relay.wait_for(words, since=since)
                relay.quiet(0.8)
                used.append(cpu(relay) - before)
                leave()
                relay.quiet(0.8)
            return statistics.median(used[1:])

        def back() -> None:
            relay.send(b"\x1b")
            relay.quiet(0.5)

        left = f"{examples:,} ".encode()
        return {
            "queue": cost(b"r", left, back),
            "examples": cost(b"\r", left, back),
            "list": cost(b"2", b"answers", lambda: relay.send(b"1")) if _left(relay) else 0.0,
        }


def _left(relay: Relay) -> bool:
    """Go to the corpus, so that the datasets can be opened again."""
    relay.send(b"1")
    relay.quiet(1.0)
    return True


def main() -> int:
    """Measure and print."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        env = {
            name: str(folder / name)
            for name in (
                "PAPERTUNE_CONFIG_DIR",
                "PAPERTUNE_DATA_DIR",
                "PAPERTUNE_STATE_DIR",
                "PAPERTUNE_CACHE_DIR",
            )
        }
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        rate, waits, size = pace(workspace(folder / "pace", 100), env)
        extra = [wait - ROUND_TRIP for wait in waits]
        late = sorted(extra)[int(0.95 * len(extra))]
        middle = statistics.median(extra)
        print(f"{rate:.0f} examples a minute by keys alone, {size:,.0f} bytes each")
        print(
            f"next example {1000 * middle:.0f} ms (p95 {1000 * late:.0f}) beyond the round trip of "
            f"{1000 * ROUND_TRIP:.0f} ms"
        )
        good = rate >= PACE and middle <= NEXT
        few = opening(workspace(folder / "few", 100), env, 100)
        many = opening(workspace(folder / "many", examples), env, examples)
        for what, used in many.items():
            print(f"{what:9} of {examples:,}: {used:.2f} CPU-s (of 100: {few[what]:.2f})")
            good &= used <= OPENS
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
