"""Which tokens of a training line carry the loss: the assistant's, whatever the chat template.

Templates do not say which part of their output is an answer. It is found by rendering: what the
template writes for the messages before an answer, with the prompt that starts one, must be the
beginning of what it writes with the answer. Where a template breaks that rule (some move or drop
earlier messages), training would teach the wrong words, so the line is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

from tui.domain.errors import UsageError
from tui.domain.example import Form
from tui.formats.chat_template import TemplateError
from tui.formats.lines import TrainingLine
from tui.formats.tokenizer import ModelTokenizer

ASSISTANT = "assistant"


class LabelError(UsageError):
    """A line whose answers cannot be told apart from the rest under this chat template."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A training line as tokens.

    `loss[i]` says that token `i` is to be predicted. `truncated` counts tokens cut off beyond
    the longest length allowed. Both lists have the same length.
    """

    input_ids: list[int]
    loss: list[bool]
    truncated: int = 0

    @property
    def labels(self) -> int:
        """Tokens that are learnt from; the first of a sequence cannot be predicted."""
        return sum(self.loss[1:])


def encode_line(line: TrainingLine, tokenizer: ModelTokenizer, seq_len: int) -> Encoded:
    """Tokens of a line, at most `seq_len`, and where the loss counts.

    Conversations: the assistant's words and the token that ends its turn, for messages of
    weight 1; nothing after the last of them, as there is nothing to learn there. Text: all
    tokens, then the end of text. Raises LabelError or TemplateError.
    """
    if line.form is Form.TEXT:
        ids = tokenizer.encode(tokenizer.defuse(line.text), special=True)
        if tokenizer.eos_id is not None and (not ids or ids[-1] != tokenizer.eos_id):
            ids.append(tokenizer.eos_id)
        loss = [True] * len(ids)
    else:
        ids, loss = _conversation(line, tokenizer)
    return Encoded(ids[:seq_len], loss[:seq_len], max(0, len(ids) - seq_len))


def answer_spans(
    messages: Sequence[Mapping[str, Any]],
    tokenizer: ModelTokenizer,
    weights: Sequence[int] = (),
    tools: Sequence[Mapping[str, Any]] = (),
) -> tuple[str, list[tuple[int, int]]]:
    """The rendered conversation and the characters [start, end) of each answer of weight 1."""
    render = tokenizer.template.render
    whole = render(messages, tools=tools)
    spans: list[tuple[int, int]] = []
    for index, message in enumerate(messages):
        if message.get("role") != ASSISTANT or (weights and not weights[index]):
            continue
        try:
            before = render(messages[:index], add_generation_prompt=True, tools=tools)
            through = render(messages[: index + 1], tools=tools)
        except TemplateError as error:
            raise LabelError(f"Message {index + 1}: {error.message}", error.remedy) from error
        if not through.startswith(before) or not whole.startswith(through):
            raise LabelError(
                f"The chat template rewrites earlier messages at message {index + 1}, so the"
                " answers cannot be told apart from the rest.",
                "Write each exchange on a line of its own: one question, one answer.",
            )
        spans.append((len(before), len(through)))
    return whole, spans


def _conversation(line: TrainingLine, tokenizer: ModelTokenizer) -> tuple[list[int], list[bool]]:
    messages = tokenizer.defused(line.messages)
    whole, spans = answer_spans(messages, tokenizer, line.weights, line.tools)
    ids, offsets = _encode(whole, [cut for span in spans for cut in span], tokenizer)
    loss = [False] * len(ids)
    ended = True
    for start, end in spans:
        inside = [i for i, (a, b) in enumerate(offsets) if a >= start and b <= end and a < b]
        ended = _mark(inside, ids, loss, tokenizer)
    last = max((i for i, counted in enumerate(loss) if counted), default=-1)
    ids, loss = ids[: last + 1], loss[: last + 1]
    if not ended and tokenizer.eos_id is not None:
        ids.append(tokenizer.eos_id)
        loss.append(True)
    return ids, loss


def _encode(
    whole: str, cuts: Sequence[int], tokenizer: ModelTokenizer
) -> tuple[list[int], list[tuple[int, int]]]:
    """Tokens with their characters, none of them across the start or end of an answer.

    In a chat the prompt is encoded before the answer exists; where the whole would be cut
    otherwise (a prompt that ends in a space), the pieces are encoded one by one.
    """
    ids, offsets = tokenizer.encode_with_offsets(whole)
    crossed = {cut for cut in cuts if any(start < cut < end for start, end in offsets)}
    if not crossed:
        return ids, offsets
    ids, offsets = [], []
    for start, end in pairwise(sorted(crossed | {0, len(whole)})):
        piece, inside = tokenizer.encode_with_offsets(whole[start:end])
        ids += piece
        offsets += [(start + a, start + b) for a, b in inside]
    return ids, offsets


def _mark(
    inside: Sequence[int], ids: Sequence[int], loss: list[bool], tokenizer: ModelTokenizer
) -> bool:
    """Count the tokens of one answer; say whether a special token ends it.

    What a template writes after the end of the turn (a line feed, mostly) is never generated, as
    generation stops there, so it is not learnt.
    """
    special = tokenizer.special_ids
    after = sum(1 for _ in takewhile(lambda i: ids[i] not in special, reversed(inside)))
    ended = after < len(inside)
    for i in inside[: len(inside) - after] if ended else inside:
        loss[i] = True
    return ended
