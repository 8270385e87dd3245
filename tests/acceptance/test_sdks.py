"""Programs written for the hosted API run against the engine unchanged.

Each client lives in a virtual environment of its own, kept in a cache outside the repository; where
it is not there yet and the package index cannot be reached, its test is skipped with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.server import doubles
from tests.engine.server.conftest import chat_lines, stop_workers
from tests.engine.server.engine_process import Engine

SCRIPTS = Path(__file__).with_name("sdk_scripts")
CLIENTS = {
    "mistral_2": "mistralai==2.5.1",
    "mistral_3": "mistralai>=3.7,<4",
    "openai_client": "openai>=2",
}
_SECONDS = 150


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    running = Engine(tmp_path_factory.mktemp("sdks"))
    running.start()
    yield running
    running.kill()
    stop_workers(running.home)


def python_with(requirement: str) -> Path:
    """The interpreter of an environment that has this package, made if it is missing."""
    default = Path.home() / ".cache" / "papertune-tests" / "clients"
    cache = Path(os.environ.get("PAPERTUNE_TEST_CLIENTS") or default)
    name = "".join(c if c.isalnum() else "-" for c in requirement)
    folder = cache / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python, whole = folder / "bin" / "python", folder / "whole"
    if not whole.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        install = [sys.executable, "-m", "pip", "--python", str(folder), "install", "-q"]
        try:
            subprocess.run(
                [*install, requirement], check=True, capture_output=True, timeout=_SECONDS
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            pytest.skip(f"{requirement} cannot be installed: {said[-1] if said else 'too slow'}")
        whole.touch()
    return python


@pytest.mark.parametrize("client", CLIENTS)
def test_a_program_for_the_hosted_api_runs_unchanged(
    engine: Engine, client: str, tmp_path: Path
) -> None:
    python = python_with(CLIENTS[client])
    (tmp_path / "train.jsonl").write_bytes(chat_lines(8))
    with engine.client() as known:
        url, token = str(known.base_url).rstrip("/"), known.headers["authorization"][7:]
    done = subprocess.run(
        [python, SCRIPTS / f"{client}.py", tmp_path / "train.jsonl"],
        env={"URL": url, "TOKEN": token, "MODEL": doubles.BASE, "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("done\n")
