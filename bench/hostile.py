"""A folder of files that nobody made for reading: fuzz corpora, damaged files, bombs.

Usage: python bench/hostile.py FOLDER [--workers 2]

Adds the folder to a scratch workspace the way `corpus add` does, in another process, and checks
that the process lives, that each file ended as read, partly read, skipped or refused with a
reason, and that none took longer than the limit. Prints the reasons with their numbers.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

_RUN = """
import json, resource, sys
from pathlib import Path
from tui.corpus import Corpus
from tui.storage.workspace import Workspace
workspace = Workspace.open(Path(sys.argv[1]))
report = Corpus(workspace).add([Path(sys.argv[2])], workers=int(sys.argv[3]))
rows = workspace.connection().execute("SELECT path, status, reason FROM file").fetchall()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"rows": [list(map(str, row)) for row in rows], "peak": peak,
                  "report": {key: value for key, value in vars_of(report).items()}}))
"""
_VARS = """
def vars_of(report):
    names = ("added", "unchanged", "updated", "failed", "skipped")
    return {name: getattr(report, name) for name in names
            if isinstance(getattr(report, name, None), int)}
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    files = sum(path.is_file() for path in chosen.folder.rglob("*"))
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _VARS + _RUN, f"{place}/workspace", str(chosen.folder),
             str(chosen.workers)],
            stdout=subprocess.PIPE, text=True, errors="replace", check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - started
    if done.returncode:
        print(f"FAILED: the import ended with {done.returncode}")
        return 1
    answer = json.loads(done.stdout.splitlines()[-1])
    statuses = Counter(status for _, status, _ in answer["rows"])
    reasons = Counter(
        re.sub(r"\d[\d, –…]*", "N", reason) for _, status, reason in answer["rows"]
        if status in {"failed", "partly"}
    )  # fmt: skip
    silent = [path for path, status, reason in answer["rows"] if status == "failed" and not reason]
    print(f"{files} files in {seconds:.0f} s, {answer['peak'] / 1024:.0f} MB at most in the parent")
    print(f"  {dict(statuses)}, {answer['report']}")
    for reason, count in reasons.most_common():
        print(f"  {count:5} {reason}")
    lost = files - len(answer["rows"])
    if silent or lost > 0:
        print(f"FAILED: {lost} files without a row, {len(silent)} refused without a reason")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
