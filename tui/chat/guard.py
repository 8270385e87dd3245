"""What a passage or a model may try: instructions inside papers, answers that never end."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tui.domain.chat import Source
from tui.text import shorten

# Words addressed to a model rather than to a reader. Each is rare in a paper's prose; a paper
# about such attacks is pointed out too, which does no harm.
_ADDRESSED = re.compile(
    r"(?:ignore|disregard|forget|override)\s+(?:\w+\s+){0,3}?(?:above|previous|prior|earlier|"
    r"preceding|all|any|your|these|system|other)\s+(?:\w+\s+){0,2}?(?:instructions?|prompts?|"
    r"directions?|rules?|guidelines?|messages?|sources?)"
    r"|you\s+are\s+(?:now\s+)?(?:an?|the)\s+(?:\w+\s+){0,2}?(?:assistant|ai|language model|chatbot|"
    r"llm|reviewer)\b"
    r"|(?:as|dear)\s+an?\s+(?:ai|llm|language)\s+(?:model|assistant|reviewer)"
    r"|(?:reveal|print|repeat|show|output)\s+(?:\w+\s+){0,3}?(?:system\s+prompt|instructions)"
    r"|(?:system|developer)\s+prompt\s*:"
    r"|(?:new|updated|important)\s+instructions?\s*(?:for|to)\s+(?:the\s+)?(?:ai|llm|model|assistant"
    r"|reviewers?)"
    r"|(?:give|write|output|provide)\s+(?:only\s+)?an?\s+(?:positive|favou?rable)\s+(?:review|answer)"
    r"|do\s+not\s+(?:mention|highlight|reveal|cite)\s+(?:any\s+)?(?:negatives?|weaknesses|this)"
    r"|<\|(?:im_start|im_end|system|user|assistant)\|>|\[/?INST\]|<<SYS>>|^\s*(?:system|assistant)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_SHOWN = 60

# A model that loops says the same again and again: so many times a block of at most so many
# characters, or nothing new in so long a tail.
_LONGEST_BLOCK = 400
_SHORTEST_TAIL = 240
_REPEATS = 4


def instructions(text: str) -> str:
    """The first words of `text` that are addressed to a model; empty where there are none."""
    match = _ADDRESSED.search(text)
    return shorten(match[0], _SHOWN) if match else ""


def pointed_out(sources: Iterable[Source]) -> tuple[str, ...]:
    """A sentence for each source that tries to instruct the model."""
    notes = []
    for source in sources:
        if words := instructions(source.quote):
            notes.append(
                f"[{source.n}] holds words addressed to a model (“{words}”); they were given to it "
                "as a quotation. Read this source before you trust the answer."
            )
    return tuple(notes)


class Loop:
    """Watches a stream for a model that repeats itself."""

    def __init__(self) -> None:
        self._tail = ""
        self._since = 0

    def add(self, text: str) -> bool:
        """Take some more words; whether the answer now only repeats itself."""
        self._tail = (self._tail + text)[-_LONGEST_BLOCK * _REPEATS :]
        self._since += len(text)
        if self._since < 40 or len(self._tail) < _SHORTEST_TAIL:
            return False
        self._since = 0
        return repeats(self._tail)


def repeats(tail: str) -> bool:
    """Whether `tail` ends in one block said at least `_REPEATS` times, over enough characters."""
    size = len(tail)
    for block in range(1, min(_LONGEST_BLOCK, size // _REPEATS) + 1):
        times = max(_REPEATS, -(-_SHORTEST_TAIL // block))
        span = block * times
        if span <= size and tail[-span:] == tail[-block:] * times:
            # Rules, dots and empty table cells repeat on purpose.
            return any(character.isalnum() for character in tail[-block:])
    return False
