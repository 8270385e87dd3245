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


def dataset(workspace: Path, *words: str) -> Result:
    command = ["-w", str(workspace), "dataset", *words]
    return CliRunner().invoke(papertune, command, standalone_mode=False)


def test_failures_are_listed_and_asked_about_again(workspace: Path, lab: FaultServer) -> None:
    lab.on("POST", CHAT, answer(completion("Certainly!")))
    generate(workspace, "--json")
    [failed] = json.loads(dataset(workspace, "failures", "answers", "--json").stdout)
    assert (failed["kind"], failed["model"], failed["lost"]) == ("qa", "m", False)
    assert "JSON" in failed["reason"]
    lab.on("POST", CHAT, answer(completion(json.dumps(PAIR))))
    again = dataset(workspace, "failures", "answers", "--retry", "--wordings", "1", "--json")
    assert not again.return_value, again.output
    assert [event["event"] for event in events(again)] == ["accepted", "done"]
    assert json.loads(dataset(workspace, "failures", "answers", "--json").stdout) == []


def test_types_wordings_and_sources_are_set_on_the_command_line(
    workspace: Path, lab: FaultServer
) -> None:
    open_question = {
        "quote": PAIR["quote"],
        "question": "Under what pressure does Velmora resin set?",
        "wordings": ["How much weight must lie on Velmora resin while it hardens?"],
    }
    lab.on("POST", CHAT, answer(completion(json.dumps(open_question))))
    result = generate(workspace, "--types", "unanswerable=1", "--wordings", "2", "--json")
    *items, done = events(result)
    assert [item["type"] for item in items] == ["unanswerable"] * 2
    assert done["accepted"] == 2
    assert items[0]["progress"]["units"] == 1


def test_a_paused_dataset_stays_paused_until_it_is_resumed(
    workspace: Path, lab: FaultServer
) -> None:
    paused = dataset(workspace, "pause", "answers", "--json")
    assert json.loads(paused.stdout) == {"dataset": "answers", "paused": True}
    services = Services.open(workspace)
    assert services.generator.paused("answers")
    services.close()
    dataset(workspace, "resume", "answers")
    lab.on("POST", CHAT, answer(completion(json.dumps(PAIR))))
    assert not generate(workspace, "--json").return_value


def test_a_judge_is_asked_and_measured(workspace: Path, lab: FaultServer) -> None:
    lab.on("POST", CHAT, answer(completion(json.dumps(PAIR))))
    [first, *_] = events(generate(workspace, "--wordings", "1", "--json"))
    dataset(workspace, "accept", "answers", first["id"])
    verdict = {"reason": "It says so.", "verdict": "supported"}
    lab.on("POST", CHAT, answer(completion(json.dumps(verdict))))
    command = ("judge", "answers", "--model", "m", "--endpoint", "lab")
    *items, done = events(dataset(workspace, *command, "--json"))
    assert [(item["event"], item["entailed"]) for item in items] == [("judged", True)]
    [agreement] = done["agreement"]
    assert (agreement["n"], agreement["agreement"], agreement["kappa"]) == (1, 1.0, None)
    told = dataset(workspace, "judge", "answers", "--agreement")
    assert "agree on 100% of 1" in told.stdout
    shown = json.loads(dataset(workspace, "judge", "answers", "--agreement", "--json").stdout)
    assert [item["model"] for item in shown] == ["m"]


def test_accepted_pairs_get_sources_without_a_model(workspace: Path, lab: FaultServer) -> None:
    lab.on("POST", CHAT, answer(completion(json.dumps(PAIR))))
    [first, *_] = events(generate(workspace, "--wordings", "1", "--json"))
    dataset(workspace, "accept", "answers", first["id"])
    requests = len(lab.requests)
    added = dataset(
        workspace, "add", "answers", "--kind", "retrieval", "--refusals", "0%", "--json"
    )
    report = json.loads(added.stdout)
    assert (report["added"], report["failed"]) == (1, 0)
    assert len(lab.requests) == requests


def test_full_text_comes_in_pieces_that_fit_a_model(workspace: Path, lab: FaultServer) -> None:
    said = (f"In run {n} resin was poured into a mould and left for a while. " for n in range(180))
    long = "# Long\n\n" + "".join(said)
    (workspace.parent / "long.md").write_text(long)
    services = Services.open(workspace)
    services.corpus.add([workspace.parent / "long.md"])
    services.close()
    card = {"id": "m", "object": "model", "type": "base", "capabilities": {}}
    lab.on("GET", "/v1/models/m", answer({**card, "max_context_length": 1024}))
    save_settings(
        Settings(endpoint="lab", endpoints={"lab": EndpointSettings(lab.url)}, consented=("lab",))
    )
    command = ("add", "answers", "--kind", "full-text", "--query", "Long", "--json")
    assert json.loads(dataset(workspace, *command, "--model", "m").stdout)["added"] == 3
