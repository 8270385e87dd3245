"""The engine's part of `config.toml`: the table `[engine]`, typed and checked.

The engine runs without the app, so it reads the file itself. Whatever is wrong is refused with the
file, the key and the nearest name: a mistyped `partition` must not send a job to the wrong queue.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tui.domain.errors import UsageError
from tui.storage.locations import config_dir
from tui.text import visible

_T = TypeVar("_T")
_Reader = Callable[[Any], Any]
LAUNCHERS = ("process", "slurm")
CHAT_PLACES = ("auto", "here", "slurm")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?b?)", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_.,@+-]{0,128}")
_TIME = re.compile(r"(\d+-)?\d{1,4}(:\d{1,2}){0,2}")
_GPUS = re.compile(r"([A-Za-z0-9_.-]+:)?\d{1,3}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LONGEST_LINE = 4000


def _option(read: _Reader, default: Any) -> Any:
    """A setting: `read` turns TOML's value into the field's or raises ValueError with "must …"."""
    return field(default=default, metadata={"read": read})


def text(value: Any) -> str:
    """One line of text."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > _LONGEST_LINE:
        raise ValueError("must be one line of text")
    return value


def word(value: Any) -> str:
    """A name as Slurm knows them: letters, digits and `_ . , @ + -`."""
    if not isinstance(value, str) or not _WORD.fullmatch(value) or value.startswith("-"):
        raise ValueError("must be a name of letters, digits, '_', '.', '-'")
    return value


def lines(value: Any) -> tuple[str, ...]:
    """A list of lines."""
    if not isinstance(value, list):
        raise ValueError('must be a list of lines: ["…", "…"]')
    return tuple(text(item) for item in value)


def number(value: Any) -> float:
    """A number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e12:
        raise ValueError("must be a number, at least 0")
    return float(value)


def count(value: Any) -> int:
    """A whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
        raise ValueError("must be a whole number from 1 to 10000")
    return value


def tokens(value: Any) -> int:
    """A number of tokens."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2**31:
        raise ValueError("must be a number of tokens")
    return value


def size(value: Any) -> int:
    """Bytes: a whole number, or text with a unit, `20GB`."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = match[2].lower() if match else ""
    if match is None or (unit and not unit.endswith("b")):
        raise ValueError("must be a size in bytes or with a unit: '20GB'")
    return round(float(match[1]) * _UNITS[unit])


def one_of(*words: str) -> _Reader:
    """One of some words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be one of: {', '.join(words)}")
        return str(value)

    return read


def python(value: Any) -> str:
    """The path of an interpreter; whether it can train is looked at before a job starts."""
    path = Path(text(value)).expanduser()
    if not path.is_absolute():
        raise ValueError("must be an absolute path of a Python interpreter")
    return str(path)


def _directives(value: Any) -> tuple[str, ...]:
    found = lines(value)
    for line in found:
        if not line.startswith("-"):
            raise ValueError(f"must hold options of sbatch such as '--qos=long', not '{line}'")
    return found


def _time(value: Any) -> str:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("must be a time as Slurm writes it: '12:00:00' or '2-00:00:00'")
    return value


def _gpus(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 999:
        return str(value) if value else ""
    if isinstance(value, str) and _GPUS.fullmatch(value):
        return value
    raise ValueError("must be GPUs per node: 2, or with their type: 'a100:2'")


def _url(value: Any) -> str:
    address = text(value).rstrip("/").removesuffix("/v1").rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL that starts with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a password; name its variable in key_env")
    return address


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError("must be the name of an environment variable")
    return value


@dataclass(frozen=True, slots=True)
class SlurmChat:
    """How chat workers run on the cluster; what is empty is taken from `[engine.slurm]`.

    A worker that nobody asked for `idle_minutes` is ended; `wait_minutes` is how long a question
    waits for a worker that stands in the queue.
    """

    partition: str = _option(word, "")
    gpus: str = _option(_gpus, "")
    time: str = _option(_time, "")
    directives: tuple[str, ...] = _option(_directives, ())
    idle_minutes: float = _option(number, 15.0)
    wait_minutes: float = _option(number, 10.0)


@dataclass(frozen=True, slots=True)
class Slurm:
    """What a job asks Slurm for.

    `gpus` are those of one node; `directives` are further `#SBATCH` options, `setup` lines of
    shell run on the node before the worker, e.g. `module load cuda`. `squeue` is asked every
    `poll_seconds` at most. Training takes the partition
    and so on that stand here, chat what stands in `[engine.slurm.chat]`.
    """

    partition: str = _option(word, "")
    account: str = _option(word, "")
    gpus: str = _option(_gpus, "")
    time: str = _option(_time, "")
    nodes: int = _option(count, 1)
    cpus: int = _option(count, 1)
    memory: str = _option(word, "")
    directives: tuple[str, ...] = _option(_directives, ())
    setup: tuple[str, ...] = _option(lines, ())
    poll_seconds: float = _option(number, 5.0)
    chat: SlurmChat = field(default=SlurmChat(), metadata={"table": SlurmChat})

    @property
    def gpus_per_node(self) -> int:
        """How many GPUs a node gives to the job."""
        return int(self.gpus.rpartition(":")[2] or 0)


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of one device (a GPU, or a machine without one) costs the team."""

    device_hour: float = _option(number, 0.0)
    currency: str = _option(one_of("eur", "usd"), "usd")


