"""`papertune dataset`: compose, review, check, split and freeze training sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.generate import generate
from tui.cli.output import chosen_workspace, common, emit, finish, plain, say, show
from tui.domain.errors import UsageError
from tui.domain.example import (
    CheckReport,
    DatasetSummary,
    Example,
    Form,
    Kind,
    Status,
    Version,
)
from tui.text import shorten

if TYPE_CHECKING:
    from tui.datasets import AddReport, DatasetDiff, Datasets
    from tui.formats.tokenizer import ModelTokenizer
    from tui.services import Services

_SHOWN_ERRORS = 20
_kinds = click.Choice([kind.value for kind in Kind])


class Share(click.ParamType[float]):
    """A share: `10%` or `0.1`."""

    name = "share"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """The share as a number from 0 to 1."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            return float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"'{text}' is no share; write it like 10% or 0.1", param, ctx)


@click.group("dataset")
def command() -> None:
    """Compose, check, split and freeze training sets."""


command.add_command(generate)


def _services(workspace: Path | None, *, create: bool = False) -> Services:
    from tui.services import Services

    return Services.open(chosen_workspace(workspace), create=create)


def _datasets(workspace: Path | None) -> Datasets:
    return _services(workspace).datasets


@command.command("create")
@click.argument("name")
@common
def create(name: str, workspace: Path | None, as_json: bool) -> None:
    """Start an empty dataset."""
    _print_summary(_services(workspace, create=True).datasets.create(name), as_json)


