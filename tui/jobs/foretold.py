"""What the engine itself says a job will take, in the place of what is reckoned here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tui.domain.example import Version
from tui.jobs.estimate import price
from tui.jobs.request import Estimate, JobRequest
from tui.jobs.submit import Submitter, body_of, options_of
from tui.mistral import AbsentError, ApiError, Client
from tui.mistral.jobs import number
from tui.mistral.prices import Prices


async def foretold(
    found: Estimate,
    client: Client,
    submitter: Submitter,
    request: JobRequest,
    version: Version,
    paths: dict[str, Path],
    prices: Prices,
    measure: bool,
) -> Estimate:
    """The estimate with what the engine tells; as it was where the engine has no such route.

    Why the engine would refuse the job becomes a note. `request` is as it would be sent.
    """
    try:
        files = await submitter.files(client, version, paths)
        options = await options_of(client, request, version)
        told = await client.local.estimate(body_of(request, files), options, measure=measure)
    except AbsentError:
        return found
    except ApiError as error:
        return replace(found, notes=tuple(dict.fromkeys((*found.notes, error.message))))
    return overlaid(found, told, client, prices)


def leaking(found: Estimate, leaks: Sequence[str]) -> Estimate:
    """The estimate with what training would see of the held-out examples, the first in words."""
    if not leaks:
        return found
    dataset = found.dataset.partition("@")[0]
    many = "1 leak" if len(leaks) == 1 else f"{len(leaks)} leaks"
    note = f"{many} between training and held-out examples: papertune dataset check {dataset}"
    return replace(found, notes=(*found.notes, note, leaks[0]))


def overlaid(found: Estimate, told: dict[str, Any], client: Client, prices: Prices) -> Estimate:
    """The estimate with the engine's own figures; what it leaves out stays as it was.

    The engine counts with the files that the job will get, and knows its devices and its price; a
    memory need beyond what is there becomes a note.
    """
    memory = told.get("memory")
    memory = memory if isinstance(memory, dict) else {}
    needed = _whole(memory.get("needed"), found.memory)
    present = _whole(memory.get("present"), None)
    seconds = number(told.get("seconds"))
    seconds = found.seconds if seconds is None else seconds
    cost, currency = price(client, seconds, prices)
    if (own := number(told.get("cost"))) is not None:
        cost, currency = own, str(told.get("currency") or "").upper() or None
    notes = found.notes
    if needed and present and needed >= present:
        short = (
            f"It needs {needed / 2**30:.1f} GB of memory and {present / 2**30:.1f} GB are free: "
            "take a smaller batch or a shorter length."
        )
        notes = (short, *notes)
    return replace(
        found,
        examples=_whole(told.get("examples"), found.examples) or 0,
        data_tokens=_whole(told.get("data_tokens"), found.data_tokens) or 0,
        tokens=_whole(told.get("tokens"), found.tokens) or 0,
        steps=_whole(told.get("steps"), found.steps) or 0,
        epochs=number(told.get("epochs")) or found.epochs,
        truncated=_whole(told.get("truncated"), found.truncated) or 0,
        seconds=seconds,
        cost=cost,
        currency=currency,
        notes=notes,
        memory=needed,
        memory_present=present,
        measured=told.get("measured") is True,
    )


def _whole(raw: Any, otherwise: int | None) -> int | None:
    value = number(raw)
    return otherwise if value is None else int(value)
