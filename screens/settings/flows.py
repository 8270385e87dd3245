"""What is asked before a setting changes; each gives the new settings, or None for no change."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from screens.base import ShellApp
from screens.settings.rows import NEWEST
from tui.domain.endpoint import Endpoint
from tui.domain.model import ModelCard
from tui.settings import EndpointSettings, Settings
from tui.settings.settings import endpoint_url
from tui.text import visible
from tui.themes import themes
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.path_input import PathSuggester, typed_path

KeyPlace = Literal["keyring", "file"]
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


async def person(app: ShellApp, settings: Settings) -> Settings | None:
    """Ask for a name."""
    answer = await app.push_screen_wait(
        Prompt(
            "Person",
            "The name that reviews and feedback are written under.",
            value=settings.person,
            check=lambda name: "" if name.strip() else "A name is needed.",
        )
    )
    return None if answer is None else replace(settings, person=answer.strip())


async def workspace(app: ShellApp, settings: Settings) -> Settings | None:
    """Ask which folder to open from the next start on."""
    answer = await app.push_screen_wait(
        Prompt(
            "Workspace",
            "The folder to open when none is named, from the next start on.",
            value=str(settings.workspace or ""),
            check=_folder_problem,
            suggester=PathSuggester(folders=True),
        )
    )
    if answer is None:
        return None
    return replace(settings, workspace=typed_path(answer).absolute())


async def theme(app: ShellApp, settings: Settings) -> Settings | None:
    """Ask for a theme."""
    own = [known.name for known in themes()]
    others = sorted(set(app.available_themes) - set(own))
    choices = [(name, name, "") for name in (*own, *others)]
    answer = await app.push_screen_wait(Choose("Theme", choices, at=app.theme))
    return None if answer is None else replace(settings, theme=answer)


async def endpoint(
    app: ShellApp, settings: Settings, endpoints: Sequence[Endpoint]
) -> Settings | None:
    """Ask where chat and jobs go."""
    choices = [(item.name, item.name, visible(item.url) or "off") for item in endpoints]
    answer = await app.push_screen_wait(
        Choose("Where do chat and jobs go?", choices, at=settings.endpoint)
    )
    return None if answer is None else with_default(settings, answer)


def with_default(settings: Settings, name: str) -> Settings:
    """With another default endpoint; a model chosen for the old one is no longer asked first."""
    if name == settings.endpoint:
        return settings
    return replace(settings, endpoint=name, model="")


async def model(app: ShellApp, settings: Settings, cards: Sequence[ModelCard]) -> Settings | None:
    """Ask which model the chat asks first."""
    choices = [
        ("", NEWEST.capitalize(), ""),
        *((card.id, card.id, "fine-tuned" if card.tuned else "base") for card in cards),
    ]
    answer = await app.push_screen_wait(
        Choose("Which model is asked first?", choices, at=settings.model)
    )
    return None if answer is None else replace(settings, model=answer)


async def add(app: ShellApp, settings: Settings, known: Sequence[str]) -> Settings | None:
    """Ask for name, URL and trust of another server."""
    name = await app.push_screen_wait(
        Prompt(
            "Add an endpoint",
            "A short name for it:",
            placeholder="lab",
            check=lambda text: _name_problem(text.strip(), known),
        )
    )
    if name is None:
        return None
    url = await app.push_screen_wait(
        Prompt(
            "Add an endpoint",
            "Its URL:",
            placeholder="https://gpu1.example.org:8000",
            check=_url_problem,
        )
    )
    if url is None:
        return None
    trusted = await app.push_screen_wait(
        Choose(
            "May private papers go there?",
            (
                ("no", "No", "Text of papers marked private never goes there."),
                ("yes", "Yes, it is trusted", "For servers of your own group only."),
            ),
        )
    )
    if trusted is None:
        return None
    item = EndpointSettings(endpoint_url(url), trusted == "yes")
    return replace(settings, endpoints={**settings.endpoints, name.strip(): item})


async def trust(app: ShellApp, settings: Settings, item: Endpoint) -> Settings | None:
    """Take trust away at once; give it after a yes."""
    if not item.trusted:
        question = (
            f"Then text of papers marked private may be sent to {visible(item.url)}. Trust only "
            "servers of your own group."
        )
        if not await app.push_screen_wait(Confirm(f"Trust {item.name}", question)):
            return None
    changed = EndpointSettings(item.url, not item.trusted)
    return replace(settings, endpoints={**settings.endpoints, item.name: changed})


async def consent(app: ShellApp, settings: Settings, item: Endpoint) -> Settings | None:
    """Take the consent back at once; give it after a yes."""
    if item.name in settings.consented:
        rest = tuple(name for name in settings.consented if name != item.name)
        return replace(settings, consented=rest)
    question = (
        f"Then questions, passages and training files may be sent to {visible(item.url)}, which "
        "is not on this machine."
    )
    if not await app.push_screen_wait(Confirm(f"Send texts to {item.name}", question)):
        return None
    return replace(settings, consented=(*settings.consented, item.name))


async def remove(app: ShellApp, settings: Settings, item: Endpoint) -> Settings | None:
    """Ask, then take an endpoint out with all that hangs on it."""
    question = f"{visible(item.url)} is taken out of the settings and its key is forgotten."
    if not await app.push_screen_wait(Confirm(f"Remove {item.name}", question)):
        return None
    rest = {name: kept for name, kept in settings.endpoints.items() if name != item.name}
    consented = tuple(name for name in settings.consented if name != item.name)
    changed = replace(settings, endpoints=rest, consented=consented)
    return with_default(changed, "local") if settings.endpoint == item.name else changed


async def key(app: ShellApp, item: Endpoint) -> tuple[str, KeyPlace] | None:
    """Ask for a key, unseen, and where to keep it."""
    typed = await app.push_screen_wait(
        Prompt(
            f"Key for {item.name}",
            f"It is sent to {visible(item.url)} only and shown by its last four characters.",
            password=True,
            check=lambda text: "" if text.strip() else "A key is needed.",
        )
    )
    if typed is None:
        return None
    places = [("file", "In a file", "credentials.toml, which only you can read")]
    if importlib.util.find_spec("keyring") is not None:
        places.insert(0, ("keyring", "In the keyring", "encrypted by the system"))
    place = await app.push_screen_wait(Choose("Where is it kept?", places))
    if place is None:
        return None
    return typed, "keyring" if place == "keyring" else "file"


def _name_problem(name: str, known: Sequence[str]) -> str:
    if not _NAME.fullmatch(name):
        return "Lower-case letters, digits and hyphens, please."
    return f"There is a {name} already." if name in known else ""


def _url_problem(text: str) -> str:
    try:
        endpoint_url(text)
    except ValueError as error:
        return f"The URL {error}."
    return ""


def _folder_problem(text: str) -> str:
    path = typed_path(text) if text.strip() else Path()
    if not text.strip():
        return "A folder is needed."
    return f"{visible(str(path))} is a file." if path.is_file() else ""
