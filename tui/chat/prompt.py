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
from tui.domain.text import words

REFUSAL = "I cannot answer from these sources."

# The marks between which sources stand; a passage that holds one must not end its quotation.
_MARKS = re.compile(r"<(/?\s*(?:sources?|passages?|notes)\b)", re.IGNORECASE)
_REFUSES = re.compile(
    r"\bi (?:cannot|can't|can not|am (?:not able|unable) to) (?:answer|say|tell)\b"
    r"|\bsources? (?:do|does) not (?:hold|contain|say|answer|provide|mention)\b",
    re.IGNORECASE,
)
_SHORT_REFUSAL = 40


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
        for placeholder in re.findall(r"\{[a-z_]+\}", built_in):
            if placeholder not in text:
                raise UsageError(f"{own} lacks {placeholder}.", "Add it, or remove the file.")
        return text

    def filled(self, name: str, **values: str) -> str:
        """The template with its placeholders filled in one pass: what is put in is only text."""
        pattern = re.compile("|".join(re.escape(f"{{{key}}}") for key in values))
        text = pattern.sub(lambda match: values[match[0][1:-1]], self.template(name))
        return text.strip()


def compose(
    question: str,
    *,
    mode: Mode,
    sources: Sequence[Source],
    with_sources: bool,
    brief: bool,
    history: Sequence[Exchange],
    prompts: Prompts,
    read: Sequence[str] = (),
) -> tuple[Turn, ...]:
    """The messages for one question.

    Without sources the question stands alone, exactly as in training. `brief` takes the short
    prompt, for models on a CPU. `read` are titles that a newcomer knows already.
    """
    turns = [
        turn
        for exchange in history
        for turn in (Turn("user", exchange.question), Turn("assistant", exchange.answer.text))
        if turn.content
    ]
    if with_sources or mode is not Mode.ASK:
        name = "ask-brief" if mode is Mode.ASK and brief else mode.value
        text = prompts.filled(
            name,
            question=question,
            sources=fenced(sources, titled=mode is not Mode.ASK),
            read="\n".join(f"- {fence(title)}" for title in read) or "nothing yet",
        )
    else:
        text = question
    return (*turns, Turn("user", text.strip()))


def fenced(sources: Sequence[Source], *, titled: bool = False) -> str:
    """The sources as numbered lines, with their papers' titles where the papers matter."""
    return "\n".join(
        f"[{source.n}] " + (f"({fence(source.title)}) " if titled else "") + fence(source.quote)
        for source in sources
    )


def fence(text: str) -> str:
    """Foreign text on one line: a line break would let it pose as a source of its own."""
    return _MARKS.sub(r"< \1", " ".join(text.split()))


def refuses(answer: str) -> bool:
    """Whether an answer says, in the words it was given or others, that the sources lack it."""
    said = words(answer)
    wanted = words(REFUSAL)
    if said[: len(wanted)] == wanted and len(said) < _SHORT_REFUSAL:
        return True
    return len(said) < _SHORT_REFUSAL and _REFUSES.search(answer) is not None


def missing_marks(mode: Mode, answer: str) -> tuple[str, ...]:
    """What a mode's shape asks for and the answer lacks."""
    if mode is not Mode.BRAINSTORM or not answer:
        return ()
    stated, guessed = (re.search(rf"\b{word}\b", answer, re.I) for word in ("stated", "conjecture"))
    if stated and guessed:
        return ()
    return (
        "What is stated and what is conjectured is not told apart: take all of it as conjecture.",
    )
