"""What a job will take, counted the way the engine counts."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.domain.endpoint import EndpointKind
from tui.domain.errors import MissingError
from tui.domain.example import Version
from tui.domain.job import JobStatus
from tui.jobs.request import Estimate, JobRequest
from tui.jobs.suggest import DEFAULT_SEQ_LEN, settle
from tui.mistral import ApiError, Client
from tui.mistral.prices import Prices

if TYPE_CHECKING:
    from tui.formats.check import FileReport
    from tui.formats.tokenizer import ModelTokenizer

# LoRA on CPU, measured: 65 to 70 trained tokens per CPU-second for 134.5 million parameters; a
# wall second of a core in use is worth less.
_TOKENS_PER_CORE_SECOND = 55.0
_MEASURED_PARAMETERS = 134_515_008
_START_SECONDS = 30.0
_PAST_JOBS = 20
_NO_POINTS = 2**53
# Memory of the same model: 17,280 is hidden size times layers, which grows with about the square
# root of the parameters; 34 values of it are kept for each token on the way back (Korthikanti et
# al. 2022), and the trainer sends at most so many tokens through the model at once.
_MEASURED_WIDTH, _WIDTH_POWER, _KEPT_VALUES = 17_280, 0.513, 34
_PART_TOKENS = {"cpu": 1024, "gpu": 8192}
_WORKER_BYTES = 600 * 2**20
_ADAPTER_VALUES, _OPTIMIZER_BYTES = 18, 16


@dataclass(frozen=True, slots=True)
class Known:
    """What the endpoint tells of a model and of itself; empty where it tells nothing."""

    defaults: dict[str, Any]
    tokenizer: ModelTokenizer | None = None
    tokens_per_second: float | None = None
    parameters: int | None = None
    device: str = ""
    notes: tuple[str, ...] = ()
    launcher: str = ""


@dataclass(slots=True)
class _Counted:
    examples: int = 0
    tokens: int = 0
    truncated: int = 0
    invalid: int = 0
    repeated: int = 0


async def estimate(
    request: JobRequest,
    version: Version,
    files: dict[str, Path],
    endpoint: str,
    client: Client | None,
    prices: Prices | None = None,
) -> Estimate:
    """Tokens, steps, time, memory and price of a job on the training files in `files`.

    With an engine that answers, the tokens are counted by the model's own tokenizer and the time
    comes from what jobs ran there before; without, both are estimates from the frozen counts.
    """
    known = await ask(client, request.model) if client else Known({})
    seq_len = request.hyperparameters.seq_len or int(known.defaults.get("seq_len", DEFAULT_SEQ_LEN))
    counted = await _counted(version, files, known.tokenizer, seq_len)
    settled, options = settle(
        request.hyperparameters,
        request.options,
        examples=counted.examples,
        defaults=known.defaults,
        parameters=known.parameters,
        small=request.small,
    )
    steps, batch = settled.training_steps or 1, int(options["batch_size"])
    trained = steps * max(1, round(counted.tokens * batch / max(1, counted.examples)))
    rate = known.tokens_per_second
    seconds = None if rate is None else round(trained / rate + _START_SECONDS, 1)
    cost, currency = price(client, seconds, prices)
    return Estimate(
        dataset=version.name,
        model=request.model,
        endpoint=endpoint,
        examples=counted.examples,
        data_tokens=counted.tokens,
        tokens=trained,
        steps=steps,
        epochs=settled.epochs or 0.0,
        truncated=counted.truncated,
        seconds=seconds,
        cost=cost,
        currency=currency,
        exact=known.tokenizer is not None,
        hyperparameters=settled,
        options=options,
        notes=(*_findings(counted), *known.notes),
        memory=_memory(known, counted, options, seq_len),
        launcher=known.launcher,
    )


async def ask(client: Client, model: str) -> Known:
    """The model's defaults and tokenizer, and the speed of its last job or of this device."""
    try:
        if not await client.is_engine():
            return Known({})
        entries = await client.local.catalogue()
        entry: dict[str, Any] = next((item for item in entries if item.get("id") == model), {})
        status = await client.local.status()
        device = status.device
        speed = await _past_speed(client, model) or _usual_speed(device, entry.get("parameters"))
    except ApiError as error:
        return Known({}, notes=(error.message,))
    notes: tuple[str, ...] = ()
    tokenizer: ModelTokenizer | None = None
    try:
        tokenizer = await client.local.tokenizer(model)
    except (ApiError, MissingError) as error:
        notes = (error.message,)
    defaults, parameters = entry.get("defaults"), entry.get("parameters")
    return Known(
        defaults if isinstance(defaults, dict) else {},
        tokenizer,
        speed,
        parameters if isinstance(parameters, int) and parameters > 0 else None,
        device,
        notes,
        status.launcher,
    )


async def _counted(
    version: Version, files: dict[str, Path], tokenizer: ModelTokenizer | None, seq_len: int
) -> _Counted:
    found = _Counted()
    for key, path in files.items():
        if tokenizer is None:
            found.examples += version.files[key].lines
            found.tokens += version.files[key].tokens
            continue
        report = await asyncio.to_thread(_check, path, tokenizer, seq_len)
        found.examples += report.valid
        found.tokens += report.tokens
        found.truncated += report.over_length
        found.invalid += report.invalid
        found.repeated += report.duplicates + report.near_duplicates
    return found


def _findings(counted: _Counted) -> list[str]:
    """What checking the training files brought up, beside what is cut."""
    found = []
    if counted.invalid:
        found.append(f"{counted.invalid} lines cannot be trained on and are skipped.")
    if counted.repeated:
        found.append(f"{counted.repeated} examples repeat others.")
    return found


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


def price(
    client: Client | None, seconds: float | None, prices: Prices | None
) -> tuple[float | None, str | None]:
    """Money: of our own device's time where `[prices] gpuh` says it; elsewhere it is not known."""
    if client is not None and client.endpoint.kind is EndpointKind.MISTRAL:
        return None, None
    amount = prices.device(seconds) if prices is not None and seconds is not None else None
    return (amount.value, amount.unit.upper()) if amount else (0.0, None)


def _memory(known: Known, counted: _Counted, options: dict[str, Any], seq_len: int) -> int | None:
    """Bytes of the device that a step takes; None where the model's size is not known.

    An example is taken to be up to twice as long as the mean. 1.42 GB were measured for 135
    million parameters on rows of 35 tokens, where this says 1.33.
    """
    if known.parameters is None or not known.device or not counted.examples:
        return None
    place = "cpu" if "cpu" in known.device.lower() else "gpu"
    size = 4 if place == "cpu" else 2
    width: float = _MEASURED_WIDTH * (known.parameters / _MEASURED_PARAMETERS) ** _WIDTH_POWER
    longest = min(seq_len, 2 * counted.tokens / counted.examples)
    part = max(longest, min(_PART_TOKENS[place], longest * int(options["batch_size"])))
    adapter = int(options["lora_rank"]) * width * _ADAPTER_VALUES * _OPTIMIZER_BYTES
    return round(
        _WORKER_BYTES + known.parameters * size + _KEPT_VALUES * size * width * part + adapter
    )


def _check(path: Path, tokenizer: ModelTokenizer, seq_len: int) -> FileReport:
    from tui.formats.check import check_file

    return check_file(path, tokenizer=tokenizer, seq_len=seq_len)
