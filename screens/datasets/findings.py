"""What a check found: a list that leads to the offending examples, beside figures and verdict."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from screens.base import BaseScreen
from screens.datasets import words
from screens.datasets.lengths import histogram, lengths
from screens.datasets.models import ask_model, cut_at, tokenizer_of
from screens.datasets.report import ReportScreen
from screens.datasets.review import ReviewScreen
from screens.datasets.services import DatasetServices
from tui.domain.example import CheckReport, Status
from tui.keymap import bindings
from tui.text import clean, shorten
from widgets.dialogs import Prompt
from widgets.path_input import PathSuggester, typed_path
from widgets.reader import Document
from widgets.reader_pane import ReaderPane
from widgets.rows import Column, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.formats.check import TokenCounter

COLUMNS = (Column("Finding", 14, share=1), Column("What", 30, share=4))
_ID = re.compile(r"\be[0-9a-f]{16}\b")
_MOST_SHOWN = 20_000  # characters of a line of a file: a reader is no hex editor


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found, and where it leads: examples, or a line of the file that was checked."""

    code: str
    message: str
    examples: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """A report with all that the screen shows of it."""

    report: CheckReport
    findings: tuple[Finding, ...]
    document: Document
    model: str = ""


def check(
    services: DatasetServices,
    target: str | Path,
    *,
    model: str = "",
    tokenizer: TokenCounter | None = None,
    fix: Path | None = None,
) -> Checked:
    """Check a dataset by its name, or a file; blocking."""
    datasets = services.datasets
    cut = cut_at(model) if tokenizer is not None else None
    if isinstance(target, Path):
        report = datasets.check_file(target, tokenizer=tokenizer, seq_len=cut, fix=fix)
        return Checked(report, findings(report, ()), words.check(report, (), model), model)
    report = datasets.check(target, tokenizer=tokenizer, seq_len=cut)
    accepted = datasets.ids(target, status=Status.ACCEPTED)
    counts = lengths(datasets.examples(target, status=Status.ACCEPTED), tokenizer)
    drawn = words.check(report, histogram(counts, cut), model)
    drafts = datasets.ids(target, status=Status.DRAFT) if report.warnings else []
    return Checked(report, findings(report, accepted, drafts), drawn, model)


