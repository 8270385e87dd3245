"""A Slurm for the session, where its programs are installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.launchers.cluster import Cluster, missing


def _started(folder: Path, *, accounting: bool, keep_seconds: int) -> Iterator[Cluster]:
    lacking = missing(accounting)
    if lacking:
        pytest.skip(f"Slurm is not installed here: {', '.join(lacking)} (docs/slurm.md)")
    cluster = Cluster(folder, accounting, keep_seconds)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def slurm_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("slurm") / "plain"
    yield from _started(folder, accounting=False, keep_seconds=600)


@pytest.fixture(scope="session")
def accounts_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("slurm") / "accounts"
    yield from _started(folder, accounting=True, keep_seconds=2)


@pytest.fixture
def slurm(slurm_session: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two nodes without accounts, spoken to by this process; its jobs are ended afterwards."""
    yield from _spoken_to(slurm_session, monkeypatch)


@pytest.fixture
def accounts(accounts_session: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The same with `sacct`, and a controller that forgets a job at once."""
    yield from _spoken_to(accounts_session, monkeypatch)


def _spoken_to(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    for name, value in cluster.variables.items():
        monkeypatch.setenv(name, value)
    yield cluster
    for job in cluster.ask("squeue", "-h", "-o", "%i").split():
        cluster.ask("scancel", job)
