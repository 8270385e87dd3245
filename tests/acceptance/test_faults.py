"""Bad input and faults, as a user meets them: one sentence, its exit code, nothing left behind."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import sample_file

pytestmark = pytest.mark.timeout(120)

KEY = "sk-revoked-Zq81kPw0Lm77"
COMMAND = (sys.executable, "-P", "-m", "tui")
ROOT = Path(__file__).parents[2]


def papertune(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def refused(code: int, said: str, *words: str | Path, **environment: str) -> str:
    """Run what must fail; its complaint, which is one line that ends in the next step."""
    ended = papertune(*words, **environment)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    complaint = ended.stderr.strip().splitlines()[-1]
    assert complaint.startswith("papertune: ")
    assert said in complaint
    return complaint


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A workspace with one paper, `egge2022metal`."""
    workspace = tmp_path / "team"
    added = papertune("-w", workspace, "corpus", "add", sample_file("papers/bells.pdf"))
    assert added.returncode == 0, added.stderr
    return workspace


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (2, "nowhere", ["-w", "w", "corpus", "add", "nowhere"]),
        (3, "papertune corpus add", ["-w", "w", "corpus", "list"]),
        (3, "papertune corpus add", ["-w", "w", "chat", "What?"]),
        (3, "papertune quickstart", ["corpus", "list"]),
        (2, "is not a folder", ["quickstart", "--papers", "nowhere"]),
        (2, "No paper could be read", ["quickstart", "--papers", "empty"]),
        (2, "not a PDF or damaged", ["quickstart", "--papers", "corrupt"]),
        (3, "papertune engine start", ["model", "list"]),
        (2, "needs a terminal", []),
    ],
)
def test_what_is_missing_or_wrong_is_said_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "corrupt").mkdir()
    (tmp_path / "corrupt" / "paper.pdf").write_bytes(b"%PDF-1.7\nnothing that follows is a PDF")
    before = everything(tmp_path)
    refused(code, said, *words)
    left = everything(tmp_path)
    assert [name for name in left if left[name] and name not in before] == []
    assert not list(tmp_path.rglob("workspace.db"))


def test_a_corrupt_file_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    shutil.copy(sample_file("papers/bells.pdf"), folder)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n")
    ended = papertune("-w", tmp_path / "team", "corpus", "add", "--json", folder)
    assert ended.returncode == 1
    report = json.loads(ended.stdout)
    assert (report["added"], report["failed"]) == (1, 1)
    assert "broken.pdf" in ended.stderr


