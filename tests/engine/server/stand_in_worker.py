"""A worker that keeps the protocol of a job's folder and trains nothing.

`behave` in the job's folder says what it does: `finish` (default), `hold` until that file is gone,
`die` at the start, `fail` with a sentence. A file `finish` ends it with success. It resumes from
its last point, as the trainer does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil


def main(folder: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    identity = {
        "pid": os.getpid(),
        "create_time": psutil.Process().create_time(),
        "host": os.uname().nodename,
    }
    write(folder / "worker.json", identity)
    spec = json.loads((folder / "spec.json").read_text())
    steps = int(spec["hyperparameters"]["training_steps"])
    sys.stdout.write("stand-in worker began\n")
    sys.stdout.flush()
    if (folder.parent / "behave").exists() and (folder.parent / "behave").read_text() == "die":
        sys.stdout.write("something terrible\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    validation = [part["file_id"] for part in spec["validation"]]
    for step in range(done(folder) + 1, steps + 1):
        point = {
            "step": step,
            "at": time.time(),
            "train_loss": 2.0 / step,
            "tokens": 10 * step,
            "validation": dict.fromkeys(validation, 1.0 / step) if step % 2 == 0 else {},
        }
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(point) + "\n")
        status(folder, "RUNNING", step=step, steps=steps)
        behave(folder, step, steps)
        if (folder / "finish").exists():
            steps = step
            break
    adapter = folder / "adapter"
    adapter.mkdir(exist_ok=True)
    write(adapter / "papertune.json", {"base": spec["model"], "template_sha256": "", "ok": True})
    (adapter / "adapter.gguf").write_bytes(b"GGUF")
    status(folder, "SUCCESS", step=steps, steps=steps, train_tokens=10 * steps)


def behave(folder: Path, step: int, steps: int) -> None:
    mode = folder.parent / "behave"
    while True:
        if (folder / "cancel").exists():
            status(folder, "CANCELLED", step=step, steps=steps)
            sys.exit(0)
        try:
            wanted = mode.read_text()
        except FileNotFoundError:
            return
        if wanted == "fail":
            status(folder, "FAILED", message="The loss is not a number; lower the learning rate.")
            sys.exit(1)
        if wanted != "hold" or (folder / "finish").exists():
            return
        time.sleep(0.01)


def done(folder: Path) -> int:
    try:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return int(json.loads(lines[-1])["step"]) if lines else 0


def status(folder: Path, name: str, **values: Any) -> None:
    write(folder / "status.json", {"status": name, **values})


def write(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
