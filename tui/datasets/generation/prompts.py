"""What a model is asked: templates with places for the paper's title and text.

Prompts are files in `assets/prompts/`; a workspace overrides one by a file of the same name in its
`prompts/` folder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from tui.datasets.generation.answers import AnswerError
from tui.datasets.generation.plan import QuestionType, Unit
from tui.domain.errors import UsageError
from tui.domain.example import Kind, Turn
from tui.text import clean, shorten

_PLACEHOLDER = re.compile(r"\{(?:title|passage|type|wordings|question|answer)\}")
_ASKED = {
    QuestionType.RESULT: "a result with its number",
    QuestionType.METHOD: "how something was done, made or measured",
    QuestionType.DEFINITION: "what a term means or what something is",
    QuestionType.COMPARISON: "how two things compare",
    QuestionType.LIMITATION: "a limit, an exception or what is not known",
    QuestionType.UNANSWERABLE: "what it leaves open",
}
_SHOWN_BACK = 600


def prompt_name(kind: Kind, asked: QuestionType) -> str:
    """The name of the template for a request."""
    if kind in (Kind.QA, Kind.RETRIEVAL):
        return "generate-unanswerable" if asked is QuestionType.UNANSWERABLE else "generate-qa"
    return f"generate-{kind.value}"


class GenerationPrompts:
    """The prompts for generating and judging: the workspace's own, else the built-in ones."""

    def __init__(self, overrides: Path | None = None) -> None:
        self.overrides = overrides

    def template(self, name: str) -> str:
        """The template of a name; raises UsageError when an override lacks the passage's place."""
        own = self.overrides / f"{name}.md" if self.overrides else None
        if own is None or not own.is_file():
            return (resources.files("assets") / "prompts" / f"{name}.md").read_text("utf-8")
        text = own.read_text(encoding="utf-8", errors="replace")
        if "{passage}" not in text:
            raise UsageError(f"{own} lacks {{passage}}.", "Add it, or remove the file.")
        return text

    def version(self, name: str) -> str:
        """The template's name with a hash of its words: what an example was written with."""
        digest = hashlib.sha256(self.template(name).encode()).hexdigest()
        return f"{name}@{digest[:8]}"

    def compose(
        self, kind: Kind, unit: Unit, texts: Sequence[str], asked: QuestionType, wordings: int
    ) -> tuple[Turn, ...]:
        """The request for one unit with the texts of its passages."""
        return self.fill(
            prompt_name(kind, asked),
            {
                "title": shorten(unit.title, 200),
                "passage": fenced(unit.id, texts),
                "type": _ASKED[asked],
                "wordings": str(max(0, wordings - 1)),
            },
        )

    def fill(self, name: str, values: Mapping[str, str]) -> tuple[Turn, ...]:
        """A template with values in its places; a place that has no value stays as it is."""

        def value(match: re.Match[str]) -> str:
            return values.get(match[0][1:-1], match[0])

        # One pass: a placeholder inside a paper is only text.
        return (Turn("user", _PLACEHOLDER.sub(value, self.template(name)).strip()),)


def again(turns: Sequence[Turn], said: str, error: AnswerError) -> tuple[Turn, ...]:
    """The same request once more, with what was wrong with the first answer."""
    return (
        *turns,
        Turn("assistant", clean(said)[:_SHOWN_BACK] or "(nothing)"),
        Turn("user", f"That cannot be used: {error}. Write the JSON object again, nothing else."),
    )


def fenced(name: str, texts: Sequence[str]) -> str:
    """Foreign text between two marks that do not stand in it."""
    body = "\n\n".join(text.strip() for text in texts)
    mark = f"passage-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    while mark in body:
        mark = f"passage-{hashlib.sha256(mark.encode()).hexdigest()[:6]}"
    return f"<{mark}>\n{body}\n</{mark}>"
