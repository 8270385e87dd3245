"""The one registry of actions: every key, footer entry, help line and palette command is made here.

An action's id is `<scope>.<name>`; its scope says where it is alive: `app` everywhere, a screen's
scope on that screen, a widget's scope while the widget has the focus. Nothing here imports
textual, so that `papertune doctor` can check a keymap without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from tui.actions import chat, corpus, datasets, evaluation, everywhere, jobs, settings
from tui.actions.action import Action

__all__ = ["ACTIONS", "REGISTRY", "SCOPES", "WITHIN", "Action", "of_scope", "rows"]

_ROOMS = (everywhere, corpus, datasets, jobs, chat, evaluation, settings)

SCOPES: dict[str, str] = dict(chain.from_iterable(room.SCOPES.items() for room in _ROOMS))
"""Every scope with its heading in the help."""

WITHIN: dict[str, tuple[str, ...]] = dict(
    chain.from_iterable(room.WITHIN.items() for room in _ROOMS)
)
"""Which widgets' scopes can have the focus on which screen; keys must not collide along a row."""

REGISTRY: tuple[Action, ...] = tuple(chain.from_iterable(room.ACTIONS for room in _ROOMS))
"""Every action there is, in the order in which help and palette list them."""

ACTIONS: dict[str, Action] = {action.id: action for action in REGISTRY}
"""The registry by id."""


def of_scope(scope: str) -> Iterable[Action]:
    """The actions of one scope, in order."""
    return (action for action in REGISTRY if action.scope == scope)


def rows() -> Iterable[tuple[str, ...]]:
    """The chains of scopes that can be alive together: app, a screen, one of its widgets.

    Dialogs and the help cover the app, so their keys may be the app's.
    """
    yield from (
        ("dialog", "confirm"),
        ("dialog", "choose"),
        ("dialog", "writing", "reader"),
        ("help",),
    )
    for screen, widgets in WITHIN.items():
        yield ("app", screen)
        for widget in widgets:
            yield ("app", screen, widget)
