"""Whatever an endpoint does, what was said stays, and says that it is partial."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.chat.conftest import MODEL, Lab
from tests.mistral.faults import answer, chunk, sse
from tui.chat import Conversations, Piece
from tui.chat.guard import repeats
from tui.chat.stream import LOOPED
from tui.domain.chat import Answer, Arm
from tui.mistral.errors import ApiError, QuotaError

QUESTION = "For how many hours does Velmora resin harden?"
TOO_MANY = answer({"detail": "slow down"}, 429, **{"retry-after": "0"})


async def asked(lab: Lab) -> Answer | None:
    """Ask in the session; the answer, if there is one."""
    found = None
    async with aclosing(lab.session.ask(QUESTION)) as events:
        async for told in events:
            if isinstance(told.event, Answer):
                found = told.event
    return found


@pytest.mark.parametrize(
    "broken",
    [
        sse(chunk("For six"), cut=True, done=False),
        sse(chunk("For six"), b"data: {not json}\n\n"),
        sse(chunk("For six"), b"data: []\n\n"),
        sse(chunk("For six"), done=True),
    ],
)
async def test_a_broken_stream_keeps_what_was_said_and_says_why(lab: Lab, broken: object) -> None:
    lab.answers(broken)  # type: ignore[arg-type]
    got = await asked(lab)
    assert got is not None and got.text == "For six" and not got.complete and got.problems
    kept = lab.conversations.read(lab.session.id).exchanges[0].answer
    assert kept.text == "For six" and not kept.complete


@pytest.mark.parametrize("reply", [TOO_MANY, answer({"detail": "broken"}, 500)])
async def test_a_refusal_leaves_the_question_open_and_on_disk(lab: Lab, reply: object) -> None:
    lab.answers(reply)  # type: ignore[arg-type]
    with pytest.raises(ApiError) as raised:
        await asked(lab)
    assert isinstance(raised.value, QuotaError) or "broken" in str(raised.value)
    assert lab.session.open_question
    assert lab.conversations.read(lab.session.id).exchanges[0].question == QUESTION
    lab.says("For 6 hours [1].")
    got = await asked(lab)
    assert got is not None and len(lab.conversations.read(lab.session.id).exchanges) == 1


async def test_a_model_that_repeats_itself_is_stopped(lab: Lab) -> None:
    lab.answers(sse(*[chunk("and so on and on. ")] * 30, hang=True, done=False))
    got = await asked(lab)
    assert got is not None and LOOPED in got.problems and len(got.text) < 2000
    await lab.server.asked("POST", "/v1/chat/completions")[0].closed.wait()


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("la " * 200, True),
        ("the end of it all. " * 40, True),
        ("-" * 500, False),
        ("| | |\n" * 100, False),
        ("".join(f"row {n} of the table\n" for n in range(100)), False),
        ("", False),
    ],
)
def test_repetition_is_told_from_rules_and_tables(text: str, loops: bool) -> None:
    assert repeats(text) is loops


async def test_endless_tokens_come_to_an_end(lab: Lab) -> None:
    words = [chunk(" ".join(f"w{n}x{m}" for m in range(200))) for n in range(200)]
    lab.answers(sse(*words, hang=True, done=False))
    got = await asked(lab)
    assert got is not None and not got.complete and "without end" in " ".join(got.problems)


async def test_stopping_closes_the_request_and_keeps_the_words(lab: Lab) -> None:
    lab.answers(sse(chunk("For six"), hang=True, done=False))
    async with aclosing(lab.session.ask(QUESTION)) as events:
        async for told in events:
            if isinstance(told.event, Piece):
                break
    kept = lab.conversations.read(lab.session.id).exchanges[0].answer
    assert (kept.text, kept.model, kept.complete) == ("For six", MODEL, False)
    await lab.server.asked("POST", "/v1/chat/completions")[0].closed.wait()


async def test_a_cut_answer_is_gone_on_with_from_where_it_was(lab: Lab) -> None:
    lab.answers(sse(chunk("For six hours"), cut=True, done=False))
    await asked(lab)
    # A server may say the beginning again, or only what is new.
    for reply in (["For six hours", " at dusk [1]."], [" at dusk [1]."]):
        lab.says(*reply)
        lab.session.exchanges[-1] = lab.conversations.read(lab.session.id).exchanges[-1]
        first = lab.session.exchanges[-1]
        async for told in lab.session.go_on():
            if isinstance(told.event, Answer):
                assert told.event.text == "For six hours at dusk [1]." and told.event.complete
        request = lab.server.asked("POST", "/v1/chat/completions")[-1].json()
        assert request["messages"][-1]["prefix"] is True
        lab.conversations.answered(lab.session.id, first.id, first.answer)


async def test_two_arms_stream_together_and_the_better_one_is_kept(lab: Lab) -> None:
    lab.says("For 6 hours [1].")
    lab.session.beside = True
    sides = set()
    async for told in lab.session.ask(QUESTION):
        if isinstance(told.event, Answer):
            sides.add((told.side, told.event.arm))
    assert sides == {(0, Arm.BASE_SOURCES), (1, Arm.BASE)}
    lab.session.prefer(1)
    kept = lab.conversations.read(lab.session.id).exchanges[0]
    assert kept.other is not None and kept.preferred == Arm.BASE.value


async def test_a_paper_removed_since_it_was_cited_leaves_the_answer_readable(lab: Lab) -> None:
    lab.says("For 6 hours [1].")
    got = await asked(lab)
    assert got is not None
    lab.corpus.remove([source.paper for source in got.sources])
    kept = lab.conversations.read(lab.session.id).exchanges[0].answer
    assert kept.sources[0].quote and kept.text == got.text


KILLED = """
import asyncio, sys
from pathlib import Path
from tui.chat import Chat, Conversations
from tui.chat.prompt import Prompts
from tui.chat.session import Session
from tui.corpus import Corpus
from tui.domain.model import ModelCard
from tui.mistral.endpoints import Endpoints
from tui.mistral.ledger import Ledger
from tui.mistral.privacy import Gate
from tui.settings import Credentials, EndpointSettings, Settings
from tui.storage.workspace import Workspace
class NoEngine:
    def address(self): return None
