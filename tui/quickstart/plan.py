"""What the quickstart works on: the sample papers and their questions, or one's own folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from tui.domain.errors import UsageError
from tui.domain.example import Kind
from tui.domain.identifiers import slug
from tui.storage.atomic import write_json
from tui.storage.locations import data_dir
from tui.storage.workspace import Workspace

DATASET = "quickstart"
MODEL = "smollm2-135m-instruct"
# Asked of the finished model; its wording is in no training file.
SAMPLE_QUESTION = "Velmora resin hardens at which temperature?"
# Enough for the sample's sixty findings to be told apart (memory loss below 0.1), in about two
# minutes on two cores.
SAMPLE_STEPS = 138


@dataclass(frozen=True, slots=True)
class Plan:
    """The folder of papers, the file of pairs if there is one, and what is composed from both."""

    papers: Path
    pairs: Path | None
    kinds: tuple[Kind, ...]
    dataset: str = DATASET
    model: str = MODEL
    steps: int | None = None
    """Training steps; None leaves them to the model's defaults for this much data."""

    @property
    def sample(self) -> bool:
        """Whether these are the papers that come with papertune."""
        return self.pairs is not None


def sample_folder() -> Path:
    """Where the sample corpus lies in this installation."""
    return Path(str(resources.files("assets") / "sample"))


def make_plan(papers: Path | None) -> Plan:
    """The plan for `papers`, or for the sample corpus; raises UsageError for no folder."""
    if papers is None:
        sample = sample_folder()
        pairs = sample / "pairs.jsonl"
        return Plan(sample / "papers", pairs, (Kind.QA,), steps=SAMPLE_STEPS)
    folder = papers.expanduser().resolve()
    if not folder.is_dir():
        raise UsageError(f"{papers} is not a folder.", "Name the folder your papers lie in.")
    return Plan(folder, None, (Kind.SUMMARY, Kind.FULL_TEXT))


def default_workspace(plan: Plan) -> Path:
    """A workspace of its own for the sample and for each folder, so that nothing mixes."""
    if plan.sample:
        return data_dir() / "workspaces" / "sample"
    key = hashlib.sha256(str(plan.papers).encode()).hexdigest()[:8]
    return data_dir() / "workspaces" / f"{slug(plan.papers.name, 'papers')}-{key}"


def remember(workspace: Workspace, plan: Plan) -> None:
    """Mark the workspace as a guided one, so that the app leads on after a restart."""
    marks = _record(workspace).get("marks", {})
    papers = None if plan.sample else str(plan.papers)
    write_json(workspace.guide, {"papers": papers, "marks": marks})


def recall(workspace: Workspace) -> Plan | None:
    """The plan of a guided workspace; None where the quickstart was never asked for here."""
    record = _record(workspace)
    if "papers" not in record:
        return None
    try:
        plan = make_plan(Path(record["papers"]) if record["papers"] else None)
    except UsageError:
        return None  # the folder is gone; a guide to it would lead nowhere
    # A person may have given the dataset a name of their own.
    named = record.get("marks", {}).get("compose")
    return replace(plan, dataset=str(named)) if named else plan


def mark(workspace: Workspace, step: str, value: str) -> None:
    """Note that a step was done for `value` where its result is kept nowhere else."""
    record = _record(workspace)
    if record:
        record["marks"] = {**record.get("marks", {}), step: value}
        write_json(workspace.guide, record)


def marked(workspace: Workspace, step: str) -> str:
    """The value a step was noted with; empty where it was not."""
    return str(_record(workspace).get("marks", {}).get(step, ""))


def _record(workspace: Workspace) -> dict[str, Any]:
    try:
        record = json.loads(workspace.guide.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
