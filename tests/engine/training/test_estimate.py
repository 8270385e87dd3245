"""An estimate is measured by training for real, for a moment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.training.conftest import WORDINGS, messages_file
from tui.domain.job import JobStatus
from tui.engine.home import EngineHome
from tui.engine.settings import Price
from tui.engine.store.jobs import StoredJob
from tui.engine.supervisor.estimate import document, warm_up
from tui.engine.supervisor.prepare import Prepared, Trainable
from tui.engine.training.convert import ensure_weights

pytestmark = pytest.mark.train


def test_a_short_training_gives_time_and_memory_and_leaves_nothing(
    tmp_path: Path, tiny_model: Any
) -> None:
    home = EngineHome(tmp_path / "engine")
    home.create()
    messages_file(home.file("file-1"), WORDINGS)
    ensure_weights(tiny_model.folder)
    model = Trainable("tiny", tiny_model.folder, {"batch_size": 2})
    job = StoredJob(
        "job",
        "tiny",
        JobStatus.QUEUED,
        True,
        True,
        "",
        0,
        0,
        [{"file_id": "file-1", "weight": 1.0}],
        [],
        0.0,
        {"seq_len": 128, "training_steps": 5000},
        {"lora_rank": 4},
        {},
    )
    before = sorted(home.root.iterdir())
    command = (sys.executable, "-m", "tui.engine.training.worker")
    measured = warm_up(home, job, model, command, 1)
    assert measured is not None
    assert measured.tokens_per_second > 0
    assert measured.start_seconds > 0
    assert measured.peak_bytes > 100 * 2**20
    assert sorted(home.root.iterdir()) == before
    metadata = {
        "examples": 12,
        "truncated": 0,
        "data_tokens": 700,
        "train_tokens": 580_000,
        "train_tokens_per_step": 116,
        "expected_duration_seconds": 9,
    }
    prepared = Prepared("", {"training_steps": 5000, "epochs": 800.0}, metadata)
    found = document(job, model, prepared, Price(2.0, "eur"), measured, 2)
    expected = measured.start_seconds + 580_000 / measured.tokens_per_second
    assert found["seconds"] == pytest.approx(expected, abs=1)
    assert found["cost"] == pytest.approx(expected / 3600 * 2.0 * 2, rel=0.01, abs=1e-3)
    assert found["memory"]["needed"] >= measured.peak_bytes
    json.dumps(found)


def test_what_cannot_be_trained_is_not_measured(tmp_path: Path, tiny_model: Any) -> None:
    home = EngineHome(tmp_path / "engine")
    home.create()
    job = StoredJob("job", "tiny", JobStatus.QUEUED, True, True, "", 0, 0, [], [], 0.0, {}, {}, {})
    model = Trainable("tiny", tiny_model.folder, {})
    assert warm_up(home, job, model, ("/bin/false",), 1) is None