root, url = Path(sys.argv[1]), sys.argv[2]
lab = {"lab": EndpointSettings(url, True)}
settings = Settings(endpoint="lab", endpoints=lab, consented=("lab",))
corpus = Corpus(Workspace.open(root / "team"))
endpoints = Endpoints(settings, Credentials(), NoEngine(), Ledger(root / "u.jsonl"))
gate = Gate(settings, corpus.private, lambda _: None)
session = Session(Chat(corpus, endpoints, gate, Prompts()), Conversations(root / "history"))
session.card = ModelCard("lab-model", "lab")
async def main():
    async for told in session.ask("For how many hours does Velmora resin harden?"):
        pass
asyncio.run(main())
"""


async def test_kill_9_while_it_streams_keeps_what_was_said_as_partial(
    lab: Lab, tmp_path: Path
) -> None:
    lab.answers(sse(*[chunk(f"word{n} ") for n in range(40)], hang=True, done=False))
    process = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-c", KILLED, str(tmp_path), lab.server.url]
    )
    history = Conversations(tmp_path / "history")

    async def said() -> str:
        while True:
            for item in history.all():
                if "word39" in item.exchanges[-1].answer.text:
                    return item.id
            assert process.poll() is None
            await asyncio.sleep(0.02)

    try:
        name = await asyncio.wait_for(said(), timeout=60)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    kept = history.read(name).exchanges[0]
    assert kept.answer.text.startswith("word0 word1") and not kept.answer.complete
    assert kept.answer.model == MODEL and kept.question == QUESTION


async def test_a_crash_while_it_goes_on_keeps_the_sources_it_goes_on_from(lab: Lab) -> None:
    lab.answers(sse(chunk("For six "), done=False))
    cut = await asked(lab)
    assert cut is not None and cut.sources
    last = lab.session.exchanges[-1]
    # What a crash leaves behind: words of the continuation, and no end.
    lab.conversations.said(lab.session.id, last.id, " hours at", on=True)
    kept = lab.conversations.read(lab.session.id).exchanges[0].answer
    assert kept.text == "For six hours at" and kept.sources == cut.sources
    assert not kept.complete and (kept.model, kept.arm) == (cut.model, cut.arm)
