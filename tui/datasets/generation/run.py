"""One run of generation: requests side by side, answers through the gates into the dataset."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tui.corpus import quotes
from tui.datasets.content import ask, cleaned, content_sha256, encode_content, example_id
from tui.datasets.generation import gates
from tui.datasets.generation.budget import Meter, most_tokens
from tui.datasets.generation.events import GenerationEvent, GenerationFinished, Written
from tui.datasets.generation.plan import Mix, QuestionType, Unit, question_type
from tui.datasets.generation.prompts import (
    Answer,
    AnswerError,
    GenerationPrompts,
    SummaryAnswer,
    again,
    read,
    schema,
)
from tui.datasets.generation.questions import QuestionIndex
from tui.datasets.generation.turns import Turns
from tui.datasets.library import Library
from tui.datasets.service import Datasets
from tui.domain.chat import Usage
from tui.domain.errors import NotFoundError, PapertuneError
from tui.domain.example import Example, Kind, Status, Turn
from tui.mistral.client import Client
from tui.mistral.errors import ApiError, QuotaError, RefusedError
from tui.mistral.privacy import ConsentNeeded, Gate, PrivateTextError
from tui.mistral.types import ChatReply, ChatRequest

# The local engine answers two at once; a hosted service limits by itself.
_LOCAL_CALLS = 2
_OUTSIDE_CALLS = 4
_TEMPERATURE = 0.3
# A summary, or a quote with a question and its answer; then each further wording.
_ANSWER_TOKENS = 400
_WORDING_TOKENS = 50
# A server that asks to wait longer ends the run, and another one carries on.
_LONGEST_WAIT = 120.0
_WAITS = 5

_Stop = Literal["count", "budget", "endpoint", "private"]


class _OutOfBudgetError(Exception):
    """The budget leaves no room for another call."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run was asked for; `turns` is how often a unit may be asked about in all."""

    name: str
    kind: Kind
    model: str
    count: int | None
    wordings: int
    mix: Mix
    turns: int


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
        client: Client,
        corpus: Library,
        datasets: Datasets,
        gate: Gate,
        turns: Turns,
        prompts: GenerationPrompts,
        questions: QuestionIndex,
        meter: Meter,
    ) -> None:
        self._setting = setting
        self._units = units
        self._client = client
        self._corpus = corpus
        self._datasets = datasets
        self._gate = gate
        self._turns = turns
        self._prompts = prompts
        self._questions = questions
        self._meter = meter
        self._slots = _OUTSIDE_CALLS if client.endpoint.outside else _LOCAL_CALLS
        self._calls = 0
        self._not_before = 0.0
        self._done = turns.asked()
        self._remaining = sum(unit.id not in self._done for unit in units)
        self._asked = 0
        self._accepted = 0
        self._rejected: Counter[str] = Counter()
        self._failed = 0
        self._stopped: tuple[_Stop, str, str] | None = None

    async def events(self) -> AsyncGenerator[GenerationEvent, None]:
        """An event for every example and every failure as they come, then how it ended."""
        due = self._due()
        active: set[asyncio.Task[list[Written]]] = set()
        try:
            while True:
                while len(active) < self._slots and self._goes_on(len(active)):
                    following = next(due, None)
                    if following is None:
                        break
                    active.add(asyncio.create_task(self._turn(*following)))
                if not active:
                    break
                done, active = await asyncio.wait(active, return_when=asyncio.FIRST_COMPLETED)
                # Several turns may have ended at once: their counts are told as they grew.
                written = [event for task in done for event in task.result()]
                for event in sorted(written, key=lambda event: (event.asked, event.tokens)):
                    yield event
        finally:
            for task in active:
                task.cancel()
            await asyncio.gather(*active, return_exceptions=True)
        yield self._finished()

    def _due(self) -> Iterator[tuple[Unit, int]]:
        """Units with the number of their turn: those that had fewer come first."""
        for turn in range(self._setting.turns):
            for unit in self._units:
                if self._done.get(unit.id, 0) <= turn:
                    yield unit, turn

    def _goes_on(self, active: int) -> bool:
        if self._stopped is not None:
            return False
        count = self._setting.count
        if count is not None and self._accepted >= count:
            self._stopped = ("count", "", "")
            return False
        # Every request under way may still bring one.
        return count is None or active == 0 or self._accepted + active < count

    async def _turn(self, unit: Unit, number: int) -> list[Written]:
        """Ask about one unit and store what comes."""
        turn = self._prepared(unit, number)
        if turn is None or not self._turns.claim(unit.id, number, self._client.endpoint.name):
            return []
        try:
            answer = await self._answer(turn)
        except _OutOfBudgetError:
            self._turns.release(unit.id, number)
            return []
        except asyncio.CancelledError:
            if not self._client.endpoint.outside:  # asking the local engine again costs nothing
                self._turns.release(unit.id, number)
            raise
        except ApiError as error:
            return self._not_answered(turn, error)
        except AnswerError as error:
            return self._without(turn, str(error))
        self._counted(turn)
        written = [
            self._stored(example, refusal, turn)
            for example, refusal in self._examples(answer, turn)
        ]
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
            self._gate.require(self._client.endpoint, {unit.paper})
        except NotFoundError:
            return None
        except (PrivateTextError, ConsentNeeded) as error:
            self._stopped = ("private", error.message, error.remedy)
            return None
        return _Turn(unit, number, question_type(unit.id, number, self._setting.mix), texts)

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
            except _OutOfBudgetError:
                raise AnswerError(f"{first}; the budget left no second attempt") from None
            except ApiError as error:
                self._end(error)
                raise AnswerError(f"{first}; then {error.message}") from None
            return self._read(second, turn)

    def _read(self, reply: ChatReply, turn: _Turn) -> Answer:
        cut = reply.finish_reason in ("length", "model_length")
        return read(self._setting.kind, reply.text, turn.source, cut=cut)

    async def _reply(self, messages: tuple[Turn, ...], turn: _Turn, attempt: int) -> ChatReply:
        """One answer; a server that is at its limit is waited for as long as it asks."""
        request = ChatRequest(
            self._setting.model,
            messages,
            max_tokens=_ANSWER_TOKENS + _WORDING_TOKENS * (self._setting.wordings - 1),
            temperature=_TEMPERATURE,
            random_seed=turn.seed + attempt,
            schema=schema(self._setting.kind, self._setting.wordings, turn.source),
            purpose="generation",
        )
        for _ in range(_WAITS):
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            try:
                return await self._call(request, turn)
            except QuotaError as error:
                if error.retry_after is None or error.retry_after > _LONGEST_WAIT:
                    raise
                self._not_before = time.monotonic() + error.retry_after
        return await self._call(request, turn)

    async def _call(self, request: ChatRequest, turn: _Turn) -> ChatReply:
        leave = self._meter.reserve(request, self._slots - self._calls)
        if leave is None:
            self._stopped = self._stopped or ("budget", "The budget is used.", "")
            raise _OutOfBudgetError
        self._calls += 1
        started = time.monotonic()
        usage = Usage()
        try:
            async with asyncio.timeout(leave.seconds):
                reply = await self._client.chat(request)
            usage = reply.usage
            if not usage.total_tokens:  # a server that does not count is counted for
                usage = Usage(most_tokens(request.messages), len(reply.text.encode()) // 2)
            turn.tokens += usage.total_tokens
            return reply
        except TimeoutError:
            self._stopped = self._stopped or ("budget", "The budget is used.", "")
            raise _OutOfBudgetError from None
        finally:
            self._calls -= 1
            local = not self._client.endpoint.outside
            self._meter.settle(leave, usage, time.monotonic() - started if local else 0.0)

    def _not_answered(self, turn: _Turn, error: ApiError) -> list[Written]:
        """The endpoint failed: the run ends, unless it refused this one request only."""
        if isinstance(error, RefusedError) and self._asked:
            return self._without(turn, error.message)
        # What a server refused or never got is not paid for; a silent one may have answered.
        if error.status is not None or not error.reached:
            self._turns.release(turn.unit.id, turn.number)
        else:
            self._counted(turn)
        self._end(error)
        return []

    def _end(self, error: PapertuneError) -> None:
        self._stopped = ("endpoint", error.message, error.remedy)

    def _without(self, turn: _Turn, why: str) -> list[Written]:
        self._counted(turn)
        self._failed += 1
        self._turns.failed(turn.unit.id, turn.number, why, turn.tokens)
        return [self._told(turn, "failed", message=why)]

    def _counted(self, turn: _Turn) -> None:
        self._asked += 1
        self._remaining -= not turn.number

    def _examples(
        self, answer: Answer, turn: _Turn
    ) -> Iterator[tuple[Example, gates.Refusal | None]]:
        """The examples that an answer gives, each with the gate that it does not pass."""
        unit = turn.unit
        blank = Example(
            "",
            self._setting.name,
            self._setting.kind,
            author=self._setting.model,
            paper=unit.paper,
            passages=unit.passages,
            quote=answer.quote,
        )
        if isinstance(answer, SummaryAnswer):
            refusal = gates.refuse_summary(answer.summary, answer.quote, turn.source)
            yield ask(blank, f"Summarise the paper “{unit.title}”.", answer.summary), refusal
            return
        wordings = dict.fromkeys((answer.question, *answer.wordings[: self._setting.wordings - 1]))
        for question in wordings:
            candidate = gates.Candidate(
                question, answer.answer, answer.quote, answer.key_phrase, turn.source
            )
            refusal = gates.refuse_pair(candidate, self._questions)
            phrase = gates.key_phrase_of(candidate)
            if refusal is None:
                self._questions.add(question, answer.answer)
            fact = quotes.normalise(phrase or answer.answer)
            digest = hashlib.sha256(fact.encode()).hexdigest()[:8]
            finding = f"{unit.id}/{digest}"
            example = replace(blank, key_phrase=phrase, finding=finding)
            yield ask(example, question, answer.answer), refusal

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
        said: dict[str, Any] = {
            "question": example.question,
            "answer": example.answer,
            "quote": example.quote,
        }
        if not report.failed:
            sha256 = content_sha256(example.form, encode_content(example))
            said["id"] = example_id(self._setting.name, sha256)
        if refusal is None:
            self._accepted += 1
            return self._told(turn, "accepted", **said)
        self._rejected[refusal.reason] += 1
        return self._told(turn, "rejected", reason=refusal.reason, message=refusal.message, **said)

    def _told(
        self, turn: _Turn, event: Literal["accepted", "rejected", "failed"], **said: Any
    ) -> Written:
        return Written(
            event=event,
            kind=self._setting.kind,
            paper=turn.unit.paper,
            passage=turn.unit.passages[0],
            type=turn.type.value if self._setting.kind is Kind.QA else "",
            asked=len(self._units) - self._remaining,
            units=len(self._units),
            tokens=self._meter.tokens,
            **said,
        )

    def _finished(self) -> GenerationFinished:
        stopped, message, remedy = self._stopped or ("finished", "", "")
        if not (self._asked or self._stopped):
            message = "Every passage has had its turn with this model."
            remedy = "Ask for more with --count N, or use another model."
        return GenerationFinished(
            event="done",
            accepted=self._accepted,
            rejected=dict(sorted(self._rejected.items())),
            failed=self._failed,
            lost=self._turns.lost(),
            asked=self._asked,
            remaining=self._remaining,
            tokens=self._meter.tokens,
            prompt_tokens=self._meter.prompt_tokens,
            completion_tokens=self._meter.completion_tokens,
            device_seconds=round(self._meter.device_seconds, 3),
            stopped=stopped,
            message=message,
            remedy=remedy,
        )
