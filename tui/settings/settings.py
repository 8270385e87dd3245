"""Typed settings in `config.toml` of the user's config directory."""

from __future__ import annotations

import difflib
import getpass
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import tomli_w

from tui.domain.errors import UsageError
from tui.settings import money
from tui.settings.alerts import AlertSettings, alerts_table, read_alerts
from tui.settings.money import BudgetSettings, PriceSettings
from tui.storage import atomic
from tui.storage.locations import config_dir
from tui.text import visible

Result = TypeVar("Result")

_RESERVED = "local"  # the engine of this machine: its URL and token come from its state file
_ELSEWHERE = frozenset({"engine", "sources"})  # tables that whoever uses them reads and checks


def login_name() -> str:
    """The name this person is logged in by, or `someone` where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "someone"


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Where an endpoint is, and whether private text may go there."""

    url: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a person can set; each field is a key of `config.toml` of the same name.

    `endpoint` and `model` are the defaults of chat and jobs. `consented` names the endpoints for
    which the question before the first send was answered yes. `aliases` maps a name a team
    chose to a model's id.
    """

    workspace: Path | None = None
    person: str = field(default_factory=login_name)
    theme: str = "papertune-dark"
    endpoint: str = "local"
    model: str = ""
    endpoints: dict[str, EndpointSettings] = field(default_factory=dict)
    consented: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)
    prices: PriceSettings = field(default_factory=PriceSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)


def settings_file() -> Path:
    """Where the settings lie."""
    return config_dir() / "config.toml"


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings; a file that is not there gives the defaults.

    Raises UsageError that names the file and the line or key: not TOML, an unknown key (with the
    nearest known one), a value of the wrong type. Nothing is guessed or passed over, because a
    mistyped `trusted` would send text where it must not go.
    """
    path = path or settings_file()
    return _Reader(path).settings(_document(path))


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Write the settings atomically; keys this version does not know are kept as they are.

    Values equal to the default are left out, so that a later version's better default arrives.
    Raises UsageError, and leaves the file alone, when it is not TOML or when what would be
    written could not be read again.
    """
    path = path or settings_file()
    document = _document(path)
    defaults = Settings()
    changed = {}
    for item in fields(Settings):
        value = getattr(settings, item.name)
        document.pop(item.name, None)
        if value != getattr(defaults, item.name):
            changed[item.name] = _toml(value)
    _Reader(path).settings(changed)
    document.update(changed)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.write_text(path, tomli_w.dumps(document))


def endpoint_url(text: str) -> str:
    """The base URL of an endpoint as the client wants it: without `/v1`, without a final slash.

    Raises ValueError, in words for a person, for anything but http(s) and for a URL that holds a
    password, which belongs to the credentials.
    """
    url = text.strip().rstrip("/").removesuffix("/v1").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL that starts with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password; store a key in Settings instead")
    if parts.query or parts.fragment:
        raise ValueError("must not hold a query or fragment")
    return url


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that names the known word nearest to `name`, or all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(words)}."


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not TOML: {visible(str(error))}.",
            "Mend that line, or move the file away to start with the defaults.",
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", f"Try: ls -l {path}"
        ) from error


def _toml(value: Any) -> Any:
    """A field's value as TOML knows it."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, EndpointSettings):
        return {"url": value.url, "trusted": value.trusted}
    if isinstance(value, PriceSettings | BudgetSettings | AlertSettings):
        return alerts_table(value) if isinstance(value, AlertSettings) else money.table(value)
    if isinstance(value, dict):
        return {key: _toml(item) for key, item in value.items()}
    return value


class _Reader:
    """Turns a document into Settings; every refusal names the file and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def settings(self, document: dict[str, Any]) -> Settings:
        readers: dict[str, Callable[[str, Any], Any]] = {
            "workspace": lambda key, value: Path(self.text(key, value)),
            "person": self.text,
            "theme": self.text,
            "endpoint": self.text,
            "model": self.text,
            "endpoints": self.endpoints,
            "consented": self.texts,
            "aliases": self.aliases,
            "prices": lambda key, value: self.money(key, value, money.read_prices),
            "budget": lambda key, value: self.money(key, value, money.read_budget),
            "alerts": lambda key, value: self.money(key, value, read_alerts),
        }
        values: dict[str, Any] = {}
        for key, value in document.items():
            if key in _ELSEWHERE:
                self.table(key, value)
                continue
            if key not in readers:
                raise self.wrong(key, "is no setting", nearest(key, {*readers, *_ELSEWHERE}))
            values[key] = readers[key](key, value)
        return Settings(**values)

    def wrong(self, key: str, what: str, remedy: str = "") -> UsageError:
        remedy = remedy[:1].upper() + remedy[1:]
        return UsageError(f"{self.path}: '{visible(key)}' {what}.", remedy or f"Edit {self.path}.")

    def text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong(key, f"must be text, not {type(value).__name__}")
        return value

    def texts(self, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.wrong(key, "must be a list of texts")
        return tuple(self.text(key, item) for item in value)

    def table(self, key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(key, f"must be a table: [{visible(key)}]")
        return value

    def money(self, key: str, value: Any, read: Callable[[str, dict[str, Any]], Result]) -> Result:
        try:
            return read(key, self.table(key, value))
        except money.WrongValueError as error:
            raise self.wrong(*error.args) from None

    def aliases(self, key: str, value: Any) -> dict[str, str]:
        table = self.table(key, value)
        return {name: self.text(f"{key}.{name}", item) for name, item in table.items()}

    def endpoints(self, key: str, value: Any) -> dict[str, EndpointSettings]:
        found = {}
        for name, item in self.table(key, value).items():
            where = f"{key}.{name}"
            if name == _RESERVED:
                raise self.wrong(where, "is the engine of this machine and cannot be set")
            table = self.table(where, item)
            for inner in table:
                if inner not in ("url", "trusted"):
                    known = ("url", "trusted")
                    raise self.wrong(f"{where}.{inner}", "is no setting", nearest(inner, known))
            if "url" not in table:
                raise self.wrong(where, "has no url")
            trusted = table.get("trusted", False)
            if not isinstance(trusted, bool):
                raise self.wrong(f"{where}.trusted", "must be true or false")
            try:
                url = endpoint_url(self.text(f"{where}.url", table["url"]))
            except ValueError as error:
                raise self.wrong(f"{where}.url", str(error)) from error
            found[name] = EndpointSettings(url, trusted)
        return found
