"""The corpus list: opening 100,000 papers, what a key costs, what doing nothing costs.

    python bench/list.py [PAPERS]

The app runs in a pseudo-terminal of 120×40, on an empty workspace and on one of so many papers, so
that what the list costs is the difference. Then keys are pressed in it, here and through a line of
150 ms round trip and 256 kbit/s (`bench/relay.py`).

Exit code 1 when the list costs more than 0.1 CPU-s beyond an empty screen, a cursor key more than
1,000 bytes, an idle second more than none, or a key over the line more than the round trip and
60 ms. Times here are the machine's as busy as it is; CPU seconds and bytes hardly depend on it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

import psutil
import search  # type: ignore[import-not-found]  # beside this file
from relay import Relay  # type: ignore[import-not-found]  # beside this file

from tui.storage.workspace import Workspace

OPENS, BYTES, OVER_LINE = 0.1, 1000, 0.060
ROUND_TRIP, BITS = 0.150, 256_000
KEYS = 60


def library(folder: Path, papers: int) -> Path:
    """A workspace of so many papers, one passage each: the list shows none of them."""
    search.PASSAGES = 1
    workspace = Workspace.open(folder)
    search.fill(workspace, papers)
    workspace.close()
    return folder


def started(workspace: Path, env: dict[str, str], words: bytes, **line: float) -> Relay:
    """The app, once it has said how many papers there are and draws no more."""
    relay = Relay([sys.executable, "-m", "tui", "-w", str(workspace)], env=env, **line)
    relay.wait_for(words)
    relay.quiet(1.0)
    return relay


def cpu(relay: Relay) -> float:
    used = psutil.Process(relay.pid).cpu_times()
    return float(used.user + used.system)


def opening(workspace: Path, env: dict[str, str], words: bytes) -> float:
    """CPU seconds from start to a list that stands still: the median of five."""
    used = []
    for _ in range(5):
        with started(workspace, env, words) as relay:
            used.append(cpu(relay))
    return statistics.median(used)


def keys(relay: Relay) -> tuple[float, float, float]:
    """Mean bytes, median and p95 seconds from a cursor key to its paint.

    The text beside the list follows when the cursor rests; it is no part of the key's paint.
    """
    seen = [relay.press(b"j", settle=0.1) for _ in range(KEYS)]
    waits = sorted(s.first for s in seen)
    return statistics.mean(s.size for s in seen), waits[KEYS // 2], waits[int(KEYS * 0.95)]


def main() -> int:
    papers = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        env = {f"PAPERTUNE_{n}_DIR": str(work / n.lower()) for n in ("CONFIG", "DATA", "STATE")}
        env |= {"PAPERTUNE_CACHE_DIR": str(work / "cache"), "PATH": os.environ["PATH"]}
        many = library(work / "many", papers)
        Workspace.open(work / "empty").close()
        said = f"{papers:,} papers".encode()
        bare = opening(work / "empty", env, b"No papers yet")
        full = opening(many, env, said)
        print(
            f"open       empty {bare:.2f}, {papers:,} papers {full:.2f} CPU-s: {full - bare:+.2f}"
        )
        with started(many, env, said) as relay:
            size, wait, late = keys(relay)
            print(f"down       {size:7,.0f} bytes, {1000 * wait:.0f} ms (p95 {1000 * late:.0f})")
            page = relay.press(b"\x04")
            last = relay.press(b"G")
            print(f"page down  {page.size:7,} bytes, {1000 * page.last:.0f} ms")
            print(f"last row   {last.size:7,} bytes, {1000 * last.last:.0f} ms")
            relay.quiet(2.0)
            before, used = len(relay.output), cpu(relay)
            relay.ended.wait(5)
            idle = len(relay.output) - before
            print(f"idle       {idle / 5:7,.0f} bytes a second, {(cpu(relay) - used) / 5:.2%} CPU")
        env["SSH_CONNECTION"] = "somewhere"
        with started(many, env, said, delay=ROUND_TRIP / 2, rate=BITS) as relay:
            _, far, late = keys(relay)
            print(f"over line  {1000 * (far - ROUND_TRIP):.0f} ms beyond the round trip "
                  f"(p95 {1000 * (late - ROUND_TRIP):.0f})")  # fmt: skip
    missed = full - bare > OPENS or size > BYTES or idle > 0 or far > ROUND_TRIP + OVER_LINE
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
