"""The command line: one click module per noun, loaded when it is called.

stdout is data, stderr is narration; nothing here imports textual, torch or the SDK, so that
`papertune --help` answers at once.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from tui.domain.errors import ExitCode, PapertuneError

_COMMANDS = {
    "corpus": ("tui.cli.corpus", "Add, list, search and export papers."),
    "dataset": ("tui.cli.dataset", "Compose, check, split and freeze training sets."),
    "job": ("tui.cli.job", "Estimate, create, watch and compare fine-tuning jobs."),
    "model": ("tui.cli.model", "List, fetch, archive and delete models."),
    "alert": ("tui.cli.alert", "Be told when a job ends or needs you; try each way."),
    "chat": ("tui.cli.chat", "Ask a model, with or without sources."),
    "eval": ("tui.cli.evaluation", "Measure four arms on held-out questions."),
    "embed": ("tui.cli.embed", "Vectors of the papers, so that questions find what they mean."),
    "feedback": ("tui.cli.feedback", "List and export ratings and corrections."),
    "engine": ("tui.cli.engine", "Start, stop and inspect the local engine."),
    "usage": ("tui.cli.usage", "What calls and jobs used: tokens, money, device hours."),
    "quickstart": ("tui.cli.quickstart", "The whole job on the sample papers or your own."),
    "doctor": ("tui.cli.doctor", "What works, what does not, how to mend it."),
    "web": ("tui.cli.web", "Serve the app to a browser on loopback."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All nouns, in the order in which they are used."""
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import the module of one noun; its command is named `command`."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """The help of the nouns without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, invoke_without_command=True)
@click.option("-w", "--workspace", type=click.Path(path_type=Path), help="The workspace's folder.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.version_option(package_name="papertune")
@click.pass_context
def papertune(context: click.Context, workspace: Path | None, no_mouse: bool) -> None:
    """Turn a research team's papers into a fine-tuned assistant.

    Without a command the app opens.
    """
    context.obj = {"workspace": workspace}
    if context.invoked_subcommand is None:
        from tui.cli.terminal import open_app

        open_app(workspace, mouse=not no_mouse)


def main() -> None:
    """Run the command line with one sentence per error and the contract's exit codes."""
    try:
        result = papertune.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(ExitCode.INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show(file=sys.stderr)
        sys.exit(ExitCode.USAGE)
    except PapertuneError as error:
        click.echo(f"papertune: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
    except Exception as error:
        from tui.storage.faults import explained

        found = explained(error)
        click.echo(f"papertune: {found}", err=True)
        sys.exit(found.exit_code)
    sys.exit(result if isinstance(result, int) else ExitCode.DONE)
