"""Curves as files for other programs: CSV, JSON Lines, TensorBoard."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tui.domain.errors import UsageError
from tui.jobs.compare import JobResult
from tui.jobs.tensorboard import write_events
from tui.storage.atomic import write_text
from tui.text import visible

FORMATS = ("csv", "jsonl", "tensorboard")
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_FIXED = ("job", "step", "at", "seconds", "tokens", "train_loss", "learning_rate", "grad_norm")


def format_of(path: Path, named: str | None = None) -> str:
    """The format that was named, else by the file's ending; a folder is TensorBoard's."""
    if named is not None:
        return named
    found = _SUFFIXES.get(path.suffix.lower(), "" if path.suffix else "tensorboard")
    if not found:
        raise UsageError(
            f"Which format {visible(path.name)} is to have is not clear.",
            "Name one: --format csv, jsonl or tensorboard",
        )
    return found


def export(results: Sequence[JobResult], path: Path, form: str) -> list[Path]:
    """Write the curves of jobs; the files that were written.

    CSV and JSON Lines are one file with a row a point, TensorBoard a folder with one for each job.
    Raises UsageError when no point was measured.
    """
    if not any(result.points for result in results):
        raise UsageError("There is no point to export: nothing was measured yet.")
    if form == "tensorboard":
        return [_tensorboard(result, path) for result in results if result.points]
    table = [row for result in results for row in rows(result)]
    columns = [*_FIXED, *sorted({name for row in table for name in row} - set(_FIXED))]
    if form == "csv":
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        write_text(path, out.getvalue())
    else:
        lines = (json.dumps({key: _json(value) for key, value in row.items()}) for row in table)
        write_text(path, "".join(f"{line}\n" for line in lines))
    return [path]


def rows(result: JobResult) -> Iterator[dict[str, Any]]:
    """A row for each point; validation losses stand under what they measure.

    `at` is seconds since 1970, `seconds` since the first point; losses are in nats per label token.
    """
    began = result.points[0].at if result.points else 0.0
    for point in result.points:
        yield {
            "job": result.job.id,
            "step": point.step,
            "at": round(point.at, 3),
            "seconds": round(point.at - began, 3),
            "tokens": point.tokens,
            "train_loss": point.train_loss,
            "learning_rate": point.learning_rate,
            "grad_norm": point.grad_norm,
            **{f"{name}_loss": loss for name, loss in result.named(point).items()},
        }


def _tensorboard(result: JobResult, folder: Path) -> Path:
    named = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{result.dataset or result.job.model}")
    run = folder / f"{result.job.id[:8]}-{named}".strip("-")

    def scalars() -> Iterator[tuple[float, int, dict[str, float]]]:
        for row in rows(result):
            tags = {
                ("loss/" + key.removesuffix("_loss")) if key.endswith("_loss") else key: value
                for key, value in row.items()
                if key not in ("job", "step", "at", "seconds") and value is not None
            }
            yield row["at"], row["step"], tags

    return write_events(run, scalars(), name="papertune")


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
