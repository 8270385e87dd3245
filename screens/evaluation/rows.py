"""Runs and answered items as rows, reports and documents."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual.content import Content

from tui.domain.evaluation import Interval, ItemResult, RunReport, TestReport
from widgets.reader import Document, Heading
from widgets.rows import Column, Row

RUN_COLUMNS = (
    Column("Run", 12, rank=2),
    Column("Dataset", 12, share=2),
    Column("Model", 12, share=3, rank=1),
    Column("Memory", 6, right=True),
    Column("Transfer", 8, right=True),
)
ITEM_COLUMNS = (
    Column("Test", 8),
    Column("Arm", 13),
    Column("Question", 20, share=5),
    Column("Answered", 16, share=4, rank=1),
)
_HEADLINE = "key_phrase"
_TUNED = "tuned"
_BAR = 24


def run_row(report: RunReport) -> Row:
    """A run in the columns of `RUN_COLUMNS`: the tuned arm's share of key phrases."""
    day = time.strftime("%d %b %H:%M", time.localtime(report.created_at))
    figures = (_tuned(report.tests.get("memory")), _tuned(report.tests.get("transfer")))
    return Row(report.run, (day, report.dataset, report.model, *figures))


def item_row(item: ItemResult, test: str) -> Row:
    """An answered item in the columns of `ITEM_COLUMNS`."""
    right = bool(item.scores.get(_HEADLINE))
    cells = (test, item.arm, item.question, " ".join(item.answer.split()))
    return Row(f"{item.example}\t{item.arm}", cells, "dim" if right else "")


def report_content(report: RunReport, *, bars: bool, airy: bool) -> Content:
    """The verdict, then the arms side by side with their intervals.

    `bars` draws the intervals as well; `airy` leaves blank lines, for where there is height.
    """
    parts: list[Content | str | tuple[str, str]] = []
    for sentence in report.verdict.split(" Transfer: "):
        words = sentence if not parts else f"Transfer: {sentence}"
        parts.append((f"{words}\n", "$accent"))
    for position, (name, test) in enumerate(report.tests.items()):
        if airy:
            parts.append("\n")
        if test is None:
            parts += [(name.capitalize(), "bold"), ("  not measured\n", "$muted")]
        else:
            parts += _test(name, test, bars=bars, titles=airy or position == 0)
    return Content.assemble(*parts).rstrip()


def _test(
    name: str, test: TestReport, *, bars: bool, titles: bool
) -> list[Content | str | tuple[str, str]]:
    left_out = f", {test.unusable} left out" if test.unusable else ""
    papers = "1 paper" if test.papers == 1 else f"{test.papers} papers"
    recall = test.retrieval.get("recall@5")
    found = f", right passage found {recall * 100:.0f} %" if recall is not None else ""
    parts: list[Content | str | tuple[str, str]] = [
        (name.capitalize(), "bold"),
        (f"  {test.n} questions, {papers}{left_out}{found}\n", "$muted"),
    ]
    if titles:
        gap = " " * (_BAR if bars else 0)
        parts.append((f"  {'':<14}{'key phrase':>13}  {gap}  {'exact':>6}{'F1':>6}\n", "$muted"))
    for arm, scores in test.arms.items():
        style = "bold" if arm.startswith(_TUNED) else ""
        parts.append((f"  {arm:<14}{interval(scores.key_phrase):>13}  ", style))
        if bars:
            parts.append(bar(scores.key_phrase))
        exact, f1 = scores.exact_match.value * 100, scores.f1.value * 100
        parts.append((f"  {exact:>6.0f}{f1:>6.0f}\n", "$muted"))
    return parts


def interval(value: Interval) -> str:
    """`90 (80–95)`, in percent."""
    return f"{value.value * 100:.0f} ({value.low * 100:.0f}–{value.high * 100:.0f})"


def bar(value: Interval) -> Content:
    """The interval on a line from 0 to 100 %, a dot at the value."""
    last = _BAR - 1
    at, low, high = (round(share * last) for share in (value.value, value.low, value.high))
    parts: list[tuple[str, str]] = [
        ("·" * low, "$muted"),
        ("━" * (at - low), "$primary"),
        ("●", "bold $primary"),
        ("━" * (high - at), "$primary"),
        ("·" * (last - high), "$muted"),
    ]
    return Content.assemble(*parts)


def item_document(items: Sequence[ItemResult], passage: str) -> Document:
    """What every arm answered to one question, and the passage that holds the right answer."""
    parts = [
        *((_arm_heading(item), item.answer or "(nothing)") for item in items),
        *([("Where it stands", passage)] if passage else []),
    ]
    text, headings = "", []
    for title, body in parts:
        headings.append(Heading(title, len(text), 1))
        text += f"{title}\n{body}\n\n"
    phrase = items[0].key_phrase
    start = text.rfind(phrase) if passage and phrase else -1
    marks = ((start, start + len(phrase)),) if start >= 0 else ()
    return Document(text, tuple(headings), (), marks)


def _arm_heading(item: ItemResult) -> str:
    verdict = "right" if item.scores.get(_HEADLINE) else "wrong"
    missed = ", right passage not retrieved" if item.retrieved is False else ""
    return f"{item.arm}: {verdict}{missed}"


def _tuned(test: TestReport | None) -> str:
    if test is None:
        return "–"
    scores = test.arms.get(_TUNED)
    return f"{scores.key_phrase.value * 100:.0f} %" if scores else "–"
