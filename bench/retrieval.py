"""Retrieval: is the right passage among the first, and how long until the prompt is packed.

    python bench/retrieval.py [--papers FOLDER [--workspace FOLDER]]
                              [--many N [--library FOLDER]]

Recall on the sample corpus's own questions, and with `--papers` on `bench/questions.json`, which
were written by hand about real papers in words other than theirs: a passage is right when the quote
that answers stands in it. By words (BM25), by meaning (where an engine runs that embeds), and by
both fused. `--many` times the way from a question to a packed prompt in a library of so many
generated papers (`--library` keeps it), with random vectors in place of embedded ones: their number
and size are what costs. Exit code 1 when recall@5 on the sample is below 95 % or packing above
150 ms at 100,000 papers (p50).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from tui.chat.condense import condense
from tui.chat.embed import MODEL
from tui.chat.frame import FULL_TOKENS, estimate
from tui.chat.prompt import Prompts, compose
from tui.chat.retrieve import Retriever
from tui.corpus import Corpus
from tui.corpus.quotes import holds
from tui.corpus.vectors import VectorStore
from tui.domain.chat import Mode
from tui.domain.errors import PapertuneError
from tui.services import Services
from tui.storage.workspace import Workspace

PACKED = 0.150
RECALL = 0.95
DIMENSIONS = 384
SAMPLE = Path(str(resources.files("assets"))) / "sample"
QUESTIONS = Path(__file__).with_name("questions.json")


def sample_questions() -> list[dict[str, Any]]:
    names = ("pairs.jsonl", "other-wordings.jsonl")
    lines = [line for name in names for line in (SAMPLE / name).read_text().splitlines()]
    known = [json.loads(line) for line in lines]
    quotes = {pair["finding"]: pair["quote"] for pair in known if "quote" in pair}
    return [
        {"question": pair["question"], "quote": quotes[pair["finding"]]}
        for pair in known
        if pair.get("finding") in quotes
    ]


async def embed(services: Services, questions: Sequence[str]) -> dict[str, list[float]]:
    """The vectors of all questions, after the library's; empty where nothing embeds."""
    try:
        async for filled in services.embedder.fill():
            print(f"\r  embedding {filled.done}/{filled.total}", end="", file=sys.stderr)
        print(file=sys.stderr)
        client = services.endpoints.client("local")
        found: dict[str, list[float]] = {}
        for start in range(0, len(questions), 64):
            batch = list(questions[start : start + 64])
            found.update(zip(batch, await client.embed(batch, MODEL), strict=True))
        return found
    except PapertuneError as error:
        print(f"  by words alone: {error}")
        return {}


def recall(name: str, root: Path, papers: Path, questions: Sequence[dict[str, Any]]) -> float:
    """Print recall@5 and @10 by words, meaning and both; that of the best at 5."""
    workspace = Workspace.open(root)
    corpus = Corpus(workspace)
    corpus.add([papers])
    totals = corpus.totals()
    print(f"{name}: {totals.papers} papers, {totals.passages} passages, {len(questions)} questions")
    services = Services.open(root)
    vectors = services.run(embed(services, [q["question"] for q in questions]))
    retriever = Retriever(corpus, VectorStore(workspace, MODEL) if vectors else None)

    def share(rankings: list[list[str]], top: int) -> float:
        hits = 0
        for question, ranked in zip(questions, rankings, strict=True):
            hits += any(holds(corpus.passage(n).text, question["quote"]) for n in ranked[:top])
        return hits / len(questions)

    best = 0.0
    ways: dict[str, list[list[str]]] = {"words (BM25)": [], "meaning": [], "both": []}
    for question in questions:
        text = question["question"]
        vector = vectors.get(text)
        words = retriever.find(text, top=10)
        ways["words (BM25)"].append([r.passage.id for r in words])
        if vector is not None and retriever.vectors is not None:
            near = retriever.vectors.search(vector, 10)
            ways["meaning"].append([name for name, _ in near])
            both = retriever.find(text, top=10, vector=vector)
            ways["both"].append([r.passage.id for r in both])
    for way, rankings in ways.items():
        if rankings:
            at5, at10 = share(rankings, 5), share(rankings, 10)
            best = max(best, at5)
            print(f"  {way:14} recall@5 {at5:6.1%}   recall@10 {at10:6.1%}")
    workspace.close()
    return best


def packing(many: int, library: Path | None) -> float:
    """Print and return the median seconds from a question to its packed prompt."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from bench.search import fill, vocabulary

    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.open(library or Path(place) / "workspace")
        corpus = Corpus(workspace)
        if not corpus.totals().papers:
            fill(workspace, many)
            corpus.reindex()
        store = VectorStore(workspace, "random")
        chance = np.random.default_rng(3)
        with store.filling():
            for passages, position in store.missing():
                store.append(passages, chance.normal(size=(len(passages), DIMENSIONS)).tolist())
                store.done(position)
        totals = corpus.totals()
        vectors = f"{store.coverage().embedded:,} vectors"
        print(f"packing: {totals.papers:,} papers, {totals.passages:,} passages, {vectors}")
        retriever, prompts = Retriever(corpus, store), Prompts()
        count = counter(workspace.root)
        words = vocabulary(random.Random(7))[:3000]
        picked = random.Random(5)
        steps: dict[str, list[float]] = {"both": [], "words": []}
        for _ in range(40):
            question = "what is the " + " ".join(picked.sample(words, 6)) + "?"
            vector = chance.normal(size=DIMENSIONS).tolist()
            for way, asked in (("words", None), ("both", vector)):
                start = time.perf_counter()
                found = retriever.find(question, vector=asked)
                sources = condense(question, found, FULL_TOKENS, count)
                compose(
                    question, mode=Mode.ASK, sources=sources, with_sources=True, brief=False,
                    history=(), prompts=prompts,
                )  # fmt: skip
                steps[way].append(time.perf_counter() - start)
        for way, times in steps.items():
            times.sort()
            late = times[int(len(times) * 0.95)]
            half = statistics.median(times)
            print(f"  {way:6} p50 {1000 * half:6.1f} ms   p95 {1000 * late:6.1f} ms")
        workspace.close()
        return statistics.median(steps["both"])


def counter(root: Path) -> Callable[[str], int]:
    """The tokenizer of a model that the local engine has, else an estimate."""
    services = Services.open(root)

    async def ask() -> Callable[[str], int]:
        client = services.endpoints.client("local")
        chats = [card for card in await client.models() if card.context]
        return (await client.local.tokenizer(chats[0].id)).count

    try:
        return services.run(ask())
    except PapertuneError as error:
        print(f"  tokens are estimated: {error}")
        return estimate


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--papers", type=Path)
    parser.add_argument("--workspace", type=Path, help="keeps the real papers and their vectors")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--library", type=Path)
    given = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        good &= recall("sample", root / "sample", SAMPLE / "papers", sample_questions()) >= RECALL
        if given.papers:
            questions = json.loads(QUESTIONS.read_text())
            recall("real papers", given.workspace or root / "real", given.papers, questions)
    if given.many:
        took = packing(given.many, given.library)
        good &= given.many < 100_000 or took <= PACKED
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
