"""From the registry and the user's `keymap.toml` to key bindings.

Textual ignores unknown ids and lets a remapped key steal another's; so a keymap is validated here
and every entry that cannot be used is reported and left at its default.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from tui.actions import ACTIONS, Action, of_scope, rows
from tui.text import visible

# Lost between a plain terminal or tmux and the app: they arrive as another key or not at all.
SWALLOWED = {
    "ctrl+m": "enter",
    "ctrl+i": "tab",
    "ctrl+h": "backspace",
    "ctrl+left_square_bracket": "escape",
    "ctrl+enter": "",
    "alt+enter": "enter",
    "ctrl+comma": "",
    "ctrl+b": "tmux's prefix",
}
_SIGNS = {
    "?": "question_mark",
    "/": "slash",
    "!": "exclamation_mark",
    "*": "asterisk",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    ",": "comma",
    ".": "full_stop",
    "-": "minus",
    "+": "plus",
    ":": "colon",
    ";": "semicolon",
    "#": "number_sign",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "=": "equals_sign",
    "@": "at",
    "'": "apostrophe",
    '"': "quotation_mark",
    " ": "space",
}
_NAMES = {key.value for key in Keys} | set(_SIGNS.values()) | set(KEY_NAME_REPLACEMENTS.values())
_SHOWN = {name: sign for sign, name in _SIGNS.items() if sign != " "} | {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "shift+tab": "⇧tab",
    "down": "↓",
    "up": "↑",
}


@dataclass(frozen=True, slots=True)
class Keymap:
    """The user's keys by action id, all usable, and a sentence for each entry that is not."""

    keys: dict[str, str]
    problems: tuple[str, ...] = ()


def normal(key: str) -> str:
    """A key's name as textual spells it: `?` is `question_mark`."""
    *modifiers, last = key.strip().split("+") if key.strip() not in {"+", ""} else [key.strip()]
    return "+".join([*modifiers, _SIGNS.get(last, last)])


def shown(key: str) -> str:
    """A key as a person reads it: `ctrl+p` is `^p`, `question_mark` is `?`."""
    if key in _SHOWN:
        return _SHOWN[key]
    *modifiers, last = key.split("+")
    text = _SHOWN.get(last, last)
    if modifiers == ["ctrl"]:
        return f"^{text}"
    return "+".join([*modifiers, text])


def bindings(scope: str) -> list[BindingType]:
    """The bindings of one scope, for a node's BINDINGS."""
    return [
        Binding(
            ",".join(map(normal, action.keys.split(","))),
            action.name,
            action.description,
            show=False,
            id=action.id,
            # Leaving and the palette work from every focus, a text field included.
            priority=action.id in {"app.quit", "app.palette"},
        )
        for action in of_scope(scope)
    ]


def load_keymap(path: Path) -> Keymap:
    """Read `keymap.toml`: one line per action, `"corpus.add" = "A"` or a list of keys.

    Never raises: a keymap that cannot be read is a problem to show, not a reason not to start.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Keymap({})
    except (OSError, UnicodeDecodeError) as error:
        return Keymap({}, (f"{path} cannot be read: {visible(str(error))}",))
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Keymap({}, (f"{path} is not TOML: {visible(str(error))}",))
    return check(document)


def check(document: dict[str, Any]) -> Keymap:
    """Keep what can be used of a keymap's entries and say what is wrong with the rest."""
    problems: list[str] = []
    keys: dict[str, str] = {}
    for identity, value in _flat(document):
        if identity not in ACTIONS:
            problems.append(_unknown(identity))
            continue
        wanted = [value] if isinstance(value, str) else value
        if not (isinstance(wanted, list) and wanted and all(isinstance(k, str) for k in wanted)):
            problems.append(f"keymap: {identity} needs a key or a list of keys.")
            continue
        names = [normal(part) for item in wanted for part in _parts(item)]
        wrong = [sentence for name in names if (sentence := _wrong(name))]
        if wrong or not names:
            problems += [f"keymap: {identity}: {sentence}" for sentence in wrong]
            continue
        keys[identity] = ",".join(names)
    while clash := next(conflicts(keys), None):
        key, first, second = clash
        # The entry that the user wrote gives way; of two, the later one in the registry.
        loser = second if second.id in keys else first
        other = first if loser is second else second
        if loser.id not in keys:
            break
        problems.append(
            f"keymap: {shown(key)} for {loser.id} is taken by {other.id} ({other.description})."
        )
        del keys[loser.id]
    return Keymap(keys, tuple(problems))


def conflicts(keys: dict[str, str]) -> Iterator[tuple[str, Action, Action]]:
    """Each key that two actions would share while both are alive."""
    for row in rows():
        taken: dict[str, Action] = {}
        for scope in row:
            for action in of_scope(scope):
                own = keys.get(action.id) or ",".join(map(normal, action.keys.split(",")))
                for key in own.split(","):
                    other = taken.setdefault(key, action)
                    if other is not action and other.id not in action.hides:
                        yield key, other, action


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    # A bare `corpus.add = "A"` is a nested table to TOML; both spellings mean the same.
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, "" if not prefix and name == "keys" else f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _parts(text: str) -> list[str]:
    return [text] if text in {",", " "} else [part for part in text.split(",") if part.strip()]


def _unknown(identity: str) -> str:
    near = difflib.get_close_matches(identity, ACTIONS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"keymap: there is no action {visible(identity)}.{hint}"


def _wrong(name: str) -> str:
    if name in SWALLOWED:
        instead = SWALLOWED[name]
        return f"{shown(name)} does not reach the app" + (
            f" (it is {instead})." if instead else "."
        )
    *modifiers, key = name.split("+")
    if not set(modifiers) <= {"ctrl", "alt", "shift", "super"}:
        return f"{visible(name)} is not a key."
    if len(key) == 1 or key in _NAMES or re.fullmatch(r"f([1-9]|1\d|2[0-4])", key):
        return ""
    return f"{visible(name)} is not a key."
