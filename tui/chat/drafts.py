"""Feedback as a draft example: what was asked, what should have been said, where it stands."""

from __future__ import annotations

from collections.abc import Callable

from tui.domain.chat import Exchange, Feedback
from tui.domain.errors import NotFoundError, UsageError
from tui.domain.example import Example, Form, Kind, Status, Turn
from tui.domain.identifiers import new_id
from tui.domain.paper import Passage
from tui.text import shorten

_NOTED = 200


def draft(
    feedback: Feedback,
    exchange: Exchange,
    dataset: str,
    passage: Callable[[str], Passage],
) -> Example:
    """A draft example of `dataset` with its provenance, for the review queue.

    The answer is the correction where there is one, else the answer that was rated. The better
    source a person named comes first, then the passages the answer cited. Raises UsageError for a
    bad answer without a correction: there is nothing to teach yet.
    """
    words = (feedback.correction or (feedback.answer if feedback.rating != "bad" else "")).strip()
    if not words:
        raise UsageError(
            "A bad answer without a correction teaches nothing yet.",
            "Correct it first; then it can become an example.",
        )
    wanted = [feedback.source] if feedback.source else []
    wanted += [name for name in feedback.passages if name not in wanted]
    held: list[Passage] = []
    for name in wanted:
        try:
            held.append(passage(name))
        except NotFoundError:
            continue  # its paper was removed since; the example says so by having no source
    quote = feedback.quote or _quote(exchange, held)
    return Example(
        id=new_id("e"),
        dataset=dataset,
        kind=Kind.QA,
        form=Form.MESSAGES,
        turns=(Turn("user", feedback.question.strip()), Turn("assistant", words)),
        status=Status.DRAFT,
        # A correction is a person's own words; what was only rated stays the model's.
        author=feedback.by if feedback.correction else feedback.model,
        paper=held[0].paper if held else "",
        passages=tuple(item.id for item in held),
        quote=quote,
        note=shorten(
            f"feedback {feedback.id} by {feedback.by}: {feedback.rating} {feedback.reason}".strip()
            + f"; answered by {feedback.model} ({feedback.arm})",
            _NOTED,
        ),
    )


def _quote(exchange: Exchange, held: list[Passage]) -> str:
    """What the model was shown of the first passage."""
    if not held:
        return ""
    return next((s.quote for s in exchange.answer.sources if s.passage == held[0].id), "")
