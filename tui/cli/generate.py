"""`papertune dataset generate`: a model writes drafts, each checked before a person sees it."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.dataset_sources import plan_of, sources_options
from tui.cli.output import chosen_workspace, common, emit_line, finish, say, show
from tui.domain.errors import UsageError
from tui.domain.example import Kind
from tui.domain.usage import Amount
from tui.text import shorten

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tui.datasets.generation import GenerationEvent, GenerationFinished, Mix, Progress

_WIDTH = 100
_TOLD_EVERY = 20


@click.command("generate")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind if kind is not Kind.FULL_TEXT]),
    required=True,
    help="What is written; retrieval: questions with sources to answer from.",
)
@click.option("--model", help="Who writes; the settings' model unless named.")
@click.option("--query", default="", help="Only papers that match.")
@click.option("--count", type=click.IntRange(1), help="End once so many have passed the checks.")
@click.option("--budget", help="What this run may use at most: 500ktok, 5usd, 2gpuh.")
@click.option("--month-budget", help="For this run in place of the settings' budget of the month.")
@click.option("--endpoint", help="Where the model runs; the settings' endpoint unless named.")
@click.option(
    "--wordings",
    type=click.IntRange(1, 10),
    default=4,
    show_default=True,
    help="Questions on one finding.",
)
@click.option(
    "--types",
    "--mix",
    "mix",
    help="Shares of the types of question: result=3,method=2,unanswerable=1.",
)
@click.option("--judge", help="A model that must find each answer in its passage.")
@click.option("--judge-endpoint", help="Where the judge runs.")
@click.option("--concurrency", type=click.IntRange(1, 64), help="Requests side by side.")
@sources_options
@common
def generate(
    name: str,
    kind: str,
    model: str | None,
    query: str,
    count: int | None,
    budget: str | None,
    endpoint: str | None,
    wordings: int,
    mix: str | None,
    month_budget: str | None,
    judge: str | None,
    judge_endpoint: str | None,
    concurrency: int | None,
    refusals: float,
    distractors: int,
    context: int | None,
    seed: int,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Let a model write examples from the papers; they await review as drafts.

    Each rests on a quote that stands in its passage. What fails a check is kept as rejected, with
    the reason. Run again after an interruption, it carries on and pays for nothing twice; another
    terminal makes it wait: papertune dataset pause NAME.
    """
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace))
    chosen = model or services.settings.model
    if not chosen:
        raise UsageError("No model was named.", "Give one with --model: papertune model list")
    amount = Amount.parse(budget) if budget else None
    shares = _mix(mix) if mix else None
    sources = plan_of(1.0, refusals, distractors, context, seed)

    async def whole() -> GenerationFinished:
        run = services.generator.run(
            name,
            Kind(kind),
            chosen,
            query=query,
            count=count,
            budget=amount,
            endpoint=endpoint,
            mix=shares,
            wordings=wordings,
            month_budget=Amount.parse(month_budget) if month_budget else None,
            sources=sources,
            judge=judge,
            judge_endpoint=judge_endpoint,
            concurrency=concurrency,
        )
        return await follow(run, as_json)

    done = services.run(whole())
    finish(went_well(done))


def went_well(done: GenerationFinished) -> bool:
    """Whether a run did all that it set out to do."""
    return not done.failed and done.stopped not in ("endpoint", "private")


async def follow(run: AsyncGenerator[GenerationEvent, None], as_json: bool) -> GenerationFinished:
    """Print a run's events to its end."""
    from tui.datasets.generation import GenerationFinished

    async with aclosing(run) as events:
        async for event in events:
            if as_json:
                emit_line(event)
            else:
                _print(event)
            if isinstance(event, GenerationFinished):
                return event
    raise AssertionError("a run ends with an event")


def _print(event: GenerationEvent) -> None:
    from tui.datasets.generation import GenerationFinished, Paused

    if isinstance(event, GenerationFinished):
        _print_end(event)
        return
    if isinstance(event, Paused):
        say("Waits; let it go on with: papertune dataset resume NAME")
        return
    _print_progress(event.progress)
    if event.event == "failed":
        say(f"! {event.passage}: no usable answer: {event.message}")
    else:
        words = shorten(event.answer if event.kind is Kind.SUMMARY else event.question, _WIDTH)
        sign, why = ("+", "") if event.event == "accepted" else ("-", f"  ({event.reason})")
        show(f"{sign} {event.id}  {words}{why}")


def _print_progress(progress: Progress) -> None:
    """A line every so often: what it took and what it will take."""
    if progress.asked % _TOLD_EVERY or not progress.asked:
        return
    parts = [f"{progress.asked} of {progress.units} passages, {progress.tokens} tokens"]
    if progress.cost is not None and progress.cost_to_come is not None:
        parts.append(
            f"{progress.cost:.4f} {progress.currency}, about {progress.cost_to_come:.4f} to come"
        )
    if progress.seconds_to_come is not None:
        parts.append(f"about {progress.seconds_to_come / 60:.0f} min to come")
    say("; ".join(parts))


def _print_end(done: GenerationFinished) -> None:
    refused = sum(done.rejected.values())
    reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
    show(
        f"{done.accepted} to review, {refused} rejected"
        + (f" ({reasons})" if reasons else "")
        + f", {done.failed} without a usable answer; {done.tokens} tokens"
        + (f", {done.cost:.4f} {done.currency}" if done.cost is not None else "")
    )
    if done.lost:
        say(f"{done.lost} passages were under way when a run ended; nothing is paid twice.")
    if done.stopped == "finished" and not done.message:
        say("Every passage has had its turn.")
    elif done.stopped == "count":
        say(f"The count is reached; {done.remaining} passages have had no turn yet.")
    else:
        say(f"{done.message} {done.remedy}".strip())
    if done.stopped in ("budget", "endpoint"):
        say(f"{done.remaining} passages wait for the next run, which carries on here.")


def _mix(text: str) -> Mix:
    """Shares as a person writes them; raises UsageError that names the types."""
    from tui.datasets.generation import QuestionType

    shares: dict[QuestionType, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[QuestionType(name.strip())] = float(share or 1)
        except ValueError:
            types = ", ".join(QuestionType)
            raise UsageError(
                f"'{shorten(part, 40)}' is no share of a type of question.",
                f"Write it like result=3,method=1; types are {types}.",
            ) from None
    return shares
