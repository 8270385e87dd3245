from __future__ import annotations

from collections.abc import Collection

import pytest

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.mistral import ConsentNeeded, Gate, PrivateTextError
from tui.settings import Settings

LOCAL = Endpoint("local", EndpointKind.LOCAL, "http://127.0.0.1:1", trusted=True)
MISTRAL = Endpoint("mistral", EndpointKind.MISTRAL, "https://api.mistral.ai")
LAB = Endpoint("lab", EndpointKind.URL, "https://lab.example", trusted=True)


def private(ids: Collection[str]) -> frozenset[str]:
    return frozenset(ids) & {"secret2026"}


def test_text_stays_free_on_this_machine() -> None:
    Gate(Settings(), private, lambda _: None).require(LOCAL, ["secret2026"])


def test_private_text_never_goes_to_an_endpoint_that_is_not_trusted() -> None:
    gate = Gate(Settings(consented=("mistral", "lab")), private, lambda _: None)
    with pytest.raises(PrivateTextError, match="secret2026") as error:
        gate.require(MISTRAL, ["open2020", "secret2026"])
    assert error.value.papers == {"secret2026"}
    gate.require(MISTRAL, ["open2020"])
    gate.require(LAB, ["secret2026"])


def test_the_first_send_to_any_outside_endpoint_asks_once() -> None:
    saved: list[Settings] = []
    gate = Gate(Settings(), private, saved.append)
    for endpoint in (MISTRAL, LAB):
        with pytest.raises(ConsentNeeded, match=endpoint.url) as error:
            gate.require(endpoint)
        assert error.value.exit_code == 3
        gate.consent(endpoint)
        gate.require(endpoint)
    gate.consent(LAB)
    assert [settings.consented for settings in saved] == [("mistral",), ("mistral", "lab")]