def test_a_workspace_of_a_newer_version_is_left_alone(team: Path) -> None:
    with sqlite3.connect(team / "workspace.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    before = everything(team)
    refused(1, "Upgrade papertune", "-w", team, "corpus", "list")
    refused(1, "Upgrade papertune", "-w", team, "quickstart", "--headless")
    assert everything(team) == before


def test_settings_that_cannot_be_read_are_named_with_the_line(tmp_path: Path) -> None:
    settings = Path(os.environ["PAPERTUNE_CONFIG_DIR"]) / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("person = \n", encoding="utf-8")
    refused(2, f"{settings} is not TOML", "-w", tmp_path / "w", "corpus", "list")
    settings.write_text('workspcae = "x"\n', encoding="utf-8")
    refused(2, "'workspace'", "-w", tmp_path / "w", "corpus", "list")
    assert settings.read_text(encoding="utf-8") == 'workspcae = "x"\n'


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(1, "--port", "engine", "serve", "--port", port)
        refused(1, "--port", "-w", tmp_path, "web", "--port", port)


def test_a_terminal_that_cannot_be_drawn_on_gets_a_sentence() -> None:
    master, slave = pty.openpty()
    ended = subprocess.run(
        COMMAND,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        timeout=60,
        check=False,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(slave)
    said = os.read(master, 4096).decode()
    os.close(master)
    assert ended.returncode == 2
    assert "TERM=dumb" in said
    assert "papertune --help" in said
    assert "\x1b" not in said


def _fails(words: list[str]) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode != 0


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system of its own at `folder`; skips where none may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "papertune-test", str(folder)]
    if shutil.which("mount") is None or _fails(mount):
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_is_gone_on_from(tmp_path: Path) -> None:
    papers = sample_file("papers")
    with mounted(tmp_path / "small", "size=600k") as small:
        refused(1, "full", "-w", small / "team", "corpus", "add", papers)
        remount = ["mount", "-o", "remount,size=50m", str(small)]
        subprocess.run(remount, check=True)
        again = papertune("-w", small / "team", "corpus", "add", "--json", papers)
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["papers"] == 12


def test_a_full_disk_of_the_engine_is_named(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=64k") as small:
        with (
            (small / "fill").open("wb", buffering=0) as fill,
            pytest.raises(OSError, match="space"),
        ):
            while True:
                fill.write(bytes(4096))
        refused(1, "disk is full", "engine", "start", PAPERTUNE_DATA_DIR=str(small / "data"))


def test_a_workspace_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    with mounted(tmp_path / "theirs", "size=20m") as theirs:
        team = theirs / "team"
        papertune("-w", team, "corpus", "add", sample_file("papers/bells.pdf"))
        subprocess.run(["mount", "-o", "remount,ro", str(theirs)], check=True)
        found = papertune("-w", team, "corpus", "search", "--json", "bog metal")
        assert json.loads(found.stdout)[0]["paper"] == "egge2022metal"
        refused(1, "can only be read", "-w", team, "dataset", "create", "mine")
        refused(1, "can only be read", "-w", team, "corpus", "remove", "egge2022metal")


class Hosted(BaseHTTPRequestHandler):
    """A hosted service that has retired its job routes and takes one key."""

    asked: list[tuple[str, str, str]]
    retired: tuple[int, dict[str, Any]]
    revoked: bool

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode(errors="replace")
        type(self).asked.append((self.command, self.path, body))
        status, document = self._reply()
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 - the library's name

    def _reply(self) -> tuple[int, dict[str, Any]]:
        if self.revoked:
            return 401, {"detail": f"Invalid key: {self.headers['authorization']}"}
        if "/fine_tuning/" in self.path:
            return self.retired
        card = {
            "id": "mistral-small-latest",
            "object": "model",
            "created": 1,
            "owned_by": "mistralai",
            "capabilities": {"completion_chat": True},
            "type": "base",
        }
        if self.path.startswith("/v1/models/"):
            return 200, card
        if self.path.startswith("/v1/models"):
            return 200, {"object": "list", "data": [card]}
        return 404, {"detail": "Not Found"}

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hosted]]:
    """The endpoint `mistral`, on loopback, with a key in the environment."""
    Hosted.asked, Hosted.retired, Hosted.revoked = [], (410, {"detail": "Gone"}), False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hosted)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = Path(os.environ["PAPERTUNE_CONFIG_DIR"]) / "config.toml"
    settings.parent.mkdir(parents=True)
    url = f"http://127.0.0.1:{server.server_port}"
    settings.write_text(
        f'endpoint = "mistral"\n[endpoints.mistral]\nurl = "{url}"\n', encoding="utf-8"
    )
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    yield Hosted
    server.shutdown()
    server.server_close()


def test_a_key_that_was_revoked_is_told_and_never_shown(
    tmp_path: Path, hosted: type[Hosted]
) -> None:
    hosted.revoked = True
    complaint = refused(1, "refused the key (401)", "model", "list")
    assert "Settings" in complaint
    assert KEY not in complaint
    for name, content in everything(tmp_path).items():
        assert KEY.encode() not in content, name


