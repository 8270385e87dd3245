"""Feedback as a draft example: what was asked, what should have been said, where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.chat.feedback import BAD, FeedbackStore
from tui.corpus import Corpus
from tui.datasets import Datasets
from tui.domain.chat import Exchange, Feedback
from tui.domain.errors import NotFoundError, UsageError
from tui.domain.example import Example, Form, Kind, Status, Turn
from tui.domain.identifiers import new_id
from tui.domain.paper import Passage
from tui.text import shorten

_NOTED = 200


class NothingToTeachError(UsageError):
    """A bad answer that nobody has corrected yet."""

    def __init__(self) -> None:
        super().__init__(
            "A bad answer without a correction teaches nothing yet.",
            "Correct it first; then it can become an example.",
        )


def draft(
    feedback: Feedback,
    exchange: Exchange | None,
    dataset: str,
    passage: Callable[[str], Passage],
) -> Example:
    """A draft example of `dataset` with its provenance, for the review queue.

    The answer is the correction where there is one, else the answer that was rated. The better
    source a person named comes first, then the passages the answer cited. `exchange` has what the
    model was shown of them. Raises NothingToTeachError for a bad answer without a correction.
    """
    words = (feedback.correction or (feedback.answer if feedback.rating != BAD else "")).strip()
    if not words:
        raise NothingToTeachError
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


def _quote(exchange: Exchange | None, held: list[Passage]) -> str:
    """What the model was shown of the first passage."""
    if not held or exchange is None:
        return ""
    return next((s.quote for s in exchange.answer.sources if s.passage == held[0].id), "")


@dataclass(frozen=True, slots=True)
class Sent:
    """What sending feedback to a review queue did."""

    added: int
    waiting: int
    refused: int


def send(
    feedback: Feedback,
    store: FeedbackStore,
    datasets: Datasets,
    corpus: Corpus,
    dataset: str,
    exchange: Exchange | None = None,
) -> Example | None:
    """Add one feedback to a dataset's review queue; None where the dataset has it already.

    Raises UsageError where there is nothing to teach, NotFoundError for an unknown dataset.
    """
    made = draft(feedback, exchange, dataset, corpus.passage)
    if not datasets.add_examples(dataset, [made]).added:
        return None
    store.sent(feedback, made.id)
    return made


def send_all(store: FeedbackStore, datasets: Datasets, corpus: Corpus, dataset: str) -> Sent:
    """Add all feedback that can teach and was not sent before."""
    added = waiting = refused = 0
    for feedback in store.all():
        if feedback.example:
            continue
        try:
            made = send(feedback, store, datasets, corpus, dataset)
        except NothingToTeachError:
            waiting += 1
            continue
        if made is None:
            refused += 1
        else:
            added += 1
    return Sent(added, waiting, refused)
