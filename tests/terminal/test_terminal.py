"""The app in a real terminal: what reaches it, what leaves it, how it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.pty_terminal import PtyTerminal, restored, write_papers
from tui.corpus import Corpus
from tui.storage.workspace import Workspace

pytestmark = pytest.mark.terminal

Open = Callable[..., PtyTerminal]

PAYLOADS = ("\x1b]52;c;aGFja2Vk\x07", "\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\x07")
HOSTILE_TITLE = "Bells [/foo] [@click=app.quit]leave[/] [1] of \\alpha"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two papers, one of them hostile: in the file, and past ingest right in the database."""
    folder = tmp_path_factory.mktemp("hostile")
    papers = write_papers(
        folder / "papers",
        {
            "calm.md": "# Resins of the fen\n\nAda Keller\n\n## Abstract\n\nResins harden.\n",
            "hostile.md": f"# {HOSTILE_TITLE}\n\n## Abstract\n\nText {''.join(PAYLOADS)} end.\n",
        },
    )
    root = folder / "team"
    opened = Workspace.open(root)
    Corpus(opened).add([papers])
    with opened.transaction() as connection:
        connection.execute(
            "UPDATE paper SET title = title || ?, venue = ?, abstract = abstract || ?, "
            "text = text || ? WHERE title LIKE 'Bells%'",
            (PAYLOADS[0], PAYLOADS[1], PAYLOADS[2], "".join(PAYLOADS)),
        )
        connection.execute("INSERT INTO tag SELECT id, ? FROM paper", (PAYLOADS[3],))
    opened.close()
    return root


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Path:
    """The workspace, a copy for each test."""
    return shutil.copytree(template, tmp_path / "team")


@pytest.fixture
def start(workspace: Path) -> Iterator[Open]:
    """Starts the app on the workspace; every one started is ended."""
    running: list[PtyTerminal] = []

    def begin(
        size: tuple[int, int] = (80, 24), arguments: list[str] | None = None, **env: str
    ) -> PtyTerminal:
        default = ["-w", str(workspace)]
        terminal = PtyTerminal(default if arguments is None else arguments, size=size, env=env)
        running.append(terminal)
        return terminal

    yield begin
    for terminal in running:
        terminal.close()


def test_quitting_gives_the_terminal_back(start: Open) -> None:
    terminal = start()
    terminal.wait_for("2 papers")
    terminal.press("\x11")
    assert terminal.wait_end() == 0
    assert restored(terminal.raw)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_properly_and_gives_the_terminal_back(
    start: Open, number: signal.Signals
) -> None:
    terminal = start()
    terminal.wait_for("2 papers")
    terminal.process.kill(number)
    assert terminal.wait_end() == 128 + number
    assert restored(terminal.raw)


def test_a_terminal_that_goes_away_ends_the_app(start: Open) -> None:
    terminal = start()
    terminal.wait_for("2 papers")
    terminal.process.ptyproc.fileobj.close()
    end = time.monotonic() + 20
    while terminal.process.ptyproc.isalive():
        assert time.monotonic() < end, "the app outlives its terminal"
        time.sleep(0.05)


def test_no_payload_of_a_paper_reaches_the_terminal(start: Open) -> None:
    terminal = start(size=(120, 40))
    terminal.wait_for("2 papers")
    terminal.press("/")
    terminal.press("bells")
    terminal.wait_for("1 of 2 papers")
    terminal.press("\r")
    terminal.press("\r")
    terminal.wait_for("Text")
    terminal.press("?")
    terminal.wait_for("Keys here")
    terminal.press("\x1b")
    terminal.wait_for("Keys here", gone=True)
    for payload in PAYLOADS[:4]:
        assert payload.encode() not in terminal.raw
    # Textual itself ends one sequence with BEL, the one that sets the pointer's shape.
    assert b"\x07" not in re.sub(rb"\x1b\]22;\w+\x07", b"", terminal.raw)
    assert HOSTILE_TITLE[:30] in terminal.text


