"""The sample papers with a few findings only, and an engine that ends with the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import psutil
import pytest

from tui.mistral import EngineControl
from tui.quickstart.plan import Plan, make_plan
from tui.storage.locations import data_dir

FINDINGS = 5
TRANSFER = 2


@pytest.fixture
def small_plan(tmp_path: Path) -> Plan:
    """The sample plan with `FINDINGS` trained and `TRANSFER` transfer findings."""
    sample = make_plan(None)
    assert sample.pairs is not None
    kept: dict[bool, list[str]] = {True: [], False: []}
    lines = []
    for line in sample.pairs.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        transfer = "transfer" in pair["role"]
        known = kept[transfer]
        if pair["finding"] not in known and len(known) < (TRANSFER if transfer else FINDINGS):
            known.append(pair["finding"])
        if pair["finding"] in known:
            lines.append(line)
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Plan(sample.papers, pairs, sample.kinds)


@pytest.fixture
def ended_engine(local_model: str) -> Iterator[str]:
    """The bundled model's id; whatever engine and workers the test started are ended after it."""
    home = str(data_dir())
    yield local_model
    asyncio.run(EngineControl().stop())
    for process in psutil.process_iter(["cmdline"]):
        if any(home in part for part in process.info["cmdline"] or ()):
            process.kill()


def sample_file(name: str) -> Path:
    """A file of the sample corpus."""
    return Path(str(resources.files("assets") / "sample" / name))
