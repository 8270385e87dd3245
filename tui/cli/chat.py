"""`papertune chat`: one question, or a conversation line by line on a terminal or a pipe."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import chosen_workspace, common, emit, finish, say, show
from tui.domain.chat import Answer, Arm, Mode
from tui.domain.errors import UsageError

if TYPE_CHECKING:
    from tui.services import Services


@click.command("chat")
@click.option("--model", help="A model's id; without it the newest fine-tuned model.")
@click.option("--endpoint", help="Where to ask; without it the settings' default.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), default=Mode.ASK.value)
@click.option("--no-sources", is_flag=True, help="Put no passages into the prompt.")
@click.argument("question", required=False)
@common
def command(
    question: str | None,
    model: str | None,
    endpoint: str | None,
    mode: str,
    no_sources: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Ask a model about the papers; without QUESTION, questions are read line by line."""
    from tui.services import Services

    if question is None and as_json:
        raise UsageError("--json needs a question.", 'Write: papertune chat --json "…"')
    services = Services.open(chosen_workspace(workspace))
    if question is not None:
        finish(asyncio.run(_ask(services, question, model, endpoint, mode, no_sources, as_json)))
        return
    if sys.stdin.isatty():
        say("Ask away; an empty line or ctrl+d ends.")
    ok = True
    for line in sys.stdin:
        if not line.strip():
            break
        ok &= asyncio.run(_ask(services, line.strip(), model, endpoint, mode, no_sources, False))
    finish(ok)


async def _ask(
    services: Services,
    text: str,
    model: str | None,
    endpoint: str | None,
    mode: str,
    no_sources: bool,
    as_json: bool,
) -> bool:
    from tui.chat import Piece, Question

    card = await services.chat.pick(model or services.settings.model or None, endpoint)
    arm = Arm.of(tuned=card.tuned, sources=not no_sources)
    question = Question(text, card.id, arm, Mode(mode), endpoint)
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
