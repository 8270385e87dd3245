"""Giving an example other words: in a form beside its passage, or in the user's editor."""

from __future__ import annotations

from screens.base import ShellApp
from screens.datasets.words import editable, edited
from tui.domain.errors import UsageError
from tui.domain.example import Example
from widgets.document import Document
from widgets.writing_form import Field, Values, WritingForm

Changed = dict[str, str | None]


async def in_form(app: ShellApp, example: Example, source: Document) -> Changed | None:
    """Ask for other words with the passage in sight; what changed, or None."""
    from tui.datasets.content import question_and_answer

    question, answer = question_and_answer(example)
    if question:
        old = {"question": question, "answer": answer}
        fields = [
            Field("question", "Question", value=question),
            Field("answer", "Answer", value=answer),
        ]
    else:
        old = {"text": example.text}
        fields = [Field("text", "Text", value=example.text)]
    values = await app.push_screen_wait(WritingForm("Edit", source, fields, _missing))
    if values is None or dict(values) == {name: text.strip() for name, text in old.items()}:
        return None
    return {"question": None, "answer": None, "text": None, **values}


def _missing(values: Values) -> str:
    empty = [name for name, text in values.items() if not text]
    return f"The {empty[0]} is missing. Type it, or leave with escape." if empty else ""


def in_editor(app: ShellApp, example: Example) -> Changed | None:
    """Open the example in the user's editor; what changed, or None."""
    if (text := app.edit_text(editable(example))) is None:
        return None
    try:
        return edited(example, text)
    except ValueError as error:
        app.report(UsageError(f"Nothing was changed: {error}."))
        return None
