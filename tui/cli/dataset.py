"""`papertune dataset`: compose, review, check, split and freeze training sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli import dataset_exchange, dataset_judge, dataset_review
from tui.cli.dataset_check import check, tokenizer_of
from tui.cli.dataset_output import (
    SHOWN,
    datasets_of,
    example_json,
    kinds,
    print_added,
    print_examples,
    services_of,
    statuses,
)
from tui.cli.dataset_sources import PIECE_TOKENS, Share, context_of, plan_of, sources_options
from tui.cli.generate import generate
from tui.cli.output import common, emit, plain, say, show
from tui.domain.errors import UsageError
from tui.domain.example import (
    DatasetSummary,
    Example,
    Form,
    Kind,
    Role,
    Status,
    Version,
)
from tui.text import shorten

if TYPE_CHECKING:
    from tui.datasets import DatasetDiff


@click.group("dataset")
def command() -> None:
    """Compose, check, split and freeze training sets."""


for subcommand in (
    generate,
    check,
    *dataset_review.COMMANDS,
    *dataset_exchange.COMMANDS,
    *dataset_judge.COMMANDS,
):
    command.add_command(subcommand)


@command.command("create")
@click.argument("name")
@common
def create(name: str, workspace: Path | None, as_json: bool) -> None:
    """Start an empty dataset."""
    _print_summary(services_of(workspace, create=True).datasets.create(name), as_json)


@command.command("list")
@common
def list_datasets(workspace: Path | None, as_json: bool) -> None:
    """All datasets with their counts."""
    summaries = datasets_of(workspace).list()
    if as_json:
        emit(summaries)
        return
    if not summaries:
        show("No datasets yet. Start one with: papertune dataset create NAME")
    for summary in summaries:
        show(_line(summary))


@command.command("show")
@click.argument("name")
@click.option("--examples", is_flag=True, help="List the examples, too.")
@click.option("--status", type=statuses)
@click.option("--kind", type=kinds)
@click.option("--paper", help="Only examples of this paper (its id).")
@click.option("--reason", help="Only those decided for this reason, e.g. a gate's name.")
@click.option("--author", help="Only what this person or model wrote.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@common
def show_dataset(
    name: str,
    examples: bool,
    status: str | None,
    kind: str | None,
    paper: str | None,
    reason: str | None,
    author: str | None,
    limit: int,
    offset: int,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """One dataset: counts by kind, status and role, and its examples on demand."""
    datasets = datasets_of(workspace)
    summary = datasets.show(name)
    listed: Sequence[Example] = ()
    examples = examples or any((status, kind, paper, reason, author))
    if examples:
        listed = datasets.examples(
            name,
            status=Status(status) if status else None,
            kind=Kind(kind) if kind else None,
            paper=paper,
            reason=reason,
            author=author,
            limit=limit,
            offset=offset,
        )
    if as_json:
        items = {"items": [example_json(item) for item in listed]} if examples else {}
        emit({**plain(summary), **items})
        return
    _print_summary(summary, as_json=False)
    print_examples(listed)


@command.command("add")
@click.argument("name")
@click.option("--kind", type=kinds, required=True, help="What the examples teach.")
@click.option("--query", default="", help="Only papers that match (summary, full-text).")
@click.option("--file", type=click.Path(path_type=Path), help="A JSON Lines file of pairs.")
@click.option(
    "--form",
    type=click.Choice([form.value for form in Form]),
    help="messages, or plain text; full text is plain unless asked otherwise.",
)
@click.option("--model", help="Full text in pieces that fit this model's context.")
@click.option("--share", type=Share(), default="100%", help="Of the pairs that get sources.")
@sources_options
@common
def add(
    name: str,
    kind: str,
    query: str,
    file: Path | None,
    form: str | None,
    model: str | None,
    share: float,
    refusals: float,
    distractors: int,
    context: int | None,
    seed: int,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Add pairs from a file, abstracts and full text from the corpus, or sources to its pairs."""
    services = services_of(workspace)
    datasets = services.datasets
    shape = Form(form) if form else None
    if file is not None:
        if query:
            raise UsageError("--query chooses papers; a file brings its own.", "Leave one out.")
        report = datasets.add_pairs(name, file, form=shape or Form.MESSAGES, kind=Kind(kind))
    elif kind in (Kind.SUMMARY, Kind.FULL_TEXT):
        tokens = context or (context_of(services, model) if model else PIECE_TOKENS)
        report = datasets.add_from_corpus(name, Kind(kind), query=query, form=shape, context=tokens)
    elif kind == Kind.RETRIEVAL:
        if query or form:
            raise UsageError(
                "Sources are given to the pairs that the dataset has, as messages.",
                "Leave --query and --form out.",
            )
        plan = plan_of(share, refusals, distractors, context, seed)
        report = services.sourcing.add(name, plan)
    else:
        raise UsageError(
            f"Examples of the kind {kind} have to be written.",
            "Bring them with: --file PAIRS.jsonl",
        )
    print_added(report, as_json)


