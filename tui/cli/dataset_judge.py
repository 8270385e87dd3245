"""`papertune dataset judge`, `failures`, `pause` and `resume`: looking after what models write."""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.dataset_output import services_of
from tui.cli.generate import follow, went_well
from tui.cli.output import common, emit, emit_line, finish, say, show
from tui.domain.errors import UsageError
from tui.domain.example import Kind, Status
from tui.domain.usage import Amount

if TYPE_CHECKING:
    from tui.datasets.generation import FailedTurn
    from tui.datasets.judging import Agreement, JudgingFinished
    from tui.services import Services


@click.command("judge")
@click.argument("name")
@click.option("--model", help="Who judges; the settings' model unless named.")
@click.option("--endpoint", help="Where the model runs; the settings' endpoint unless named.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in Status]),
    multiple=True,
    help="Which examples; drafts and accepted ones unless named.",
)
@click.option("--count", type=click.IntRange(1), help="So many at most.")
@click.option("--budget", help="What this may use at most: 500ktok, 5usd, 2gpuh.")
@click.option("--month-budget", help="In place of the settings' budget of the month.")
@click.option("--concurrency", type=click.IntRange(1, 64), help="Requests side by side.")
@click.option("--again", is_flag=True, help="Also those that the model has judged before.")
@click.option("--reject", is_flag=True, help="Reject drafts that it finds unsupported.")
@click.option("--agreement", "only_show", is_flag=True, help="Only show what was judged before.")
@common
def judge(
    name: str,
    model: str | None,
    endpoint: str | None,
    status: tuple[str, ...],
    count: int | None,
    budget: str | None,
    month_budget: str | None,
    concurrency: int | None,
    again: bool,
    reject: bool,
    only_show: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Let a model that sees the passages say whether they hold the answers.

    What people accepted or rejected is judged first, and the judge's agreement with each of them
    is shown: share, Cohen's kappa, both with 95 % intervals. Nobody's verdict is changed; with
    --reject, drafts without support are rejected in the judge's name, and people may overrule it.
    """
    services = services_of(workspace)
    chosen = model or services.settings.model
    if only_show:
        models = [model] if model else services.judge.models(name)
        found = {m: services.judge.agreement(name, m) for m in models}
        if as_json:
            emit([{"model": m, "agreement": items} for m, items in found.items()])
        for m, items in found.items():
            _print_agreement(m, items, quiet=as_json)
        return
    if not chosen:
        raise UsageError("No model was named.", "Give one with --model: papertune model list")

    async def whole() -> JudgingFinished:
        from tui.datasets.judging import JudgingFinished

        run = services.judge.run(
            name,
            chosen,
            statuses=[Status(item) for item in status] or (Status.DRAFT, Status.ACCEPTED),
            endpoint=endpoint,
            budget=Amount.parse(budget) if budget else None,
            month_budget=Amount.parse(month_budget) if month_budget else None,
            count=count,
            concurrency=concurrency,
            again=again,
            reject=reject,
        )
        async with aclosing(run) as events:
            async for event in events:
                if as_json:
                    emit_line(event)
                if isinstance(event, JudgingFinished):
                    return event
                if not as_json:
                    sign = {True: "+", False: "-", None: "!"}[event.entailed]
                    show(f"{sign} {event.id}  {event.verdict or 'no verdict'}: {event.reason}")
        raise AssertionError("judging ends with an event")

    done = services.run(whole())
    if not as_json:
        show(
            f"{done.judged} judged by {done.model}, {done.entailed} of them supported; "
            f"{done.failed} without a verdict, {done.skipped} judged before; {done.tokens} tokens"
        )
        _print_agreement(done.model, done.agreement)
        say(f"{done.message} {done.remedy}".strip())
    finish(not done.failed and done.stopped == "finished")


def _print_agreement(
    model: str, found: list[Agreement] | tuple[Agreement, ...], *, quiet: bool = False
) -> None:
    if quiet:
        return
    told = [item for item in found if item.agreement is not None]
    if not told:
        say(f"Nobody has decided on what {model} judged, so how far to trust it is not known.")
    for item in told:
        kappa = "not defined (all verdicts are the same)"
        if item.kappa is not None:
            kappa = f"{item.kappa:.2f} ({item.kappa_low:.2f} to {item.kappa_high:.2f})"
        show(
            f"{model} and {item.person} agree on {item.agreement:.0%} of {item.n} "
            f"({item.agreement_low:.0%} to {item.agreement_high:.0%}); kappa {kappa}"
        )


@click.command("failures")
@click.argument("name")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]))
@click.option("--model", help="Of this model only.")
@click.option("--retry", is_flag=True, help="Ask about them once more, now.")
@click.option(
    "--lost", is_flag=True, help="Retry also what was under way in a killed run (paid twice)."
)
@click.option("--wordings", type=click.IntRange(1, 10), default=4, show_default=True)
@click.option("--budget", help="What the retry may use at most.")
@common
def failures(
    name: str,
    kind: str | None,
    model: str | None,
    retry: bool,
    lost: bool,
    wordings: int,
    budget: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Passages whose answer could not be used or never came, and asking about them again."""
    services = services_of(workspace)
    found = services.generator.failures(name, Kind(kind) if kind else None, model)
    if not retry:
        if as_json:
            emit(found)
            return
        for turn in found:
            show(f"{turn.unit}  {turn.kind.value} by {turn.model}: {turn.reason}")
        if found:
            say(f"Ask again with: papertune dataset failures {name} --retry")
        return
    groups: dict[tuple[Kind, str, str], list[FailedTurn]] = defaultdict(list)
    for turn in found:
        if lost or not turn.lost:
            groups[turn.kind, turn.model, turn.endpoint].append(turn)
    finish(_retried(services, name, groups, wordings, budget, as_json))


def _retried(
    services: Services,
    name: str,
    groups: dict[tuple[Kind, str, str], list[FailedTurn]],
    wordings: int,
    budget: str | None,
    as_json: bool,
) -> bool:
    async def whole() -> bool:
        good = True
        for (kind, model, endpoint), turns in groups.items():
            run = services.generator.run(
                name,
                kind,
                model,
                endpoint=endpoint,
                wordings=wordings,
                budget=Amount.parse(budget) if budget else None,
                only=services.generator.reopen(name, turns),
            )
            good = went_well(await follow(run, as_json)) and good
        return good

    return services.run(whole())


@click.command("pause")
@click.argument("name")
@common
def pause(name: str, workspace: Path | None, as_json: bool) -> None:
    """Have generation into a dataset wait, in whichever terminal it runs."""
    services_of(workspace).generator.pause(name)
    _print_paused(name, True, as_json)


@click.command("resume")
@click.argument("name")
@common
def resume(name: str, workspace: Path | None, as_json: bool) -> None:
    """Let generation into a dataset go on."""
    services_of(workspace).generator.resume(name)
    _print_paused(name, False, as_json)


def _print_paused(name: str, paused: bool, as_json: bool) -> None:
    if as_json:
        emit({"dataset": name, "paused": paused})
    else:
        say(f"Generation into '{name}' {'waits' if paused else 'may go on'}.")


COMMANDS = (judge, failures, pause, resume)
