"""Datasets and reports as text: what is there, what to do next."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui.domain.example import CheckReport, DatasetSummary, Example, Version
from widgets.reader import Document, Heading
from widgets.rows import Column, Row

if TYPE_CHECKING:
    from tui.datasets import AddReport, SplitReport

COLUMNS = (
    Column("Dataset", 20, share=2),
    Column("Examples", 8, right=True),
    Column("Drafts", 6, right=True),
    Column("Papers", 6, rank=2, right=True),
    Column("Version", 7, rank=1, right=True),
)
MOST_LISTED = 200
LABEL = 10  # cells that the labels of the details take
_QUESTION = "# Question\n"
_ANSWER = "\n# Answer\n"


def row(dataset: DatasetSummary) -> Row:
    """A dataset in the list."""
    newest = f"v{max(dataset.versions)}" if dataset.versions else "–"
    return Row(
        dataset.name,
        (
            dataset.name,
            f"{dataset.examples:,}",
            f"{dataset.statuses.get('draft', 0):,}",
            f"{dataset.papers:,}",
            newest,
        ),
    )


def details(dataset: DatasetSummary, key: Callable[[str], str]) -> list[tuple[str, str]]:
    """A dataset as (label, value) lines; the last says what to do next."""
    created = time.strftime("%Y-%m-%d", time.localtime(dataset.created_at))
    versions = ", ".join(f"v{number}" for number in dataset.versions) or "none frozen yet"
    return [
        ("Examples", f"{dataset.examples:,} from {dataset.papers:,} papers"),
        ("Kinds", _counts(dataset.kinds)),
        ("Review", _counts(dataset.statuses)),
        ("Roles", _counts(dataset.split) or "not split yet"),
        ("Versions", versions),
        *([("Since", created)] if dataset.created_at else []),
        ("Next", next_step(dataset, key)),
    ]


def hanging(value: str, width: int) -> str:
    """A detail's value, broken between its parts so that it stays in its column."""
    lines = [""]
    for part in value.split(" · "):
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if len(longer) > width - LABEL and lines[-1]:
            lines.append(part)
        else:
            lines[-1] = longer
    return f"\n{'':<{LABEL}}".join(lines)


def next_step(dataset: DatasetSummary, key: Callable[[str], str]) -> str:
    """The key that brings this dataset on."""
    drafts = dataset.statuses.get("draft", 0)
    if not dataset.examples:
        return f"{key('datasets.add')} adds examples"
    if drafts:
        return f"{key('datasets.review')} reviews {drafts:,} drafts"
    if not dataset.split:
        return f"{key('datasets.split')} splits it"
    if not dataset.versions:
        return f"{key('datasets.check')} checks it, {key('datasets.freeze')} freezes it"
    return f"{key('app.jobs')} trains on {dataset.name}@v{max(dataset.versions)}"


def _counts(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def added(name: str, report: AddReport) -> str:
    """What adding did, in one line."""
    words = f"{report.added:,} added to {name}"
    if report.skipped:
        words += f", {report.skipped:,} were there already"
    if report.failed:
        words += f", {report.failed:,} refused"
    return words + "."


def failures(report: AddReport) -> Document:
    """Why examples were refused."""
    lines = ["Refused", ""]
    for failure in report.failures[:MOST_LISTED]:
        place = f"line {failure.line}: " if failure.line else ""
        lines.append(f"{place}{failure.reason}")
    return _document(lines, ["Refused"])


def split(report: SplitReport) -> Document:
    """Who plays which role, and what could not be done as asked."""
    lines = ["Roles", "", f"{'':<22}{'papers':>8}{'examples':>10}"]
    for role, count in report.roles.items():
        lines.append(f"{role:<22}{count.papers:>8,}{count.examples:>10,}")
    lines += [
        "",
        "memory: new wordings of findings in papers that are trained on.",
        "transfer: papers that are never trained on.",
    ]
    if report.notes:
        lines += ["", "Notes", "", *report.notes]
    return _document(lines, ["Roles", "Notes"])


def check(report: CheckReport) -> Document:
    """The report of a check: a verdict, figures, what is wrong where."""
    lines = ["Verdict", "", verdict(report), "", "Figures", ""]
    figures = (
        ("examples", report.lines),
        ("valid", report.valid),
        ("tokens", report.tokens),
        ("too long", report.over_length),
        ("duplicates", report.duplicates),
        ("near-duplicates", report.near_duplicates),
        ("leaks into tests", report.leaks),
    )
    lines += [f"{name:<18}{count:>12,}" for name, count in figures]
    if report.errors:
        lines += ["", "Errors", ""]
        lines += [f"{e.line:>6}  {e.message}" for e in report.errors[:MOST_LISTED]]
        if len(report.errors) > MOST_LISTED:
            lines.append(f"… and {len(report.errors) - MOST_LISTED:,} more")
    if report.warnings:
        lines += ["", "Warnings", "", *report.warnings]
    return _document(lines, ["Verdict", "Figures", "Errors", "Warnings"])


def verdict(report: CheckReport) -> str:
    """Whether it can be trained on, in one sentence."""
    if report.invalid:
        return f"{report.invalid:,} of {report.lines:,} examples cannot be used as they are."
    if report.leaks:
        return f"{report.leaks:,} tests stand in training too: results would be worthless."
    if not report.lines:
        return "There is nothing to train on yet."
    return "Clean: this can be frozen and trained on."


def frozen(version: Version) -> str:
    """What was frozen, in one line."""
    lines = sum(entry.lines for entry in version.files.values())
    return f"{version.name}: {lines:,} lines in {len(version.files)} files, {version.sha256[:12]}"


def _document(lines: list[str], titles: list[str]) -> Document:
    text, headings, offset = "\n".join(lines), [], 0
    for line in lines:
        if line in titles:
            headings.append(Heading(line, offset))
        offset += len(line) + 1
    return Document(text, tuple(headings))


def editable(example: Example) -> str:
    """An example as a person edits it."""
    question, answer = told_plainly(example)
    if not question:
        return example.text
    return f"{_QUESTION}{question}\n{_ANSWER}{answer}\n"


def told_plainly(example: Example) -> tuple[str, str]:
    """The bare question and its answer; two blanks for plain text."""
    from tui.datasets.content import question_and_answer

    return question_and_answer(example)


def edited(example: Example, text: str) -> dict[str, str | None] | None:
    """What was changed in the editor, for `Datasets.edit`; None when nothing was.

    Raises ValueError when the two headings are not both there.
    """
    old_question, old_answer = told_plainly(example)
    if not old_question:
        text = text.strip("\n")
        same = text == example.text.strip("\n")
        return None if same else {"question": None, "answer": None, "text": text}
    head, found, answer = text.partition(_ANSWER.strip("\n") + "\n")
    if not found or not head.lstrip().startswith(_QUESTION.strip()):
        raise ValueError("the headings “# Question” and “# Answer” are needed")
    question = head.lstrip().removeprefix(_QUESTION.strip()).strip()
    answer = answer.strip()
    if (question, answer) == (old_question.strip(), old_answer.strip()):
        return None
    return {"question": question, "answer": answer, "text": None}
