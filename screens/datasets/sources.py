"""What is shown of an example: what it asks and says, and the passages that it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Kind
from tui.domain.paper import Passage
from widgets.document import Document, Heading

if TYPE_CHECKING:
    from tui.corpus import Corpus


def told(example: Example) -> tuple[str, str]:
    """The question and what is answered; a conversation's turns one below the other."""
    from tui.datasets.content import question_and_answer

    if example.kind is Kind.CONVERSATION and len(example.turns) > 2:
        turns = [turn for turn in example.turns if turn.content]
        first = next((place for place, turn in enumerate(turns) if turn.role == "user"), 0)
        lines = [f"{turn.role}: {turn.content}" for turn in turns[first + 1 :]]
        return example.question, "\n\n".join(lines)
    question, answer = question_and_answer(example)
    return question, answer or example.text or example.answer


def source(corpus: Corpus, example: Example) -> tuple[Document, list[str]]:
    """The passages of an example with its quote marked, and a line about them.

    The document is empty where there are none; blocking.
    """
    passages = [found for name in example.passages if (found := _passage(corpus, name))]
    if not passages:
        return Document(), []
    headings: list[Heading] = []
    text = ""
    for number, passage in enumerate(passages, 1):
        if len(passages) > 1:
            text += "\n\n" if text else ""
            headings.append(Heading(f"Source {number}", len(text)))
            text += f"Source {number}: {passage.section}\n\n"
        text += passage.text
    start = text.find(example.quote) if example.quote else -1
    marks = ((start, start + len(example.quote)),) if start >= 0 else ()
    first = passages[0]
    page = f"p. {first.page}" if first.page else ""
    about = [page, first.section] if len(passages) == 1 else [f"{len(passages)} passages"]
    return Document(text, tuple(headings), marks=marks), about


def _passage(corpus: Corpus, name: str) -> Passage | None:
    try:
        return corpus.passage(name)
    except NotFoundError:
        return None  # the paper has left the corpus since: the example stays
