"""Examples in and out of datasets in other people's forms."""

from __future__ import annotations

from pathlib import Path

import click

from tui.cli.dataset_output import SHOWN, datasets_of, print_added
from tui.cli.output import common, emit, finish, say, show
from tui.domain.example import Role, Status
from tui.formats.foreign import FileForm
from tui.formats.records import Columns

_forms = click.Choice([form.value for form in FileForm])


@click.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--form", type=_forms, help="The only form to take; else each record tells its own.")
@click.option("--question-column", default="", help="Of a CSV file; else it is guessed.")
@click.option("--answer-column", default="", help="Of a CSV file; else it is guessed.")
@click.option("--draft", is_flag=True, help="Put the examples up for review.")
@common
def import_file(
    name: str,
    file: Path,
    form: str | None,
    question_column: str,
    answer_column: str,
    draft: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Add a file of chats, texts, pairs or CSV, or a frozen version's folder."""
    report = datasets_of(workspace).import_file(
        name,
        file,
        form=FileForm(form) if form else None,
        columns=Columns(question_column, answer_column),
        status=Status.DRAFT if draft else Status.ACCEPTED,
    )
    print_added(report, as_json)


@click.command("export")
@click.argument("name", metavar="NAME[@vN]")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--form", type=_forms, default=FileForm.MISTRAL.value, show_default=True)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Only this role; may be given several times.",
)
@click.option("--replace", is_flag=True, help="Overwrite the file.")
@common
def export_file(
    name: str,
    file: Path,
    form: str,
    roles: tuple[str, ...],
    replace: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Write accepted examples, or those of a version, to a file in another form."""
    report = datasets_of(workspace).export(
        name, file, FileForm(form), roles=[Role(role) for role in roles], overwrite=replace
    )
    if as_json:
        emit(report)
    else:
        show(f"{report.path}: {report.written} examples")
        for failure in report.failures[:SHOWN]:
            say(f"  {failure.reason}")
    finish(not report.failed)


COMMANDS = (import_file, export_file)
