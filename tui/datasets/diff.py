"""What changed between two frozen versions, example by example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui.datasets.content import content_sha256, encode_content, question_and_answer
from tui.domain.example import Example, Form
from tui.text import shorten


@dataclass(frozen=True, slots=True)
class Change:
    """An example on one side, or on both with another role; `words` is how it begins."""

    id: str
    words: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """Examples of version `b` that `a` lacks, the other way round, and those with a new role."""

    dataset: str
    a: int
    b: int
    added: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    moved: tuple[Change, ...] = ()
    unchanged: int = 0


def diff(
    dataset: str, a: int, before: Sequence[Example], b: int, after: Sequence[Example]
) -> DatasetDiff:
    """Compare two versions; examples are the same when their words are."""
    old, new = ({_key(example): example for example in side} for side in (before, after))
    moved = [
        _change(new[key], old[key], new[key])
        for key in new
        if key in old and new[key].role is not old[key].role
    ]
    return DatasetDiff(
        dataset=dataset,
        a=a,
        b=b,
        added=tuple(_change(new[key], None, new[key]) for key in new if key not in old),
        removed=tuple(_change(old[key], old[key], None) for key in old if key not in new),
        moved=tuple(moved),
        unchanged=sum(key in old for key in new) - len(moved),
    )


def _key(example: Example) -> str:
    if example.form is Form.TEXT:
        return content_sha256(Form.TEXT, example.text)
    return content_sha256(example.form, encode_content(example))


def _change(example: Example, before: Example | None, after: Example | None) -> Change:
    words = question_and_answer(example)[0] or example.text
    old = before.role.value if before and before.role else ""
    new = after.role.value if after and after.role else ""
    return Change(example.id, shorten(words, 80), old, new)