@pytest.mark.parametrize(
    "retired",
    [
        (410, {"detail": "Gone"}),
        (422, {"detail": "Model not available for this type of fine-tuning"}),
    ],
)
def test_retired_job_routes_answer_in_plain_words(
    team: Path, hosted: type[Hosted], retired: tuple[int, dict[str, Any]]
) -> None:
    hosted.retired = retired
    complaint = refused(3, "retired", "-w", team, "job", "list", "--endpoint", "mistral")
    assert "papertune engine start" in complaint


def test_the_first_send_asks_and_what_is_private_stays(
    tmp_path: Path, team: Path, hosted: type[Hosted]
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pair = {"question": "What is it?", "answer": "Bog metal.", "paper": "egge2022metal"}
    pairs.write_text(json.dumps(pair) + "\n", encoding="utf-8")
    here = ("-w", team)
    steps: tuple[tuple[str, ...], ...] = (
        ("dataset", "create", "d"),
        ("dataset", "add", "d", "--kind", "qa", "--file", str(pairs)),
        ("dataset", "split", "d", "--transfer", "0%"),
        ("dataset", "freeze", "d"),
    )
    for words in steps:
        assert papertune(*here, *words).returncode == 0
    chat = ("chat", "--model", "mistral-small-latest", "bog metal")
    job = ("job", "create", "--dataset", "d", "--model", "mistral-small-latest")
    refused(3, "--allow-outside", *here, *chat)
    refused(3, "--allow-outside", *here, *job)
    assert papertune(*here, "corpus", "tag", "egge2022metal", "--private").returncode == 0
    refused(2, "is private", *here, *job, "--allow-outside")
    papertune(*here, *chat, "--allow-outside")
    sent = [body for method, _, body in hosted.asked if method == "POST"]
    assert len(sent) == 1, "the question alone was sent"
    assert "charcoal" not in sent[0]
    assert "Mirewick" not in sent[0]


def test_a_fault_of_our_own_is_logged_without_values(tmp_path: Path) -> None:
    script = (
        "import tui.cli, tui.services\n"
        f"def fail(*_, **__):\n    key = '{KEY}'\n    raise RuntimeError('odd')\n"
        "tui.services.Services.open = fail\n"
        "import sys; sys.argv = ['papertune', 'corpus', 'list']; tui.cli.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    log = Path(os.environ["PAPERTUNE_STATE_DIR"]) / "faults.log"
    assert ended.stderr.count("\n") == 1
    assert str(log) in ended.stderr
    logged = log.read_text(encoding="utf-8")
    assert "RuntimeError: odd" in logged
    assert KEY not in logged
    assert log.stat().st_mode & 0o077 == 0


def test_an_interrupted_quickstart_keeps_what_was_done(tmp_path: Path, ended_engine: str) -> None:
    assert ended_engine
    papers = tmp_path / "papers"
    papers.mkdir()
    shutil.copy(sample_file("papers/bells.pdf"), papers)
    started = subprocess.Popen(
        [*COMMAND, "quickstart", "--headless", "--json", "--papers", str(papers)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    first = json.loads(started.stdout.readline())
    assert (first["step"], first["already_done"]) == ("papers", False)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "run the same command again" in said.strip().splitlines()[-1]
    workspace = next((Path(os.environ["PAPERTUNE_DATA_DIR"]) / "workspaces").iterdir())
    again = papertune("-w", workspace, "corpus", "add", "--json", papers)
    assert json.loads(again.stdout)["unchanged"] == 1


@pytest.mark.parametrize(
    ("venv", "said"), [("exit 1", "python3-venv"), ("", "The packages could not be installed")]
)
def test_make_run_says_what_the_machine_lacks(tmp_path: Path, venv: str, said: str) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    fake = f'case "$2" in venv) {venv or ":"};; esac; exec {sys.executable} "$@"'
    python.write_text(f"#!/bin/sh\n{fake}\n", encoding="utf-8")
    python.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if "PIP_" not in name}
    environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "0"}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    ended = subprocess.run(
        ["make", "run", f"PYTHON={python}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert ended.returncode
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / ".venv").exists() is (not venv)
