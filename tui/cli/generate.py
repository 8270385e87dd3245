"""`papertune dataset generate`: a model writes drafts, each checked before a person sees it."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import chosen_workspace, common, emit_line, finish, say, show
from tui.domain.errors import UsageError
from tui.domain.example import Kind
from tui.domain.usage import Amount
from tui.text import shorten

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tui.datasets.generation import GenerationEvent, GenerationFinished, Mix

_WIDTH = 100


@click.command("generate")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([Kind.QA.value, Kind.SUMMARY.value]),
    required=True,
    help="Question-answer pairs, or summaries.",
)
@click.option("--model", help="Who writes; the settings' model unless named.")
@click.option("--query", default="", help="Only papers that match.")
@click.option("--count", type=click.IntRange(1), help="End once so many have passed the checks.")
@click.option("--budget", help="What this run may use at most: 500ktok, 2gpuh.")
@click.option("--endpoint", help="Where the model runs; the settings' endpoint unless named.")
@click.option(
    "--wordings",
    type=click.IntRange(1, 10),
    default=4,
    show_default=True,
    help="Questions on one finding.",
)
@click.option("--mix", help="Shares of the types of question: result=3,method=2,definition=1.")
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
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Let a model write examples from the papers; they await review as drafts.

    Each rests on a quote that stands in its passage. What fails a check is kept as rejected, with
    the reason. Run again after an interruption, it carries on and pays for nothing twice.
    """
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace))
    chosen = model or services.settings.model
    if not chosen:
        raise UsageError("No model was named.", "Give one with --model: papertune model list")
    amount = Amount.parse(budget) if budget else None
    shares = _mix(mix) if mix else None

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
        )
        return await _follow(run, as_json)

    done = services.run(whole())
    finish(not done.failed and done.stopped not in ("endpoint", "private"))


async def _follow(run: AsyncGenerator[GenerationEvent, None], as_json: bool) -> GenerationFinished:
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
    from tui.datasets.generation import GenerationFinished

    if isinstance(event, GenerationFinished):
        _print_end(event)
    elif event.event == "failed":
        say(f"! {event.passage}: no usable answer: {event.message}")
    else:
        words = shorten(event.question if event.kind is Kind.QA else event.answer, _WIDTH)
        sign, why = ("+", "") if event.event == "accepted" else ("-", f"  ({event.reason})")
        show(f"{sign} {event.id}  {words}{why}")


def _print_end(done: GenerationFinished) -> None:
    refused = sum(done.rejected.values())
    reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
    show(
        f"{done.accepted} to review, {refused} rejected"
        + (f" ({reasons})" if reasons else "")
        + f", {done.failed} without a usable answer; {done.tokens} tokens"
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
