"""The jobs screen with 1,000 jobs of 10,000 points: opening, a live update, doing nothing.

    python bench/jobs.py [--seconds 30] [--curves FILE.jsonl …]

The app runs in a pseudo-terminal of 120×40 on an engine's routes that another process serves. Its
board knows the jobs already, as it does from the second start on. Reported:

* opening: seconds from the key to the list, and CPU-seconds of the app until the first job's curve;
* a live update: bytes and CPU for each second in which the job in view makes a step;
* silence: bytes in ten seconds in which nothing changes;
* time left: the error after a tenth, a third and half of the steps of recorded curves (a worker's
  `metrics.jsonl`, or those of tests/jobs/curves); on a machine that others use it is their load.

Exit code 1 beyond 0.3 s, 2 kB and 0.5 % of a core, or with a byte in silence.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
JOBS, POINTS = 1000, 10_000
RUNNING = "ffffffff-live"
MOST_SECONDS, MOST_BYTES, MOST_SHARE = 0.3, 2_000, 0.005
DOCUMENT: dict[str, Any] = {
    "auto_start": True,
    "model": "smollm2-135m-instruct",
    "training_files": ["a"],
    "validation_files": ["memory"],
    "object": "job",
    "fine_tuned_model": None,
    "suffix": None,
    "integrations": [],
    "trained_tokens": None,
    "metadata": {},
    "job_type": "completion",
    "hyperparameters": {"training_steps": 12_000, "learning_rate": 0.0001, "seq_len": 512},
    "repositories": [],
}


def document(number: int) -> dict[str, Any]:
    """A job as the API lists it; the first one runs."""
    live = number == 0
    at = 1_795_280_000 - 600 * number
    return {
        **DOCUMENT,
        "id": RUNNING if live else f"{number:08x}-done",
        "status": "RUNNING" if live else "SUCCESS",
        "fine_tuned_model": None if live else f"ft:smollm2:{number:08x}",
        "created_at": at,
        "modified_at": at + 500,
    }


def point(step: int) -> dict[str, Any]:
    """A point of a curve that falls; every thousandth step was validated."""
    loss = 0.3 + 2.5 / (1 + step / 900) + 0.05 * ((step * 7919) % 13) / 13
    found = {
        "step": step,
        "at": 1_795_280_000.0 + step,
        "train_loss": loss,
        "learning_rate": 1e-4,
        "grad_norm": 1.0 + (step % 17) / 17,
        "tokens": 190 * step,
    }
    return {**found, "validation": {"memory": loss + 0.2}} if step % 1000 == 0 else found


async def serve(folder: Path) -> None:
    """The engine's routes; the running job makes a step a second while `folder/live` is there."""
    from aiohttp import web

    points = [point(step) for step in range(1, POINTS + 1)]
    listing = [document(number) for number in range(JOBS)]
    by_id = {item["id"]: item for item in listing}

    async def listed(request: web.Request) -> web.Response:
        page, size = int(request.query.get("page", 0)), int(request.query.get("page_size", 100))
        part = listing[page * size : (page + 1) * size]
        return web.json_response({"object": "list", "data": part, "total": JOBS})

    async def job(request: web.Request) -> web.Response:
        found = by_id[request.match_info["job"]]
        checkpoints = [
            {
                "metrics": {"train_loss": p["train_loss"], "valid_loss": p["train_loss"] + 0.2},
                "step_number": p["step"],
                "created_at": int(p["at"]),
            }
            for p in points[999::1000]
        ]
        return web.json_response({**found, "events": [], "checkpoints": checkpoints})

    async def local(request: web.Request) -> web.Response:
        found, after = by_id[request.match_info["job"]], int(request.query.get("after", -1))
        mine = points if found["id"] == RUNNING else points[:POINTS]
        fresh = [p for p in mine[max(0, after) :] if p["step"] > after]
        progress = {"step": len(mine), "steps": 12_000, "tokens_per_second": 190.0}
        return web.json_response(
            {"status": found["status"], "points": fresh, "progress": progress, "device": "bench"}
        )

    async def status(_: web.Request) -> web.Response:
        return web.json_response({"version": "bench", "pid": os.getpid(), "device": "bench"})

    async def empty(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [], "total": 0})

    async def live() -> None:
        while True:
            await asyncio.sleep(1)
            if (folder / "live").exists():
                points.append(point(len(points) + 1))

    app = web.Application()
    app.router.add_get("/v1/fine_tuning/jobs", listed)
    app.router.add_get("/v1/fine_tuning/jobs/{job}", job)
    app.router.add_get("/local/jobs/{job}", local)
    app.router.add_get("/local/status", status)
    app.router.add_get("/v1/models", empty)
    app.router.add_get("/v1/files", empty)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    (folder / "port").write_text(str(port))
    await live()


