"""An author's own macros written out, within bounds: TeX itself is never run."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MOST_EXPANSIONS = 50_000
_LARGEST_BODY = 4000
# How much longer a paper may become; a macro that doubles itself twenty times stops here.
_MOST_GROWTH = 2_000_000
_ROUNDS = 8

_NEW = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareRobustCommand)\*?\s*(?:\{\s*\\([a-zA-Z]+)\s*\}|\\([a-zA-Z]+))"
    r"\s*(?:\[(\d)\])?\s*(?:\[([^\]]*)\])?\s*(?=\{)"
)
_DEF = re.compile(r"\\[gex]?def\s*\\([a-zA-Z]+)((?:#\d)*)\s*(?=\{)")
_OPERATOR = re.compile(
    r"\\DeclareMathOperator\*?\s*(?:\{\s*\\([a-zA-Z]+)\s*\}|\\([a-zA-Z]+))\s*(?=\{)"
)
# Redefining these would change what we read the paper by.
_KEPT = frozenset(
    """
    begin end section subsection subsubsection chapter paragraph title author abstract cite
    citep citet caption label ref item footnote input include documentclass bibliography emph
    textbf textit maketitle document
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro: its number of arguments, the first one's default, its body."""

    arguments: int
    default: str | None
    body: str


def group(text: str, start: int) -> tuple[str, int] | None:
    """The balanced `{…}` at `start` without its braces, and the offset after it."""
    if start >= len(text) or text[start] != "{":
        return None
    depth = 0
    position = start
    for match in _BRACE.finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                position = match.end()
                return text[start + 1 : position - 1], position
    return None


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_SPACE = re.compile(r"\s*")


def argument(text: str, start: int) -> tuple[str, int] | None:
    """A macro's argument after spaces: a group, a command, or one character."""
    match = _SPACE.match(text, start)
    start = match.end() if match else start
    if start >= len(text):
        return None
    found = group(text, start)
    if found:
        return found
    if text[start] == "\\":
        command = re.compile(r"\\(?:[a-zA-Z]+|.)", re.DOTALL).match(text, start)
        return (command[0], command.end()) if command else None
    return text[start], start + 1


def option(text: str, start: int) -> tuple[str, int] | None:
    """A `[…]` after spaces."""
    match = re.compile(r"\s*\[([^\[\]]{0,2000})\]").match(text, start)
    return (match[1], match.end()) if match else None


def collect(text: str) -> tuple[dict[str, Macro], str]:
    """The macros that a source defines, and the source without their definitions."""
    macros: dict[str, Macro] = {}
    cuts: list[tuple[int, int]] = []
    for pattern in (_NEW, _DEF, _OPERATOR):
        for match in pattern.finditer(text):
            body = group(text, match.end())
            if body is None:
                continue
            cuts.append((match.start(), body[1]))
            if pattern is _DEF:
                macro = Macro(match[2].count("#"), None, body[0])
                name = match[1]
            elif pattern is _OPERATOR:
                name, macro = match[1] or match[2], Macro(0, None, rf"\operatorname{{{body[0]}}}")
            else:
                name = match[1] or match[2]
                macro = Macro(int(match[3] or 0), match[4], body[0])
            recursive = re.search(rf"\\{name}(?![a-zA-Z])", macro.body)
            if name not in _KEPT and not recursive and len(macro.body) <= _LARGEST_BODY:
                macros[name] = macro
    kept, done = [], 0
    for start, end in sorted(cuts):
        if start >= done:
            kept.append(text[done:start])
            done = end
    return macros, "".join([*kept, text[done:]])


def expand(text: str, macros: dict[str, Macro]) -> str:
    """Write macros out, their bodies' macros too, until nothing changes or a bound is met."""
    if not macros:
        return text
    names = sorted(macros, key=len, reverse=True)
    pattern = re.compile(r"\\(" + "|".join(map(re.escape, names)) + r")(?![a-zA-Z])")
    limit = len(text) + _MOST_GROWTH
    left = _MOST_EXPANSIONS
    for _ in range(_ROUNDS):
        parts: list[str] = []
        done = size = 0
        for match in pattern.finditer(text):
            if match.start() < done:
                continue
            written = _call(text, match.end(), macros[match[1]])
            if written is None:
                continue
            left -= 1
            size += len(written[0]) + match.start() - done
            if left < 0 or size > limit:
                break
            parts += [text[done : match.start()], written[0]]
            done = written[1]
        if not parts:
            return text
        text = "".join([*parts, text[done:]])
        if left < 0 or len(text) > limit:
            break
    return text


def _call(text: str, position: int, macro: Macro) -> tuple[str, int] | None:
    values: list[str] = []
    if macro.arguments and macro.default is not None:
        given = option(text, position)
        values.append(given[0] if given else macro.default)
        position = given[1] if given else position
    while len(values) < macro.arguments:
        found = argument(text, position)
        if found is None:
            return None
        values.append(found[0])
        position = found[1]

    def fill(match: re.Match[str]) -> str:
        index = int(match[1]) - 1
        return values[index] if index < len(values) else ""

    body = re.sub(r"#([1-9])", fill, macro.body)
    # A macro that ends in a command must not swallow the letter that follows it.
    if re.search(r"\\[a-zA-Z]+$", body) and text[position : position + 1].isalpha():
        body += " "
    return body, position
