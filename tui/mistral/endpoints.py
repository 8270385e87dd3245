"""The endpoints a person can choose from, and a client for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.errors import MissingError, NotFoundError
from tui.domain.model import ModelCard
from tui.mistral.client import Client
from tui.mistral.errors import EngineOff
from tui.mistral.ledger import Ledger
from tui.settings import Credentials, SecretStr, Settings
from tui.settings.settings import nearest
from tui.text import visible

LOCAL = "local"
MISTRAL = "mistral"
MISTRAL_URL = "https://api.mistral.ai"


class KnowsAddress(Protocol):
    """The engine's control, as far as endpoints need it."""

    def address(self) -> tuple[str, SecretStr] | None:
        """URL and token of the engine that runs on this machine."""


class Endpoints:
    """`local`, `mistral` and those of the settings.

    Clients are kept and shared; one whose URL or key has changed (an engine restarted, a key
    replaced) is made anew. `team_aliases` are names of models that a workspace keeps, such as
    `team/current`.
    """

    def __init__(
        self, settings: Settings, credentials: Credentials, engine: KnowsAddress, ledger: Ledger
    ) -> None:
        self.settings = settings
        self._credentials = credentials
        self._engine = engine
        self._ledger = ledger
        self._clients: dict[str, tuple[Endpoint, SecretStr | None, Client]] = {}
        self._homes: dict[str, str] = {}
        self.team_aliases: Callable[[], Mapping[str, str]] = dict

    @property
    def ledger(self) -> Ledger:
        """Where every client writes down what its calls used."""
        return self._ledger

    def all(self) -> list[Endpoint]:
        """Every endpoint, the default one first; the local engine's URL is empty if it is off."""
        configured = dict(self.settings.endpoints)
        hosted = configured.pop(MISTRAL, None)
        address = self._engine.address()
        found = [
            Endpoint(LOCAL, EndpointKind.LOCAL, address[0] if address else "", trusted=True),
            Endpoint(
                MISTRAL,
                EndpointKind.MISTRAL,
                hosted.url if hosted else MISTRAL_URL,
                trusted=hosted.trusted if hosted else False,
            ),
        ]
        found += [
            Endpoint(name, EndpointKind.URL, item.url, item.trusted)
            for name, item in sorted(configured.items())
        ]
        return sorted(found, key=lambda endpoint: endpoint.name != self.settings.endpoint)

    def get(self, name: str | None = None) -> Endpoint:
        """An endpoint by name, the default one without; NotFoundError names the nearest."""
        wanted = name or self.settings.endpoint
        known = {endpoint.name: endpoint for endpoint in self.all()}
        if wanted not in known:
            raise NotFoundError(
                f"There is no endpoint '{visible(wanted)}': {nearest(wanted, known)}",
                "Add one in Settings, or under [endpoints] in config.toml.",
            )
        return known[wanted]

    def client(self, name: str | None = None) -> Client:
        """The client of an endpoint.

        Raises EngineOff when the local engine is off, MissingError when an endpoint has no key
        yet, and UsageError when the key's file can be read by others.
        """
        endpoint = self.get(name)
        key = self._key(endpoint)
        kept = self._clients.get(endpoint.name)
        if kept and kept[:2] == (endpoint, key):
            return kept[2]
        client = Client(endpoint, key, self._ledger, on_models=self._remember)
        self._clients[endpoint.name] = (endpoint, key, client)
        return client

    def for_model(self, model: str, endpoint: str | None = None) -> Client:
        """The client of the endpoint that has a model: the named one, else the one that listed it.

        A model that no listing has shown yet is expected at the default endpoint.
        """
        return self.client(endpoint or self._homes.get(self.resolve(model)))

    def resolve(self, model: str) -> str:
        """The id of a model that may be named by an alias: of the settings, else of the team."""
        own = self.settings.aliases.get(model)
        if own is not None or "/" not in model:
            return own or model
        return self.team_aliases().get(model, model)

    async def aclose(self) -> None:
        """Close every client."""
        for _, _, client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _key(self, endpoint: Endpoint) -> SecretStr | None:
        if endpoint.kind is EndpointKind.LOCAL:
            address = self._engine.address()
            if address is None:
                raise EngineOff
            return address[1]
        key = self._credentials.get(endpoint.name)
        if key is None and endpoint.kind is EndpointKind.MISTRAL:
            raise MissingError(
                "There is no key for 'mistral'.",
                "Store one in Settings, or: export MISTRAL_API_KEY=YOUR_KEY",
            )
        return key

    def _remember(self, endpoint: str, cards: list[ModelCard]) -> None:
        for card in cards:
            self._homes.setdefault(card.id, endpoint)
