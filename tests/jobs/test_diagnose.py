from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tui.domain.job import JobStatus, LossPoint
from tui.jobs import Diagnosis, best_step, diagnose

RUNNING = JobStatus.RUNNING


def curve(
    train: list[float],
    memory: dict[int, float] | None = None,
    transfer: dict[int, float] | None = None,
) -> list[LossPoint]:
    """Points at steps 1, 2, …, ten seconds apart; validation losses by step."""
    points = []
    for step, loss in enumerate(train, start=1):
        validation = {}
        if memory and step in memory:
            validation["m"] = memory[step]
        if transfer and step in transfer:
            validation["t"] = transfer[step]
        points.append(LossPoint(step, 1000.0 + 10 * step, loss, validation=validation))
    return points


def codes(points: list[LossPoint], **options: object) -> list[str]:
    found: list[Diagnosis] = diagnose(
        points,
        **{"memory": "m", "status": RUNNING, **options},  # type: ignore[arg-type]
    )
    return [item.code for item in found]


def falling(steps: int, floor: float = 0.05) -> list[float]:
    return [floor + 3.0 * math.exp(-step / (steps / 5)) for step in range(steps)]


def test_a_healthy_run_is_left_in_peace_at_every_step() -> None:
    train = falling(120)
    memory = {step: train[step - 1] + 0.1 for step in range(10, 121, 10)}
    transfer = {step: 1.5 + step / 40 for step in range(10, 121, 10)}
    points = curve(train, memory, transfer)
    for end in range(1, 121):
        assert codes(points[:end], steps=120, now=points[end - 1].at + 20) == []
    assert codes(points, status=JobStatus.SUCCESS) == []


def test_overfitting_is_told_within_two_evaluations_of_the_best_one() -> None:
    memory = {10: 1.0, 20: 0.6, 30: 0.4, 40: 0.5, 50: 0.7}
    points = curve(falling(50), memory)
    assert codes(points[:40]) == []
    [found] = diagnose(points, memory="m", status=RUNNING)
    assert (found.code, found.best_step, found.step) == ("overfitting", 30, 50)
    assert "keep checkpoint 30" in found.message
    assert best_step(points, "m") == 30


def test_noise_of_a_small_validation_file_is_no_overfitting() -> None:
    memory = {10: 0.500, 20: 0.400, 30: 0.403, 40: 0.406, 50: 0.404}
    assert codes(curve(falling(50), memory)) == []


def test_transfer_loss_alone_never_raises_an_alarm() -> None:
    transfer = {step: step / 5 for step in range(10, 101, 10)}
    assert codes(curve(falling(100), None, transfer)) == []
    assert codes(curve(falling(100), None, transfer), memory=None) == []


def test_a_loss_that_is_no_number_is_the_gravest() -> None:
    points = curve([2.0, 1.0, math.nan, math.nan])
    assert codes(points) == ["not-a-number"]
    assert codes(curve([2.0, math.inf])) == ["not-a-number"]
    lost = LossPoint(3, 1030.0, None, tokens=40)
    assert codes([*curve([2.0, 1.0]), lost]) == ["not-a-number"]
    evaluated = LossPoint(3, 1030.0, None, tokens=40, validation={"m": 0.5})
    assert codes([*curve([2.0, 1.0]), evaluated]) == []


def test_a_loss_that_grows_diverges() -> None:
    assert codes(curve([2.0 + step / 2 for step in range(20)])) == ["diverging"]


def test_a_loss_that_stays_is_told_once_there_is_enough_of_it() -> None:
    points = curve([2.0] * 40)
    assert codes(points, steps=40) == ["not-learning"]
    assert codes(points[:5], steps=40) == []
    assert codes(points, steps=400) == []


def test_a_run_that_ended_too_early_is_told_so() -> None:
    points = curve([2.0, 1.5, 1.2, 0.9, 0.8])
    assert codes(points, status=JobStatus.SUCCESS) == ["too-few-steps"]
    assert codes(points, status=RUNNING) == []
    assert codes(points, status=JobStatus.CANCELLED) == []


def test_silence_is_told_while_a_job_runs() -> None:
    points = curve(falling(20))
    assert codes(points, now=points[-1].at + 100) == []
    assert codes(points, now=points[-1].at + 600) == ["stalled"]
    assert codes(points, now=points[-1].at + 600, status=JobStatus.QUEUED) == []
    assert codes(points, now=0.0) == []


_LOSS = st.none() | st.floats()
_POINTS = st.lists(
    st.builds(
        LossPoint,
        step=st.integers(0, 1000),
        at=st.floats(0, 1e10),
        train_loss=_LOSS,
        validation=st.dictionaries(st.sampled_from(["m", "t"]), st.floats()),
    ),
    max_size=30,
)


@given(points=_POINTS, status=st.sampled_from(list(JobStatus)), now=st.none() | st.floats(0, 1e10))
def test_no_curve_crashes_the_diagnosis(
    points: list[LossPoint], status: JobStatus, now: float | None
) -> None:
    points.sort(key=lambda point: point.step)
    for found in diagnose(points, memory="m", status=status, steps=10, now=now):
        assert found.message
        assert found.severity in ("note", "warning", "error")
