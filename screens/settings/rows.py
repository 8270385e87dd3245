"""Settings as rows: a section, a name, a value, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tui.domain.endpoint import Endpoint, EndpointKind
from tui.mistral import EngineStatus
from tui.settings import Settings
from tui.text import visible
from widgets.rows import Column, Row

COLUMNS = (
    Column("", 9),
    Column("Setting", 10, share=1),
    Column("Value", 48, share=5),
    Column("Meaning", 34, share=4, rank=1),
)
ENDPOINT = "endpoint:"
ADD = "add"
NEWEST = "the newest fine-tuned one"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an endpoint: the end of its key, where the key is, what is wrong with it.

    The key itself never comes as far as here.
    """

    endpoint: Endpoint
    hint: str = ""
    place: str = ""
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """Where settings lie and what is wrong with the keymap."""

    settings: Path
    credentials: Path
    keymap: Path
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Everything the screen shows."""

    settings: Settings
    endpoints: Sequence[Known]
    engine: EngineStatus
    files: Files
    theme: str = ""

    def endpoint(self, key: str) -> Known | None:
        """The endpoint of a row; None for any other row."""
        name = key.removeprefix(ENDPOINT) if key.startswith(ENDPOINT) else None
        return next((known for known in self.endpoints if known.endpoint.name == name), None)


@dataclass(frozen=True, slots=True)
class Item:
    """A setting in one line, and at more length what it is for."""

    key: str
    name: str
    value: str
    meaning: str
    text: str = ""
    tone: str = ""


def sections(view: View, alerts: Sequence[Item] = ()) -> list[tuple[str, list[Item]]]:
    """All settings in order, by section; `alerts` are the ways an alert takes."""
    return [
        ("You", _you(view)),
        ("Asking", _asking(view.settings)),
        ("Endpoints", [*(_endpoint(known, view.settings) for known in view.endpoints), _adding()]),
        ("Engine", [_engine(view.engine)]),
        *([("Alerts", list(alerts))] if alerts else []),
        ("Files", _files(view.files)),
    ]


def rows(view: View, alerts: Sequence[Item] = ()) -> tuple[list[Row], dict[str, Item]]:
    """The rows of the list, a section's name in its first one, and the settings by row key."""
    found: list[Row] = []
    held: dict[str, Item] = {}
    for section, entries in sections(view, alerts):
        for position, item in enumerate(entries):
            head = "" if position else section
            found.append(Row(item.key, (head, item.name, item.value, item.meaning), item.tone))
            held[item.key] = item
    return found, held


def _you(view: View) -> list[Item]:
    settings = view.settings
    return [
        Item(
            "person",
            "Person",
            visible(settings.person),
            "whose name reviews and feedback carry",
            "The name that your reviews, corrections and feedback are written under, in files of "
            "your own that a team can merge.",
        ),
        Item(
            "workspace",
            "Workspace",
            visible(str(settings.workspace)) if settings.workspace else "none",
            "opened when none is named",
            "The folder that papertune opens without -w. Another one is opened at the next start.",
        ),
        Item(
            "theme",
            "Theme",
            view.theme or settings.theme,
            "dark, light or sixteen colours",
            "Colours. A terminal with only sixteen of them gets papertune-ansi.",
        ),
    ]


def _asking(settings: Settings) -> list[Item]:
    return [
        Item(
            "endpoint",
            "Endpoint",
            settings.endpoint,
            "where chat and jobs go",
            "Where questions and fine-tuning jobs are sent unless told otherwise.",
        ),
        Item(
            "model",
            "Model",
            visible(settings.model) or NEWEST,
            "asked first in the chat",
            f"The model that the chat asks first. None chosen: {NEWEST}, else a base model.",
        ),
    ]


def _endpoint(known: Known, settings: Settings) -> Item:
    endpoint = known.endpoint
    key = ENDPOINT + endpoint.name
    if endpoint.kind is EndpointKind.LOCAL:
        return Item(
            key,
            endpoint.name,
            visible(endpoint.url) or "off",
            "this machine's engine",
            "The engine of this machine. Nothing sent here leaves it, so it is trusted and needs "
            "no key.",
        )
    if known.wrong:
        return Item(key, endpoint.name, visible(endpoint.url), known.wrong, known.wrong, "warning")
    held = f"key {known.hint} ({known.place})" if known.place else "no key"
    trust = "trusted with private papers" if endpoint.trusted else "private papers never go there"
    sent = "texts may go there" if endpoint.name in settings.consented else "asks before it sends"
    return Item(
        key,
        endpoint.name,
        f"{held} · {visible(endpoint.url)}",
        f"{'trusted' if endpoint.trusted else 'not trusted'}, {sent}",
        f"{visible(endpoint.url)}: {held}, {trust}, {sent}.",
    )


def _adding() -> Item:
    text = "Another server that speaks the API: a colleague's engine, a machine of the group."
    return Item(ADD, "Add…", "another server by its URL", "", text, "dim")


def _engine(engine: EngineStatus) -> Item:
    if not engine.running:
        text = "It trains and answers on this machine. Jobs and chat start it when they need it."
        return Item("engine", "Engine", "off", "trains and answers on this machine", text)
    running, queued = engine.jobs.get("running", 0), engine.jobs.get("queued", 0)
    jobs = f"{running} running, {queued} waiting" if running or queued else "no jobs"
    return Item(
        "engine",
        "Engine",
        f"on, {engine.device or 'busy'}, {jobs}",
        f"process {engine.pid}, version {engine.version}",
        f"Runs as process {engine.pid} at {visible(engine.url)}, version {engine.version}. It goes "
        "on when you leave; its log: papertune engine logs",
    )


def _files(files: Files) -> list[Item]:
    wrong = "\n".join(files.problems)
    count = len(files.problems)
    return [
        Item("settings", "Settings", visible(str(files.settings)), "what is set on this screen"),
        Item(
            "credentials",
            "Keys",
            visible(str(files.credentials)),
            "keys kept in a file, yours only",
            "Keys that are kept in a file rather than the keyring; only you can read it.",
        ),
        Item(
            "keymap",
            "Keymap",
            visible(str(files.keymap)),
            f"{count} lines that cannot be used" if count else "your own keys, one line each",
            wrong or 'One line per action, e.g. "corpus.add" = "A"; read at the next start.',
            "warning" if count else "",
        ),
    ]
