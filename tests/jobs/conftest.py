from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.mistral.faults import FaultServer
from tui.domain.example import FileEntry, Version
from tui.jobs import Jobs, Pace
from tui.mistral import Endpoints, Ledger
from tui.settings import Credentials, EndpointSettings, SecretStr, Settings
from tui.storage.workspace import Workspace

AT_ONCE = Pace(shortest=0.0, longest=0.0, longest_offline=0.0)
LINE = (
    '{"messages":[{"role":"user","content":"How many in %s?"},'
    '{"role":"assistant","content":"So %d."}]}\n'
)


class Shelf:
    """One frozen version on disk: training, both validations, and a test that must stay here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        roles = {"train": 8, "validation": 4, "validation-transfer": 3, "test-memory": 5}
        entries = {}
        for role, count in roles.items():
            path = folder / f"{role}.messages.jsonl"
            path.write_text("".join(LINE % (role, number) for number in range(count)))
            digest = sha256(path.read_bytes()).hexdigest()
            entries[f"{role}.messages"] = FileEntry(path.name, digest, count, 10 * count)
        self.frozen = Version("answers", 1, "f" * 64, entries, 20, ("keller2024", "open2020"))

    def version(self, name: str) -> Version:
        assert name in ("answers", "answers@v1")
        return self.frozen

    def file(self, version: Version, key: str) -> Path:
        return self.folder / version.files[key].path


class Engine:
    """What endpoints ask of the engine's control; a test moves or removes the address."""

    def __init__(self) -> None:
        self.at: tuple[str, SecretStr] | None = None

    def address(self) -> tuple[str, SecretStr] | None:
        return self.at


@pytest.fixture
async def api() -> AsyncIterator[FaultServer]:
    server = FaultServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace.open(tmp_path / "workspace")
    yield workspace
    workspace.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "v1")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def endpoints(
    api: FaultServer, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Endpoints]:
    """`local` is the scripted server by way of the engine's address, `lab` by its URL."""
    monkeypatch.setattr("tui.mistral.http.RetryPolicy", _impatient)
    engine.at = (api.url, SecretStr("token-of-the-engine"))
    settings = Settings(endpoints={"lab": EndpointSettings(api.url)})
    credentials = Credentials(tmp_path / "keys", {"MISTRAL_API_KEY": "key-of-mistral-01"})
    endpoints = Endpoints(settings, credentials, engine, Ledger())
    yield endpoints
    await endpoints.aclose()


def _impatient() -> object:
    from tui.mistral import RetryPolicy

    return RetryPolicy(attempts=2, first=0.0, longest=0.0)


@pytest.fixture
def jobs(workspace: Workspace, shelf: Shelf, endpoints: Endpoints) -> Jobs:
    return Jobs(workspace, shelf, endpoints, Ledger())
