"""Typing while an answer streams: from a key to its paint, and the bytes it all costs.

    python bench/keystrokes.py [--keys N] [--rate TOKENS_PER_SECOND] [--only keys|line|turns]

papertune runs in a pseudo-terminal of 120×40 against a server on loopback that streams Markdown at
100 tokens a second; keys are typed into the composer meanwhile and looked for in what is drawn. The
same through a line of 150 ms round trip and 256 kbit/s (`bench/relay.py`). Then a conversation of
1,000 turns is opened and scrolled, beside one of 10. Machines that are busy with other things make
times longer: the same keys without a stream are measured too, as the ratio that is the app's own.

Exit code 1 when a key takes more than 50 ms (p95), a stream more than 30 kB/s, a key over the line
more than the round trip and 60 ms, or the long conversation more than 0.3 s to open.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from relay import Relay, Seen  # type: ignore[import-not-found]  # beside this file

from tui.chat.conversations import Conversations
from tui.domain.chat import Answer, Arm, Source, Usage
from tui.storage.workspace import Workspace

MODEL = "bench-model"
PAINT, FLOW, OVER_LINE, OPENS = 0.050, 30_000, 0.060, 0.3
ROUND_TRIP, BITS = 0.150, 256_000
PARAGRAPH = (
    "The resin **set hard** at 283 kelvin in every run [1], which is `below` what the older tables "
    "give; the gum never set at all.\n\n- the first point is short\n- the second one is not, since "
    "it goes on for longer than a line of this terminal is wide, and then some\n\n"
)


def words() -> Iterator[str]:
    """Markdown without end that never says the same twice: a loop would be stopped."""
    for number in itertools.count():
        for word in PARAGRAPH.replace("283", str(number)).split(" "):
            yield f"{word} "
        yield f"The {number * 7919 % 1000}th paragraph ends with {number * 104_729 % 9973}.\n\n"


class Server(BaseHTTPRequestHandler):
    """The API as far as a chat needs it; `rate` tokens a second until the other side hangs up."""

    rate = 100.0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        card = {"id": MODEL, "object": "model", "type": "base", "created": 1,
                "capabilities": {"completion_chat": True}}  # fmt: skip
        listed = {"object": "list", "data": [card]}
        known = {"/v1/models": listed, f"/v1/models/{MODEL}": card}
        found = known.get(self.path.partition("?")[0])
        self._json(found or {"detail": "Not Found"}, 200 if found else 404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        start = time.perf_counter()
        for number, word in enumerate(words()):
            wait = start + number / self.rate - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            try:
                self._chunk(word)
            except OSError:
                return

    def _chunk(self, text: str) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        value = {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": MODEL,
            "choices": [choice],
        }
        data = b"data: " + json.dumps(value).encode() + b"\n\n"
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(self, value: Any, status: int) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def prepare(folder: Path, url: str) -> dict[str, str]:
    """A workspace, settings and two conversations; the environment that names them."""
    for name in ("config", "data", "state", "cache"):
        (folder / name).mkdir()
    Workspace.open(folder / "work").close()
    (folder / "config" / "config.toml").write_text(
        f'endpoint = "bench"\nconsented = ["bench"]\n'
        f'[endpoints.bench]\nurl = "{url}"\ntrusted = true\n'
    )
    conversations = Conversations(folder / "config" / "history")
    for turns in (1000, 10):
        name = conversations.start()
        source = Source(1, "p", "A paper", "p#0", 1, "Results", PARAGRAPH)
        records = []
        for turn in range(turns):
            text = f"## Answer {turn} of {turns}\n\n" + PARAGRAPH * 3
            answer = Answer(
                text, MODEL, Arm.BASE, (source,) * 5, Usage(900, 200), "stop", seconds=2
            )
            records.append((f"Question {turn} of {turns}?", answer))
        path = folder / "config" / "history" / "conversations" / f"{name}.jsonl"
        write(path, records)
        time.sleep(0.02)
    places = ("CONFIG", "DATA", "STATE", "CACHE")
    return {f"PAPERTUNE_{p}_DIR": str(folder / p.lower()) for p in places} | {
        "PAPERTUNE_KEY_BENCH": "k",
        "SSH_CONNECTION": "",
    }


def write(path: Path, records: list[tuple[str, Answer]]) -> None:
    """A conversation's file at once: an fsync for each of 1,000 turns would take long."""
    import msgspec

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for number, (question, answer) in enumerate(records):
            asked = {"asked": f"x{number}", "question": question, "at": 1_790_000_000.0 + number}
            answered = {"answered": f"x{number}", "answer": msgspec.to_builtins(answer)}
            file.write(json.dumps(asked) + "\n" + json.dumps(answered) + "\n")


def open_chat(relay: Relay) -> None:
    """The chat screen, with a model to ask."""
    relay.wait_for(b"Corpus")
    relay.quiet(0.5)
    relay.send(b"4")
    relay.wait_for(MODEL.encode())
    relay.quiet(0.5)


