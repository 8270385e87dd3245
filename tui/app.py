"""The composition root of the pictures: builds screens from services, and nothing else.

Two apps share one frame: `PapertuneApp` on a workspace, `WelcomeApp` while there is none. An app
that ends with a `Start` asks for another workspace; `tui.cli.terminal` then opens it, so services
are never swapped under a running screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from screens.base.shell import ShellApp
from screens.welcome import Start, WelcomeScreen
from tui.keymap import Keymap
from tui.services import Services

MODES = (
    ("1", "Corpus"),
    ("2", "Datasets"),
    ("3", "Jobs"),
    ("4", "Chat"),
    ("5", "Evaluation"),
    ("6", "Settings"),
)
"""Keys and labels of the mode bar; the keys are those of `tui.actions`."""


class WelcomeApp(ShellApp):
    """The first start: asks where to begin and ends with the `Start` that was chosen."""

    DEFAULT_MODE = "welcome"

    def __init__(
        self, *, suggested: Start, remote: bool = False, keymap: Keymap | None = None
    ) -> None:
        super().__init__(remote=remote, keymap=keymap)
        self.add_mode("welcome", lambda: WelcomeScreen(suggested))


class PapertuneApp(ShellApp):
    """The app on one workspace: six modes, each built when it is first shown."""

    DEFAULT_MODE = "corpus"
    MODE_NAMES = MODES

    def __init__(
        self,
        services: Services,
        *,
        start: Start | None = None,
        remote: bool = False,
        keymap: Keymap | None = None,
    ) -> None:
        super().__init__(theme=services.settings.theme, remote=remote, keymap=keymap)
        self._services = services
        self._start = start
        for name, factory in self._factories().items():
            self.add_mode(name, factory)
        self.set_status(workspace=services.workspace.root.name, endpoint=services.settings.endpoint)

    def action_mode(self, name: str) -> None:
        """Go to a mode; its screen is built the first time."""
        self.switch_mode(name)

    def _factories(self) -> dict[str, Callable[[], Screen[Any]]]:
        return {
            "corpus": self._corpus,
            "datasets": self._datasets,
            "jobs": self._jobs,
            "chat": self._chat,
            "evaluation": self._evaluation,
            "settings": self._settings,
        }

    def _corpus(self) -> Screen[Any]:
        from screens.corpus import CorpusScreen

        papers = (self._start.papers,) if self._start and self._start.papers else ()
        return CorpusScreen(self._services.corpus, lambda: self._services.datasets, add=papers)

    def _datasets(self) -> Screen[Any]:
        from screens.datasets import DatasetsScreen

        return DatasetsScreen(self._services.datasets, self._services.corpus)

    def _jobs(self) -> Screen[Any]:
        from screens.jobs import JobsScreen

        return JobsScreen(self._services.jobs, self._services.datasets, self._services.endpoints)

    def _chat(self) -> Screen[Any]:
        from screens.chat import ChatScreen

        return ChatScreen(
            self._services.chat, self._services.conversations, self._services.feedback
        )

    def _evaluation(self) -> Screen[Any]:
        from screens.evaluation import EvaluationScreen

        return EvaluationScreen(self._services.evaluator, self._services.datasets)

    def _settings(self) -> Screen[Any]:
        from screens.settings import SettingsScreen

        return SettingsScreen(self._services.settings, self._services.credentials)
