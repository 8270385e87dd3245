"""Frozen versions: their cards, and what changed between two of them."""

from __future__ import annotations

import asyncio

from screens.base import ShellApp
from screens.datasets import words
from screens.datasets.report import ReportScreen
from screens.datasets.services import DatasetServices
from tui.domain.example import Version
from tui.text import clean
from widgets.dialogs import Choose
from widgets.reader import Document, Heading

_CARD = "card"


async def look(app: ShellApp, services: DatasetServices, name: str) -> None:
    """Ask which version, then show its card or what it changed against another."""
    versions = await asyncio.to_thread(services.datasets.versions, name)
    if not versions:
        app.flash(f"{name} has no version yet; {app.key_for('datasets.freeze')} freezes one.")
        return
    chosen = await app.push_screen_wait(
        Choose(
            f"Versions of {name}",
            [(str(v.version), v.name, _about(v)) for v in reversed(versions)],
        )
    )
    if chosen is None:
        return
    version = next(v for v in versions if str(v.version) == chosen)
    others = [v for v in reversed(versions) if v is not version]
    against: str | None = _CARD
    if others:
        choices = [(_CARD, "Its card", "What it holds, in words.")]
        choices += [(str(v.version), f"What changed from {v.name}", "") for v in others]
        against = await app.push_screen_wait(Choose(version.name, choices))
    if against == _CARD:
        document = await asyncio.to_thread(_card, services, version)
        app.push_screen(ReportScreen(f"Card of {version.name}", "", document))
    elif against is not None:
        found = await asyncio.to_thread(services.datasets.diff, name, int(against), version.version)
        title = f"{name}: v{against} → v{version.version}"
        app.push_screen(ReportScreen(title, "", words.difference(found)))


def _about(version: Version) -> str:
    files = ", ".join(f"{key} {entry.lines:,}" for key, entry in version.files.items())
    return f"{version.examples:,} examples of {len(version.papers):,} papers: {files}"


def _card(services: DatasetServices, version: Version) -> Document:
    """The card as it was written, with its titles as headings."""
    text = clean(services.datasets.card(version))
    headings, offset = [], 0
    for line in text.split("\n"):
        if line.startswith("#"):
            headings.append(Heading(line.lstrip("# "), offset))
        offset += len(line) + 1
    return Document(text, tuple(headings))
