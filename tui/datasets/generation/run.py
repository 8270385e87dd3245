"""One run of generation: requests side by side, answers through the gates into the dataset."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tui.datasets.content import (
    cleaned,
    content_sha256,
    encode_content,
    example_id,
    question_and_answer,
)
from tui.datasets.generation import gates
from tui.datasets.generation.answers import Answer, AnswerError, answer_type, read, schema
from tui.datasets.generation.caller import Caller, OutOfBudgetError
from tui.datasets.generation.entailment import Entailment
from tui.datasets.generation.events import (
    GenerationEvent,
    Paused,
    Written,
)
from tui.datasets.generation.examples import Asked, Builder, Gated
from tui.datasets.generation.pauses import Pauses
from tui.datasets.generation.plan import TYPED, Mix, QuestionType, Unit, question_type
from tui.datasets.generation.prompts import GenerationPrompts, again, prompt_name
from tui.datasets.generation.tally import Tally
from tui.datasets.generation.turns import Turns
from tui.datasets.library import Library
from tui.datasets.service import Datasets
from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Kind, Status, Turn
from tui.mistral.errors import ApiError, RefusedError
from tui.mistral.privacy import ConsentNeeded, Gate, PrivateTextError
from tui.mistral.types import ChatReply, ChatRequest

_TEMPERATURE = 0.3
# A summary, or a quote with a question and its answer; then each further wording.
_ANSWER_TOKENS = 400
_WORDING_TOKENS = 50
_CONVERSATION_TOKENS = 900


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run was asked for; `turns` is how often a unit may be asked about in all.

    `only` names the turns of units that are asked about at all; None means every one.
    """

    name: str
    kind: Kind
    model: str
    count: int | None
    wordings: int
    mix: Mix
    turns: int
    only: Mapping[str, Collection[int]] | None = None


@dataclass(slots=True)
class _Turn:
    """One unit being asked about; `tokens` counts both attempts."""

    unit: Unit
    number: int
    type: QuestionType
    texts: tuple[str, ...]
    tokens: int = 0

    @property
    def source(self) -> str:
        """All that the model was shown of the paper."""
        return "\n\n".join(self.texts)

    @property
    def seed(self) -> int:
        """The same request gets the same seed."""
        digest = hashlib.sha256(f"{self.unit.id}\n{self.number}".encode()).digest()
        return int.from_bytes(digest[:4], "big") // 4


