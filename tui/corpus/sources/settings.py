"""The table `[sources]` of config.toml: who asks, and where the services are."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tui.domain.errors import UsageError
from tui.storage.locations import config_dir
from tui.text import visible


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """`contact` is an e-mail address or URL that is sent along, so that a service can reach whoever
    asks too much of it; the rest are base URLs, for mirrors and tests."""

    contact: str = ""
    arxiv: str = "https://export.arxiv.org"
    doi: str = "https://doi.org"
    unpaywall: str = "https://api.unpaywall.org"
    zotero: str = "https://api.zotero.org"
    zotero_local: str = "http://localhost:23119/api"


def source_settings(path: Path | None = None) -> SourceSettings:
    """Read the table; one that is not there gives the defaults.

    Raises UsageError that names the file and the key: not TOML, unknown, or of the wrong type.
    """
    path = path or config_dir() / "config.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return SourceSettings()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read as TOML: {visible(str(error))}.", "Mend that line."
        ) from error
    table = document.get("sources", {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: 'sources' must be a table: [sources]", f"Edit {path}.")
    known = [item.name for item in fields(SourceSettings)]
    for key, value in table.items():
        if key not in known:
            raise UsageError(
                f"{path}: 'sources.{visible(key)}' is no setting.",
                f"Known are: {', '.join(known)}.",
            )
        _check(path, key, value)
    return SourceSettings(**{k: v.rstrip("/") for k, v in table.items()})


def _check(path: Path, key: str, value: Any) -> None:
    wrong = ""
    if not isinstance(value, str) or not value.isprintable():
        wrong = "must be text on one line"
    elif key == "contact":
        wrong = "" if value.isascii() else "must be an e-mail address or a URL in ASCII"
    elif urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        wrong = "must be a URL that starts with http:// or https://"
    if wrong:
        raise UsageError(f"{path}: 'sources.{key}' {wrong}.", f"Edit {path}.")
