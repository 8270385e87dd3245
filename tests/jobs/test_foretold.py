"""The engine's own figures in an estimate, and what an engine without them leaves."""

from __future__ import annotations

from typing import Any

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.domain.job import Hyperparameters
from tui.jobs import Estimate
from tui.jobs.foretold import leaking, overlaid
from tui.mistral import Client
from tui.mistral.prices import Prices
from tui.settings.money import PriceSettings

CLIENT = Client(Endpoint("local", EndpointKind.LOCAL, "http://127.0.0.1:1"), None)
RECKONED = Estimate(
    dataset="answers@v1",
    model="m",
    endpoint="local",
    examples=8,
    data_tokens=100,
    tokens=400,
    steps=4,
    epochs=2.0,
    truncated=0,
    seconds=7200.0,
    cost=0.0,
    currency=None,
    exact=True,
    hyperparameters=Hyperparameters(training_steps=4),
    options={},
    notes=("2 examples repeat others.",),
    memory=2**30,
)
TOLD: dict[str, Any] = {
    "examples": 7,
    "tokens": 350,
    "steps": 5,
    "truncated": 1,
    "seconds": 3600,
    "measured": True,
    "memory": {"needed": 2 * 2**30, "present": 4 * 2**30, "fits": True},
    "cost": None,
}


def test_the_engines_figures_replace_what_was_reckoned() -> None:
    found = overlaid(RECKONED, TOLD, CLIENT, Prices(PriceSettings()))
    assert (found.examples, found.tokens, found.steps, found.truncated) == (7, 350, 5, 1)
    assert (found.seconds, found.measured) == (3600.0, True)
    assert (found.memory, found.memory_present) == (2 * 2**30, 4 * 2**30)
    assert found.notes == RECKONED.notes


def test_what_the_engine_does_not_tell_stays() -> None:
    assert overlaid(RECKONED, {}, CLIENT, Prices(PriceSettings())) == RECKONED


def test_the_engines_price_goes_before_the_workspaces() -> None:
    told = {**TOLD, "cost": 1.5, "currency": "eur"}
    found = overlaid(RECKONED, told, CLIENT, Prices(PriceSettings()))
    assert (found.cost, found.currency) == (1.5, "EUR")


def test_more_memory_than_there_is_comes_first_among_the_notes() -> None:
    told = {**TOLD, "memory": {"needed": 8 * 2**30, "present": 4 * 2**30, "fits": False}}
    found = overlaid(RECKONED, told, CLIENT, Prices(PriceSettings()))
    assert found.notes[0].startswith("It needs 8.0 GB of memory and 4.0 GB are free")


def test_leaks_are_counted_and_the_first_is_told() -> None:
    found = leaking(RECKONED, ["e2 asks what e1 trains.", "e4 asks what e3 trains."])
    assert found.notes[1:] == (
        "2 leaks between training and held-out examples: papertune dataset check answers",
        "e2 asks what e1 trains.",
    )
    assert leaking(RECKONED, []) == RECKONED
