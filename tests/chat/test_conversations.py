from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tui.chat.conversations import Conversations
from tui.chat.feedback import FeedbackStore
from tui.domain.chat import Answer, Arm, Exchange, Source, Usage
from tui.domain.errors import NotFoundError, UsageError

ANSWER = Answer(
    text="At 283 kelvin [1].",
    model="ft:x",
    arm=Arm.TUNED_SOURCES,
    sources=(Source(1, "p", "Resins", "p#0", 2, "Results", "It sets.", verified=True),),
    usage=Usage(10, 5),
    finish_reason="stop",
)


def test_what_was_asked_and_answered_is_there_again(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    name = conversations.start()
    exchange = conversations.asked(name, "When does it set?")
    conversations.answered(name, exchange, ANSWER)
    again = Conversations(tmp_path).read(name)
    assert again.title == "When does it set?"
    assert again.exchanges[0].answer == ANSWER


def test_a_question_without_an_answer_is_kept_as_incomplete(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    name = conversations.start()
    conversations.asked(name, "When?")
    exchange = conversations.read(name).exchanges[0]
    assert exchange.question == "When?"
    assert not exchange.answer.complete


def test_a_torn_last_line_keeps_everything_before_it(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    name = conversations.start()
    conversations.answered(name, conversations.asked(name, "One?"), ANSWER)
    file = next((tmp_path / "conversations").iterdir())
    with file.open("ab") as stream:
        stream.write(b'{"asked": "x-2", "quest')
    conversations.asked(name, "Two?")
    assert [e.question for e in conversations.read(name).exchanges] == ["One?", "Two?"]


def test_conversations_are_found_by_every_word(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    for question in ("When does resin set?", "Why do bells ring?"):
        name = conversations.start()
        conversations.answered(name, conversations.asked(name, question), ANSWER)
    assert [c.title for c in conversations.all("resin kelvin")] == ["When does resin set?"]
    assert len(conversations.all()) == 2


def test_history_is_for_its_owner_only(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    conversations.asked(conversations.start(), "Secret?")
    file = next((tmp_path / "conversations").iterdir())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_export_carries_the_sources(tmp_path: Path) -> None:
    conversations = Conversations(tmp_path)
    name = conversations.start()
    conversations.answered(name, conversations.asked(name, "When?"), ANSWER)
    text = conversations.export(name, tmp_path / "out.md").read_text()
    assert "## When?" in text
    assert "[1] Resins, p. 2" in text


@pytest.mark.parametrize("name", ["c-none", "../../etc/passwd"])
def test_an_unknown_conversation_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundError):
        Conversations(tmp_path).read(name)


def exchange(name: str) -> Exchange:
    return Exchange(name, "When?", ANSWER, 1.0)


def test_feedback_of_several_people_is_merged_and_the_last_word_counts(tmp_path: Path) -> None:
    ada, bob = FeedbackStore(tmp_path, "Ada"), FeedbackStore(tmp_path, "Bob")
    ada.rate(exchange("x1"), "good")
    bob.rate(exchange("x1"), "bad", reason="wrong", correction="At 284.")
    ada.rate(exchange("x1"), "bad", reason="style")
    merged = {(f.by, f.rating, f.reason, f.correction) for f in ada.all()}
    assert merged == {("Ada", "bad", "style", ""), ("Bob", "bad", "wrong", "At 284.")}


def test_an_unknown_rating_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unsupported"):
        FeedbackStore(tmp_path, "Ada").rate(exchange("x"), "bad", reason="boring")