@command.command("list")
@common
def list_datasets(workspace: Path | None, as_json: bool) -> None:
    """All datasets with their counts."""
    summaries = _datasets(workspace).list()
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
@click.option("--status", type=click.Choice([status.value for status in Status]))
@click.option("--kind", type=_kinds)
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@common
def show_dataset(
    name: str,
    examples: bool,
    status: str | None,
    kind: str | None,
    limit: int,
    offset: int,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """One dataset: counts by kind, status and role, and its examples on demand."""
    datasets = _datasets(workspace)
    summary = datasets.show(name)
    listed: Sequence[Example] = ()
    if examples or status or kind:
        listed = datasets.examples(
            name,
            status=Status(status) if status else None,
            kind=Kind(kind) if kind else None,
            limit=limit,
            offset=offset,
        )
    if as_json:
        items = {"items": [_example(item) for item in listed]} if examples or listed else {}
        emit({**plain(summary), **items})
        return
    _print_summary(summary, as_json=False)
    _print_examples(listed)


@command.command("add")
@click.argument("name")
@click.option("--kind", type=_kinds, required=True, help="What the examples teach.")
@click.option("--query", default="", help="Only papers that match (summary, full-text).")
@click.option("--file", type=click.Path(path_type=Path), help="A JSON Lines file of pairs.")
@click.option(
    "--form",
    type=click.Choice([form.value for form in Form]),
    help="messages, or plain text; full text is plain unless asked otherwise.",
)
@click.option(
    "--context", type=click.IntRange(64), default=512, show_default=True, help="Tokens an example."
)
@common
def add(
    name: str,
    kind: str,
    query: str,
    file: Path | None,
    form: str | None,
    context: int,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Add pairs from a file, or abstracts and full text from the corpus."""
    datasets = _datasets(workspace)
    shape = Form(form) if form else None
    if file is not None:
        if query:
            raise UsageError("--query chooses papers; a file brings its own.", "Leave one out.")
        report = datasets.add_pairs(name, file, form=shape or Form.MESSAGES, kind=Kind(kind))
    elif kind in (Kind.SUMMARY, Kind.FULL_TEXT):
        report = datasets.add_from_corpus(
            name, Kind(kind), query=query, form=shape, context=context
        )
    else:
        raise UsageError(
            f"Examples of the kind {kind} have to be written.",
            "Bring them with: --file PAIRS.jsonl",
        )
    _print_added(report, as_json)


def _print_added(report: AddReport, as_json: bool) -> None:
    if as_json:
        emit(report)
    else:
        show(f"{report.added} added, {report.skipped} there already, {report.failed} refused")
        for failure in report.failures[:_SHOWN_ERRORS]:
            say(
                f"  line {failure.line}: {failure.reason}"
                if failure.line
                else f"  {failure.reason}"
            )
        if len(report.failures) > _SHOWN_ERRORS:
            say(f"  … and {len(report.failures) - _SHOWN_ERRORS} more (--json lists all)")
    finish(not report.failed)


@command.command("accept")
@click.argument("name")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@common
def accept(name: str, ids: tuple[str, ...], workspace: Path | None, as_json: bool) -> None:
    """Accept examples; ids may be shortened."""
    _print_decided(_datasets(workspace).decide(name, ids, Status.ACCEPTED), as_json)


@command.command("reject")
@click.argument("name")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--reason", default="", help="Why; kept with the decision.")
@common
def reject(
    name: str, ids: tuple[str, ...], reason: str, workspace: Path | None, as_json: bool
) -> None:
    """Reject examples; ids may be shortened."""
    found = _datasets(workspace).decide(name, ids, Status.REJECTED, reason=reason)
    _print_decided(found, as_json)


@command.command("edit")
@click.argument("name")
@click.argument("example", metavar="ID")
@click.option("--question", help="The question in other words.")
@click.option("--answer", help="The answer in other words.")
@click.option("--text", help="The text, of an example in the form text.")
@common
def edit(
    name: str,
    example: str,
    question: str | None,
    answer: str | None,
    text: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Give an example other words; it keeps its source and its decisions."""
    changed = _datasets(workspace).edit(name, example, question=question, answer=answer, text=text)
    _print_decided([changed], as_json)


@command.command("undo")
@click.argument("name")
@common
def undo(name: str, workspace: Path | None, as_json: bool) -> None:
    """Take back your last decision in a dataset."""
    _print_decided(_datasets(workspace).undo(name), as_json)


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
    report = _datasets(workspace).split(name, transfer=transfer, memory=memory, seed=seed)
    if as_json:
        emit(report)
        return
    for role, count in report.roles.items():
        show(f"{role:20} {count.examples:6} examples  {count.papers:4} papers")
    for note in report.notes:
        say(note)


@command.command("check")
@click.argument("target", metavar="NAME|FILE.jsonl")
@click.option("--model", help="Count tokens as this model of the local engine does.")
@click.option("--seq-len", type=click.IntRange(1), help="The longest example in tokens.")
@common
def check(
    target: str, model: str | None, seq_len: int | None, workspace: Path | None, as_json: bool
) -> None:
    """Check a dataset or any training file; exit code 1 when it is not fit to train on."""
    tokenizer = None
    if _is_file(target) and model is None:
        from tui.datasets.check import check_training_file

        report = check_training_file(Path(target), seq_len=seq_len)
    else:
        services = _services(workspace)
        if model is not None:
            tokenizer = _tokenizer(services, model)
        report = services.datasets.check(target, tokenizer=tokenizer, seq_len=seq_len)
    if as_json:
        emit(report)
    else:
        _print_check(report, exact=tokenizer is not None)
    finish(not report.invalid and not report.errors)


def _is_file(target: str) -> bool:
    return target.endswith(".jsonl") or Path(target).is_file()


def _tokenizer(services: Services, model: str) -> ModelTokenizer:
    async def fetch() -> ModelTokenizer:
        return await services.endpoints.client("local").local.tokenizer(model)

    return services.run(fetch())


@command.command("freeze")
@click.argument("name")
@common
def freeze(name: str, workspace: Path | None, as_json: bool) -> None:
    """Write the accepted examples as an immutable version; the same again gives the same."""
    version = _datasets(workspace).freeze(name)
    if as_json:
        emit(version)
        return
    show(f"{version.name}  {version.examples} examples from {len(version.papers)} papers")
    _print_files(version)


@command.command("diff")
@click.argument("name")
@click.argument("a")
@click.argument("b")
@common
def diff(name: str, a: str, b: str, workspace: Path | None, as_json: bool) -> None:
    """What changed from version A to version B, e.g. `dataset diff answers v1 v2`."""
    found = _datasets(workspace).diff(name, _number(a), _number(b))
    if as_json:
        emit(found)
        return
    _print_diff(found)


def _number(text: str) -> int:
    digits = text.rpartition("@")[2].removeprefix("v")
    if not (digits.isascii() and digits.isdigit()):
        raise UsageError(f"'{shorten(text, 40)}' is no version.", "Write it like v2.")
    return int(digits)


def _example(example: Example) -> dict[str, Any]:
    return {**plain(example), "question": example.question, "answer": example.answer}


def _print_decided(examples: Sequence[Example], as_json: bool) -> None:
    if as_json:
        emit([_example(example) for example in examples])
    else:
        _print_examples(examples)


def _print_examples(examples: Sequence[Example]) -> None:
    for example in examples:
        words = shorten(example.question or example.text, 60)
        role = example.role.value if example.role else "-"
        show(f"{example.id}  {example.status.value:8}  {role:19}  {words}")


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


def _print_check(report: CheckReport, *, exact: bool) -> None:
    tokens = f"{report.tokens} tokens" if exact else f"about {report.tokens} tokens"
    show(f"{report.lines} lines: {report.valid} valid, {report.invalid} invalid, {tokens}")
    show(
        f"{report.over_length} over length, {report.duplicates} duplicates, "
        f"{report.near_duplicates} near-duplicates, {report.leaks} leaks"
    )
    for error in report.errors[:_SHOWN_ERRORS]:
        show(f"  line {error.line}  {error.code}: {error.message}")
    if len(report.errors) > _SHOWN_ERRORS:
        say(f"  … and {len(report.errors) - _SHOWN_ERRORS} more (--json lists all)")
    for warning in report.warnings:
        say(f"  {warning}")


def _print_files(version: Version) -> None:
    for key, entry in version.files.items():
        show(f"  {key:28} {entry.lines:7} lines  {entry.tokens:9} tokens  {entry.path}")


def _print_diff(found: DatasetDiff) -> None:
    counts = f"{len(found.added)} added, {len(found.removed)} removed, {len(found.moved)} moved"
    show(f"{found.dataset} v{found.a} → v{found.b}: {counts}, {found.unchanged} unchanged")
    for sign, changes in (("+", found.added), ("-", found.removed), ("~", found.moved)):
        for change in changes[:_SHOWN_ERRORS]:
            roles = " → ".join(role for role in (change.before, change.after) if role)
            show(f"  {sign} {change.words}  ({roles})")
