"""Every socket that listens in the engine's process tree: on loopback, and not without a key."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.engine.server.conftest import stop_workers
from tests.engine.server.engine_process import Engine

PATHS = (
    "/", "/health", "/v1/health", "/models", "/v1/models", "/api/tags", "/props", "/slots",
    "/metrics", "/lora-adapters", "/completion", "/v1/chat/completions", "/v1/embeddings",
    "/tokenize", "/apply-template", "/docs", "/openapi.json", "/local/status", "/index.html",
)  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path, bundled_model_dir: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "own", (sys.executable, "-m", "tui.engine", "serve"))
    models = engine.base / "data" / "models"
    models.mkdir(parents=True)
    (models / bundled_model_dir.name).symlink_to(bundled_model_dir, target_is_directory=True)
    yield engine
    if engine.running is not None:
        engine.kill()
    stop_workers(engine.home)


def test_no_socket_of_the_process_tree_answers_without_a_key(
    engine: Engine, bundled_model_dir: Path
) -> None:
    engine.start()
    question = {
        "model": bundled_model_dir.name,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 2,
    }
    with engine.client() as client:
        said = client.post("/v1/chat/completions", json=question, timeout=120)
    assert said.status_code == 200, said.text
    assert engine.running is not None
    whole = psutil.Process(engine.running.pid)
    tree = [whole, *whole.children(recursive=True)]
    listening = [
        (found.laddr.ip, found.laddr.port)
        for process in tree
        for found in process.net_connections("inet")
        if found.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 2, "the server, and what computes"
    for host, port in listening:
        assert host in ("127.0.0.1", "::1")
        with httpx2.Client(base_url=f"http://{host}:{port}", timeout=20) as stranger:
            for path in PATHS:
                for method in ("GET", "POST", "OPTIONS"):
                    answer = stranger.request(method, path)
                    # llama.cpp answers the preflight of a browser with nothing, as CORS wants it.
                    told = method == "OPTIONS" and not answer.content
                    refused = answer.status_code in (401, 403, 404)
                    assert told or refused, (port, method, path, answer.text[:200])
    assert not _listening_unix(tree)


def _listening_unix(tree: list[psutil.Process]) -> list[str]:
    """Paths of unix sockets of the tree that somebody could connect to."""
    found = {str(c.laddr) for process in tree for c in process.net_connections("unix") if c.laddr}
    open_to_others = []
    for path in found:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
            try:
                stranger.connect(path)
            except OSError:
                continue
            open_to_others.append(path)
    return open_to_others
