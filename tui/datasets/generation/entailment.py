"""A judge that sees the source: whether the passage holds the answer, by a model's own reading."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from tui.datasets.generation.answers import AnswerError
from tui.datasets.generation.caller import Caller
from tui.datasets.generation.prompts import GenerationPrompts, again, fenced
from tui.mistral.types import ChatReply, ChatRequest
from tui.text import clean

PROMPT, REFUSAL_PROMPT = "judge", "judge-refusal"
PURPOSE = "judging"
_TOKENS = 160
_LONGEST = 4_000
_LONGEST_REASON = 300


class _Answer(msgspec.Struct, frozen=True):
    reason: str
    verdict: Literal["supported", "contradicted", "not stated"]


class _RefusalAnswer(msgspec.Struct, frozen=True):
    reason: str
    verdict: Literal["answered", "not stated"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge says; `prompt` is the one that it was asked with, as NAME@HASH.

    `entailed` is whether the example is right: the answer stands in the source, or, for an
    example that refuses to answer, no answer does.
    """

    entailed: bool
    verdict: str
    reason: str
    prompt: str


class Entailment:
    """Asks one model whether passages hold an answer."""

    def __init__(self, caller: Caller, prompts: GenerationPrompts) -> None:
        self._caller = caller
        self._prompts = prompts

    @property
    def model(self) -> str:
        """Who judges."""
        return self._caller.model

    async def judge(
        self, question: str, answer: str, texts: Sequence[str], *, refusal: bool = False
    ) -> Judgement:
        """The verdict on an answer, or, as a `refusal`, on there being none in the texts.

        An answer that is no verdict is asked for once more. Raises AnswerError when that is none
        either, OutOfBudgetError, and ApiError when the endpoint fails.
        """
        name = REFUSAL_PROMPT if refusal else PROMPT
        wanted: type[_Answer] | type[_RefusalAnswer] = _RefusalAnswer if refusal else _Answer
        values = {"passage": fenced(question, texts), "question": question, "answer": answer}
        messages = self._prompts.fill(name, values)
        digest = hashlib.sha256("\n".join(values.values()).encode()).digest()
        seed = int.from_bytes(digest[:4], "big") // 4
        said: _Answer | _RefusalAnswer
        for attempt in (0, 1):
            reply = await self._caller.ask(
                ChatRequest(
                    self._caller.model,
                    messages,
                    max_tokens=_TOKENS,
                    temperature=0.0,
                    random_seed=seed + attempt,
                    schema=_schema(wanted),
                    purpose=PURPOSE,
                )
            )
            try:
                said = _read(wanted, reply)
                break
            except AnswerError as error:
                if attempt:
                    raise
                messages = again(messages, reply.text, error)
        right = "not stated" if refusal else "supported"
        return Judgement(
            said.verdict == right,
            said.verdict,
            clean(said.reason)[:_LONGEST_REASON].strip(),
            self._prompts.version(name),
        )


def _read(wanted: type[_Answer] | type[_RefusalAnswer], reply: ChatReply) -> Any:
    if len(reply.text) > _LONGEST:
        raise AnswerError("the verdict is far too long")
    try:
        return msgspec.json.decode(reply.text.strip(), type=wanted)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise AnswerError("the judge gave no verdict of the kind asked for") from None


def _schema(wanted: type[_Answer] | type[_RefusalAnswer]) -> dict[str, Any]:
    verdicts = ["supported", "contradicted", "not stated"]
    if wanted is _RefusalAnswer:
        verdicts = ["answered", "not stated"]
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "minLength": 1, "maxLength": _LONGEST_REASON},
            "verdict": {"enum": verdicts},
        },
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }
