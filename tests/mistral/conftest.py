from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mistral.faults import FaultServer
from tui.domain.endpoint import Endpoint, EndpointKind
from tui.mistral import Client, Ledger, RetryPolicy
from tui.settings import SecretStr

KEY = "sk-Te+st/Key=0123456789"
AT_ONCE = RetryPolicy(attempts=3, first=0.0, longest=5.0)


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    server = FaultServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "usage.jsonl", "/team/papers")


@pytest.fixture
async def connect(server: FaultServer, ledger: Ledger) -> AsyncIterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(kind: EndpointKind = EndpointKind.MISTRAL, **options: Any) -> Client:
        endpoint = Endpoint(kind.value, kind, server.url)
        options = {"seconds": 30.0, "policy": AT_ONCE, **options}
        made.append(Client(endpoint, SecretStr(KEY), ledger, **options))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()
