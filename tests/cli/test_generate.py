"""`papertune dataset generate`: the stream that scripts stand on, and the lines people read."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.mistral.faults import FaultServer, answer, completion
from tui.cli import papertune
from tui.domain.errors import UsageError
from tui.services import Services
from tui.settings import EndpointSettings, Settings, save_settings

CHAT = "/v1/chat/completions"
PAPER = """---
title: Notes on Velmora resin
---

# Results

In every one of the eleven runs Velmora resin set hard at 283 kelvin.
"""
PAIR = {
    "quote": "In every one of the eleven runs Velmora resin set hard at 283 kelvin.",
    "question": "At what temperature does Velmora resin set?",
    "answer": "Velmora resin sets at 283 kelvin.",
    "key_phrase": "283 kelvin",
    "wordings": ["How warm is Velmora resin in this paper?"],
}


@pytest.fixture
def lab() -> Iterator[FaultServer]:
    """A scripted server in a thread of its own, since a command has its own event loop."""
    server, loop = FaultServer(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def workspace(tmp_path: Path, lab: FaultServer) -> Path:
    save_settings(Settings(endpoints={"lab": EndpointSettings(lab.url)}, consented=("lab",)))
    services = Services.open(tmp_path / "workspace")
    (tmp_path / "paper.md").write_text(PAPER)
    services.corpus.add([tmp_path / "paper.md"])
    services.datasets.create("answers")
    services.close()
    return tmp_path / "workspace"


def generate(workspace: Path, *words: str) -> Result:
    command = ["-w", str(workspace), "dataset", "generate", "answers", "--kind", "qa"]
    return CliRunner().invoke(
        papertune, [*command, "--model", "m", "--endpoint", "lab", *words], standalone_mode=False
    )


def events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_stream_of_items_ends_with_what_was_done(workspace: Path, lab: FaultServer) -> None:
    lab.on("POST", CHAT, answer(completion(json.dumps(PAIR))))
    result = generate(workspace, "--wordings", "2", "--json")
    assert not result.return_value, result.output
    *items, done = events(result)
    assert [item["event"] for item in items] == ["accepted", "rejected"]
    assert items[0]["question"] == PAIR["question"]
    assert (done["event"], done["accepted"], done["rejected"]) == ("done", 1, {"not-alone": 1})
    assert (done["failed"], done["tokens"], done["cost"]) == (0, 16, None)


def test_failures_are_exit_code_one(workspace: Path, lab: FaultServer) -> None:
    lab.on("POST", CHAT, answer(completion("Certainly!")))
    result = generate(workspace, "--json")
    assert result.return_value == 1
    *items, done = events(result)
    assert [item["event"] for item in items] == ["failed"]
    assert (done["failed"], done["stopped"]) == (1, "finished")


def test_an_endpoint_that_fails_is_told_and_is_exit_code_one(
    workspace: Path, lab: FaultServer
) -> None:
    lab.on("POST", CHAT, answer({"message": "No such model"}, 404))
    result = generate(workspace)
    assert result.return_value == 1
    assert "No such model" in result.stderr
    assert "carries on" in result.stderr


def test_people_read_lines(workspace: Path, lab: FaultServer) -> None:
    hostile = {**PAIR, "question": "At what \x1b[2Jtemperature does Velmora resin set?"}
    lab.on("POST", CHAT, answer(completion(json.dumps(hostile))))
    result = generate(workspace, "--wordings", "2")
    assert "+ e" in result.stdout
    assert "(not-alone)" in result.stdout
    assert "1 to review, 1 rejected (1 not-alone)" in result.stdout
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    "words", [("--budget", "5usd"), ("--budget", "much"), ("--mix", "riddle=3")]
)
def test_what_cannot_be_meant_is_refused(
    workspace: Path, lab: FaultServer, words: tuple[str, str]
) -> None:
    assert isinstance(generate(workspace, *words).exception, UsageError)
    assert not lab.requests