def prepare(folder: Path, port: int) -> dict[str, str]:
    """A workspace whose board knows all jobs, and settings that name the server."""
    env = os.environ | {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        **{f"PAPERTUNE_{name}_DIR": str(folder / name.lower()) for name in
           ("CONFIG", "DATA", "STATE", "CACHE")},
    }  # fmt: skip
    os.environ.update(env)
    from tui.jobs.known import KnownJobs, Summary
    from tui.mistral.jobs import parse_job
    from tui.storage.workspace import Workspace

    workspace = Workspace.open(folder / "team")
    known = KnownJobs(workspace)
    jobs = [parse_job(document(number)) for number in range(JOBS)]
    known.heard("bench", jobs)
    with workspace.transaction() as connection:
        import msgspec

        text = msgspec.json.encode(Summary(POINTS, 12_000, None, (2.0, 1.0, 0.5), 0.5, final=True))
        connection.execute("UPDATE job_known SET summary = ?", (text.decode(),))
    workspace.close()
    (folder / "config").mkdir()
    (folder / "config" / "config.toml").write_text(
        f'endpoint = "bench"\n[endpoints.bench]\nurl = "http://127.0.0.1:{port}"\n'
    )
    return env


class Terminal:
    """A program in a pseudo-terminal of 120×40, its bytes and its CPU-seconds."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.seen = b""

    def read(self, seconds: float) -> int:
        """All bytes of so many seconds."""
        end, size = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    raise SystemExit(f"The app ended:\n{self.seen[-2000:]!r}") from None
                self.seen += data
                size += len(data)
        return size

    def until(self, text: bytes, seconds: float = 60) -> float:
        """Seconds until `text` was written."""
        began = time.monotonic()
        while text not in self.seen:
            if time.monotonic() - began > seconds:
                raise SystemExit(f"{text!r} never came:\n{self.seen[-2000:]!r}")
            self.read(0.005)
        return time.monotonic() - began

    def press(self, keys: bytes) -> None:
        """Send keys, forgetting what was written before."""
        self.seen = b""
        os.write(self.fd, keys)

    def cpu(self) -> float:
        """CPU-seconds so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system


def measure(seconds: float) -> dict[str, float]:
    """Run server and app; what each of the numbers is, the module says."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = subprocess.Popen([sys.executable, __file__, "--serve", name], cwd=ROOT)
        try:
            while not (folder / "port").exists() or not (folder / "port").read_text():
                time.sleep(0.05)
            env = prepare(folder, int((folder / "port").read_text()))
            command = [sys.executable, "-m", "tui", "--no-mouse", "-w", str(folder / "team")]
            terminal = Terminal(command, env)
            terminal.until(b"Corpus")
            terminal.read(3.0)
            before = terminal.cpu()
            terminal.press(b"3")
            found["open_seconds"] = terminal.until(b"00000005")
            terminal.until(b"step 12,000")
            found["open_cpu_seconds"] = terminal.cpu() - before
            terminal.read(12.0)
            found["idle_bytes"] = terminal.read(10.0)
            (folder / "live").touch()
            terminal.read(3.0)
            before = terminal.cpu()
            found["update_bytes"] = terminal.read(seconds) / seconds
            found["update_cpu_share"] = (terminal.cpu() - before) / seconds
            (folder / "live").unlink()
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
        finally:
            server.terminate()
            server.wait()
    return found


def time_left(files: list[Path]) -> dict[str, list[int]]:
    """The error in percent of what was left after a tenth, a third and half of the steps."""
    from tui.jobs.left import TimeLeft
    from tui.mistral.local import point as parsed

    found = {}
    for path in files:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        head = lines[0] if "run" in lines[0] else {}
        points = [parsed(line) for line in lines if "step" in line and "at" in line]
        steps = points[-1].step if points else 0
        if steps < 50:
            continue
        rows = head.get("memory", 31) + head.get("transfer", 8)
        errors = []
        for share in (0.1, 1 / 3, 0.5):
            at = max(4, round(steps * share))
            left = TimeLeft(steps, rows=rows, batch=head.get("batch_size", 4))
            left.take(points[:at])
            real = points[-1].at - points[at - 1].at
            errors.append(round(100 * ((left.seconds() or 0.0) - real) / real))
        found[path.parent.name if path.name == "metrics.jsonl" else path.stem] = errors
    return found


def main() -> int:
    """Print a JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--curves", type=Path, nargs="*")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(chosen.serve))
        return 0
    curves = chosen.curves or sorted((ROOT / "tests" / "jobs" / "curves").glob("*.jsonl"))
    found = measure(chosen.seconds)
    print(json.dumps({**found, "time_left_error_percent": time_left(curves)}, indent=2))
    return int(
        found["open_seconds"] > MOST_SECONDS
        or found["update_bytes"] > MOST_BYTES
        or found["update_cpu_share"] > MOST_SHARE
        or found["idle_bytes"] > 0
    )


if __name__ == "__main__":
    sys.exit(main())
