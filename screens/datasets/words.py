"""Datasets and reports as text: what is there, what to do next."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tui.domain.example import CheckReport, DatasetSummary, Example, Version
from tui.text import shorten
from widgets.reader import Document, Heading
from widgets.rows import Column, Row

if TYPE_CHECKING:
    from tui.datasets import AddFailure, AddReport, DatasetDiff, SplitReport
    from tui.jobs import Estimate

COLUMNS = (
    Column("Dataset", 20, share=2),
    Column("Examples", 8, right=True),
    Column("Drafts", 6, right=True),
    Column("Accepted", 8, rank=3, right=True),
    Column("Papers", 6, rank=2, right=True),
    Column("Version", 7, rank=1, right=True),
    Column("State", 12, rank=4),
)
MOST_LISTED = 200
_MOST_BARS = 12
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
            f"{dataset.statuses.get('accepted', 0):,}",
            f"{dataset.papers:,}",
            newest,
            state(dataset),
        ),
    )


def state(dataset: DatasetSummary) -> str:
    """What the dataset waits for, in two words."""
    if not dataset.examples:
        return "empty"
    if dataset.statuses.get("draft"):
        return "to review"
    if not dataset.split:
        return "to split"
    return "frozen" if dataset.versions else "to freeze"


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
    return refusals(report.failures, report.notes)


def refusals(found: Sequence[AddFailure], notes: Sequence[str]) -> Document:
    """Refusals line by line, then what else is to be said."""
    lines = ["Refused", ""] if found else []
    for failure in found[:MOST_LISTED]:
        place = f"line {failure.line}: " if failure.line else ""
        lines.append(f"{place}{failure.reason}")
    if len(found) > MOST_LISTED:
        lines.append(f"… and {len(found) - MOST_LISTED:,} more")
    if notes:
        lines += ["", "Notes", "", *notes] if lines else ["Notes", "", *notes]
    return document(lines, ["Refused", "Notes"])


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
    return document(lines, ["Roles", "Notes"])


def check(report: CheckReport, histogram: Sequence[str] = (), exact: str = "") -> Document:
    """The report of a check: verdict, figures, lengths, balance, what to do.

    `exact` is the model whose tokenizer counted; without it tokens are an estimate.
    """
    lines = ["Verdict", "", report.verdict, "", "Figures", ""]
    figures = (
        ("lines", report.lines),
        ("valid", report.valid),
        ("tokens" if exact else "tokens, about", report.tokens),
        ("too long", report.over_length),
        ("tokens cut off", report.cut),
        ("duplicates", report.duplicates),
        ("near-duplicates", report.near_duplicates),
        ("leaks into tests", report.leaks),
    )
    lines += [f"{name:<18}{count:>12,}" for name, count in figures]
    if histogram:
        counted = f"as {exact} counts" if exact else "at four characters each"
        lines += ["", "Tokens an example", "", f"({counted})", *histogram]
    for facet, counts in report.balance.items():
        if len(counts) > 1:
            lines += ["", f"Trained on by {facet.replace('_', ' ')}", ""]
            lines += _bars(counts)
    if report.fixes:
        lines += ["", "What to do", ""]
        lines += [f"{code}: {fix}" for code, fix in report.fixes.items()]
    if report.fixed is not None:
        mended = ", ".join(f"{n:,} {code}" for code, n in report.fixed.fixed.items()) or "nothing"
        lines += ["", "Mended", "", f"{report.fixed.written:,} lines in {report.fixed.path}"]
        lines += [f"mended: {mended}", f"left out: {report.fixed.left_out:,}"]
    titles = ["Verdict", "Figures", "Tokens an example", "What to do", "Mended"]
    balances = [f"Trained on by {facet.replace('_', ' ')}" for facet in report.balance]
    return document(lines, [*titles, *balances])


def _bars(counts: Mapping[str, int]) -> list[str]:
    most = max(counts.values())
    shown = list(counts.items())[:_MOST_BARS]
    width = min(24, max(len(shorten(name, 24)) for name, _ in shown))
    lines = [
        f"{shorten(name, 24):<{width}}  {'█' * max(1, 24 * count // most)} {count:,}"
        for name, count in shown
    ]
    if len(counts) > _MOST_BARS:
        lines.append(f"and {len(counts) - _MOST_BARS:,} more")
    return lines


def estimate(found: Estimate) -> Document:
    """What a job would take, and what was assumed."""
    given = found.hyperparameters
    tokens = f"{found.tokens:,}" if found.exact else f"about {found.tokens:,}"
    rows = [
        ("dataset", found.dataset),
        ("model", f"{found.model} at {found.endpoint}"),
        ("examples", f"{found.examples:,}"),
        ("truncated", f"{found.truncated:,} beyond {given.seq_len or '?'} tokens"),
        ("steps", f"{found.steps:,} ({found.epochs:.2g} epochs)"),
        ("trained tokens", tokens),
        ("time", "not known" if found.seconds is None else duration(found.seconds)),
        (
            "cost",
            "no price is known"
            if found.cost is None
            else f"{found.cost:.2f} {found.currency}"
            if found.currency
            else "nothing: a device of ours",
        ),
    ]
    if found.memory:
        rows.append(("memory", f"{found.memory / 1e9:.1f} GB of the device"))
    lines = ["Estimate", "", *(f"{label:<16}{value}" for label, value in rows)]
    if found.notes:
        lines += ["", "Notes", "", *found.notes]
    return document(lines, ["Estimate", "Notes"])


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def difference(found: DatasetDiff) -> Document:
    """What changed from one version to another."""
    counts = f"{len(found.added):,} added, {len(found.removed):,} removed, "
    counts += f"{len(found.moved):,} with another role, {found.unchanged:,} unchanged"
    lines = [counts]
    sections = (("Added", found.added), ("Removed", found.removed), ("Other role", found.moved))
    for title, changes in sections:
        if changes:
            lines += ["", title, ""]
            for change in changes[:MOST_LISTED]:
                roles = " → ".join(filter(None, (change.before, change.after)))
                lines.append(f"{change.words}  ({roles})")
            if len(changes) > MOST_LISTED:
                lines.append(f"… and {len(changes) - MOST_LISTED:,} more")
    return document(lines, [title for title, _ in sections])


def frozen(version: Version) -> str:
    """What was frozen, in one line."""
    lines = sum(entry.lines for entry in version.files.values())
    return f"{version.name}: {lines:,} lines in {len(version.files)} files, {version.sha256[:12]}"


def document(lines: list[str], titles: list[str]) -> Document:
    """Lines as a document whose titles are headings."""
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
