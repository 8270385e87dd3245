"""Where the API is spoken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EndpointKind(StrEnum):
    """What stands behind a URL; it decides trust and what the server can be asked for."""

    MISTRAL = "mistral"
    LOCAL = "local"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that speaks the API: hosted Mistral, this machine's engine, a colleague's.

    Private text goes only to an endpoint that is `trusted`; the local engine always is.
    """

    name: str
    kind: EndpointKind
    url: str
    trusted: bool = False

    @property
    def outside(self) -> bool:
        """Whether text sent here leaves this machine."""
        return self.kind is not EndpointKind.LOCAL