@dataclass(frozen=True, slots=True)
class Quota:
    """The largest upload and the most that all uploads may take, in bytes; 0: no limit."""

    upload: int = _option(size, 512 * 2**20)
    disk: int = _option(size, 0)


@dataclass(frozen=True, slots=True)
class Upstream:
    """An OpenAI-compatible server that answers for a model; its key stands in a variable.

    `model` is the model's real name there, by which it is then known here too; empty: the table's
    own name. `dialect` is `mistral` for servers that speak Mistral's API, as this one does.
    `context` is its length in tokens.
    """

    url: str = _option(_url, "")
    key_env: str = _option(_variable, "")
    model: str = _option(text, "")
    dialect: str = _option(one_of("openai", "mistral"), "openai")
    context: int = _option(tokens, 32_768)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The table `[engine]`.

    `launcher` is where jobs train: a process of this machine, or Slurm. `python` is the worker's
    interpreter, so that a site's own torch can be used; empty: the engine's own. `gpus` is how
    many of this machine's GPUs one job takes at most. `chat` is where a model that this machine
    cannot hold answers.
    """

    launcher: str = _option(one_of(*LAUNCHERS), "process")
    python: str = _option(python, "")
    gpus: int = _option(count, 1)
    chat: str = _option(one_of(*CHAT_PLACES), "auto")
    slurm: Slurm = field(default=Slurm(), metadata={"table": Slurm})
    price: Price = field(default=Price(), metadata={"table": Price})
    quota: Quota = field(default=Quota(), metadata={"table": Quota})
    upstream: dict[str, Upstream] = field(default_factory=dict, metadata={"tables": Upstream})


def engine_settings(path: Path | None = None) -> EngineSettings:
    """Read `[engine]`; a file or table that is not there gives the defaults.

    Raises UsageError with the file and the key: not TOML, an unknown key, a value that cannot be.
    """
    path = path or config_dir() / "config.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return EngineSettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not TOML: {visible(str(error))}.", "Mend that line."
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or os.strerror(error.errno or 0)}.",
            f"Try: ls -l {path}",
        ) from error
    return _table(EngineSettings, path, "engine", document.get("engine", {}))


def _table(kind: type[_T], path: Path, where: str, document: Any) -> _T:
    if not isinstance(document, dict):
        raise _wrong(path, where, f"must be a table: [{where}]")
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in document.items():
        place = f"{where}.{key}"
        if key not in known:
            raise _wrong(path, place, "is no setting", _nearest(key, known))
        values[key] = _value(known[key], path, place, value)
    return kind(**values)


def _value(item: Field[Any], path: Path, where: str, value: Any) -> Any:
    if "table" in item.metadata:
        return _table(item.metadata["table"], path, where, value)
    if "tables" in item.metadata:
        if not isinstance(value, dict):
            raise _wrong(path, where, f'must hold tables: [{where}."NAME"]')
        kind = item.metadata["tables"]
        return {name: _table(kind, path, f"{where}.{name}", inner) for name, inner in value.items()}
    try:
        return item.metadata["read"](value)
    except ValueError as error:
        raise _wrong(path, where, str(error)) from error


def _wrong(path: Path, where: str, what: str, remedy: str = "") -> UsageError:
    return UsageError(
        f"{path}: '{visible(where)}' {visible(what)}.", remedy or f"Edit {visible(str(path))}."
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(words)}."
