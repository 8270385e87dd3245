"""Writing examples to a file in a form that others read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.datasets.services import DatasetServices
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.path_input import PathSuggester, typed_path

if TYPE_CHECKING:
    from tui.datasets.exporting import ExportReport


async def export(app: ShellApp, services: DatasetServices, name: str) -> ExportReport | None:
    """Ask what, in which form and where, then write it; None when nothing was chosen."""
    from tui.formats.foreign import FileForm

    versions = await asyncio.to_thread(services.datasets.versions, name)
    source: str | None = name
    if versions:
        choices = [(name, "What is accepted now", "")]
        choices += [(v.name, v.name, f"{v.examples:,} examples") for v in reversed(versions)]
        source = await app.push_screen_wait(Choose(f"Export {name}", choices))
    if source is None:
        return None
    form = await app.push_screen_wait(
        Choose("In which form?", [(form.value, form.value, "") for form in FileForm])
    )
    if form is None:
        return None
    suffix = "csv" if form == FileForm.CSV else "jsonl"
    answer = await app.push_screen_wait(
        Prompt(
            "To which file?",
            value=f"{source}-{form}.{suffix}",
            check=_no_folder,
            suggester=PathSuggester(),
        )
    )
    if not answer:
        return None
    path = typed_path(answer)
    overwrite = path.exists()
    if overwrite and not await app.push_screen_wait(
        Confirm(f"Replace {path.name}?", "What is in the file now is lost.")
    ):
        return None
    return await asyncio.to_thread(
        services.datasets.export, source, path, FileForm(form), overwrite=overwrite
    )


def _no_folder(answer: str) -> str:
    path = typed_path(answer)
    if not answer.strip() or path.is_dir():
        return "Type the path of a file."
    return "" if path.parent.is_dir() else f"There is no folder {path.parent}."
