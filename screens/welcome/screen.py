"""First start without a workspace: three ways in, one key each."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from screens.base import BaseScreen
from screens.welcome.start import Start
from tui.keymap import bindings
from tui.storage.workspace import Workspace
from widgets.choices import Choices
from widgets.dialogs import Prompt
from widgets.path_input import PathSuggester, missing_path, typed_path


class WelcomeScreen(BaseScreen[None]):
    """Ends the app with the `Start` that was chosen; `suggested` is the workspace to offer."""

    NAME = "Welcome"
    ABOUT = "papertune keeps a team's papers, training sets and results in one folder: a workspace."
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("welcome")

    def __init__(self, suggested: Start) -> None:
        super().__init__()
        self._suggested = suggested

    def compose_body(self) -> ComposeResult:
        """A title, a sentence and the three ways in."""
        with Vertical(id="welcome"):
            yield Static(Content("papertune"), id="title")
            yield Static(
                Content("Turn your team's papers into a fine-tuned assistant, from this terminal."),
                id="lead",
            )
            yield Choices(
                (
                    (
                        "quickstart",
                        self.app.key_for("welcome.quickstart"),
                        "Try it on the sample papers",
                        "Twelve invented papers and a small model; every key is named.",
                    ),
                    (
                        "papers",
                        self.app.key_for("welcome.papers"),
                        "Start with a folder of papers",
                        "PDF, LaTeX, Markdown, plain text. Your files stay as they are.",
                    ),
                    (
                        "workspace",
                        self.app.key_for("welcome.workspace"),
                        "Open a workspace",
                        "One that you or a colleague has started.",
                    ),
                )
            )
            yield Static(
                Content("Nothing leaves this machine unless you send it. No key, no GPU needed."),
                id="promise",
            )

    @on(Choices.Chosen)
    async def _chosen(self, event: Choices.Chosen) -> None:
        event.stop()
        await self.run_action(event.key)

    def action_quickstart(self) -> None:
        """The whole job on the sample papers."""
        self.app.exit(Start(self._suggested.workspace, guided=True))

    def action_papers(self) -> None:
        """Ask for the folder of papers."""
        self.app.push_screen(
            Prompt(
                "A folder of papers",
                "Which folder are the papers in?",
                value=str(self._suggested.papers or ""),
                note=f"The workspace will be {self._suggested.workspace}",
                check=_folder_problem,
                suggester=PathSuggester(folders=True),
            ),
            self._with_papers,
        )

    def _with_papers(self, answer: str | None) -> None:
        if answer is not None:
            papers = typed_path(answer)
            self.app.exit(Start(self._suggested.workspace, papers=papers, guided=True))

    def action_workspace(self) -> None:
        """Ask for a workspace that exists."""
        self.app.push_screen(
            Prompt(
                "Open a workspace",
                "Which folder holds it?",
                note="It is the folder with workspace.db in it.",
                check=_workspace_problem,
                suggester=PathSuggester(folders=True),
            ),
            self._with_workspace,
        )

    def _with_workspace(self, answer: str | None) -> None:
        if answer is not None:
            self.app.exit(Start(typed_path(answer)))


def _folder_problem(answer: str) -> str:
    path = typed_path(answer)
    return missing_path(answer) or ("" if path.is_dir() else f"{path} is not a folder.")


def _workspace_problem(answer: str) -> str:
    path = typed_path(answer)
    if not answer.strip():
        return "Type a path, or esc to go back."
    return "" if Workspace.exists(path) else f"There is no workspace at {path}."
