"""`papertune dataset`: the whole path by commands, with the JSON that scripts stand on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tui.cli import papertune
from tui.domain.errors import (
    ConflictError,
    MissingError,
    NotFoundError,
    PapertuneError,
    UsageError,
)
from tui.domain.example import Status
from tui.formats.tokenizer import ModelTokenizer
from tui.services import Services

PAPER = """---
title: Notes on Velmora resin
---

# Abstract

We heated Velmora resin and watched it closely for a winter.

# Results

In every one of the eleven runs Velmora resin set hard at 283 kelvin.
"""
PAIRS = [
    {
        "question": question,
        "answer": "Velmora resin sets at 283 kelvin.",
        "key_phrase": "283 kelvin",
        "quote": "Velmora resin set hard at 283 kelvin",
        "paper": "Notes on Velmora resin",
        "finding": "velmora",
    }
    for question in (
        "At what temperature does Velmora resin set?",
        "How warm must Velmora be before it hardens?",
        "Which reading of the probe ends the liquid state of Velmora?",
        "If I cool a dish of Velmora, when does it become solid?",
        "State the heat at which the fenland gum was seen to stiffen.",
    )
]


class Command:
    """Runs `papertune -w WORKSPACE dataset …` in this process."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def __call__(self, *words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(
            papertune,
            ["-w", str(self.workspace), "dataset", *words, "--json"],
            standalone_mode=False,
        )
        if isinstance(result.exception, PapertuneError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert (result.return_value or result.exit_code) == code, result.output
        return json.loads(result.stdout)


@pytest.fixture
def dataset(tmp_path: Path) -> Command:
    services = Services.open(tmp_path / "workspace")
    (tmp_path / "paper.md").write_text(PAPER)
    services.corpus.add([tmp_path / "paper.md"])
    services.close()
    return Command(tmp_path / "workspace")


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    return str(path)


def test_the_whole_path_by_commands(dataset: Command, pairs: str) -> None:
    assert dataset("create", "answers")["examples"] == 0
    added = dataset("add", "answers", "--kind", "qa", "--file", pairs)
    assert added == {"added": 5, "skipped": 0, "failed": 0, "failures": [], "notes": []}
    assert dataset("add", "answers", "--kind", "summary")["added"] == 1
    assert dataset("add", "answers", "--kind", "full-text", "--form", "text")["added"] >= 1
    shown = dataset("show", "answers", "--examples")
    assert shown["kinds"]["qa"] == 5
    assert shown["items"][0]["question"] == PAIRS[0]["question"]
    assert shown["items"][0]["verified"] is True
    split = dataset("split", "answers", "--transfer", "10%", "--memory", "0.2", "--seed", "1")
    assert split["roles"]["test-memory"] == {"papers": 1, "examples": 1}
    assert "too few" in split["notes"][0]
    checked = dataset("check", "answers")
    assert checked["lines"] == checked["valid"] >= 7
    for key in ("invalid", "over_length", "duplicates", "near_duplicates", "leaks"):
        assert checked[key] == 0
    assert (checked["errors"], checked["tokens"] > 0) == ([], True)
    frozen = dataset("freeze", "answers")
    assert frozen["version"] == 1
    assert frozen["examples"] == checked["lines"]
    assert len(frozen["papers"]) == 1
    train = frozen["files"]["train.messages"]
    assert set(train) == {"path", "sha256", "lines", "tokens"}
    assert len(Path(train["path"]).read_text().splitlines()) == train["lines"]
    assert dataset("freeze", "answers") == frozen
    assert dataset("check", train["path"])["valid"] == train["lines"]
    (listed,) = dataset("list")
    assert (listed["name"], listed["versions"]) == ("answers", [1])


def test_examples_are_decided_by_short_ids_and_taken_back(dataset: Command, pairs: str) -> None:
    dataset("create", "answers")
    dataset("add", "answers", "--kind", "qa", "--file", pairs)
    ids = [item["id"] for item in dataset("show", "answers", "--examples")["items"]]
    (rejected,) = dataset("reject", "answers", ids[0][:10], "--reason", "vague")
    assert (rejected["id"], rejected["status"], rejected["reason"]) == (ids[0], "rejected", "vague")
    assert dataset("undo", "answers")[0]["status"] == "accepted"
    dataset("reject", "answers", *ids[:2])
    assert dataset("show", "answers")["statuses"] == {"accepted": 3, "rejected": 2}
    assert len(dataset("accept", "answers", *ids[:2])) == 2
    (edited,) = dataset("edit", "answers", ids[0], "--answer", "At 283 kelvin it sets.")
    assert edited["answer"] == "At 283 kelvin it sets."


def test_versions_are_compared(dataset: Command, pairs: str) -> None:
    dataset("create", "answers")
    dataset("add", "answers", "--kind", "qa", "--file", pairs)
    dataset("split", "answers")
    dataset("freeze", "answers")
    dataset("add", "answers", "--kind", "summary")
    dataset("freeze", "answers")
    found = dataset("diff", "answers", "v1", "2")
    assert (len(found["added"]), found["removed"], found["moved"]) == (1, [], [])


def test_refused_lines_are_listed_and_the_exit_code_says_so(
    dataset: Command, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"question": "Why?", "answer": "So."}\nnot json\n')
    dataset("create", "answers")
    report = dataset("add", "answers", "--kind", "qa", "--file", str(path), code=1)
    assert (report["added"], report["failed"]) == (1, 1)
    assert report["failures"][0]["line"] == 2


def test_an_invalid_file_is_exit_code_one_with_every_error(
    dataset: Command, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "good"}\n{"text": ""}\n{"text": "a", "text": "b"}\n')
    report = dataset("check", str(path), code=1)
    assert (report["valid"], report["invalid"]) == (1, 2)
    assert [(e["line"], e["code"]) for e in report["errors"]] == [
        (2, "text-empty"),
        (3, "duplicate-key"),
    ]


def test_wrong_requests_are_told_apart(dataset: Command, pairs: str) -> None:
    dataset("create", "answers")
    with pytest.raises(ConflictError):
        dataset("create", "answers")
    with pytest.raises(NotFoundError):
        dataset("show", "nothing")
    with pytest.raises(UsageError):
        dataset("add", "answers", "--kind", "qa")
    with pytest.raises(UsageError):
        dataset("add", "answers", "--kind", "qa", "--file", pairs, "--query", "x")
    with pytest.raises(UsageError):
        dataset("split", "answers", "--transfer", "200%")


def test_people_read_lines_and_scripts_read_exit_codes(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "good"}\n{"messages": [{"role": "\\u001b]0;x\\u0007"}]}\n')
    command = [sys.executable, "-m", "tui", "-w", str(tmp_path / "w"), "dataset"]
    checked = subprocess.run(
        [*command, "check", str(bad)], capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 1
    assert "1 valid, 1 invalid" in checked.stdout
    assert "role-unknown" in checked.stdout
    assert "\x1b" not in checked.stdout
    subprocess.run([*command, "create", "y"], capture_output=True, check=True, timeout=60)
    missing = subprocess.run(
        [*command, "show", "x"], capture_output=True, text=True, check=False, timeout=60
    )
    assert missing.returncode == 2
    assert "dataset create" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_files_come_in_and_go_out_in_other_forms(
    dataset: Command, tmp_path: Path, pairs: str
) -> None:
    dataset("create", "answers")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("frage,antwort\nHeat?,283 kelvin.\nCold?,\n")
    columns = ("--question-column", "frage", "--answer-column", "antwort")
    report = dataset("import", "answers", str(sheet), *columns, "--draft", code=1)
    assert (report["added"], report["failed"], report["failures"][0]["line"]) == (1, 1, 3)
    assert dataset("show", "answers", "--status", "draft")["items"][0]["question"] == "Heat?"
    out = tmp_path / "out.jsonl"
    assert dataset("export", "answers", str(out), "--form", "sharegpt")["written"] == 0
    dataset("import", "answers", pairs)
    with pytest.raises(ConflictError):
        dataset("export", "answers", str(out))
    assert dataset("export", "answers", str(out), "--replace", "--form", "alpaca")["written"] == 5
    assert set(json.loads(out.read_text().splitlines()[0])) == {"instruction", "input", "output"}


def test_a_file_is_mended_into_a_new_one(dataset: Command, tmp_path: Path) -> None:
    line = '{"messages":[{"role":"User","content":"a"},{"role":"assistant","content":"b"}]}'
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(f"{line}\n\n{{}}\n")
    report = dataset("check", str(old), "--fix", str(new), code=1)
    assert (report["fixed"]["written"], report["fixed"]["left_out"]) == (1, 1)
    assert report["fixed"]["fixed"] == {"empty-line": 1, "role-unknown": 1}
    assert dataset("check", str(new))["valid"] == 1
    dataset("create", "answers")
    with pytest.raises(UsageError):
        dataset("check", "answers", "--fix", str(new))


def test_many_are_decided_at_once_and_reviewers_who_differ_are_listed(
    dataset: Command, pairs: str
) -> None:
    dataset("create", "answers")
    dataset("add", "answers", "--kind", "qa", "--file", pairs)
    with pytest.raises(UsageError):
        dataset("reject", "answers")
    assert dataset("reject", "answers", "--kind", "qa", "--reason", "vague")["decided"] == 5
    assert dataset("accept", "answers", "--was", "vague")["decided"] == 5
    assert dataset("disagreements", "answers") == []
    assert len(dataset("undo", "answers")) == 5
    one = dataset("show", "answers", "--reason", "vague")["items"][0]["id"]
    assert dataset("note", "answers", one, "--text", "p. 3")[0]["note"] == "p. 3"
    services = Services.open(dataset.workspace)
    services.datasets.person = "Grace"
    services.datasets.decide("answers", [one], Status.ACCEPTED)
    services.close()
    (found,) = dataset("disagreements", "answers")
    assert found["example"] == one
    assert set(found["verdicts"].values()) == {"accepted", "rejected"}


def test_a_check_counts_as_the_model_does_that_was_fetched(
    dataset: Command, tmp_path: Path, local_model: str, bundled_model_dir: Path
) -> None:
    tokenizer = ModelTokenizer.from_folder(bundled_model_dir)
    talks = [
        [{"role": "user", "content": words}, {"role": "assistant", "content": "It sets at 283 K."}]
        for words in ("At what temperature does Velmora resin set?", "Väl: 樹脂? " * 40)
    ]
    counts = [tokenizer.count_messages(talk) for talk in talks]
    path = tmp_path / "file.jsonl"
    path.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
    limit = str(counts[0])
    report = dataset("check", str(path), "--model", local_model, "--seq-len", limit)
    assert report["tokens"] == sum(counts)
    assert (report["over_length"], report["cut"]) == (1, counts[1] - counts[0])
    assert "lose their whole answer" in report["warnings"][0]
    with pytest.raises(MissingError, match="engine start"):
        dataset("check", str(path), "--model", "another-model")
