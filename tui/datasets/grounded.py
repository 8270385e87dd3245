"""A question with its sources in one turn: written as the chat asks it, read back as it was asked.

A model that is trained to answer from sources must meet them in the words in which the chat will
bring them, so the chat's own template is used; it ends with the question, which can thus be found
again for review, splits and leaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from tui.domain.errors import UsageError

REFUSAL = "I cannot answer from these sources."
"""All that is answered where the sources do not hold the answer; the chat asks for just this."""

TEMPLATE = "ask"
_ASKED = "\nQuestion: "
_PLACEHOLDER = re.compile(r"\{(?:question|sources)\}")


def template(overrides: Path | None = None) -> str:
    """The chat's template for a question with sources; the workspace's own where it has one.

    Raises UsageError when that one does not end with the question.
    """
    own = overrides / f"{TEMPLATE}.md" if overrides else None
    if own is not None and own.is_file():
        text, name = own.read_text(encoding="utf-8", errors="replace"), str(own)
    else:
        text = (resources.files("assets") / "prompts" / f"{TEMPLATE}.md").read_text("utf-8")
        name = f"{TEMPLATE}.md"
    if "{sources}" not in text or not text.rstrip().endswith(_ASKED + "{question}"):
        raise UsageError(
            f"{name} cannot be trained with: it must hold {{sources}} and end with a line "
            "“Question: {question}”.",
            "Mend it, or remove it to use the built-in one.",
        )
    return text.strip()


def written(template: str, question: str, sources: Sequence[str]) -> str:
    """The turn that asks `question` with numbered sources, each on a line of its own."""
    lines = (f"[{n}] {' '.join(source.split())}" for n, source in enumerate(sources, 1))
    values = {"{question}": " ".join(question.split()), "{sources}": "\n".join(lines)}
    # One pass: a placeholder inside a question or a paper is only text.
    return _PLACEHOLDER.sub(lambda match: values[match[0]], template)


def asked(turn: str) -> str:
    """The bare question of such a turn; the whole of any other."""
    _, found, question = turn.rpartition(_ASKED)
    return question.strip() if found else turn


def with_question(turn: str, question: str) -> str:
    """The turn with another question and the same sources."""
    before, found, _ = turn.rpartition(_ASKED)
    return before + found + " ".join(question.split()) if found else question
