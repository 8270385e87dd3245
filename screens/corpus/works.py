"""What is asked before works are joined or taken apart, and how their files are opened."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from screens.base import ShellApp
from tui.domain.paper import Paper
from tui.text import shorten, visible
from widgets.dialogs import Choose

if TYPE_CHECKING:
    from tui.corpus import Corpus


async def merge(app: ShellApp, corpus: Corpus, ids: list[str]) -> bool:
    """Ask under which of the selected papers the others go, then make them one work."""
    if len(ids) < 2:
        app.flash(f"Select two papers or more with {app.key_for('list.mark')} first.")
        return False
    found = [await asyncio.to_thread(corpus.paper, name) for name in ids]
    kept = await app.push_screen_wait(
        Choose(
            f"One work of {len(ids)}: whose record stays?",
            [(paper.id, shorten(paper.title or paper.id, 60), _byline(paper)) for paper in found],
            question=f"Files, tags and citations of all are kept. {app.key_for('corpus.undo')} "
            "takes it back.",
        )
    )
    if kept is None:
        return False
    await asyncio.to_thread(corpus.merge, [kept, *(name for name in ids if name != kept)])
    app.flash(f"{len(ids)} papers are one work now; {app.key_for('corpus.undo')} takes it back.")
    return True


def _byline(paper: Paper) -> str:
    authors = ", ".join(paper.authors[:3])
    return " · ".join(filter(None, (authors, str(paper.year or ""), paper.venue)))


async def split(app: ShellApp, corpus: Corpus, paper: str) -> bool:
    """Ask which file is another work, then make it one."""
    files = await asyncio.to_thread(corpus.files, paper)
    if len(files) < 2:
        app.flash("This paper has one file only: there is nothing to take apart.")
        return False
    chosen = await app.push_screen_wait(
        Choose("Which file is a work of its own?", [_choice(path) for path in files])
    )
    if chosen is None:
        return False
    path = next(path for path in files if str(path) == chosen)
    made = await asyncio.to_thread(corpus.split, paper, [path])
    app.flash(
        f"“{shorten(made.title or made.id, 50)}” is a work of its own now; "
        f"{app.key_for('corpus.undo')} takes it back."
    )
    return True


def _choice(path: Path) -> tuple[str, str, str]:
    return str(path), visible(path.name), visible(str(path.parent))


async def open_file(app: ShellApp, corpus: Corpus, paper: str) -> None:
    """Open a paper's file as the desktop does; over SSH, where there is none, copy its path."""
    files = await asyncio.to_thread(corpus.files, paper)
    if not files:
        app.flash("This paper has no file here; it came from a bibliography.")
        return
    path: Path | None = files[0]
    if len(files) > 1:
        answer = await app.push_screen_wait(Choose("Which file?", [_choice(p) for p in files]))
        path = next((p for p in files if str(p) == answer), None)
    if path is None:
        return
    program = shutil.which("xdg-open") or shutil.which("open")
    if program and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        await asyncio.to_thread(_launch, program, path)
        app.flash(f"Opening {visible(path.name)}.")
    else:
        await app.copy(str(path), "the file's path (there is no desktop here to open it on)")


def _launch(program: str, path: Path) -> None:
    subprocess.Popen(
        [program, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
