from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tui.storage.locations import engine_state_file


def papertune(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answer(*arguments: str) -> Any:
    done = papertune(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def _stopped_afterwards() -> Iterator[None]:
    yield
    papertune("engine", "stop")


def test_without_an_engine_its_status_says_so() -> None:
    status = answer("engine", "status")
    assert status["running"] is False
    assert set(status) >= {"running", "url", "token_file", "pid", "device", "version", "jobs"}
    assert "papertune engine start" in papertune("engine", "status").stdout
    assert answer("engine", "stop")["running"] is False


@pytest.mark.usefixtures("_stopped_afterwards")
def test_the_engine_is_started_once_found_again_and_stopped() -> None:
    first = answer("engine", "start")
    assert first["running"]
    assert first["jobs"] == {"running": 0, "queued": 0}
    assert answer("engine", "start")["pid"] == first["pid"] == answer("engine", "status")["pid"]
    assert Path(first["token_file"]) == engine_state_file()
    assert engine_state_file().stat().st_mode & 0o077 == 0
    assert isinstance(answer("engine", "logs", "-n", "5")["lines"], list)
    assert "engine is stopped" in papertune("engine", "stop").stdout
    assert "is not running" in papertune("engine", "stop").stdout
    assert not engine_state_file().exists()


def test_serve_stays_in_the_foreground_until_it_is_ended(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w+") as said:
        engine = subprocess.Popen(
            [sys.executable, "-m", "tui", "engine", "serve"], stderr=said, env=os.environ.copy()
        )
        try:
            while not answer("engine", "status")["running"]:
                assert engine.poll() is None, (tmp_path / "said").read_text()
            assert answer("engine", "status")["pid"] == engine.pid
        finally:
            engine.terminate()
            assert engine.wait(30) == 0


def test_serve_beyond_loopback_needs_a_token_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAPERTUNE_ENGINE_TOKEN", raising=False)
    done = papertune("engine", "serve", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "PAPERTUNE_ENGINE_TOKEN" in done.stderr
