"""`papertune corpus import`: bibliographies and Zotero libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import chosen_workspace, common, emit, finish, say, show
from tui.domain.errors import UsageError

if TYPE_CHECKING:
    from tui.corpus import ImportReport
    from tui.corpus.sources.attachments import FileFinder

_SHOWN = 20


def register(group: click.Group) -> None:
    """Add the command to `corpus`."""
    group.add_command(import_file)


@click.command("import")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--zotero", is_flag=True, help="From zotero.org, with a key (PAPERTUNE_KEY_ZOTERO).")
@click.option("--zotero-local", is_flag=True, help="From a Zotero that runs here or over a tunnel.")
@click.option("--group", default="", help="A Zotero group's number instead of your own library.")
@click.option("--all", "everything", is_flag=True, help="Zotero: everything, not what is new.")
@click.option(
    "--storage",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A copy of Zotero's storage folder, where files are looked for.",
)
@click.option(
    "--map", "mapped", multiple=True, metavar="THERE=HERE",
    help="A folder of the other machine and where it is here.",
)  # fmt: skip
@common
def import_file(
    file: Path | None,
    zotero: bool,
    zotero_local: bool,
    group: str,
    everything: bool,
    storage: Path | None,
    mapped: tuple[str, ...],
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Make papers of the entries of a FILE (.bib, CSL or Better BibTeX .json) or a Zotero library.

    Papers that exist are completed; files that entries name are read where they are found.
    """
    if bool(file) + zotero + zotero_local != 1:
        raise UsageError(
            "Name a file, or --zotero, or --zotero-local.",
            "For example: papertune corpus import FILE.bib",
        )
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace), create=True)
    finder = _finder(file, storage, mapped)
    if file is not None:
        report = services.corpus.import_file(file, finder)
    else:
        report = services.zotero.read(
            group=group, local=zotero_local, finder=finder, everything=everything, on_step=say
        )
    if as_json:
        emit(report)
    else:
        show(
            f"{report.entries} entries: {report.added} added, {report.updated} matched, "
            f"{report.failed} failed; {report.files} files read."
        )
    _tell(report)
    finish(ok=not report.failed and not report.unread)


def _finder(file: Path | None, storage: Path | None, mapped: tuple[str, ...]) -> FileFinder:
    from tui.corpus.sources.attachments import FileFinder, parse_mapping

    return FileFinder(
        file.expanduser().absolute().parent if file else None,
        storage.absolute() if storage else None,
        tuple(parse_mapping(text) for text in mapped),
    )


def _tell(report: ImportReport) -> None:
    for failure in (*report.failures[:_SHOWN], *report.unread[:_SHOWN]):
        say(f"  {failure.path}: {failure.reason}")
    if report.missing:
        say(f"{len(report.missing)} files that entries name were not found, the first of them:")
        for lost in report.missing[:5]:
            say(f"  {lost.path}: {lost.reason}")
        say("Name a copy of the storage folder (--storage DIR) or map folders (--map THERE=HERE).")
