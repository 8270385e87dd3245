"""`papertune quickstart`: the whole job; in a terminal the app leads, elsewhere it is done here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.output import chosen_workspace, common, emit_line, say, show

if TYPE_CHECKING:
    from tui.quickstart.plan import Plan
    from tui.quickstart.run import QuickstartEvent
    from tui.services import Services


@click.command("quickstart")
@click.option("--headless", is_flag=True, help="Do it here, in plain lines, without the app.")
@click.option(
    "--papers",
    type=click.Path(path_type=Path),
    help="Your own folder instead of the sample: trains on abstracts and full text.",
)
@common
def command(headless: bool, papers: Path | None, workspace: Path | None, as_json: bool) -> None:
    """Fine-tune a small model on papers, on this machine, and measure what it bought.

    Run again, it carries on where it was.
    """
    from tui.cli.terminal import has_terminal, open_app
    from tui.quickstart.plan import default_workspace, make_plan, remember
    from tui.services import Services, adopt_workspace, named_root

    plan = make_plan(papers)
    root = chosen_workspace(workspace) or named_root() or default_workspace(plan)
    in_app = not headless and not as_json and has_terminal()
    made = not root.exists()
    services = Services.open(root)
    if not in_app:
        _do_it_here(services, plan, as_json, made=made)
        return
    adopt_workspace(services)
    remember(services.workspace, plan)
    services.close()
    open_app(root, mouse=True)


def _do_it_here(services: Services, plan: Plan, as_json: bool, *, made: bool) -> None:
    """Run every step; a workspace `made` for a folder without papers is taken away again."""
    from tui.quickstart.run import NoPapersError

    try:
        services.run(_run(services, plan, as_json))
    except NoPapersError:
        if made:
            shutil.rmtree(services.workspace.root, ignore_errors=True)
        raise
    except KeyboardInterrupt:
        say("Interrupted. What was done is kept; run the same command again and it carries on.")
        raise


async def _run(services: Services, plan: Plan, as_json: bool) -> None:
    from tui.quickstart.lines import Narrator, finished_lines, step_lines
    from tui.quickstart.run import Finished, StepDone, run_quickstart
    from tui.services import adopt_workspace

    if not as_json:
        what = "the sample papers" if plan.sample else str(plan.papers)
        say(f"The whole job on {what}, in {services.workspace.root}")
        say("Interrupt it any time (ctrl+c); run it again and it carries on.")
    narrator = Narrator()
    async for event in run_quickstart(services, plan):
        adopt_workspace(services)  # from the first step on there is something in it
        if as_json:
            emit_line(_document(event))
            continue
        if isinstance(event, Finished):
            lines = list(finished_lines(event))
        elif isinstance(event, StepDone):
            lines = list(step_lines(event))
        else:
            lines = [line] if (line := narrator.line(event)) else []
        for line in lines:
            show(line)
        sys.stdout.flush()


def _document(event: QuickstartEvent) -> dict[str, Any]:
    from dataclasses import asdict

    from tui.quickstart.run import Finished, StepDone

    if isinstance(event, Finished):
        return {"event": "done", **asdict(event)}
    if isinstance(event, StepDone):
        rest = {"seconds": round(event.seconds, 2), "already_done": event.already}
        return {"event": "step", "step": event.step, **rest, **event.figures}
    return {"event": "progress", "step": event.step, **event.figures}