def typed(relay: Relay, keys: int, pause: float) -> list[float]:
    """Seconds from each key to the moment it stands in the composer's line on the screen."""
    letters = "abdefghklmnopqrstuvwxyz"
    times = []
    line = ""
    for number in range(keys):
        if len(line) >= 40:
            relay.send(b"\x15" + b"\x7f" * 60)
            relay.quiet(0.05, 0.5)
            time.sleep(0.3)
            line = ""
        letter = letters[(number * 7) % len(letters)]
        line += letter
        # Enough of the line's end to be found nowhere else.
        wanted = line[-6:].encode()
        since, start = len(relay.output), time.perf_counter()
        relay.send(letter.encode())
        try:
            times.append(relay.wait_for(wanted, since=since, seconds=5) - start)
        except TimeoutError:
            times.append(5.0)
        time.sleep(pause)
    return times


def quantiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def streaming(env: dict[str, str], work: Path, keys: int, delay: float, bits: float) -> Any:
    """Idle typing, streaming alone, typing while it streams: (idle, flow, times)."""
    command = [sys.executable, "-m", "tui", "-w", str(work), "--no-mouse"]
    with Relay(command, delay=delay, rate=bits, env=env) as relay:
        open_chat(relay)
        relay.send(b"i")
        relay.quiet(0.3)
        idle = typed(relay, keys // 2, 0.1)
        relay.send(b"\r")
        relay.wait_for(b"kelvin")
        time.sleep(2)
        start, before = time.perf_counter(), len(relay.output)
        time.sleep(8)
        flow = (len(relay.output) - before) / (time.perf_counter() - start)
        relay.send(b"i")
        time.sleep(0.5)
        start, before = time.perf_counter(), len(relay.output)
        times = typed(relay, keys, 0.1)
        both = (len(relay.output) - before) / (time.perf_counter() - start)
    return idle, flow, times, both


def conversations(env: dict[str, str], work: Path) -> dict[int, tuple[float, float, int]]:
    """Seconds to open a conversation of so many turns and to scroll a page of it, and bytes."""
    found = {}
    command = [sys.executable, "-m", "tui", "-w", str(work), "--no-mouse"]
    with Relay(command, env=env) as relay:
        open_chat(relay)
        for turns in (10, 1000, 10, 1000):
            since = len(relay.output)
            relay.send(b"C")
            relay.wait_for(b"Words they hold", since=since)
            relay.quiet(0.4)
            relay.send(f"{turns}?\r".encode())
            relay.wait_for(b"Conversations", since=since)
            relay.quiet(0.6)
            since, start = len(relay.output), time.perf_counter()
            relay.send(b"\r")
            relay.wait_for(f"Question {turns - 1}".encode(), since=since)
            opened = time.perf_counter() - start
            relay.quiet(0.5)
            pages = list(_pages_up(relay))
            lasts = sorted(page.last for page in pages)
            found[turns] = (opened, lasts[len(lasts) // 2], max(page.size for page in pages))
            relay.send(b"G")
            relay.quiet(0.5)
    return found


def _pages_up(relay: Relay, most: int = 30) -> Iterator[Seen]:
    """Pages up until the top, where a page brings nothing and would only be waited for."""
    for _ in range(most):
        page = relay.press(b"\x1b[5~", settle=0.25, most=1.5)
        if not page.size:
            return
        yield page


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--only", choices=["keys", "line", "turns"], help="one part of it")
    given = parser.parse_args()
    Server.rate = given.rate
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    good = True
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        env = prepare(folder, f"http://127.0.0.1:{server.server_address[1]}")
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        if given.only in (None, "keys"):
            idle, flow, times, both = streaming(env, folder / "work", given.keys, 0.0, 0.0)
            (quiet, quiet95), (half, late) = quantiles(idle), quantiles(times)
            print(f"key to paint, idle       p50 {1000 * quiet:6.1f} p95 {1000 * quiet95:6.1f} ms")
            print(f"key to paint, streaming  p50 {1000 * half:6.1f} p95 {1000 * late:6.1f} ms")
            print(f"stream {flow / 1000:.1f} kB/s; with typing {both / 1000:.1f} kB/s")
            good &= late <= PAINT and max(flow, both) <= FLOW
        if given.only in (None, "line"):
            line = streaming(env, folder / "work", given.keys, ROUND_TRIP / 2, BITS)
            half, late = quantiles(line[2])
            print(f"over the line, streaming p50 {1000 * half:6.1f} p95 {1000 * late:6.1f} ms")
            good &= late <= ROUND_TRIP + OVER_LINE
        if given.only in (None, "turns"):
            for turns, (opened, page, size) in conversations(env, folder / "work").items():
                print(
                    f"{turns:5} turns: opens in {opened:.2f} s, a page up {1000 * page:.0f} ms, "
                    f"at most {size:,} bytes"
                )
                good &= opened <= OPENS
    server.shutdown()
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
