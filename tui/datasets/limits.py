"""Fitting a version to the limits of the hosted service.

A file holds at most 512 MB, and validation data at most 1 MB and 5 % of the training data. What
watches training is a sample anyway, so examples are left out of it until it fits; training data
that is too large is refused, since leaving out part of it is a person's decision.
"""

from __future__ import annotations

from collections.abc import Sequence

from tui.datasets.check import FILE_LIMIT, VALIDATION_LIMIT, VALIDATION_SHARE
from tui.datasets.content import content_sha256, encode_content, training_line
from tui.domain.errors import UsageError
from tui.domain.example import Example, Role

_WATCHING = (Role.VALIDATION, Role.VALIDATION_TRANSFER)


def fit_hosted(
    examples: Sequence[Example], limit: int = FILE_LIMIT
) -> tuple[list[Example], tuple[str, ...]]:
    """The examples that the hosted service takes, and what was left out for it.

    Both watching roles get their share; which examples stay depends on their words alone. Raises
    UsageError when the training data is larger than `limit` bytes.
    """
    sizes = {example.id: len(training_line(example)) + 1 for example in examples}
    training = sum(sizes[e.id] for e in examples if e.role is Role.TRAIN)
    if training > limit:
        raise UsageError(
            f"The training data is {training / 1e6:,.0f} MB; the hosted service takes "
            f"{limit / 1e6:,.0f} MB.",
            "Reject examples, or freeze for the local engine (without --hosted).",
        )
    room = min(VALIDATION_LIMIT, int(VALIDATION_SHARE * training))
    watching = sum(sizes[e.id] for e in examples if e.role in _WATCHING)
    if watching <= room:
        return list(examples), ()
    kept: set[str] = set()
    for role in _WATCHING:
        mine = [example for example in examples if example.role is role]
        left = int(room * sum(sizes[e.id] for e in mine) / watching)
        for example in sorted(mine, key=_draw):
            if sizes[example.id] <= left:
                left -= sizes[example.id]
                kept.add(example.id)
    stay = [e for e in examples if e.role not in _WATCHING or e.id in kept]
    of = sum(example.role in _WATCHING for example in examples)
    note = (
        f"{len(examples) - len(stay)} of {of} examples that "
        f"watch training were left out: the hosted service takes {room / 1000:,.0f} kB of them."
    )
    return stay, (note,)


def _draw(example: Example) -> str:
    return content_sha256(example.form, encode_content(example))