class Run:
    """State of one run; `events` is read once."""

    def __init__(
        self,
        setting: Setting,
        units: Sequence[Unit],
        *,
        caller: Caller,
        corpus: Library,
        datasets: Datasets,
        gate: Gate,
        turns: Turns,
        prompts: GenerationPrompts,
        builder: Builder,
        pauses: Pauses,
        judge: Entailment | None = None,
    ) -> None:
        self._setting = setting
        self._units = units
        self._caller = caller
        self._endpoint = caller.client.endpoint
        self._corpus = corpus
        self._datasets = datasets
        self._gate = gate
        self._turns = turns
        self._prompts = prompts
        self._builder = builder
        self._pauses = pauses
        self._judge = judge
        self._done = turns.asked()
        self._wanted = dict(setting.only) if setting.only is not None else None
        if self._wanted is not None:
            left = every = sum(len(self._wanted.get(unit.id, ())) for unit in units)
        else:
            left, every = sum(unit.id not in self._done for unit in units), len(units)
        self._tally = Tally(caller.meter, every, left)

    async def events(self) -> AsyncGenerator[GenerationEvent, None]:
        """An event for every example and every failure as they come, then how it ended."""
        due = self._due()
        active: set[asyncio.Task[list[Written]]] = set()
        try:
            while True:
                waits = self._pauses.paused()
                while not waits and len(active) < self._caller.slots and self._goes_on(len(active)):
                    following = next(due, None)
                    if following is None:
                        break
                    active.add(asyncio.create_task(self._turn(*following)))
                if not active:
                    if not waits:
                        break
                    yield Paused("paused", self._tally.progress())
                    await self._pauses.over()
                    yield Paused("resumed", self._tally.progress())
                    continue
                done, active = await asyncio.wait(active, return_when=asyncio.FIRST_COMPLETED)
                # Several turns may have ended at once: their counts are told as they grew.
                written = [event for task in done for event in task.result()]
                for event in sorted(written, key=lambda event: (event.asked, event.tokens)):
                    yield event
        finally:
            for task in active:
                task.cancel()
            await asyncio.gather(*active, return_exceptions=True)
        yield self._tally.finished(self._turns.lost())

    def _due(self) -> Iterator[tuple[Unit, int]]:
        """Units with the number of their turn: those that had fewer come first."""
        if self._wanted is not None:
            for unit in self._units:
                for turn in sorted(self._wanted.get(unit.id, ())):
                    yield unit, turn
            return
        for turn in range(self._setting.turns):
            for unit in self._units:
                if self._done.get(unit.id, 0) <= turn:
                    yield unit, turn

    def _goes_on(self, active: int) -> bool:
        tally, count = self._tally, self._setting.count
        if tally.stopped is None and count is not None and tally.accepted >= count:
            tally.stop("count")
        if tally.stopped is not None:
            return False
        # Every request under way may still bring one.
        return count is None or active == 0 or tally.accepted + active < count

    async def _turn(self, unit: Unit, number: int) -> list[Written]:
        """Ask about one unit and store what comes."""
        turn = self._prepared(unit, number)
        if turn is None or not self._turns.claim(unit.id, number, self._endpoint.name):
            return []
        try:
            gated = await self._gated(turn)
        except OutOfBudgetError:
            self._tally.used_up()
            self._turns.release(unit.id, number)
            return []
        except asyncio.CancelledError:
            if not self._endpoint.outside:  # asking the local engine again costs nothing
                self._turns.release(unit.id, number)
            raise
        except ApiError as error:
            return self._not_answered(turn, error)
        except AnswerError as error:
            return self._without(turn, str(error))
        self._counted(turn)
        written = [self._stored(example, refusal, turn) for example, refusal in gated]
        accepted = sum(event.event == "accepted" for event in written)
        rejected = len(written) - accepted
        self._turns.answered(
            unit.id, number, accepted=accepted, rejected=rejected, tokens=turn.tokens
        )
        return written

    def _prepared(self, unit: Unit, number: int) -> _Turn | None:
        """The text to ask about; None when the paper was read anew, or may no longer be sent."""
        try:
            texts = tuple(self._corpus.passage(passage).text for passage in unit.passages)
            self._gate.require(self._endpoint, {unit.paper})
        except NotFoundError:
            return None
        except (PrivateTextError, ConsentNeeded) as error:
            self._tally.stop("private", error.message, error.remedy)
            return None
        return _Turn(unit, number, question_type(unit.id, number, self._setting.mix), texts)

    async def _gated(self, turn: _Turn) -> list[Gated]:
        """The examples of one turn, through every gate; raises AnswerError where there is none."""
        answer = await self._answer(turn)
        name = prompt_name(self._setting.kind, turn.type)
        asked = Asked(turn.unit, turn.type, turn.source, self._prompts.version(name))
        gated = list(self._builder.examples(answer, asked))
        passed = next((example for example, refusal in gated if refusal is None), None)
        if self._judge is None or passed is None:
            return gated
        refusal = await self._unsupported(self._judge, passed, turn)
        return [(example, before or refusal) for example, before in gated]

    async def _unsupported(
        self, judge: Entailment, example: Example, turn: _Turn
    ) -> gates.Refusal | None:
        """What the judge has against an example; one verdict holds for all wordings."""
        question, answer = question_and_answer(example)
        if example.kind is Kind.CONVERSATION:
            question, answer = conversation_text(example)
        said = example.question_type == QuestionType.UNANSWERABLE
        try:
            verdict = await judge.judge(question, answer, turn.texts, refusal=said)
        except AnswerError as error:
            return gates.Refusal("not-judged", str(error))
        except OutOfBudgetError:
            self._tally.used_up()
            return gates.Refusal("not-judged", "the budget left no room for the judge")
        except ApiError as error:
            self._tally.stop("endpoint", error.message, error.remedy)
            return gates.Refusal("not-judged", error.message)
        self._tally.judged += 1
        if verdict.entailed:
            return None
        return gates.Refusal("not-entailed", f"{verdict.verdict}: {verdict.reason}")

    async def _answer(self, turn: _Turn) -> Answer:
        """A usable answer, asked for a second time where the first is none; raises AnswerError."""
        setting = self._setting
        messages = self._prompts.compose(
            setting.kind, turn.unit, turn.texts, turn.type, setting.wordings
        )
        reply = await self._reply(messages, turn, 0)
        try:
            return self._read(reply, turn)
        except AnswerError as first:
            try:
                second = await self._reply(again(messages, reply.text, first), turn, 1)
            except OutOfBudgetError:
                self._tally.used_up()
                raise AnswerError(f"{first}; the budget left no second attempt") from None
            except ApiError as error:
                self._tally.stop("endpoint", error.message, error.remedy)
                raise AnswerError(f"{first}; then {error.message}") from None
            return self._read(second, turn)

    def _read(self, reply: ChatReply, turn: _Turn) -> Answer:
        cut = reply.finish_reason in ("length", "model_length")
        wanted = answer_type(self._setting.kind, turn.type)
        return read(wanted, reply.text, turn.source, cut=cut)

    async def _reply(self, messages: tuple[Turn, ...], turn: _Turn, attempt: int) -> ChatReply:
        setting = self._setting
        most = _ANSWER_TOKENS + _WORDING_TOKENS * (setting.wordings - 1)
        reply = await self._caller.ask(
            ChatRequest(
                setting.model,
                messages,
                max_tokens=_CONVERSATION_TOKENS if setting.kind is Kind.CONVERSATION else most,
                temperature=_TEMPERATURE,
                random_seed=turn.seed + attempt,
                schema=schema(answer_type(setting.kind, turn.type), setting.wordings, turn.source),
                purpose="generation",
            )
        )
        turn.tokens += reply.usage.total_tokens
        return reply

    def _not_answered(self, turn: _Turn, error: ApiError) -> list[Written]:
        """The endpoint failed: the run ends, unless it refused this one request only."""
        if isinstance(error, RefusedError) and self._tally.asked:
            return self._without(turn, error.message)
        # What a server refused or never got is not paid for; a silent one may have answered.
        if error.status is not None or not error.reached:
            self._turns.release(turn.unit.id, turn.number)
        else:
            self._counted(turn)
        self._tally.stop("endpoint", error.message, error.remedy)
        return []

    def _without(self, turn: _Turn, why: str) -> list[Written]:
        self._counted(turn)
        self._tally.failed += 1
        self._turns.failed(turn.unit.id, turn.number, why, turn.tokens)
        return [self._told(turn, "failed", message=why)]

    def _counted(self, turn: _Turn) -> None:
        self._tally.asked += 1
        self._tally.remaining -= self._wanted is not None or not turn.number

    def _stored(self, example: Example, refusal: gates.Refusal | None, turn: _Turn) -> Written:
        """Keep an example, as a draft or as rejected with its reason."""
        if refusal is not None:
            example = replace(example, status=Status.REJECTED, reason=str(refusal))
        example = cleaned(example)
        report = self._datasets.add_examples(self._setting.name, [example])
        if report.failed:
            refusal = gates.Refusal("invalid", report.failures[0].reason)
        elif report.skipped and refusal is None:
            refusal = gates.Refusal("duplicate", "the dataset holds exactly that already")
        question, answer = question_and_answer(example)
        said: dict[str, Any] = {"question": question, "answer": answer, "quote": example.quote}
        if not report.failed:
            sha256 = content_sha256(example.form, encode_content(example))
            said["id"] = example_id(self._setting.name, sha256)
        if refusal is None:
            self._tally.accepted += 1
            return self._told(turn, "accepted", **said)
        self._tally.rejected[refusal.reason] += 1
        return self._told(turn, "rejected", reason=refusal.reason, message=refusal.message, **said)

    def _told(
        self, turn: _Turn, event: Literal["accepted", "rejected", "failed"], **said: Any
    ) -> Written:
        progress = self._tally.progress()
        return Written(
            event=event,
            kind=self._setting.kind,
            paper=turn.unit.paper,
            passage=turn.unit.passages[0],
            type=turn.type.value if self._setting.kind in TYPED else "",
            asked=progress.asked,
            units=progress.units,
            tokens=progress.tokens,
            progress=progress,
            **said,
        )


def conversation_text(example: Example) -> tuple[str, str]:
    """A conversation as one question and one answer, for a judge."""
    asked = [turn.content for turn in example.turns if turn.role == "user"]
    told = [turn.content for turn in example.turns if turn.role == "assistant"]
    return "\n".join(asked), "\n".join(told)