@command.command("split")
@click.argument("name")
@click.option("--transfer", type=Share(), default="10%", show_default=True, help="Of the papers.")
@click.option("--memory", type=Share(), default="20%", show_default=True, help="Of the wordings.")
@click.option("--seed", type=int, default=0, show_default=True)
@common
def split(
    name: str, transfer: float, memory: float, seed: int, workspace: Path | None, as_json: bool
) -> None:
    """Set papers apart for transfer and wordings for memory; the rest trains."""
    services = services_of(workspace)
    report = services.datasets.split(name, transfer=transfer, memory=memory, seed=seed)
    if withdrawn := services.sourcing.withdraw(name):
        report = services.datasets.split(name, transfer=transfer, memory=memory, seed=seed)
        say(
            f"{withdrawn} examples had sources on both sides of the split and were rejected; make "
            f"others with: papertune dataset add {name} --kind retrieval"
        )
    if as_json:
        emit(report)
        return
    for role, count in report.roles.items():
        show(f"{role:20} {count.examples:6} examples  {count.papers:4} papers")
    for note in report.notes:
        say(note)


@command.command("move")
@click.argument("name")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@common
def move(name: str, ids: tuple[str, ...], role: str, workspace: Path | None, as_json: bool) -> None:
    """Give examples a role that splits leave alone; siblings of tests leave training."""
    report = datasets_of(workspace).move(name, ids, Role(role))
    if as_json:
        emit(report)
        return
    show(f"{report.moved} examples are {role} now")
    for note in report.notes:
        say(note)


@command.command("freeze")
@click.argument("name")
@click.option("--hosted", is_flag=True, help="Fit it to the hosted service's limits.")
@click.option("--model", help="Count tokens as this model does.")
@common
def freeze(
    name: str, hosted: bool, model: str | None, workspace: Path | None, as_json: bool
) -> None:
    """Write the accepted examples as an immutable version; the same again gives the same."""
    tokenizer = tokenizer_of(model) if model is not None else None
    version = datasets_of(workspace).freeze(name, hosted=hosted, tokenizer=tokenizer)
    if as_json:
        emit(version)
        return
    show(f"{version.name}  {version.examples} examples from {len(version.papers)} papers")
    _print_files(version)
    for note in version.notes:
        say(note)


@command.command("diff")
@click.argument("name")
@click.argument("a")
@click.argument("b")
@common
def diff(name: str, a: str, b: str, workspace: Path | None, as_json: bool) -> None:
    """What changed from version A to version B, e.g. `dataset diff answers v1 v2`."""
    found = datasets_of(workspace).diff(name, _number(a), _number(b))
    if as_json:
        emit(found)
        return
    _print_diff(found)


def _number(text: str) -> int:
    digits = text.rpartition("@")[2].removeprefix("v")
    if not (digits.isascii() and digits.isdigit()):
        raise UsageError(f"'{shorten(text, 40)}' is no version.", "Write it like v2.")
    return int(digits)


def _line(summary: DatasetSummary) -> str:
    newest = f"v{summary.versions[-1]}" if summary.versions else "not frozen"
    drafts = summary.statuses.get(Status.DRAFT, 0)
    waiting = f", {drafts} to review" if drafts else ""
    papers = f"{summary.papers} papers"
    return f"{summary.name}  {summary.examples} examples from {papers}{waiting}, {newest}"


def _print_summary(summary: DatasetSummary, as_json: bool) -> None:
    if as_json:
        emit(summary)
        return
    show(_line(summary))
    for title, counts in (
        ("kinds", summary.kinds),
        ("status", summary.statuses),
        ("split", summary.split),
    ):
        if counts:
            show(f"  {title:8}" + ", ".join(f"{n} {value}" for value, n in counts.items()))


def _print_files(version: Version) -> None:
    for key, entry in version.files.items():
        show(f"  {key:28} {entry.lines:7} lines  {entry.tokens:9} tokens  {entry.path}")


def _print_diff(found: DatasetDiff) -> None:
    counts = f"{len(found.added)} added, {len(found.removed)} removed, {len(found.moved)} moved"
    show(f"{found.dataset} v{found.a} → v{found.b}: {counts}, {found.unchanged} unchanged")
    for sign, changes in (("+", found.added), ("-", found.removed), ("~", found.moved)):
        for change in changes[:SHOWN]:
            roles = " → ".join(role for role in (change.before, change.after) if role)
            show(f"  {sign} {change.words}  ({roles})")
