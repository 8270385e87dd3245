"""Opening the app in a terminal, and saying plainly when there is none to open it in."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tui.domain.errors import UsageError

if TYPE_CHECKING:
    from screens.welcome.start import Start


def open_app(workspace: Path | None, *, mouse: bool) -> None:
    """Run the app until it is left; a `Start` that it ends with opens another workspace.

    Raises UsageError without a terminal that can be drawn on. Under SSH the light profile holds:
    no mouse, which is 12 kB for each motion over a list.
    """
    require_terminal()
    gc.disable()  # until the first frame (`ShellApp.on_ready`): start-up makes no garbage
    from screens.welcome.start import Start
    from tui.app import PapertuneApp, WelcomeApp
    from tui.keymap import load_keymap
    from tui.services import Services, adopt_workspace, chosen_root
    from tui.settings import load_settings
    from tui.storage.locations import config_dir
    from tui.storage.workspace import Workspace

    remote = "SSH_CONNECTION" in os.environ
    keymap = load_keymap(config_dir() / "keymap.toml")
    root = workspace or chosen_root(load_settings())
    start: Start | None = None
    if root is None or not Workspace.exists(root):
        welcome = WelcomeApp(
            suggested=Start(root or Path.home() / "papertune"),
            theme=fitting_theme(""),
            remote=remote,
            keymap=keymap,
        )
        start = _leave_or_start(welcome.run(mouse=mouse and not remote), welcome.return_code)
        if root is None and start.guided and start.papers is None:
            from tui.quickstart.plan import default_workspace, make_plan

            # The invented papers do not belong into the workspace for the real ones.
            start = replace(start, workspace=default_workspace(make_plan(None)))
        root = start.workspace
    while True:
        services = Services.open(root)
        if start is not None:
            adopt_workspace(services)
        if start is not None and start.guided:
            from tui.quickstart.plan import make_plan, remember

            remember(services.workspace, make_plan(start.papers))
        try:
            app = PapertuneApp(
                services,
                theme=fitting_theme(services.settings.theme),
                remote=remote,
                keymap=keymap,
            )
            start = _leave_or_start(app.run(mouse=mouse and not remote), app.return_code)
        finally:
            services.close()
        root = start.workspace


def _leave_or_start(result: object, code: int | None) -> Start:
    from screens.welcome.start import Start

    if isinstance(result, Start):
        return result
    sys.exit(code or 0)


def require_terminal() -> None:
    """Refuse what would draw escape sequences into a file or wait for keys that cannot come."""
    if "WebDriver" in os.environ.get("TEXTUAL_DRIVER", ""):
        return  # a browser is the terminal: see `papertune web`
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError(
            "The app needs a terminal.",
            "Without one use the commands, e.g. papertune quickstart --headless; "
            "papertune --help lists them.",
        )
    term = os.environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        raise UsageError(
            f"This terminal (TERM={term or 'unset'}) cannot be drawn on.",
            "Use the commands (papertune --help), or set TERM, e.g. export TERM=xterm-256color",
        )


def has_terminal() -> bool:
    """Whether the app can be drawn here; see `require_terminal`."""
    try:
        require_terminal()
    except UsageError:
        return False
    return True


def fitting_theme(wanted: str) -> str:
    """The theme that was chosen, or the sixteen-colour one where the terminal has no more."""
    term = os.environ.get("TERM", "")
    many = os.environ.get("COLORTERM", "") in {"truecolor", "24bit"} or any(
        word in term for word in ("256", "direct", "kitty", "alacritty", "foot", "ghostty")
    )
    return wanted or "papertune-dark" if many else "papertune-ansi"
