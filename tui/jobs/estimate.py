"""What a job will take, counted the way the engine counts."""

from __future__ import annotations

import asyncio
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.domain.endpoint import EndpointKind
from tui.domain.errors import MissingError
from tui.domain.example import Version
from tui.domain.job import Hyperparameters, JobStatus
from tui.jobs.request import Estimate, JobRequest
from tui.mistral import ApiError, Client

if TYPE_CHECKING:
    from tui.formats.tokenizer import ModelTokenizer

_EPOCHS = 3.0
_SEQ_LEN = 2048
_RANK = 16
_BATCH = 4
# LoRA on CPU, measured: 65 to 70 trained tokens per CPU-second for 134.5 million parameters; a
# wall second of a core in use is worth less.
_TOKENS_PER_CORE_SECOND = 55.0
_MEASURED_PARAMETERS = 134_515_008
_START_SECONDS = 30.0
_PAST_JOBS = 20
_NO_POINTS = 2**53


@dataclass(frozen=True, slots=True)
class _Known:
    """What the endpoint tells of a model and of itself; empty where it tells nothing."""

    defaults: dict[str, Any]
    tokenizer: ModelTokenizer | None
    tokens_per_second: float | None
    notes: tuple[str, ...]


async def estimate(
    request: JobRequest,
    version: Version,
    files: dict[str, Path],
    endpoint: str,
    client: Client | None,
) -> Estimate:
    """Tokens, steps, time and price of a job on the training files in `files`.

    With an engine that answers, the tokens are counted by the model's own tokenizer and the time
    comes from what jobs ran there before; without, both are estimates from the frozen counts.
    """
    known = await _ask(client, request.model) if client else _Known({}, None, None, ())
    settled, options = _settle(request, known.defaults)
    examples = tokens = truncated = 0
    for key, path in files.items():
        entry = version.files[key]
        if known.tokenizer is None:
            examples += entry.lines
            tokens += entry.tokens
            continue
        counted = await asyncio.to_thread(_count, path, known.tokenizer, settled.seq_len)
        examples += counted[0]
        tokens += counted[1]
        truncated += counted[2]
    batch = int(options["batch_size"])
    steps = settled.training_steps or max(
        1, math.ceil((settled.epochs or _EPOCHS) * examples / batch)
    )
    per_step = max(1, round(tokens * batch / max(1, examples)))
    epochs = round(steps * batch / max(1, examples), 4)
    trained = steps * per_step
    rate = known.tokens_per_second
    local = client is None or client.endpoint.kind is not EndpointKind.MISTRAL
    return Estimate(
        dataset=version.name,
        model=request.model,
        endpoint=endpoint,
        examples=examples,
        data_tokens=tokens,
        tokens=trained,
        steps=steps,
        epochs=epochs,
        truncated=truncated,
        seconds=None if rate is None else round(trained / rate + _START_SECONDS, 1),
        cost=0.0 if local else None,
        currency=None,
        exact=known.tokenizer is not None,
        hyperparameters=replace(settled, training_steps=steps, epochs=epochs),
        options=options,
        notes=known.notes,
    )


async def _ask(client: Client, model: str) -> _Known:
    """The model's defaults and tokenizer, and the speed of its last job or of this device."""
    notes: list[str] = []
    try:
        if not await client.is_engine():
            return _Known({}, None, None, ())
        entries = await client.local.catalogue()
        entry: dict[str, Any] = next((item for item in entries if item.get("id") == model), {})
        device = (await client.local.status()).device
        speed = await _past_speed(client, model) or _usual_speed(device, entry.get("parameters"))
    except ApiError as error:
        return _Known({}, None, None, (error.message,))
    try:
        tokenizer = await client.local.tokenizer(model)
    except (ApiError, MissingError) as error:
        notes.append(error.message)
        tokenizer = None
    defaults = entry.get("defaults")
    return _Known(defaults if isinstance(defaults, dict) else {}, tokenizer, speed, tuple(notes))


async def _past_speed(client: Client, model: str) -> float | None:
    """Trained tokens per second of the newest finished job on this model."""
    jobs = await client.jobs.list(model=model, status=str(JobStatus.SUCCESS))
    for job in jobs[:_PAST_JOBS]:
        speed = (await client.local.job(job.id, after=_NO_POINTS)).progress.tokens_per_second
        if speed:
            return speed
    return None


def _usual_speed(device: str, parameters: Any) -> float | None:
    if "cpu" not in device.lower() or not isinstance(parameters, int) or parameters <= 0:
        return None
    return _TOKENS_PER_CORE_SECOND * (os.cpu_count() or 1) * _MEASURED_PARAMETERS / parameters


def _settle(
    request: JobRequest, defaults: dict[str, Any]
) -> tuple[Hyperparameters, dict[str, Any]]:
    """The request with the model's defaults where it left a choice."""
    given = request.hyperparameters
    settled = replace(
        given,
        learning_rate=given.learning_rate or defaults.get("learning_rate"),
        seq_len=given.seq_len or int(defaults.get("seq_len", _SEQ_LEN)),
    )
    rank = request.options.get("lora_rank") or defaults.get("lora_rank", _RANK)
    filled = {
        "lora_rank": rank,
        "lora_alpha": defaults.get("lora_alpha", 2 * rank),
        "batch_size": defaults.get("batch_size", _BATCH),
    }
    return settled, {**filled, **request.options}


def _count(path: Path, tokenizer: ModelTokenizer, seq_len: int | None) -> tuple[int, int, int]:
    from tui.formats.check import check_file

    report = check_file(path, tokenizer=tokenizer, seq_len=seq_len)
    return report.valid, report.tokens, report.over_length
