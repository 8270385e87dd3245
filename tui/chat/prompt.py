"""Putting a question, its sources and the conversation before a model.

Prompts are files in `assets/prompts/`; a workspace overrides one by a file of the same name in its
`prompts/` folder. Paper text stands between markers and is called quotation, never instruction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from tui.domain.chat import Exchange, Mode, Source
from tui.domain.errors import UsageError
from tui.domain.example import Turn

REFUSAL = "I cannot answer from these sources."

_PLACEHOLDER = re.compile(r"\{(?:question|sources)\}")


class Prompts:
    """The prompt templates: the workspace's own where it has one, else the built-in ones."""

    def __init__(self, overrides: Path | None = None) -> None:
        self._overrides = overrides

    def template(self, name: str) -> str:
        """The template called `name`; raises UsageError when an override lacks a placeholder."""
        built_in = (resources.files("assets") / "prompts" / f"{name}.md").read_text("utf-8")
        own = self._overrides / f"{name}.md" if self._overrides else None
        if own is None or not own.is_file():
            return built_in
        text = own.read_text(encoding="utf-8", errors="replace")
        for placeholder in ("{question}", "{sources}"):
            if placeholder in built_in and placeholder not in text:
                raise UsageError(f"{own} lacks {placeholder}.", "Add it, or remove the file.")
        return text


def compose(
    question: str,
    *,
    mode: Mode,
    sources: Sequence[Source],
    with_sources: bool,
    brief: bool,
    history: Sequence[Exchange],
    prompts: Prompts,
) -> tuple[Turn, ...]:
    """The messages for one question.

    Without sources the question stands alone, exactly as in training. `brief` takes the short
    prompt, for models on a CPU.
    """
    turns = [
        turn
        for exchange in history
        for turn in (Turn("user", exchange.question), Turn("assistant", exchange.answer.text))
        if turn.content
    ]
    if with_sources or mode is not Mode.ASK:
        name = "ask-brief" if mode is Mode.ASK and brief else mode.value
        text = prompts.template(name)
        values = {"{question}": question, "{sources}": fenced(sources)}
        # One pass: a placeholder inside a question or a paper is only text.
        text = _PLACEHOLDER.sub(lambda match: values[match[0]], text)
    else:
        text = question
    return (*turns, Turn("user", text.strip()))


def fenced(sources: Sequence[Source]) -> str:
    """The sources as numbered lines; a line break in one would let it pose as another."""
    return "\n".join(f"[{source.n}] {' '.join(source.quote.split())}" for source in sources)