def test_a_tiny_terminal_gets_a_sentence_and_the_screen_comes_back(start: Open) -> None:
    terminal = start()
    terminal.wait_for("2 papers")
    terminal.resize(50, 10)
    terminal.wait_for("papertune needs 60×16")
    terminal.resize(100, 30)
    terminal.wait_for("papertune needs", gone=True)
    terminal.wait_for("2 papers")


def test_a_terminal_that_starts_tiny_becomes_usable(start: Open) -> None:
    terminal = start(size=(60, 15))
    terminal.wait_for("papertune needs 60×16")
    terminal.resize(80, 24)
    terminal.wait_for("2 papers")


def test_sixteen_colours_are_used_where_there_are_no_more(start: Open) -> None:
    terminal = start(TERM="screen", COLORTERM="")
    terminal.wait_for("2 papers")
    assert b"\x1b[38;2;" not in terminal.raw


def test_the_first_start_offers_three_ways_in(start: Open, tmp_path: Path) -> None:
    terminal = start(arguments=[], HOME=str(tmp_path))
    terminal.wait_for("Try it on the sample papers")
    terminal.press("w")
    terminal.wait_for("Which folder holds it?")
    terminal.press(str(tmp_path / "team") + "\r")
    terminal.wait_for("2 papers")


@pytest.mark.parametrize(("term", "words"), [("dumb", "TERM=dumb"), ("", "TERM=unset")])
def test_a_terminal_that_cannot_be_drawn_on_is_refused(start: Open, term: str, words: str) -> None:
    terminal = start(TERM=term)
    code = terminal.wait_end()
    assert code == 2
    assert words.encode() in terminal.raw
    assert b"\x1b[?1049h" not in terminal.raw


def test_without_a_terminal_the_app_is_refused_with_a_sentence(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "-w", str(workspace)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_every_key_of_the_footer_arrives_through_tmux(workspace: Path, tmp_path: Path) -> None:
    socket = str(tmp_path / "tmux.sock")
    command = f"{sys.executable} -m tui -w {workspace}"

    def tmux(*words: str) -> str:
        return subprocess.run(
            ["tmux", "-S", socket, "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TERM": "xterm-256color"},
        ).stdout

    def wait_for(words: str, *, gone: bool = False) -> None:
        end = time.monotonic() + 30
        while (words in (seen := tmux("capture-pane", "-p"))) is gone:
            assert time.monotonic() < end, f"waited for {words!r}:\n{seen}"
            time.sleep(0.05)

    tmux("new-session", "-d", "-x", "80", "-y", "24", command)
    try:
        wait_for("2 papers")
        for key, words in (("?", "Keys here"), ("C-p", "Search for commands"), ("a", "Add papers")):
            tmux("send-keys", key)
            wait_for(words)
            tmux("send-keys", "Escape")
            wait_for(words, gone=True)
        tmux("send-keys", "y")
        wait_for("Copied the citation to tmux")
        assert tmux("show-buffer")
        tmux("send-keys", "C-q")
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], capture_output=True, check=False)


def test_under_ssh_the_mouse_is_left_to_the_terminal(start: Open) -> None:
    terminal = start(SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22")
    terminal.wait_for("2 papers")
    assert b"\x1b[?1000h" not in terminal.raw


def test_the_text_opens_in_the_users_editor_and_the_screen_comes_back(
    start: Open, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/seen.md\necho in the editor\n')
    editor.chmod(0o755)
    terminal = start(EDITOR=str(editor), VISUAL="")
    terminal.wait_for("2 papers")
    terminal.press("e")
    terminal.wait_for("That was a copy of the text")
    assert "## " not in (tmp_path / "seen.md").read_text(encoding="utf-8")
    assert (tmp_path / "seen.md").stat().st_size > 0
    terminal.wait_for("1 Corpus")
