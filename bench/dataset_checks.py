"""How fast datasets are checked, compared and frozen, and in how much memory.

    python bench/dataset_checks.py [--examples N] [--megabytes M] [--model FOLDER] [--giant]

Prints one JSON document. The full sizes are `--examples 100000 --megabytes 1000`; `--giant` adds a
file whose only line has 10 GB (sparse, so it takes no room). Without `--model` the exact counts
are left out. Figures are CPU seconds of this process, or shares of another figure of the same run.
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
from tui.formats.fix import fix_file
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


def measure_check(folder: Path, megabytes: int) -> dict[str, Any]:
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
    _, _, cpu = timed(lambda: fix_file(path, folder / "fixed.jsonl"))
    found["fix_mb_per_cpu_s"] = round(size / cpu, 1)
    found["memory_mb_peak_with_fix"] = round(peak_megabytes())
    return found


def measure_tokens(folder: Path, model: Path) -> dict[str, Any]:
    """The check's share of what the tokenizer alone does on the same conversations."""
    path = folder / "tokens.jsonl"
    write_file(path, 3)
    tokenizer = ModelTokenizer.from_folder(model)
    with path.open("rb") as file:
        talks = [json.loads(line)["messages"] for line in file]
    plain = ["\n".join(message["content"] for message in talk) for talk in talks]
    tokenizer.count_messages(talks[0])
    _, _, bare = timed(lambda: sum(map(tokenizer.count, plain)))
    counted, _, templated = timed(lambda: sum(map(tokenizer.count_messages, talks)))
    checked, _, whole = timed(lambda: check_file(path, tokenizer=tokenizer))
    assert checked.tokens == counted
    return {
        "tokens": counted,
        "tokens_per_cpu_s": round(counted / whole),
        "share_of_tokenizer_alone": round(bare / whole, 2),
        "share_of_tokenizer_and_template": round(templated / whole, 2),
    }


def measure_giant(folder: Path) -> dict[str, Any]:
    """One line of 10 GB, which is refused without being held."""
    path = folder / "giant.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "')
        file.truncate(10_000_000_000)
    before = peak_megabytes()
    report, _, cpu = timed(lambda: check_file(path, near=True))
    path.unlink()
    return {
        "codes": [error.code for error in report.errors],
        "cpu_s": round(cpu, 2),
        "memory_mb_added": round(peak_megabytes() - before),
    }


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
    _, _, filters = timed(lambda: datasets.filters("bench"))
    one = datasets.examples("bench", limit=1, offset=count // 2)[0].id
    _, _, deciding = timed(lambda: datasets.decide("bench", [one], Status.ACCEPTED))
    _, _, following = timed(lambda: datasets.examples("bench", limit=1, offset=count // 2))
    report, _, checking = timed(lambda: datasets.check("bench"))
    version, _, freezing = timed(lambda: datasets.freeze("bench"))
    _, _, reading = timed(lambda: datasets.test_items(version, Role.VALIDATION))
    assert report.invalid == 0
    return {
        "examples": count,
        "add_cpu_s": round(adding, 2),
        "list_cpu_s": round(listing, 3),
        "first_page_cpu_s": round(page, 3),
        "filters_cpu_s": round(filters, 3),
        "decide_cpu_s": round(deciding, 3),
        "next_example_cpu_s": round(following, 3),
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
    parser.add_argument("--folder", type=Path, help="where the files are made")
    parser.add_argument("--giant", action="store_true", help="check a line of 10 GB, too")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        found["check"] = measure_check(Path(folder), asked.megabytes)
        if asked.model is not None:
            found["tokens"] = measure_tokens(Path(folder), asked.model)
        if asked.giant:
            found["giant"] = measure_giant(Path(folder))
        found["near_duplicates"] = measure_near(asked.examples)
        found["dataset"] = measure_dataset(Path(folder), asked.examples)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
