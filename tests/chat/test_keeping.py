"""Branches, notes, feedback that travels, drafts, vectors: what is kept, and what is left alone."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.chat.conftest import Lab
from tests.mistral.faults import Answer as Reply
from tests.mistral.faults import Request, answer
from tui.chat.conversations import Conversations
from tui.chat.drafts import NothingToTeachError, send, send_all
from tui.chat.export import to_notes
from tui.chat.feedback import FeedbackStore
from tui.corpus import Corpus
from tui.corpus.vectors import VectorStore
from tui.datasets import Datasets
from tui.domain.chat import Answer, Arm, Exchange, Source
from tui.domain.example import Status
from tui.storage.workspace import Workspace

SOURCE = Source(1, "keller", "Resins: a study", "keller#0", 2, "Results", "It sets at 283 kelvin.")
ANSWER = Answer("At 283 kelvin [1].", "ft:x", Arm.TUNED_SOURCES, (SOURCE,), finish_reason="stop")


def test_an_edited_question_begins_a_branch_and_loses_nothing(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    name = conversations.start()
    first = conversations.asked(name, "One?", after="")
    conversations.answered(name, first, ANSWER)
    second = conversations.asked(name, "Two?", after=first)
    conversations.answered(name, second, ANSWER)
    other = conversations.asked(name, "Two, rather?", after=first)
    held = conversations.read(name)
    assert [e.question for e in held.exchanges] == ["One?", "Two, rather?"] and held.branches == 2
    ends = {branch.exchanges[-1].id for branch in conversations.branches(name)}
    assert ends == {second, other}
    conversations.rename(name, "Setting points")
    assert conversations.all("setting")[0].title == "Setting points"


def test_late_words_of_an_answer_that_ended_change_nothing(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    name = conversations.start()
    key = conversations.asked(name, "When?", model="m")
    conversations.said(name, key, "At 2")
    assert conversations.read(name).exchanges[0].answer.text == "At 2"
    conversations.answered(name, key, ANSWER)
    conversations.said(name, key, "At 2")
    assert conversations.read(name).exchanges[0].answer == ANSWER


def test_notes_link_to_papers_and_what_a_person_changed_stays(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path / "history")
    name = conversations.start()
    conversations.answered(name, conversations.asked(name, "When does it set?"), ANSWER)
    vault = tmp_path / "vault"
    vault.mkdir()
    first = to_notes(conversations.read(name), vault)
    text = first.note.read_text()
    assert text.startswith("---\nconversation:") and "[[Resins a study]], p. 2" in text
    assert first.papers[0].name == "Resins a study.md" and not first.kept
    again = to_notes(conversations.read(name), vault)
    assert again.note == first.note and again.kept == (first.papers[0],)
    first.note.write_text(text + "\nMy own thought.\n")
    first.papers[0].write_text("Mine.")
    third = to_notes(conversations.read(name), vault)
    assert third.note != first.note and "My own thought." in first.note.read_text()
    assert first.papers[0].read_text() == "Mine."


def test_feedback_of_a_team_is_merged_once_and_keeps_its_names(tmp_path: Path) -> None:
    ada, bob = (FeedbackStore(tmp_path / name, name) for name in ("ada", "bob"))
    exchange = Exchange("x1", "When?", ANSWER, 1.0)
    ada.rate(exchange, "bad", reason="wrong", correction="At 284.")
    other = replace(ANSWER, arm=Arm.BASE, text="Never.")
    ada.prefer(exchange, ANSWER, other, blind=True)
    exported = tmp_path / "team.jsonl"
    exported.write_text((tmp_path / "ada" / "ada.jsonl").read_text() + '{"rating": "fine"}\nnope\n')
    merged = bob.merge(exported)
    assert (merged.added, merged.known, len(merged.failed)) == (2, 0, 2)
    assert bob.merge(exported).added == 0
    assert {(f.by, f.rating, f.other_arm) for f in bob.all()} == {
        ("ada", "bad", ""),
        ("ada", "preferred", "base"),
    }


def test_feedback_becomes_a_draft_with_its_provenance_once(
    workspace: Workspace, corpus: Corpus, tmp_path: Path
) -> None:
    datasets = Datasets(workspace, corpus, "ada")
    datasets.create("feedback")
    store = FeedbackStore(tmp_path / "feedback", "ada")
    hit = corpus.search("How long does Velmora resin harden?")[0]
    words = "Velmora resin hardens for 6 hours at 283 kelvin."
    source = Source(1, hit.paper, hit.title, hit.passage, 0, "", words)
    exchange = Exchange("x1", "How long does it harden?", replace(ANSWER, sources=(source,)), 1.0)
    bad = store.rate(exchange, "bad", reason="wrong")
    with pytest.raises(NothingToTeachError):
        send(bad, store, datasets, corpus, "feedback", exchange)
    corrected = store.rate(exchange, "bad", correction="For 6 hours.")
    made = send(corrected, store, datasets, corpus, "feedback", exchange)
    assert made is not None
    kept = datasets.examples("feedback")[0]
    assert (kept.status, kept.answer, kept.author) == (Status.DRAFT, "For 6 hours.", "ada")
    assert kept.passages == (hit.passage,) and kept.quote == words and kept.verified
    assert send_all(store, datasets, corpus, "feedback").added == 0


async def test_meaning_finds_what_words_do_not_and_filling_goes_on(lab: Lab) -> None:
    """Vectors by a rule: what glows or shines points one way, everything else another."""

    def vectors(request: Request) -> Reply:
        texts = request.json()["input"]
        data = [
            {
                "object": "embedding",
                "index": n,
                "embedding": [1.0, 0.2, -0.1]
                if "glows" in text or "luminous" in text
                else [-1.0, n / 9, 0.3],
            }
            for n, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
        return answer({"id": "e", "object": "list", "model": "m", "usage": usage, "data": data})

    lab.says("For 3 hours [1].")
    question = lab.question("Which luminous things are known?")
    _, before = await lab.chat.answer(question)
    lab.server.on("POST", "/v1/embeddings", vectors)
    async with aclosing(lab.embedder.fill()) as filling:
        await anext(filling)  # stopped at once
    done = [filled.done async for filled in lab.embedder.fill()]
    assert done[-1] == lab.embedder.coverage().passages
    asked = len(lab.server.asked("POST", "/v1/embeddings"))
    async for _ in lab.embedder.fill():
        pass
    assert len(lab.server.asked("POST", "/v1/embeddings")) == asked, "nothing is embedded twice"
    _, after = await lab.chat.answer(question)
    assert "glows" in lab.corpus.passage(after[0]).text and not before
    lab.server.on("POST", "/v1/embeddings", answer({"detail": "no such model"}, 400))
    other = replace(question, text="Which luminous moss?")
    got, _ = await lab.chat.answer(other)
    assert any("words alone" in note for note in got.notes)


def test_codes_find_the_nearest_vectors_and_stale_rows_are_passed_over(
    workspace: Workspace,
) -> None:
    with workspace.transaction() as db:
        for paper in range(20):
            db.execute(
                "INSERT INTO paper (id, title, title_key, added_at) VALUES (?, 't', 't', 0)",
                (f"p{paper}",),
            )
            db.execute("INSERT INTO change (paper) VALUES (?)", (f"p{paper}",))
            for n in range(10):
                db.execute(
                    "INSERT INTO passage VALUES (?, ?, ?, '', 'body', 0, 0, 1, ?)",
                    (f"p{paper}#{n}", f"p{paper}", n, f"text {paper} {n}"),
                )
    store = VectorStore(workspace, "m")
    chance = np.random.default_rng(1)
    known: dict[str, list[float]] = {}
    with store.filling():
        for words, position in store.missing():
            made = chance.normal(size=(len(words), 128)).tolist()
            known.update(zip((word.id for word in words), made, strict=True))
            store.append(words, made)
            store.done(position)
    again = VectorStore(workspace, "m")
    assert all(again.search(vector, 1)[0][0] == name for name, vector in known.items())
    assert {n.partition("#")[0] for n, _ in again.search(known["p3#1"], 5, {"p3"})} == {"p3"}
    with workspace.transaction() as db:
        db.execute("UPDATE passage SET text = 'another' WHERE id = 'p3#1'")
    assert "p3#1" not in {name for name, _ in again.search(known["p3#1"], 5)}
    with (store.folder / "vectors").open("ab") as file:
        file.write(b"torn")
    assert again.search(known["p4#2"], 1)[0][0] == "p4#2"
