"""Fifty kills at random moments of an import: nothing lost, nothing doubled, always readable."""

from __future__ import annotations

import random
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from tui.corpus import Corpus
from tui.storage.workspace import Workspace

KILLS = 50
# An import of the sample takes about this long; kills fall anywhere in it and after it.
LONGEST_SECONDS = 1.2


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_an_import_killed_fifty_times_ends_as_if_it_never_was(tmp_path: Path) -> None:
    papers = str(resources.files("assets") / "sample" / "papers")
    quiet = Corpus(Workspace.open(tmp_path / "quiet"))
    quiet.add([Path(papers)])
    moments = random.Random(20261121)
    for turn in range(KILLS):
        root = tmp_path / f"killed-{turn}"
        command = [sys.executable, "-m", "tui", "-w", str(root), "corpus", "add", papers]
        importing = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            importing.wait(moments.uniform(0.0, LONGEST_SECONDS))
        except subprocess.TimeoutExpired:
            importing.kill()
            importing.wait()
        killed = Corpus(Workspace.open(root))
        assert killed.totals().papers <= quiet.totals().papers
        killed.add([Path(papers)])
        assert killed.totals() == quiet.totals()
        assert [p.id for p in killed.papers()] == [p.id for p in quiet.papers()]
        question = "At what temperature does Velmora resin set?"
        assert [h.passage for h in killed.search(question)][:1] == [
            h.passage for h in quiet.search(question)
        ][:1]
