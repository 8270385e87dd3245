"""Summaries of named papers: one by its sections, several as a table that compares them.

A paper that the model can hold is read at once. A longer one is read part by part (map), and the
notes on its parts are made into a summary (reduce); each part is a source of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tui.chat.events import Piece, Question, SourcesFound, Working
from tui.chat.frame import Frame
from tui.chat.guard import pointed_out
from tui.chat.prompt import Prompts, fence, fenced
from tui.chat.stream import Said, judged, stream
from tui.corpus import Corpus
from tui.domain.chat import Answer, Source, Usage
from tui.domain.errors import UsageError
from tui.domain.example import Turn
from tui.domain.paper import Paper, Passage, SectionKind
from tui.mistral.errors import ApiError, AuthError, QuotaError
from tui.mistral.prices import Prices
from tui.mistral.privacy import Gate
from tui.mistral.types import ChatReply, ChatRequest

MOST_COMPARED = 12
"""Papers in one table; more is a search, not a comparison."""

_NOTE_TOKENS = 160
_CELL_TOKENS = 220
_LEAST_PART = 200
_MOST_PART = 6000
_CELLS = ("question", "method", "result", "limits")
_SCHEMA = {
    "type": "object",
    "properties": {cell: {"type": "string"} for cell in _CELLS},
    "required": list(_CELLS),
    "additionalProperties": False,
}

Event = SourcesFound | Working | Piece | Answer


@dataclass(frozen=True, slots=True)
class Part:
    """Some following passages of a paper, read together."""

    passages: tuple[Passage, ...]

    @property
    def text(self) -> str:
        """The words of all its passages."""
        return "\n\n".join(passage.text for passage in self.passages)

    @property
    def section(self) -> str:
        """The section it begins in."""
        return self.passages[0].section

    def source(self, number: int, title: str) -> Source:
        """The part as the source `[number]`."""
        first = self.passages[0]
        return Source(number, first.paper, title, first.id, first.page, first.section, self.text)


class Summariser:
    """Summarises the papers a question names."""

    def __init__(self, corpus: Corpus, gate: Gate, prompts: Prompts) -> None:
        self._corpus = corpus
        self._gate = gate
        self._prompts = prompts

    async def summarise(
        self, question: Question, frame: Frame, prices: Prices
    ) -> AsyncGenerator[Event, None]:
        """One paper as four paragraphs, several as a table; events as those of `Chat.ask`."""
        ids = sorted(question.papers or ())
        if len(ids) > MOST_COMPARED:
            raise UsageError(
                f"{len(ids)} papers are too many for one table; it holds {MOST_COMPARED}.",
                "Name fewer with --scope papers:ID,ID.",
            )
        self._gate.require(frame.endpoint, ids)
        papers = [await asyncio.to_thread(self._corpus.paper, paper) for paper in ids]
        work = (
            self._one(papers[0], question, frame, prices)
            if len(papers) == 1
            else self._several(papers, question, frame, prices)
        )
        async with aclosing(work) as events:
            async for event in events:
                yield event

    # One paper

    async def _one(
        self, paper: Paper, question: Question, frame: Frame, prices: Prices
    ) -> AsyncGenerator[Event, None]:
        said = Said()
        empty = self._prompts.filled(
            "summarise-paper", title=fence(paper.title), notes="", question=question.text
        )
        room = frame.room((Turn("user", empty),), question.max_tokens)
        passages = await asyncio.to_thread(self._readable, paper.id)
        whole = await asyncio.to_thread(self._parts, passages, frame, max(_LEAST_PART, room // 6))
        sources = tuple(part.source(n, paper.title) for n, part in enumerate(whole, 1))
        if frame.count(fenced(sources)) <= room:
            notes = fenced(sources)
        else:
            whole = await asyncio.to_thread(self._parts, passages, frame, self._part_tokens(frame))
            sources = tuple(part.source(n, paper.title) for n, part in enumerate(whole, 1))
            lines: list[str] = []
            for number, part in enumerate(whole, 1):
                yield Working(f"reading {part.section or 'part'}", number - 1, len(whole))
                lines.append(
                    f"[{number}] {fence(await self._note(part, paper, frame, question, said))}"
                )
            notes = await self._folded(lines, frame, room)
        yield Working("writing the summary")
        yield SourcesFound(sources, tuple(p.id for part in whole for p in part.passages))
        text = self._prompts.filled(
            "summarise-paper", title=fence(paper.title), notes=notes, question=question.text
        )
        request = ChatRequest(
            model=question.model,
            messages=(Turn("user", text),),
            max_tokens=question.max_tokens,
            temperature=question.temperature,
            purpose=question.purpose,
        )
        async with aclosing(stream(frame, request, said)) as pieces:
            async for piece in pieces:
                yield piece
        answer = await judged(
            said, question, frame, sources, _texts(sources), _titled, prices, pointed_out(sources)
        )
        yield answer

    def _readable(self, paper: str) -> list[Passage]:
        passages = [
            passage
            for passage in self._corpus.passages(paper)
            if passage.kind is not SectionKind.REFERENCES
        ]
        if not passages:
            raise UsageError(
                f"'{paper}' has no text to summarise.",
                "Add its PDF or source with: papertune corpus add FILE",
            )
        return passages

    def _part_tokens(self, frame: Frame) -> int:
        """How much of a paper goes into one note."""
        empty = self._prompts.filled("summarise-part", title="", section="", passage="")
        room = frame.room((Turn("user", empty),), _NOTE_TOKENS) - 64
        return max(_LEAST_PART, min(_MOST_PART, room))

    def _parts(self, passages: Sequence[Passage], frame: Frame, most: int) -> list[Part]:
        """Passages gathered into parts of at most `most` tokens, by sections where they fit."""
        parts: list[list[Passage]] = []
        size = 0
        for passage in passages:
            tokens = frame.count(passage.text) + 8
            top = passage.section.split(" > ")[0]
            same = parts and parts[-1][0].section.split(" > ")[0] == top
            if parts and size + tokens <= most and (same or size < most // 3):
                parts[-1].append(passage)
                size += tokens
            else:
                parts.append([passage])
                size = tokens
        return [Part(tuple(part)) for part in parts]

    async def _note(
        self, part: Part, paper: Paper, frame: Frame, question: Question, said: Said
    ) -> str:
        text = self._prompts.filled(
            "summarise-part",
            title=fence(paper.title),
            section=fence(part.section),
            passage=fence(part.text),
        )
        reply = await _ask(frame, question, text, _NOTE_TOKENS, said)
        return reply.text if reply is not None else part.text[:400]

    async def _folded(self, lines: list[str], frame: Frame, room: int) -> str:
        """The notes, each cut to its share where together they are too long for the model."""
        notes = "\n".join(lines)
        if frame.count(notes) <= room:
            return notes
        share = max(16, room // len(lines))

        def cut(line: str) -> str:
            words = line.split(" ")
            while len(words) > 4 and frame.count(" ".join(words)) > share:
                words = words[: len(words) * 4 // 5]
            return " ".join(words)

        return "\n".join(await asyncio.to_thread(lambda: [cut(line) for line in lines]))

    # Several papers

    async def _several(
        self, papers: Sequence[Paper], question: Question, frame: Frame, prices: Prices
    ) -> AsyncGenerator[Event, None]:
        said = Said(reason="stop")
        sources: list[Source] = []
        for number, paper in enumerate(papers, 1):
            part = await asyncio.to_thread(self._telling, paper, frame)
            sources.append(part.source(number, paper.title))
        yield SourcesFound(tuple(sources), tuple(source.passage for source in sources))
        head = "| Paper | Question | Method | Result | Limits |\n|---|---|---|---|---|\n"
        said.text = head
        yield Piece(head)
        for number, (paper, source) in enumerate(zip(papers, sources, strict=True), 1):
            yield Working(f"reading {paper.title}", number - 1, len(papers))
            row = await self._row(paper, source, frame, question, said)
            said.text += row
            yield Piece(row)
        yield await judged(
            said, question, frame, sources, _texts(sources), _titled, prices,
            pointed_out(sources),
        )  # fmt: skip

    def _telling(self, paper: Paper, frame: Frame) -> Part:
        """What says most of a paper and fits: abstract, then results, then the rest."""
        passages = self._readable(paper.id)
        empty = self._prompts.filled("compare-paper", title="", passage="", question="")
        room = max(_LEAST_PART, min(2000, frame.room((Turn("user", empty),), _CELL_TOKENS) - 64))

        def worth(passage: Passage) -> tuple[int, int]:
            name = passage.section.casefold()
            if passage.kind is SectionKind.ABSTRACT:
                return (0, passage.position)
            if any(word in name for word in ("conclu", "discussion", "limit", "result")):
                return (1, passage.position)
            return (2, passage.position)

        chosen: list[Passage] = []
        for passage in sorted(passages, key=worth):
            tokens = frame.count(passage.text) + 8
            if tokens > room and chosen:
                continue
            chosen.append(passage)
            room -= tokens
            if room <= 0:
                break
        return Part(tuple(sorted(chosen, key=lambda passage: passage.position)))

    async def _row(
        self, paper: Paper, source: Source, frame: Frame, question: Question, said: Said
    ) -> str:
        text = self._prompts.filled(
            "compare-paper",
            title=fence(paper.title),
            passage=fence(source.quote),
            question=question.text,
        )
        reply = await _ask(frame, question, text, _CELL_TOKENS, said, schema=_SCHEMA)
        cells = _cells(reply.text if reply is not None else "")
        name = fence(paper.title).replace("|", "\\|")
        filled = [
            f"{cell.replace('|', chr(92) + '|')} [{source.n}]" if cell else "–" for cell in cells
        ]
        return f"| {name} | {' | '.join(filled)} |\n"


async def _ask(
    frame: Frame,
    question: Question,
    text: str,
    tokens: int,
    said: Said,
    schema: dict[str, object] | None = None,
) -> ChatReply | None:
    """One call on the way to the summary; None where it failed and the rest can go on."""
    request = ChatRequest(
        model=question.model,
        messages=(Turn("user", text),),
        max_tokens=tokens,
        temperature=question.temperature if question.temperature is not None else 0.0,
        schema=schema,
        purpose=question.purpose,
    )
    try:
        reply = await frame.client.chat(request)
    except (AuthError, QuotaError):
        raise
    except ApiError as error:
        said.problems = tuple(dict.fromkeys((*said.problems, f"A part was not read: {error}")))
        return None
    said.usage = Usage(
        said.usage.prompt_tokens + reply.usage.prompt_tokens,
        said.usage.completion_tokens + reply.usage.completion_tokens,
    )
    return reply


def _cells(text: str) -> tuple[str, ...]:
    """The cells of a row; what is no JSON leaves them empty."""
    try:
        value = json.loads(text)
    except ValueError:
        value = {}
    if not isinstance(value, dict):
        value = {}
    return tuple(" ".join(str(value.get(cell) or "").split()) for cell in _CELLS)


def _texts(sources: Sequence[Source]) -> Callable[[str], str]:
    """A part's whole text by its first passage: a part is more than that passage."""
    texts = {source.passage: source.quote for source in sources}
    return lambda passage: texts.get(passage, "")


def _titled(source: Source) -> str:
    return source.title
