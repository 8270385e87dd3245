from __future__ import annotations

from pathlib import Path

import pytest

from tests.mistral.faults import FaultServer, answer
from tui.domain.errors import MissingError, NotFoundError
from tui.mistral import Endpoints, EngineOff, Ledger
from tui.settings import Credentials, EndpointSettings, SecretStr, Settings


class Engine:
    def __init__(self) -> None:
        self.at: tuple[str, SecretStr] | None = None

    def address(self) -> tuple[str, SecretStr] | None:
        return self.at


@pytest.fixture
def engine() -> Engine:
    return Engine()


def endpoints(engine: Engine, tmp_path: Path, **options: object) -> Endpoints:
    settings = Settings(
        endpoints={"lab": EndpointSettings("https://lab.example", trusted=True)},
        aliases={"team/current": "ft:m:1"},
    )
    environment = {"PAPERTUNE_KEY_LAB": "key-of-the-lab-01"}
    return Endpoints(settings, Credentials(tmp_path, environment), engine, Ledger())


def test_all_endpoints_are_there_the_default_first(engine: Engine, tmp_path: Path) -> None:
    found = endpoints(engine, tmp_path).all()
    assert [(item.name, item.trusted, item.outside) for item in found] == [
        ("local", True, False),
        ("mistral", False, True),
        ("lab", True, True),
    ]


def test_an_unknown_endpoint_is_refused_with_the_nearest(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="did you mean 'mistral'"):
        endpoints(engine, tmp_path).get("mistrl")


def test_what_is_missing_is_named_with_the_command(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineOff, match="papertune engine start"):
        endpoints(engine, tmp_path).client()
    with pytest.raises(MissingError, match="export MISTRAL_API_KEY"):
        endpoints(engine, tmp_path).client("mistral")


def test_a_client_is_kept_until_its_address_changes(engine: Engine, tmp_path: Path) -> None:
    found = endpoints(engine, tmp_path)
    engine.at = ("http://127.0.0.1:1", SecretStr("token-1"))
    first = found.client()
    assert found.client("local") is first
    engine.at = ("http://127.0.0.1:2", SecretStr("token-1"))
    second = found.client()
    assert second is not first
    assert second.endpoint.url == "http://127.0.0.1:2"


async def test_a_model_is_looked_for_where_it_was_listed(
    server: FaultServer, engine: Engine, tmp_path: Path
) -> None:
    card = {"id": "ft:m:1", "capabilities": {}, "type": "base"}
    server.on("GET", "/v1/models", answer({"object": "list", "data": [card]}))
    engine.at = (server.url, SecretStr("token-1"))
    found = endpoints(engine, tmp_path)
    await found.client("local").models()
    assert found.for_model("team/current").endpoint.name == "local"
    assert found.for_model("other").endpoint.name == "local"
    assert found.for_model("ft:m:1", "lab").endpoint.name == "lab"
    await found.aclose()
