"""A finished evaluation run on a team's dataset, with the same figures every time."""

from __future__ import annotations

import json
from dataclasses import asdict

from tui.domain.chat import Arm
from tui.domain.evaluation import ItemResult, RunReport
from tui.evaluation.report import report_test, verdict
from tui.services import Services
from tui.storage.atomic import append_line

RUN = "r-20261121-120000-0001"
MODEL = "ft:tiny-base:0a1b2c3d:20261121:c7a2f9d4"


def finish_run(services: Services, *, tuned: bool = True, answered: str = "For nine days.") -> None:
    """Twelve questions: the base model knows none, the tuned one all but one."""
    arms = [arm for arm in Arm if tuned or not arm.tuned]
    paper = services.corpus.papers()[0].id
    items = [
        ItemResult(
            f"e-{number:02d}",
            f"Question {number} of [twelve]?",
            "It hardens for six hours.",
            "six hours",
            paper,
            arm.value,
            "It hardens for six hours." if _right(arm, number) else answered,
            {name: float(_right(arm, number)) for name in ("key_phrase", "exact_match", "f1")},
            arm.sources or None,
        )
        for number in range(12)
        for arm in arms
    ]
    path = services.workspace.evaluations / RUN / "items.jsonl"
    path.parent.mkdir(parents=True)
    for item in items:
        append_line(path, asdict(item))
    test = report_test(items, arms, 0)
    report = RunReport(
        RUN,
        "answers@v1",
        MODEL if tuned else "tiny-base",
        "tiny-base",
        1_795_262_400.0,
        {"memory": test, "transfer": None},
        verdict(test, None),
    )
    with services.workspace.transaction() as connection:
        connection.execute(
            "INSERT INTO run (id, dataset, model, base_model, endpoint, created_at, report) "
            "VALUES (?, ?, ?, ?, '', ?, ?)",
            (RUN, report.dataset, report.model, "tiny-base", 1.0, json.dumps(asdict(report))),
        )


def _right(arm: Arm, number: int) -> bool:
    return (arm.tuned and number != 3) or (arm.sources and number % 2 == 0)
