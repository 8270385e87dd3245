"""Having a model judge a dataset, and how far to trust it: its agreement with people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from screens.base import ShellApp
from screens.datasets import words
from screens.datasets.models import allow, ask_model
from screens.datasets.services import DatasetServices
from tui.mistral import ConsentNeeded
from widgets.dialogs import Choose
from widgets.reader import Document

if TYPE_CHECKING:
    from tui.datasets.judging import Agreement, JudgingFinished

_ASK, _REJECT = "ask", "reject"


@dataclass(frozen=True, slots=True)
class Judging:
    """Who judges, and whether drafts that it finds unsupported are rejected in its name."""

    model: str
    reject: bool


async def ask(app: ShellApp, services: DatasetServices, name: str) -> Judging | None:
    """Ask who judges and what comes of it."""
    model = await ask_model(app, services, f"Who judges {name}?")
    if not model:
        return None
    what = await app.push_screen_wait(
        Choose(
            f"{model} judges each answer by its passage",
            (
                (_ASK, "Only compare", "Its verdicts are kept beside yours."),
                (_REJECT, "Reject drafts", "Those that their passage does not support."),
            ),
        )
    )
    return None if what is None else Judging(model, what == _REJECT)


async def judge(
    app: ShellApp,
    services: DatasetServices,
    name: str,
    wanted: Judging,
    say: Callable[[str], None],
) -> JudgingFinished:
    """Judge to the end; asks first where texts were never sent."""
    try:
        return await _judge(services, name, wanted, say)
    except ConsentNeeded as needed:
        if not await allow(app, services, needed):
            raise
        return await _judge(services, name, wanted, say)


async def _judge(
    services: DatasetServices, name: str, wanted: Judging, say: Callable[[str], None]
) -> JudgingFinished:
    from tui.datasets.judging import JudgingFinished

    judge = await asyncio.to_thread(services.judge)
    async with aclosing(judge.run(name, wanted.model, reject=wanted.reject)) as events:
        async for event in events:
            if isinstance(event, JudgingFinished):
                return event
            say(f"{wanted.model} judges {name}: {event.done:,} of {event.of:,}")
    raise AssertionError("judging ends with an event")


def report(done: JudgingFinished) -> Document:
    """What was judged, and how far each person agrees with the judge."""
    cost = f", {done.cost:.4f} {done.currency}" if done.cost is not None else ""
    lines = [
        "Judged",
        "",
        f"{done.judged:,} judged, {done.entailed:,} of them supported by their passage",
        f"{done.skipped:,} were judged before, {done.failed:,} gave no verdict",
        f"{done.rejected:,} drafts rejected · {done.tokens:,} tokens{cost}",
    ]
    if done.message:
        lines += ["", f"{done.message} {done.remedy}".strip()]
    lines += ["", "Agreement", "", *_agreements(done.agreement)]
    return words.document(lines, ["Judged", "Agreement"])


def _agreements(found: Sequence[Agreement]) -> list[str]:
    lines = []
    for each in found:
        if each.agreement is None:
            continue
        told = f"{each.person}: {each.agreement:.0%} of {each.n:,} the same"
        told += f" ({each.agreement_low:.0%} to {each.agreement_high:.0%})"
        if each.kappa is not None:
            told += f", kappa {each.kappa:.2f} ({each.kappa_low:.2f} to {each.kappa_high:.2f})"
        lines += [told, f"  {each.judge_only:,} only the judge finds right, {each.person_only:,} "]
        lines[-1] += f"only {each.person}"
    return lines or ["Nobody has decided on anything that it has judged: review some first."]
