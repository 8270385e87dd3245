"""How the documents of servers of several years are read."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mistral.faults import job_document
from tui.domain.job import JobStatus
from tui.mistral.jobs import parse_job
from tui.mistral.local import parse_local_job

HISTORY = ["QUEUED", "VALIDATING", "VALIDATED", "QUEUED", "RUNNING", "SUCCESS"]


def events(times: list[int]) -> list[Any]:
    return [
        {"name": "status-updated", "data": {"status": status}, "created_at": at}
        for status, at in zip(HISTORY, times, strict=True)
    ]


@pytest.mark.parametrize("times", [[1, 2, 3, 4, 5, 6], [1, 1, 1, 2, 2, 2], [7] * 6])
@pytest.mark.parametrize("newest_first", [False, True])
def test_events_come_in_time_order_whatever_order_they_were_sent_in(
    times: list[int], newest_first: bool
) -> None:
    sent = events(times)[:: -1 if newest_first else 1]
    job = parse_job(job_document(status="SUCCESS", events=sent))
    assert [event.data["status"] for event in job.events] == HISTORY


def test_what_was_not_measured_is_none() -> None:
    def checkpoint(step: int, train: float, valid: float | None, accuracy: float | None) -> Any:
        metrics = {
            "train_loss": train,
            "valid_loss": valid,
            "valid_mean_token_accuracy": accuracy,
        }
        return {"metrics": metrics, "step_number": step, "created_at": 1795280200 + step}

    sent = [
        checkpoint(30, 0.9, 0.819697, 1.765035),
        checkpoint(20, 1.0, 0.0, 0.0),
        checkpoint(10, 1.2, 1.251, 0.693),
    ]
    job = parse_job(job_document(checkpoints=sent))
    assert [item.step for item in job.checkpoints] == [10, 20, 30]
    assert [item.valid_loss for item in job.checkpoints] == [1.251, None, 0.819697]
    assert [item.valid_accuracy for item in job.checkpoints] == [0.693, None, None]
    assert job.raw["checkpoints"][0]["metrics"]["valid_mean_token_accuracy"] == 1.765035


def test_a_diverged_loss_stays_not_a_number() -> None:
    sent = [{"metrics": {"train_loss": math.nan}, "step_number": 1, "created_at": 1}]
    [checkpoint] = parse_job(job_document(checkpoints=sent)).checkpoints
    assert checkpoint.train_loss is not None
    assert math.isnan(checkpoint.train_loss)


def test_an_unknown_status_is_kept_as_the_server_says_it() -> None:
    job = parse_job(job_document(status="PAUSED_BY_ADMIN"))
    assert job.status == "PAUSED_BY_ADMIN"
    assert not job.terminal
    assert parse_job(job_document(status="FAILED")).status is JobStatus.FAILED


def test_training_files_are_read_in_both_forms() -> None:
    job = parse_job(job_document(training_files=["a", {"file_id": "b", "weight": 1.0}]))
    assert job.training_files == ("a", "b")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_FIELDS = sorted({*job_document(), "events", "checkpoints", "metadata", "trained_tokens"})
_LOCAL = ["points", "files", "options", "progress", "device", "log", "message", "lineage"]


@given(values=st.dictionaries(st.sampled_from(_FIELDS), _JSON))
def test_no_document_crashes_the_reader(values: dict[str, Any]) -> None:
    job = parse_job({**job_document(), **values})
    assert all(a.step < b.step for a, b in itertools.pairwise(job.checkpoints))


@given(values=st.dictionaries(st.sampled_from(_LOCAL), _JSON))
def test_no_local_document_crashes_the_reader(values: dict[str, Any]) -> None:
    parse_local_job(values)


def test_points_come_in_step_order_with_their_losses_by_file() -> None:
    raw = {
        "points": [
            {"step": 2, "at": 11.0, "train_loss": 1.0, "validation": {"m": 0.5, "t": None}},
            {"step": 1, "at": 10.0, "train_loss": 2.0, "learning_rate": 0.002, "tokens": 40},
        ],
        "files": {"m": "a-v1.validation.messages.jsonl"},
        "progress": {"step": 2, "steps": 4, "seconds_left": 3.5, "tokens_per_second": None},
        "log": ["one", "two"],
        "lineage": {"dataset": "a@v1", "papers": ["p"]},
    }
    local = parse_local_job(json.loads(json.dumps(raw)))
    assert [point.step for point in local.points] == [1, 2]
    assert local.points[1].validation == {"m": 0.5}
    assert (local.progress.steps, local.progress.seconds_left) == (4, 3.5)
    assert local.lineage.dataset == "a@v1"
