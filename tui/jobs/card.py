"""A model's card in Markdown: what a reader must know before they trust its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tui.domain.job import LossPoint
from tui.jobs.diagnose import best_step
from tui.jobs.registry import Entry
from tui.text import clean


def card(
    entry: Entry,
    *,
    points: Sequence[LossPoint] = (),
    memory: str | None = None,
    titles: Sequence[str] = (),
) -> str:
    """The card; `points` are the job's curve, `titles` the papers' where they are known here."""
    return "\n".join([*_head(entry), *_made(entry, points, memory), *_reached(entry)]) + "".join(
        f"{line}\n" for line in ("", *_limits(), *_papers(entry, titles), *_notes(entry))
    )


def _head(entry: Entry) -> Iterator[str]:
    model = entry.card
    yield f"# {_flat(model.name or model.id)}"
    yield ""
    if model.description:
        yield _flat(model.description)
        yield ""
    yield f"- Model: `{_code(model.id)}`"
    if entry.aliases:
        yield f"- Called: {', '.join(f'`{_code(name)}`' for name in entry.aliases)}"
    yield f"- Base model: `{_code(model.root)}`" if model.root else "- Base model: not known"
    if entry.license:
        yield f"- Licence of the base model: {_flat(entry.license)}"
    yield f"- Context: {model.context:,} tokens"
    if entry.template_sha256:
        yield f"- Chat template: SHA-256 `{_code(entry.template_sha256)}`"
    if model.archived:
        yield "- Archived: no longer meant for use"


def _made(entry: Entry, points: Sequence[LossPoint], memory: str | None) -> Iterator[str]:
    yield ""
    yield "## Made of"
    yield ""
    yield f"- Dataset: {f'`{_code(entry.dataset)}`' if entry.dataset else 'not known'}"
    yield f"- Papers: {len(entry.papers) or 'not known'}"
    job = entry.job
    if job is None:
        yield f"- Job: {f'`{_code(entry.card.job)}`' if entry.card.job else 'not known'}"
        return
    ended = time.strftime("%Y-%m-%d", time.localtime(job.modified_at))
    yield f"- Job: `{_code(job.id)}` at {_flat(job.endpoint)}, ended {ended}"
    given = job.hyperparameters
    settings = (
        ("steps", given.training_steps),
        ("epochs", given.epochs),
        ("learning rate", given.learning_rate),
        ("sequence length", given.seq_len),
        ("weight decay", given.weight_decay),
        ("warm-up", given.warmup_fraction),
    )
    told = ", ".join(f"{name} {value:g}" for name, value in settings if value is not None)
    yield f"- Settings: {told or 'the endpoint chose them'}"
    if job.trained_tokens:
        yield f"- Trained tokens: {job.trained_tokens:,}"
    step = entry.step or best_step(points, memory)
    if step is not None:
        losses = [p.validation[memory] for p in points if memory in p.validation and p.step == step]
        loss = f", memory-validation loss {losses[0]:.3f} nats per token" if losses else ""
        yield f"- Checkpoint: step {step}{loss}"


def _reached(entry: Entry) -> Iterator[str]:
    yield ""
    yield "## What it reached"
    yield ""
    if not entry.results:
        yield "Not measured yet: `papertune eval run --model " + _code(entry.card.id) + "`"
        return
    yield "| run | test | items | key phrase in the answer | 95 % interval |"
    yield "|---|---|---|---|---|"
    for result in entry.results:
        yield (
            f"| {_cell(result.run)} | {_cell(result.test)} | {result.n} | {result.key_phrase:.0%} "
            f"| {result.low:.0%} to {result.high:.0%} |"
        )


def _limits() -> Iterator[str]:
    yield "## Before you rely on it"
    yield ""
    yield (
        "*Memory* asks in new words for findings of papers it was trained on; *transfer* asks "
        "about papers it never saw, which tuning cannot teach: use sources there. It was tuned to "
        "a style and answers everything in it, also what it does not know."
    )


def _papers(entry: Entry, titles: Sequence[str]) -> Iterator[str]:
    named = titles or entry.papers
    if named:
        yield ""
        yield "## Papers"
        yield ""
        yield from (f"- {_flat(name)}" for name in named)


def _notes(entry: Entry) -> Iterator[str]:
    if entry.notes:
        yield ""
        yield "## Notes"
        yield ""
    for note in entry.notes:
        day = time.strftime("%Y-%m-%d", time.localtime(note.at))
        yield f"- {day}, {_flat(note.person)}: {_flat(note.text)}"


def _flat(text: str) -> str:
    """Foreign text on one line in which Markdown and HTML mean nothing."""
    flat = " ".join(clean(text).split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in flat)


def _code(text: str) -> str:
    return " ".join(clean(text).split()).replace("`", "'")


def _cell(text: str) -> str:
    return _flat(text)
