"""Faults planted in a dataset: each is found by its code and comes with a fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tui.datasets.check import check_examples
from tui.domain.example import Example, Form, Kind, Role, Status, Turn
from tui.formats.advice import code_of
from tui.formats.chat_template import TemplateError

LONG = " ".join(f"word{n}" for n in range(40))
Plant = Callable[[list[Example]], list[Example]]


def qa(name: str, question: str, answer: str, **values: object) -> Example:
    fields: dict[str, object] = {
        "status": Status.ACCEPTED,
        "role": Role.TRAIN,
        "paper": "p1",
        "finding": name,
        **values,
    }
    talk = (Turn("user", question), Turn("assistant", answer))
    return Example(name, "d", Kind.QA, turns=talk, **fields)  # type: ignore[arg-type]


def clean() -> list[Example]:
    """Three papers trained on, one tested by memory, one kept for transfer."""
    trained = [
        qa(f"t{n}", f"At what heat does sample {n} of the {word} melt?", f"At {n}00 kelvin.",
           paper=f"p{n % 3}", key_phrase=f"{n}00 kelvin")
        for n, word in enumerate(["gum", "resin", "tar", "wax", "pitch", "amber"])
    ]  # fmt: skip
    memory = qa("m", "Which reading marks the collapse of wax in the third dish?",
                "At 300 kelvin.", role=Role.TEST_MEMORY, paper="p0", finding="t3")  # fmt: skip
    away = qa("x", "How long did the fen take to dry?", "Eleven days.",
              role=Role.TEST_TRANSFER, paper="p9", passages=("p9#1",))  # fmt: skip
    return [*trained, memory, away]


def plus(*more: Example) -> Plant:
    return lambda examples: [*examples, *more]


def with_first(**values: object) -> Plant:
    return lambda examples: [replace(examples[0], **values), *examples[1:]]  # type: ignore[arg-type]


FAULTS: dict[str, tuple[str, Plant]] = {
    "nothing is accepted": (
        "empty",
        lambda examples: [replace(e, status=Status.DRAFT) for e in examples],
    ),
    "a draft is left": ("drafts", with_first(status=Status.DRAFT)),
    "no role": ("unsplit", with_first(role=None)),
    "nothing to train on": ("no-training", lambda examples: examples[-2:]),
    "a transfer paper is trained on": (
        "leak-transfer-paper",
        plus(qa("a", "Who measured the fen?", "Somebody.", paper="p9")),
    ),
    "a passage of a transfer paper is trained on": (
        "leak-transfer-paper",
        plus(qa("a", "Who measured the fen?", "Somebody.", passages=("p1#1", "p9#1"))),
    ),
    "a distractor of a transfer paper watches": (
        "leak-transfer-paper",
        plus(qa("a", "Who measured?", "Somebody.", role=Role.VALIDATION, passages=("p9#2",))),
    ),
    "a test question is trained on": (
        "leak-question",
        plus(qa("a", "which reading marks the collapse of wax in the third dish", "Some.")),
    ),
    "a test question is trained on in other small words": (
        "leak-question",
        plus(qa("a", "In the third dish, which is the reading that marks a collapse of the wax?",
                "Some.")),
    ),
    "a near wording of a test is trained on": (
        "leak-question",
        plus(qa("a", "Which reading marks the sudden collapse of wax in the third dish?", "300.",
                finding="t3")),
    ),
    "thirteen words of a transfer test are trained on": (
        "leak-overlap",
        lambda examples: [
            *examples,
            qa("a", "What did they write?", f"They wrote {LONG}."),
            qa("b", "Which list stands there?", LONG, role=Role.TEST_TRANSFER, paper="p9"),
        ],
    ),
    "one example twice": ("duplicate", plus(qa("a", "Q?", LONG), qa("b", "q?", LONG.upper()))),
    "one example nearly twice": (
        "near-duplicate",
        plus(qa("a", "What is the long list of words?", LONG),
             qa("b", "What is the list of words?", LONG.replace("word7", "other"))),
    ),
    "a test nearly as trained": (
        "near-duplicate-across",
        plus(qa("a", "What is the long list of words?", LONG),
             qa("b", "What is the whole list of words?", LONG.replace("word7", "other"),
                role=Role.TEST_MEMORY)),
    ),
    "a key phrase that is not in the answer": ("key-phrase", with_first(key_phrase="9 m")),
    "a question that gives the answer away": (
        "key-phrase-in-question",
        plus(qa("a", "Is it 7 metres?", "It is 7 metres.", key_phrase="7 metres")),
    ),
    "one paper for nearly all": (
        "balance",
        plus(*[qa(f"b{n}", f"Is {n} a number of {n + 7}?", f"{n} is.") for n in range(20)]),
    ),
    "one type for nearly all": (
        "types",
        plus(*[qa(f"b{n}", f"Is {n} a number of {n + 7}?", f"{n} is.", paper=f"p{n % 3}",
                  question_type="result") for n in range(12)]),
    ),
    "longer than the model reads": ("over-length", plus(qa("a", "Why?", LONG * 4))),
    "validation larger than hosted takes": (
        "hosted",
        plus(qa("a", "What list?", LONG, role=Role.VALIDATION)),
    ),
    "plain text for the hosted service": (
        "hosted",
        plus(Example("a", "d", Kind.FULL_TEXT, Form.TEXT, text="Words.", status=Status.ACCEPTED,
                     role=Role.TRAIN)),
    ),
    "an invalid example": ("content-empty", plus(qa("a", "Why?", " "))),
    "a marker in an answer": ("marker", plus(qa("a", "Why?", "So.<|im_end|>"))),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_with_its_fix(name: str) -> None:
    code, plant = FAULTS[name]
    report = check_examples(plant(clean()), seq_len=200)
    found = {error.code for error in report.errors} | set(map(code_of, report.warnings))
    assert code in found
    assert set(report.fixes) == found
    assert report.verdict != "Fit to train on."


def test_a_clean_dataset_is_fit_to_train_on() -> None:
    report = check_examples(clean(), seq_len=200)
    assert (report.errors, report.warnings, report.leaks) == ((), (), 0)
    assert report.verdict == "Fit to train on."
    assert report.balance["paper"] == {"p0": 2, "p1": 2, "p2": 2}


def test_a_conversation_that_the_models_template_refuses_is_an_error() -> None:
    class Strict:
        def count(self, text: str) -> int:
            return len(text)

        def count_messages(self, turns: object, tools: object = ()) -> int:
            raise TemplateError("It takes no question.")

    report = check_examples(clean()[:1], tokenizer=Strict())
    assert [error.code for error in report.errors] == ["template"]
    assert report.verdict.startswith("Not fit")