def findings(
    report: CheckReport, accepted: Sequence[str], drafts: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Errors and warnings in the report's order, each with the examples that it names."""
    found = []
    known = set(accepted)
    for error in report.errors:
        here = [accepted[error.line - 1]] if 0 < error.line <= len(accepted) else []
        named = [name for name in _ID.findall(error.message) if name in known]
        found.append(
            Finding(error.code, error.message, tuple(dict.fromkeys(here + named)), error.line)
        )
    for warning in report.warnings:
        code, colon, message = warning.partition(": ")
        named = [name for name in _ID.findall(warning) if name in known]
        if code == "drafts":
            named = list(drafts)
        found.append(Finding(code, message if colon else warning, tuple(dict.fromkeys(named))))
    return tuple(found)


class FindingsScreen(BaseScreen[None]):
    """Findings at the left, the report at the right; enter leads to what is wrong."""

    NAME = "Datasets"
    ABOUT = "What a check found. Enter opens the examples of a finding, or the line of the file."
    BINDINGS = bindings("findings")
    CSS_PATH = "findings.tcss"
    AUTO_FOCUS = "VirtualList"

    @dataclass
    class Again(Message):
        """The check was made once more."""

        checked: Checked

    def __init__(self, services: DatasetServices, target: str | Path, checked: Checked) -> None:
        super().__init__()
        self._services = services
        self._target = target
        self._checked = checked

    def compose_body(self) -> ComposeResult:
        """List and report."""
        with Horizontal(id="panes"):
            yield VirtualList(COLUMNS, selectable=False, id="findings")
            yield ReaderPane(id="report")

    def on_mount(self) -> None:
        """Show it."""
        self._show()

    def _show(self) -> None:
        checked = self._checked
        rows = [
            Row(str(place), (finding.code, _place(finding) + finding.message))
            for place, finding in enumerate(checked.findings)
        ]
        listing = self.query_one(VirtualList)
        listing.show_rows(rows, min(listing.cursor, max(0, len(rows) - 1)))
        self.set_class(not rows, "-clean")
        name = self._target if isinstance(self._target, str) else self._target.name
        self.query_one(ReaderPane).show(f"Check of {clean(name)}", [], checked.document)
        if not rows:
            self.set_focus(self.query_one(ReaderPane).reader)
        self.say(f"{len(rows):,} findings · {checked.report.verdict}")

    @on(VirtualList.Opened)
    async def _opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        finding = self._checked.findings[int(event.row.key)]
        services = self._services
        if isinstance(self._target, Path):
            if finding.line:
                text = await asyncio.to_thread(line_of, self._target, finding.line)
                title = f"Line {finding.line:,}"
                self.app.push_screen(ReportScreen(title, finding.message, Document(text)))
                return
        elif finding.examples:
            self.app.push_screen(
                ReviewScreen(
                    services.datasets,
                    services.corpus,
                    self._target,
                    services.workspace,
                    only=finding.examples,
                ),
                self._reviewed,
            )
            return
        self.app.flash(self._checked.report.fixes.get(finding.code, "It names no one example."))

    def _reviewed(self, _: None) -> None:
        self._again()

    @work(exclusive=True, exit_on_error=False, group="again")
    async def _again(self) -> None:
        """Check once more: the person may have put it right."""
        await self._recheck(self._checked.model)

    async def _recheck(self, model: str, fix: Path | None = None) -> None:
        tokenizer = await tokenizer_of(self._services, model) if model else None
        self._checked = await asyncio.to_thread(
            check, self._services, self._target, model=model, tokenizer=tokenizer, fix=fix
        )
        self._show()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_model(self) -> None:
        """Count with a model's own tokenizer."""
        model = await ask_model(self.app, self._services, "Count tokens as")
        if model:
            self.say(f"Counting as {model} does…")
            await self._recheck(model)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only a file can be mended; examples are edited."""
        return isinstance(self._target, Path) if action == "mend" else True

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_mend(self) -> None:
        """Write what can be trained on into a new file."""
        assert isinstance(self._target, Path)
        answer = await self.app.push_screen_wait(
            Prompt(
                "Mend it into which new file?",
                "What only changes how a line is written is mended; the rest is left out.",
                value=str(self._target.with_name(f"{self._target.stem}-mended.jsonl")),
                check=_new_file,
                suggester=PathSuggester(),
            )
        )
        if answer:
            await self._recheck(self._checked.model, typed_path(answer))
            self.app.flash(f"Written: {typed_path(answer).name}.")

    async def action_copy(self) -> None:
        """Copy the report with its findings."""
        lines = [f"{finding.code}: {finding.message}" for finding in self._checked.findings]
        await self.app.copy("\n".join((self._checked.document.text, "", *lines)), "the report")

    def action_back(self) -> None:
        """Back."""
        self.dismiss()


def _place(finding: Finding) -> str:
    return f"line {finding.line:,}: " if finding.line else ""


def _new_file(answer: str) -> str:
    path = typed_path(answer)
    if not answer.strip() or not path.parent.is_dir():
        return "Type the path of a new file."
    return f"{path.name} is there already." if path.exists() else ""


def line_of(path: Path, number: int) -> str:
    """The beginning of a line of a file; blocking."""
    from tui.formats.lines import read_raw

    try:
        with path.open("rb") as file:
            for line in read_raw(file):
                if line.number == number:
                    text = (line.data or b"(longer than any line may be)").decode(errors="replace")
                    return shorten(clean(text), _MOST_SHOWN)
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}."
    return "The file has no such line any more."
