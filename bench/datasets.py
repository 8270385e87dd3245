"""How fast datasets are checked, compared and frozen, and in how much memory.

    python bench/datasets.py [--examples N] [--megabytes M] [--model FOLDER]

Prints one JSON document. The full sizes are `--examples 100000 --megabytes 1000`.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tui.datasets import Datasets
from tui.domain.errors import NotFoundError
from tui.domain.example import Example, Kind, Role, Status, Turn
from tui.domain.paper import Paper, Passage
from tui.formats.check import check_file
from tui.formats.near_duplicates import near_pairs
from tui.formats.tokenizer import ModelTokenizer
from tui.storage.workspace import Workspace

_RNG = random.Random(7)
_VOCABULARY = [
    "".join(_RNG.choices("abcdefghijklmnoprstuvw", k=_RNG.randint(3, 9))) for _ in range(20_000)
]


class NoPapers:
    """A corpus without papers: examples bring none."""

    def papers(self, query: str = "", *, limit: int | None = None, offset: int = 0) -> list[Paper]:
        return []

    def paper(self, paper_id: str) -> Paper:
        raise NotFoundError(paper_id)

    resolve = paper

    def text(self, paper_id: str) -> str:
        raise NotFoundError(paper_id)

    def passages(self, paper_id: str) -> list[Passage]:
        return []

    def passage(self, passage_id: str) -> Passage:
        raise NotFoundError(passage_id)

    def find_quote(self, quote: str, paper: str | None = None) -> Passage | None:
        return None


def words(count: int) -> list[str]:
    return _RNG.choices(_VOCABULARY, k=count)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, wall seconds, CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def write_file(path: Path, megabytes: int) -> None:
    """Conversations of about 1.2 kB a line."""
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1_000_000:
            for _ in range(1_000):
                messages = [
                    {"role": "user", "content": " ".join(words(20))},
                    {"role": "assistant", "content": " ".join(words(140))},
                ]
                file.write(json.dumps({"messages": messages}) + "\n")


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_check(folder: Path, megabytes: int, model: Path | None) -> dict[str, Any]:
    path = folder / "train.jsonl"
    write_file(path, megabytes)
    size = path.stat().st_size / 1e6
    before = peak_megabytes()
    report, wall, cpu = timed(lambda: check_file(path))
    found: dict[str, Any] = {
        "megabytes": round(size),
        "lines": report.lines,
        "rules_mb_per_s": round(size / wall, 1),
        "rules_mb_per_cpu_s": round(size / cpu, 1),
        "memory_mb_before": round(before),
        "memory_mb_peak": round(peak_megabytes()),
    }
    report, _, cpu = timed(lambda: check_file(path, near=True))
    found["with_near_duplicates_mb_per_cpu_s"] = round(size / cpu, 1)
    found["memory_mb_peak_with_near"] = round(peak_megabytes())
    if model is not None:
        tokenizer = ModelTokenizer.from_folder(model)
        lines = path.read_text(encoding="utf-8").splitlines()[:2_000]
        talks = [json.loads(line)["messages"] for line in lines]
        small = folder / "small.jsonl"
        small.write_text("\n".join(lines) + "\n", encoding="utf-8")
        tokenizer.count("warm")
        counted, _, alone = timed(lambda: sum(map(tokenizer.count_messages, talks)))
        checked, _, whole = timed(lambda: check_file(small, tokenizer=tokenizer))
        assert checked.tokens == counted
        found["tokens_per_cpu_s"] = round(counted / whole)
        found["share_of_tokenizer"] = round(alone / whole, 2)
    return found


def measure_near(count: int) -> dict[str, Any]:
    originals = [words(60) for _ in range(count - count // 10)]
    edits = []
    for original in originals[: count // 10]:
        edited = list(original)
        edited[_RNG.randrange(60)] = "edited"
        edits.append(edited)
    texts = [" ".join(document) for document in originals + edits]
    pairs, wall, cpu = timed(lambda: near_pairs(texts))
    return {
        "documents": count,
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "recall_of_one_word_edits": round(len(pairs) / max(1, len(edits)), 4),
    }


def measure_dataset(folder: Path, count: int) -> dict[str, Any]:
    datasets = Datasets(Workspace.open(folder / "workspace"), NoPapers(), "bench")
    datasets.create("bench")
    examples = [
        Example(
            "",
            "",
            Kind.QA,
            turns=(
                Turn("user", " ".join(words(15)) + "?"),
                Turn("assistant", " ".join(words(50)) + "."),
            ),
            status=Status.ACCEPTED,
            role=Role.TRAIN if n % 20 else Role.VALIDATION,
        )
        for n in range(count)
    ]
    _, _, adding = timed(lambda: datasets.add_examples("bench", examples))
    _, _, listing = timed(datasets.list)
    _, _, page = timed(lambda: datasets.examples("bench", status=Status.ACCEPTED, limit=50))
    report, _, checking = timed(lambda: datasets.check("bench"))
    version, _, freezing = timed(lambda: datasets.freeze("bench"))
    _, _, reading = timed(lambda: datasets.test_items(version, Role.VALIDATION))
    assert report.invalid == 0
    return {
        "examples": count,
        "add_cpu_s": round(adding, 2),
        "list_cpu_s": round(listing, 3),
        "first_page_cpu_s": round(page, 3),
        "check_cpu_s": round(checking, 2),
        "freeze_cpu_s": round(freezing, 2),
        "read_validation_cpu_s": round(reading, 2),
        "memory_mb_peak": round(peak_megabytes()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--model", type=Path, help="a model's folder, to count tokens with")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "check": measure_check(Path(folder), asked.megabytes, asked.model),
            "near_duplicates": measure_near(asked.examples),
            "dataset": measure_dataset(Path(folder), asked.examples),
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
