"""`papertune dataset check`: every rule, with the fix for each finding."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.dataset_output import SHOWN, services_of
from tui.cli.output import common, emit, finish, say, show
from tui.domain.errors import UsageError
from tui.domain.example import CheckReport, FixReport

if TYPE_CHECKING:
    from tui.formats.tokenizer import ModelTokenizer

# How many values of a balance a person is shown.
_FACETS = 5


@click.command("check")
@click.argument("target", metavar="NAME|FILE.jsonl")
@click.option("--model", help="Count tokens as this model of the local engine does.")
@click.option(
    "--seq-len",
    type=click.IntRange(1),
    help="The longest example in tokens; with --model what training cuts at.",
)
@click.option(
    "--fix",
    type=click.Path(path_type=Path),
    metavar="NEW.jsonl",
    help="Write what can be trained on to a new file, mended where that is safe.",
)
@common
def check(
    target: str,
    model: str | None,
    seq_len: int | None,
    fix: Path | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Check a dataset or any training file; exit code 1 when it is not fit to train on."""
    from tui.datasets.check import check_training_file

    is_file = _is_file(target)
    if fix is not None and not is_file:
        raise UsageError(
            f"--fix mends files; '{target}' is a dataset.", "Edit or reject its examples."
        )
    tokenizer = tokenizer_of(model) if model is not None else None
    if model is not None and seq_len is None:
        seq_len = _cut_at(model)
    if is_file:
        report = check_training_file(Path(target), tokenizer=tokenizer, seq_len=seq_len, fix=fix)
    else:
        datasets = services_of(workspace).datasets
        report = datasets.check(target, tokenizer=tokenizer, seq_len=seq_len)
    if as_json:
        emit(report)
    else:
        _print_check(report, exact=tokenizer is not None)
    finish(not report.invalid and not report.errors)


def _is_file(target: str) -> bool:
    return target.endswith(".jsonl") or Path(target).is_file()


def tokenizer_of(model: str) -> ModelTokenizer:
    """The tokenizer of a model that was fetched or of a folder, else as the running engine has it.

    Raises MissingError when the model is neither here nor known to an engine that runs.
    """
    from tui.formats.tokenizer import ModelTokenizer
    from tui.storage.locations import data_dir

    folder = data_dir() / "models" / model
    if "/" not in model and (folder / "hf" / "tokenizer.json").is_file():
        return ModelTokenizer.from_folder(folder)
    if Path(model).is_dir():
        return ModelTokenizer.from_folder(Path(model))
    return asyncio.run(_served(model))


def _cut_at(model: str) -> int:
    """How many tokens of an example training on this model reads, unless told otherwise."""
    from tui.jobs.suggest import DEFAULT_SEQ_LEN
    from tui.storage.locations import data_dir

    try:
        said = json.loads((data_dir() / "models" / model / "papertune.json").read_bytes())
        return int(said["defaults"]["seq_len"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_SEQ_LEN


async def _served(model: str) -> ModelTokenizer:
    """As the engine serves it; a file can be checked without a workspace."""
    from tui.mistral.endpoints import Endpoints
    from tui.mistral.engine_control import EngineControl
    from tui.mistral.ledger import Ledger
    from tui.settings import Credentials, load_settings

    endpoints = Endpoints(load_settings(), Credentials(), EngineControl(), Ledger(workspace=""))
    try:
        return await endpoints.client("local").local.tokenizer(model)
    finally:
        await endpoints.aclose()


def _print_check(report: CheckReport, *, exact: bool) -> None:
    tokens = f"{report.tokens} tokens" if exact else f"about {report.tokens} tokens"
    show(f"{report.lines} lines: {report.valid} valid, {report.invalid} invalid, {tokens}")
    show(
        f"{report.over_length} over length, {report.duplicates} duplicates, "
        f"{report.near_duplicates} near-duplicates, {report.leaks} leaks"
    )
    for error in report.errors[:SHOWN]:
        show(f"  line {error.line}  {error.code}: {error.message}")
    if len(report.errors) > SHOWN:
        say(f"  … and {len(report.errors) - SHOWN} more (--json lists all)")
    for warning in report.warnings:
        show(f"  {warning}")
    for name, counts in report.balance.items():
        if len(counts) > 1:
            most = ", ".join(f"{value} {count}" for value, count in list(counts.items())[:_FACETS])
            more = f" and {len(counts) - _FACETS} more" if len(counts) > _FACETS else ""
            show(f"  trained on by {name.replace('_', ' ')}: {most}{more}")
    for code, fix in report.fixes.items():
        show(f"  → {code}: {fix}")
    if report.fixed is not None:
        _print_fixed(report.fixed)
    show(report.verdict)


def _print_fixed(fixed: FixReport) -> None:
    mended = ", ".join(f"{count} {code}" for code, count in fixed.fixed.items()) or "nothing"
    show(f"{fixed.path}: {fixed.written} lines; mended: {mended}; left out: {fixed.left_out}")
