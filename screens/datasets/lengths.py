"""How long examples are in tokens, drawn as a histogram in text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tui.domain.example import Example, Status

if TYPE_CHECKING:
    from tui.formats.check import TokenCounter

_BARS = 12
_WIDEST = 36  # cells: with its labels it stays within a reader of 80 columns
_STEPS = (1, 2, 5)


def lengths(examples: Iterable[Example], tokenizer: TokenCounter | None) -> list[int]:
    """Tokens of each accepted example that can be trained on; by estimate without a tokenizer."""
    from tui.datasets.content import training_line
    from tui.formats.chat_template import TemplateError
    from tui.formats.check import count_tokens
    from tui.formats.lines import LineError
    from tui.formats.rules import decode_line

    found = []
    for example in examples:
        if example.status is Status.ACCEPTED:
            try:
                found.append(count_tokens(decode_line(training_line(example)), tokenizer))
            except (LineError, TemplateError):
                continue  # the check names it
    return found


def histogram(counts: Sequence[int], cut: int | None = None) -> list[str]:
    """Lines of a histogram; `cut` is where training cuts, marked in the first bar beyond it."""
    if not counts:
        return []
    step = _step(max(counts))
    bars = [0] * (max(counts) // step + 1)
    for count in counts:
        bars[count // step] += 1
    first = min(counts) // step
    digits = len(f"{len(bars) * step:,}")
    lines = []
    for place, number in list(enumerate(bars))[first:]:
        start = place * step
        length = -(-number * _WIDEST // max(bars))
        label = f"{start:>{digits},}–{start + step - 1:<{digits},}"
        beyond = cut is not None and start <= cut < start + step
        note = f"  ← cut at {cut:,}" if beyond else ""
        lines.append(f"{label}  {'█' * length}{' ' if length else ''}{number or ''}{note}".rstrip())
    return lines


def _step(longest: int) -> int:
    """A round width of a bar, so that there are at most `_BARS`."""
    power = 1
    while True:
        for factor in _STEPS:
            if longest // (factor * power) < _BARS:
                return factor * power
        power *= 10
