"""`papertune chat`: one question, or a conversation line by line on a terminal or a pipe."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import allow_outside_option, chosen_workspace, common, emit, finish, say, show
from tui.domain.chat import Answer, Arm, Mode
from tui.domain.errors import UsageError

if TYPE_CHECKING:
    from tui.services import Services


@click.command("chat")
@click.option("--model", help="A model's id; without it the newest fine-tuned model.")
@click.option("--endpoint", help="Where to ask; without it the settings' default.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), default=Mode.ASK.value)
@click.option("--no-sources", is_flag=True, help="Put no passages into the prompt.")
@allow_outside_option
@click.argument("question", required=False)
@common
def command(
    question: str | None,
    model: str | None,
    endpoint: str | None,
    mode: str,
    no_sources: bool,
    allow_outside: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Ask a model about the papers; without QUESTION, questions are read line by line."""
    from tui.services import Services

    if question is None and as_json:
        raise UsageError("--json needs a question.", 'Write: papertune chat --json "…"')
    services = Services.open(chosen_workspace(workspace), create=False)
    if allow_outside:
        services.gate.consent(services.endpoints.get(endpoint))
    choice = _Choice(model or services.settings.model or None, endpoint, Mode(mode), not no_sources)
    if question is not None:
        finish(services.run(_ask(services, choice, question, as_json)))
    else:
        finish(services.run(_converse(services, choice)))


@dataclass(frozen=True, slots=True)
class _Choice:
    """What to ask, where and how."""

    model: str | None
    endpoint: str | None
    mode: Mode
    sources: bool


async def _converse(services: Services, choice: _Choice) -> bool:
    """Answer lines of stdin until an empty one; whether every answer came to its end."""
    if sys.stdin.isatty():
        say("Ask away; an empty line or ctrl+d ends.")
    ok = True
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        ok &= await _ask(services, choice, line, as_json=False)
    return ok


async def _ask(services: Services, choice: _Choice, text: str, as_json: bool) -> bool:
    from tui.chat import Piece, Question

    card = await services.chat.pick(choice.model, choice.endpoint)
    arm = Arm.of(tuned=card.tuned, sources=choice.sources)
    question = Question(text, card.id, arm, choice.mode, choice.endpoint)
    conversations = services.conversations
    conversation = conversations.start()
    exchange = conversations.asked(conversation, text)
    answer: Answer | None = None
    async for event in services.chat.ask(question):
        if isinstance(event, Answer):
            answer = event
        elif isinstance(event, Piece) and not as_json:
            click.echo(event.text, nl=False)
    assert answer is not None, "ask ends in an Answer"
    conversations.answered(conversation, exchange, answer)
    if as_json:
        emit(as_document(answer))
    else:
        _print_rest(answer)
    return answer.complete


def as_document(answer: Answer) -> dict[str, object]:
    """An answer as `chat --json` prints it."""
    return {
        "model": answer.model,
        "arm": answer.arm.value,
        "answer": answer.text,
        "sources": [
            {
                "n": source.n,
                "paper": source.paper,
                "title": source.title,
                "page": source.page,
                "quote": source.quote,
                "verified": source.verified,
            }
            for source in answer.sources
        ],
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "total_tokens": answer.usage.total_tokens,
        },
        "finish_reason": answer.finish_reason,
        "problems": list(answer.problems),
    }


def _print_rest(answer: Answer) -> None:
    click.echo("")
    for source in answer.sources:
        page = f", p. {source.page}" if source.page else ""
        show(f"  [{source.n}] {source.title}{page}: {source.quote}")
    for problem in answer.problems:
        say(f"! {problem}")
    if not answer.complete:
        say("! The answer was cut short.")
