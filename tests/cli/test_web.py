"""The app in a browser: on loopback, drawn by the same app."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tui.storage.workspace import Workspace


def test_the_page_is_served_on_loopback_only_and_to_its_own_browser(tmp_path: Path) -> None:
    Workspace.open(tmp_path / "team").close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tui", "web", "--json", "-w", str(tmp_path / "team")]
    server = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert select.select([server.stdout], [], [], 60)[0]
        assert json.loads(server.stdout.readline())["url"] == f"http://127.0.0.1:{port}"
        page = _get(f"http://127.0.0.1:{port}/")
        assert "papertune" in page
        assert _refused(port, Host=f"papers.example:{port}")
        assert _refused(port, Origin="http://papers.example")
        assert not _refused(port, Host=f"localhost:{port}", Origin=f"http://localhost:{port}")
        listening = Path("/proc/net/tcp").read_text(encoding="ascii")
        assert f"0100007F:{port:04X}" in listening and f"00000000:{port:04X}" not in listening
    finally:
        os.kill(server.pid, signal.SIGINT)
        server.wait(timeout=30)


def _get(url: str) -> str:
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                body: bytes = reply.read()
                return body.decode()
        except OSError:
            assert time.monotonic() < end, "the page never came"
            time.sleep(0.1)


def _refused(port: int, **headers: str) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers)
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 403
    return False


def test_the_app_draws_for_the_browsers_driver(tmp_path: Path) -> None:
    Workspace.open(tmp_path / "team").close()
    environment = os.environ | {
        "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver",
        "COLUMNS": "80",
        "ROWS": "24",
    }
    app = subprocess.Popen(
        [sys.executable, "-m", "tui", "-w", str(tmp_path / "team")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    try:
        assert app.stdout is not None
        seen, end = b"", time.monotonic() + 60
        while b"Datasets" not in seen:
            assert time.monotonic() < end and app.poll() is None, seen[-500:]
            if select.select([app.stdout], [], [], 1)[0]:
                seen += os.read(app.stdout.fileno(), 65536)
    finally:
        app.terminate()
        app.wait(timeout=30)
