"""The team's models: names that lead to them, notes, cards, and what stands on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mistral.faults import FaultServer, answer, job_document
from tui.chat import Conversations
from tui.domain.chat import Answer, Arm
from tui.domain.errors import ConflictError, NotFoundError, UsageError
from tui.domain.evaluation import ArmScores, Interval, RunReport, TestReport
from tui.domain.job import LossPoint
from tui.jobs import Jobs
from tui.jobs.card import card
from tui.jobs.registry import Registry
from tui.mistral import Endpoints
from tui.storage.workspace import Workspace

TUNED = "ft:m:0a1b2c3d:20261121:job-1"


def report(model: str) -> RunReport:
    same = Interval(0.9, 0.8, 0.95)
    scores = ArmScores(same, same, same)
    return RunReport(
        "run-1",
        "answers@v1",
        model,
        "m",
        1.0,
        {"memory": TestReport(60, 12, {"tuned": scores})},
        "",
    )


@pytest.fixture
def registry(api: FaultServer, workspace: Workspace, endpoints: Endpoints, jobs: Jobs) -> Registry:
    base = {"id": "m", "object": "model", "type": "base", "created": 1, "capabilities": {}}
    tuned = {**base, "id": TUNED, "type": "fine-tuned", "root": "m", "job": "job-1", "created": 2}
    api.on("GET", "/v1/models", answer({"object": "list", "data": [base, tuned]}))
    api.on("GET", f"/v1/models/{TUNED}", answer(tuned))
    lineage = {"job": "job-1", "dataset": "answers@v1", "papers": ["keller2024"]}
    details = {"lineage": lineage, "template_sha256": "f" * 64, "license": "Apache-2.0"}
    api.on("GET", f"/local/models/{TUNED}", answer(details))
    listed = {"data": [job_document("job-1", "SUCCESS")], "object": "list", "total": 1}
    api.on("GET", "/v1/fine_tuning/jobs", answer(listed))
    api.on("GET", "/v1/fine_tuning/jobs/job-1", answer(job_document("job-1", "SUCCESS")))
    api.on(
        "POST",
        f"/v1/fine_tuning/models/{TUNED}/archive",
        answer({"id": TUNED, "object": "model", "archived": True}),
    )
    found = Registry(
        workspace, endpoints, jobs, "ada", runs=lambda m: [report(m)] if m == TUNED else []
    )
    endpoints.team_aliases = found.aliases
    return found


async def test_a_name_of_the_team_leads_to_its_model_wherever_one_is_named(
    registry: Registry, endpoints: Endpoints
) -> None:
    assert endpoints.resolve("team/current") == "team/current"
    assert registry.alias("team/current", TUNED) is None
    assert endpoints.resolve("team/current") == TUNED
    assert (await registry.show("team/current", "local")).card.id == TUNED
    assert registry.alias("team/current", "ft:other") == TUNED
    registry.remove_alias("team/current")
    with pytest.raises(NotFoundError):
        registry.remove_alias("team/current")


@pytest.mark.parametrize("name", ["current", "Team/current", "team/", "a b/c", "x" * 70 + "/y", ""])
def test_a_name_that_could_be_a_models_own_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(UsageError):
        registry.alias(name, TUNED)


async def test_a_model_is_listed_with_all_that_is_known_of_it(registry: Registry) -> None:
    registry.alias("team/current", TUNED)
    registry.note(TUNED, " mixes up\x1b[2J the resins ")
    [entry] = await registry.models("local")
    assert (entry.dataset, entry.papers, entry.aliases) == (
        "answers@v1",
        ("keller2024",),
        ("team/current",),
    )
    assert [note.text for note in entry.notes] == ["mixes up the resins"]
    assert entry.results[0].key_phrase == 0.9
    with pytest.raises(UsageError):
        registry.note(TUNED, "  ")


async def test_what_stands_on_a_model_is_said_and_a_named_one_is_not_taken_away(
    registry: Registry, api: FaultServer
) -> None:
    registry.alias("team/current", TUNED)
    assert registry.depends(TUNED) == ["the alias team/current", "1 evaluation"]
    for take in (registry.archive, registry.delete):
        with pytest.raises(ConflictError, match="team/current"):
            await take(TUNED, endpoint="local")
    registry.alias("team/current", "ft:other")
    assert registry.depends(TUNED) == ["1 evaluation"]
    await registry.archive(TUNED, endpoint="local")
    assert api.asked("POST", f"/v1/fine_tuning/models/{TUNED}/archive")


async def test_a_card_says_what_it_was_made_of_and_lets_no_markup_through(
    registry: Registry,
) -> None:
    registry.note(TUNED, "see <script>alert(1)</script> [x](javascript:1) | end")
    entry = await registry.show(TUNED, "local")
    points = [LossPoint(60, 1.0, 0.2, validation={"f": 0.125})]
    text = card(entry, points=points, memory="f", titles=["A `paper` of *ours*"])
    assert f"- Model: `{TUNED}`" in text and "SHA-256 `" + "f" * 64 in text
    assert "- Dataset: `answers@v1`" in text and "step 60, memory-validation loss 0.125" in text
    assert "| run-1 | memory | 60 | 90% | 80% to 95% |" in text
    assert "<script" not in text.replace("\\<script", "")
    assert "\\[x\\](javascript" in text and "A \\`paper\\` of \\*ours\\*" in text


async def test_conversations_with_a_model_stand_on_it(
    workspace: Workspace, endpoints: Endpoints, jobs: Jobs, tmp_path: Path
) -> None:
    conversations = Conversations(tmp_path / "history")
    for model, question in ((TUNED, "How fast was it?"), ("m", "And the base?")):
        conversation = conversations.start()
        asked = conversations.asked(conversation, question)
        conversations.answered(conversation, asked, Answer("Fast.", model, Arm.TUNED))
    registry = Registry(
        workspace, endpoints, jobs, "ada", runs=lambda _: [], uses=conversations.using
    )
    assert registry.depends(TUNED) == ["the conversation 'How fast was it?'"]
    assert registry.depends("nobody") == []


def test_a_model_that_much_stands_on_names_some_and_counts_the_rest(
    workspace: Workspace, endpoints: Endpoints, jobs: Jobs
) -> None:
    uses = [f"the conversation '{number}'" for number in range(20)]
    registry = Registry(workspace, endpoints, jobs, "ada", runs=lambda _: [], uses=lambda _: uses)
    assert registry.depends(TUNED) == [*uses[:8], "12 more"]
