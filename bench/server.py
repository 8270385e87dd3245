"""The engine's server: idle cost, a large upload, job polls beside a running job.

    python bench/server.py [--idle 20] [--upload-mb 512] [--polls 100] [--seconds 20]

It starts an engine of its own in a temporary home, with the bundled model linked from `--models`
(default: the user's), and trains with it while it polls. Wanted: idle at most 120 MB and 0.5 % of
a core, growth by an upload at most 50 MB, p95 of 100 polls a second at most 50 ms. On a machine
that others use, look at the CPU time a poll takes: latency then is mostly waiting for a core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil

from tui.engine.models.catalogue import BUNDLED
from tui.storage.locations import data_dir

MB = 1_000_000
JOBS = "/v1/fine_tuning/jobs"


def environment(home: Path, models: Path) -> dict[str, str]:
    (home / "data" / "models").mkdir(parents=True)
    (home / "data" / "models" / BUNDLED).symlink_to(models / BUNDLED)
    places = {f"PAPERTUNE_{name.upper()}_DIR": str(home / name) for name in ("data", "state")}
    return {**os.environ, **places, "PAPERTUNE_CONFIG_DIR": str(home / "config")}


def started(home: Path, env: dict[str, str]) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    command = [sys.executable, "-m", "tui.engine", "serve", "--port", "18475"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    state = home / "state" / "engine.json"
    while not state.is_file():
        time.sleep(0.1)
    return process, json.loads(state.read_text())


def spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def idle(process: psutil.Process, seconds: float) -> None:
    time.sleep(3)
    before = spent(process)
    time.sleep(seconds)
    share = (spent(process) - before) / seconds * 100
    print(f"idle          {process.memory_info().rss / MB:6.1f} MB   {share:.2f} % of a core")


async def upload(client: httpx.AsyncClient, process: psutil.Process, size: int) -> None:
    line = json.dumps({"text": "water is wet " * 70}).encode() + b"\n"
    peak = before = process.memory_info().rss
    done = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.jsonl"\r\n\r\n'
        block = line * (MB // len(line))
        for _ in range(size // len(block)):
            yield block
        yield b"\r\n--b--\r\n"

    async def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    began, used = time.perf_counter(), spent(process)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await client.post("/v1/files", content=body(), headers=headers)
    answer.raise_for_status()
    done.set()
    await watching
    seconds = time.perf_counter() - began
    growth = (peak - before) / MB
    cost = spent(process) - used
    print(f"upload        {growth:6.1f} MB of growth for {size / MB:.0f} MB, {seconds:.1f} s, "
          f"{cost:.1f} CPU-s")  # fmt: skip
    await client.delete(f"/v1/files/{answer.json()['id']}")


async def running_job(client: httpx.AsyncClient) -> str:
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"How warm is sample {index}?"},
                {"role": "assistant", "content": f"Sample {index} is at {index * 7 % 90} degrees."},
            ]
        }
        for index in range(64)
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    file = (await client.post("/v1/files", files={"file": ("t.jsonl", content)})).json()
    body = {
        "model": BUNDLED,
        "training_files": [{"file_id": file["id"]}],
        "hyperparameters": {"training_steps": 5000},
    }
    job = (await client.post(JOBS, json=body)).json()
    while True:
        found = (await client.get(f"{JOBS}/{job['id']}")).json()
        if found["checkpoints"]:
            return str(job["id"])
        if found["status"] in ("FAILED", "FAILED_VALIDATION"):
            raise SystemExit(f"the job failed: {found}")
        await asyncio.sleep(0.5)


async def polls(
    client: httpx.AsyncClient, process: psutil.Process, job: str, rate: int, seconds: float
) -> None:
    """Polls leave on their schedule, whether or not the ones before have been answered."""
    taken: list[float] = []

    async def poll() -> None:
        began = time.perf_counter()
        answer = await client.get(f"{JOBS}/{job}")
        answer.raise_for_status()
        taken.append(time.perf_counter() - began)

    used, began = spent(process), time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(poll()))
    await asyncio.gather(*tasks)
    elapsed = time.perf_counter() - began
    cost = (spent(process) - used) / len(taken) * 1000
    cuts = statistics.quantiles(taken, n=20)
    print(
        f"polls         {len(taken) / elapsed:6.1f} a second: p50 {cuts[9] * 1000:.1f} ms, "
        f"p95 {cuts[18] * 1000:.1f} ms, {cost:.2f} CPU-ms each"
    )


async def measure(options: argparse.Namespace) -> None:
    home = Path(tempfile.mkdtemp(prefix="papertune-bench-"))
    popen, state = started(home, environment(home, options.models))
    process = psutil.Process(popen.pid)
    try:
        await asyncio.to_thread(idle, process, options.idle)
        headers = {"authorization": f"Bearer {state['token']}"}
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(
            base_url=state["url"], headers=headers, timeout=600, limits=limits
        ) as client:
            await upload(client, process, options.upload_mb * MB)
            job = await running_job(client)
            await polls(client, process, job, options.polls, options.seconds)
            await client.post(f"{JOBS}/{job}/cancel")
            while (await client.get(f"{JOBS}/{job}")).json()["status"] != "CANCELLED":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        popen.terminate()
        popen.wait(20)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine's server.")
    parser.add_argument("--idle", type=float, default=20)
    parser.add_argument("--upload-mb", type=int, default=510)
    parser.add_argument("--polls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--models", type=Path, default=data_dir() / "models")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
