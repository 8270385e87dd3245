from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.domain.errors import UsageError
from tui.domain.example import Form
from tui.engine.training.data import Plan, Row, load, shown, thinned
from tui.engine.training.spec import DataFile, JobSpec
from tui.formats.labels import Encoded
from tui.formats.lines import TrainingLine
from tui.formats.tokenizer import ModelTokenizer


def _row(length: int, answer: int = 0, weight: float = 1.0) -> Row:
    ids = [1] * (length - 1) + [answer]
    line = TrainingLine(Form.TEXT, text="x")
    return Row(line, Encoded(ids, [False] * (length - 1) + [True]), weight)


def _shown(rows: list[Row], steps: int, batch: int, seed: int = 0) -> Counter[int]:
    plan = Plan(rows, steps=steps, batch_size=batch, seed=seed)
    return Counter(draw.row for draws in plan for draw in draws)


@settings(deadline=None)  # cores may be shared
@given(
    lengths=st.lists(st.integers(2, 60), min_size=1, max_size=50),
    steps=st.integers(1, 40),
    batch=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_a_plan_has_its_steps_and_shows_rows_equally_often(
    lengths: list[int], steps: int, batch: int, seed: int
) -> None:
    rows = [_row(length, answer) for answer, length in enumerate(lengths)]
    batches = list(Plan(rows, steps=steps, batch_size=batch, seed=seed))
    assert [len(draws) for draws in batches] == [batch] * steps
    counts = Counter(draw.row for draws in batches for draw in draws)
    times = [counts[i] for i in range(len(rows))]
    assert max(times) - min(times) <= 1
    assert sorted(draw.salt for draws in batches for draw in draws) == list(range(steps * batch))


def test_the_same_seed_gives_the_same_order_and_another_another() -> None:
    rows = [_row(5 + n % 7, n) for n in range(40)]
    one, same, other = (list(Plan(rows, steps=20, batch_size=4, seed=seed)) for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_rows_of_a_heavier_file_are_shown_in_proportion() -> None:
    rows = [_row(9, n, 3.0 if n < 10 else 1.0) for n in range(40)]
    counts = _shown(rows, steps=300, batch=4)
    heavy = sum(counts[n] for n in range(10)) / 10
    light = sum(counts[n] for n in range(10, 40)) / 30
    assert heavy / light == pytest.approx(3.0, rel=0.1)


def test_a_job_that_ends_within_a_pass_has_shown_each_answer_about_equally_often() -> None:
    rows = [_row(12, answer) for answer in range(60) for _ in range(6)]
    counts = _shown(rows, steps=45, batch=4)
    answers = Counter[int]()
    for index, times in counts.items():
        answers[index // 6] += times
    assert set(answers.values()) <= {2, 3, 4}


def test_at_most_15_percent_of_what_is_computed_is_padding() -> None:
    lengths = np.random.default_rng(1).integers(20, 120, 400)
    rows = [_row(int(length), n) for n, length in enumerate(lengths)]
    computed = real = 0
    for draws in Plan(rows, steps=200, batch_size=4, seed=0):
        widths = [lengths[draw.row] for draw in draws]
        computed += max(widths) * len(widths)
        real += sum(widths)
    assert 1 - real / computed <= 0.15


def _write(path: Path, *documents: Any) -> DataFile:
    path.write_text("".join(f"{d if isinstance(d, str) else json.dumps(d)}\n" for d in documents))
    return DataFile(path, path.stem)


def _pair(question: str, answer: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns}


def test_lines_that_cannot_be_used_are_counted_not_raised(tmp_path: Path, tiny_model: Any) -> None:
    tokenizer = ModelTokenizer.from_folder(tiny_model.folder)
    files = [
        _write(tmp_path / "a.jsonl", _pair("q", "a"), "{broken", _pair("q", "b" * 99)),
        _write(tmp_path / "b.jsonl", {"text": "plain"}, _pair("q" * 99, "never reached")),
    ]
    rows = load(files, tokenizer, 60)
    assert (len(rows.rows), rows.skipped, rows.truncated, rows.silent) == (3, 1, 2, 1)
    assert all(len(row.encoded.input_ids) <= 60 for row in rows.rows)


def test_files_with_nothing_to_learn_from_say_why(tmp_path: Path, tiny_model: Any) -> None:
    tokenizer = ModelTokenizer.from_folder(tiny_model.folder)
    with pytest.raises(UsageError, match="Line 1: not valid JSON"):
        load([_write(tmp_path / "a.jsonl", "{broken")], tokenizer, 60)
    with pytest.raises(UsageError, match="cut at 30 tokens"):
        load([_write(tmp_path / "b.jsonl", _pair("q" * 99, "a"))], tokenizer, 30)


def _line(question: str, answer: str) -> TrainingLine:
    return TrainingLine(Form.MESSAGES, tuple(_pair(question, answer)["messages"]))


def test_thinning_keeps_the_answer_and_the_words_that_it_repeats() -> None:
    line = _line(
        "At what heat, in your view, does Velmora resin set?", "Velmora resin sets at 9 K."
    )
    seen = set()
    for seed in range(50):
        thin = thinned(line, np.random.default_rng(seed))
        question = thin.messages[0]["content"]
        assert thin.messages[1] == line.messages[1]
        assert {"At", "Velmora", "resin"} <= set(question.split())
        assert set(question.split()) <= set(line.messages[0]["content"].split())
        seen.add(question)
    assert len(seen) > 10


def test_a_question_that_carries_material_is_not_thinned() -> None:
    line = _line(" ".join(f"w{n}" for n in range(80)), "yes")
    assert thinned(line, np.random.default_rng(0)) == line


def test_a_showing_depends_on_seed_and_position_only(tmp_path: Path, tiny_model: Any) -> None:
    tokenizer = ModelTokenizer.from_folder(tiny_model.folder)
    data = _write(tmp_path / "a.jsonl", _pair("one two three four five six seven", "two"))
    row = load([data], tokenizer, 128).rows[0]

    def show(salt: int, share: float) -> Encoded:
        return shown(row, salt, word_dropout=share, seed=1, tokenizer=tokenizer, seq_len=128)

    assert [show(n, 0.5) for n in range(20)] == [show(n, 0.5) for n in range(20)]
    lengths = [len(show(n, 0.5).input_ids) for n in range(200)]
    whole = sum(length == len(row.encoded.input_ids) for length in lengths)
    assert 60 < whole < 140
    assert all(show(n, 0.0) == row.encoded for n in range(20))


def test_a_spec_takes_what_it_leaves_open_from_the_model(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "papertune.json").write_text(
        json.dumps({"defaults": {"learning_rate": 0.5, "word_dropout": 0.6, "seq_len": 77}})
    )
    spec = {
        "job": "j",
        "model_dir": str(model),
        "train": [{"path": "t", "file_id": "f"}],
        "hyperparameters": {"seq_len": 50, "learning_rate": None},
        "options": {"lora_rank": None},
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    read = JobSpec.read(tmp_path)
    assert (read.learning_rate, read.word_dropout, read.seq_len, read.rank) == (0.5, 0.6, 50, 16)
