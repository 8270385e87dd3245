"""From a question in a conversation to the sources in its prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tui.chat import evidence, rewrite
from tui.chat.condense import condense
from tui.chat.embed import Embedder
from tui.chat.events import Question
from tui.chat.frame import Frame
from tui.chat.guard import pointed_out
from tui.chat.prompt import Prompts
from tui.chat.retrieve import PER_PAPER, TOP, Ranked, Retriever
from tui.corpus import Corpus
from tui.domain.chat import Mode, Source, Usage
from tui.mistral.errors import ApiError, AuthError, QuotaError
from tui.mistral.privacy import Gate
from tui.mistral.types import ChatReply, ChatRequest

# How many passages, and how many of one paper, each mode looks at: ideas come from connecting
# papers, and a reading path names each paper once.
_BREADTH = {Mode.BRAINSTORM: (8, 2), Mode.ONBOARD: (8, 1), Mode.SUMMARISE: (8, PER_PAPER)}


@dataclass(frozen=True, slots=True)
class Found:
    """Sources for a prompt, the ranking they come from, and what a person should know of it."""

    sources: tuple[Source, ...]
    retrieved: tuple[str, ...]
    by: str
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


class SourceFinder:
    """Rewrites, searches, leaves out what is private, has candidates read, condenses."""

    def __init__(
        self, corpus: Corpus, gate: Gate, prompts: Prompts, embedder: Embedder | None = None
    ) -> None:
        self._corpus = corpus
        self._gate = gate
        self._prompts = prompts
        self._embedder = embedder
        self._retriever = Retriever(corpus, embedder.store if embedder else None)

    async def find(self, question: Question, frame: Frame, budget: int) -> Found:
        """The sources for `question` within `budget` tokens of the frame's model."""
        meter = _Meter(frame)
        text = await self._rewritten(question, frame, meter)
        vector, why = (
            await self._embedder.question(text) if self._embedder is not None else (None, "")
        )
        reads = self._reads(question, frame)
        ranked, left_out = await asyncio.to_thread(
            self._ranked, question, frame, text, vector, reads
        )
        notes = [why] if why else []
        if left_out:
            notes.append(
                f"{left_out} private passage{'s were' if left_out > 1 else ' was'} left out: "
                f"'{frame.endpoint.name}' is not trusted with private text."
            )
        kept: dict[str, frozenset[int]] | None = None
        if reads and ranked:
            self._gate.require(frame.endpoint, {item.passage.paper for item in ranked})
            ranked, kept = await self._read(question, text, ranked, meter)
        sources = await asyncio.to_thread(condense, text, ranked, budget, frame.count, kept)
        if question.mode is Mode.ONBOARD:
            sources = await asyncio.to_thread(self._reading_order, sources)
        return Found(
            sources,
            tuple(item.passage.id for item in ranked),
            "words and meaning" if vector is not None else "words",
            (*notes, *pointed_out(sources)),
            meter.usage,
        )

    def _reads(self, question: Question, frame: Frame) -> bool:
        if question.evidence is not None:
            return question.evidence
        return frame.capable and question.mode is Mode.ASK and question.purpose == "chat"

    async def _rewritten(self, question: Question, frame: Frame, meter: _Meter) -> str:
        if not rewrite.depends(question.text, question.history):
            return question.text
        if not frame.capable or question.purpose != "chat":
            return rewrite.by_rule(question.text, question.history)
        told = {s.paper for e in question.history for s in e.answer.sources}
        self._gate.require(frame.endpoint, told)
        request = ChatRequest(
            model=question.model,
            messages=rewrite.prompt(question.text, question.history),
            max_tokens=rewrite.TOKENS,
            temperature=0.0,
            purpose=question.purpose,
        )
        try:
            written = (await meter.chat(request)).text
        except (AuthError, QuotaError):
            raise
        except ApiError:
            written = ""
        return rewrite.taken(written, question.text, question.history)

    def _ranked(
        self,
        question: Question,
        frame: Frame,
        text: str,
        vector: Sequence[float] | None,
        reads: bool,
    ) -> tuple[list[Ranked], int]:
        """Ranked passages without the private ones where they may not go, and how many those are.

        What is left out makes room for what comes behind it.
        """
        top, per_paper = _BREADTH.get(question.mode, (TOP, PER_PAPER))
        if question.papers is not None and len(question.papers) == 1:
            per_paper = top
        if reads:
            top = evidence.CANDIDATES
        endpoint = frame.endpoint
        guarded = endpoint.outside and not endpoint.trusted
        found = self._retriever.find(
            text,
            papers=question.papers,
            top=4 * top if guarded else top,
            per_paper=per_paper,
            vector=vector,
        )
        if question.mode is Mode.ONBOARD:
            found = _once_each(found)
        if not guarded:
            return found, 0
        private = self._corpus.private({item.passage.paper for item in found})
        open_ones = [item for item in found if item.passage.paper not in private][:top]
        wanted = found.index(open_ones[-1]) if len(open_ones) == top else len(found)
        missing = sum(item.passage.paper in private for item in found[:wanted])
        return [replace(item, rank=rank) for rank, item in enumerate(open_ones)], missing

    async def _read(
        self, question: Question, text: str, ranked: list[Ranked], meter: _Meter
    ) -> tuple[list[Ranked], dict[str, frozenset[int]] | None]:
        """The candidates in the order in which a model finds them telling, at most `TOP`."""
        template = self._prompts.template("read-passage")
        verdicts = await evidence.read(
            meter.chat, question.model, template, text, ranked, purpose=question.purpose
        )
        if not verdicts:
            return [], None
        best = verdicts[:TOP]
        kept = {verdict.ranked.passage.id: verdict.sentences for verdict in best}
        return [verdict.ranked for verdict in best], kept

    def _reading_order(self, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        """Older papers first: what later ones build on is read before them."""
        years = {s.paper: self._corpus.paper(s.paper).year or 9999 for s in sources}
        ordered = sorted(sources, key=lambda s: (years[s.paper], s.n))
        return tuple(replace(s, n=number) for number, s in enumerate(ordered, 1))


def _once_each(found: list[Ranked]) -> list[Ranked]:
    """The best passage of each paper."""
    best: dict[str, Ranked] = {}
    for item in found:
        best.setdefault(item.passage.paper, item)
    return [replace(item, rank=rank) for rank, item in enumerate(best.values())]


class _Meter:
    """Calls the model and adds up what the calls before the answer used."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.usage = Usage()

    async def chat(self, request: ChatRequest) -> ChatReply:
        """One call."""
        reply = await self._frame.client.chat(request)
        self.usage = Usage(
            self.usage.prompt_tokens + reply.usage.prompt_tokens,
            self.usage.completion_tokens + reply.usage.completion_tokens,
        )
        return reply
