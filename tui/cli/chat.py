"""`papertune chat`: one question, or a conversation line by line on a terminal or a pipe."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.output import allow_outside_option, chosen_workspace, common, emit, finish, say, show
from tui.domain.chat import Answer, Mode
from tui.domain.errors import UsageError
from tui.text import clean, shorten

if TYPE_CHECKING:
    from tui.chat.session import Session
    from tui.services import Services


@click.command("chat")
@click.option("--model", help="A model's id; without it the newest fine-tuned model.")
@click.option("--endpoint", help="Where to ask; without it the settings' default.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="What to ask for.")
@click.option("--no-sources", is_flag=True, help="Put no passages into the prompt.")
@click.option("--base", is_flag=True, help="Ask the model that the chosen one was tuned from.")
@click.option("--beside", is_flag=True, help="Ask the arm beside it too: base or tuned.")
@click.option(
    "--scope", help="all, tag:NAME, query:WORDS, a paper's id, or papers:ID,ID (default: all)."
)
@click.option("--conversation", help="Go on with this conversation (see --list).")
@click.option("--last", is_flag=True, help="Go on with the conversation asked in last.")
@click.option("--list", "listing", is_flag=True, help="List conversations; QUESTION narrows them.")
@click.option("--export", type=click.Path(path_type=Path), help="Write it to a Markdown file.")
@click.option("--notes", type=click.Path(path_type=Path), help="Write it into a folder of notes.")
@click.option("--title", help="Give the conversation a title.")
@allow_outside_option
@click.argument("question", required=False)
@common
def command(
    question: str | None,
    model: str | None,
    endpoint: str | None,
    mode: str | None,
    no_sources: bool,
    base: bool,
    beside: bool,
    scope: str | None,
    conversation: str | None,
    last: bool,
    listing: bool,
    export: Path | None,
    notes: Path | None,
    title: str | None,
    allow_outside: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Ask a model about the papers; without QUESTION, questions are read line by line."""
    from tui.chat.session import Session
    from tui.services import Services

    services = Services.open(chosen_workspace(workspace), create=False)
    if listing:
        _list(services, question or "", as_json)
        return
    held = conversation or (_newest(services) if last else None)
    if export or notes or title:
        _keep(services, held or _newest(services), export, notes, title, as_json)
        return
    if question is None and as_json:
        raise UsageError("--json needs a question.", 'Write: papertune chat --json "…"')
    if allow_outside:
        services.gate.consent(services.endpoints.get(endpoint))
    session = Session(services.chat, services.conversations)
    if held:
        session.resume(held)
    if mode:
        session.mode = Mode(mode)
    if scope:
        from tui.chat import Scope

        session.scope = Scope.parse(scope)
    session.sources, session.base, session.beside = not no_sources, base, beside

    async def talk() -> bool:
        wanted = model or services.settings.model or None
        session.card = await services.chat.pick(wanted, endpoint)
        if question is not None:
            return await _ask(services, session, question, as_json)
        return await _converse(services, session)

    finish(services.run(talk()))


async def _converse(services: Services, session: Session) -> bool:
    """Answer lines of stdin until an empty one; whether every answer came to its end."""
    if sys.stdin.isatty():
        say("Ask away; an empty line or ctrl+d ends.")
    ok = True
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        ok &= await _ask(services, session, line, as_json=False)
    return ok


async def _ask(services: Services, session: Session, text: str, as_json: bool) -> bool:
    from tui.chat import Piece, Working

    answers: dict[int, Answer] = {}
    both = session.beside
    async for told in session.ask(clean(text), services.corpus):
        event = told.event
        if isinstance(event, Answer):
            answers[told.side] = event
        elif isinstance(event, Piece) and not (as_json or both):
            click.echo(event.text, nl=False)
        elif isinstance(event, Working) and event.total:
            say(f"{event.words} ({event.done + 1} of {event.total})")
    assert answers, "ask ends in an Answer"
    first, other = answers[0], answers.get(1)
    if as_json:
        document = as_document(first)
        document["conversation"] = session.id
        if other is not None:
            document["beside"] = as_document(other)
        emit(document)
    else:
        for answer in filter(None, (first, other)):
            if both:
                show(f"── {answer.arm.value} · {answer.model}\n{answer.text}")
            _print_rest(answer)
    return all(answer.complete for answer in answers.values())


def as_document(answer: Answer) -> dict[str, object]:
    """An answer as `chat --json` prints it."""
    return {
        "model": answer.model,
        "arm": answer.arm.value,
        "answer": answer.text,
        "refused": answer.refused,
        "sources": [
            {
                "n": source.n,
                "paper": source.paper,
                "title": source.title,
                "page": source.page,
                "passage": source.passage,
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
        "context": answer.context,
        "cost": answer.cost,
        "currency": answer.currency,
        "seconds": round(answer.seconds, 3),
        "finish_reason": answer.finish_reason,
        "problems": list(answer.problems),
        "flaws": [
            {"start": f.start, "end": f.end, "kind": f.kind, "message": f.message}
            for f in answer.flaws
        ],
        "notes": list(answer.notes),
    }


def _print_rest(answer: Answer) -> None:
    click.echo("")
    if answer.refused:
        show("  (The sources do not hold the answer; these are the nearest.)")
    for source in answer.sources:
        page = f", p. {source.page}" if source.page else ""
        show(f"  [{source.n}] {source.title}{page}: {shorten(source.quote, 300)}")
    for problem in answer.problems:
        say(f"! {problem}")
    for note in answer.notes:
        say(f"  {note}")
    if not answer.complete:
        say("! The answer was cut short.")


def _newest(services: Services) -> str:
    newest = services.conversations.all(limit=1)
    if not newest:
        raise UsageError("There is no conversation yet.", 'Ask something: papertune chat "…"')
    return newest[0].id


def _list(services: Services, query: str, as_json: bool) -> None:
    found = services.conversations.all(query)
    if as_json:
        emit(
            [
                {
                    "id": item.id,
                    "title": item.title,
                    "started_at": item.started_at,
                    "exchanges": len(item.exchanges),
                    "branches": item.branches,
                }
                for item in found
            ]
        )
        return
    if not found:
        show("No conversation yet." if not query else f"No conversation holds '{query}'.")
    for item in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.started_at))
        show(f"{item.id}  {when}  {len(item.exchanges):3}  {item.title}")


def _keep(
    services: Services,
    conversation: str,
    export: Path | None,
    notes: Path | None,
    title: str | None,
    as_json: bool,
) -> None:
    """Title, export, notes: what is done with a conversation instead of asking in it."""
    from tui.chat.export import to_notes

    done: dict[str, object] = {"conversation": conversation}
    if title:
        services.conversations.rename(conversation, title)
        done["title"] = services.conversations.read(conversation).title
    if export:
        done["file"] = str(services.conversations.export(conversation, export))
    if notes:
        written = to_notes(services.conversations.read(conversation), notes)
        done |= {
            "note": str(written.note),
            "papers": [str(path) for path in written.papers],
            "kept": [str(path) for path in written.kept],
        }
    if as_json:
        emit(done)
    else:
        for name, value in done.items():
            show(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
