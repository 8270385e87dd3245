"""Whole training files with one fault planted in each, and files that have none."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.formats.test_check import ANSWER, CALL, CALLING, CLEAN, FAULTS, GOOD, RESULT, TOOL, USER
from tests.formats.test_check import talk as line

OTHER = line({**USER, "content": "How long does the gum take?"}, {**ANSWER, "content": "A day."})
LONG = " ".join(f"word{n}" for n in range(60))


def said(answer: str, question: str = "What is it?") -> bytes:
    """A conversation of one question and one answer."""
    talk = {"role": "user", "content": question}, {"role": "assistant", "content": answer}
    return json.dumps({"messages": list(talk)}, ensure_ascii=False).encode()


def file(*lines: bytes) -> bytes:
    """Lines as a file."""
    return b"".join(one + b"\n" for one in lines)


def called(*calls: Any, tools: Any = (TOOL,), answers: Any = (RESULT,)) -> bytes:
    """A conversation in which the assistant calls tools."""
    calling = {"role": "assistant", "tool_calls": list(calls)}
    return line(USER, calling, *answers, ANSWER, tools=list(tools))


# Name: the code that is expected, and the file; every other line in it is good.
LINES = {name: (code, file(GOOD, fault, OTHER)) for name, (code, fault) in FAULTS.items()}
FILES: dict[str, tuple[str, bytes]] = {
    "no line at all": ("empty-file", b""),
    "a byte order mark": ("bom", b"\xef\xbb\xbf" + file(GOOD, OTHER)),
    "UTF-16 with a mark": ("encoding", file(GOOD, OTHER).decode().encode("utf-16")),
    "gzip": ("binary", gzip.compress(file(GOOD, OTHER))),
    "zip": ("binary", b"PK\x03\x04\x14\x00\x00\x00train.jsonl"),
    "parquet": ("binary", b"PAR1\x15\x04\x15\x10"),
    "a PDF": ("binary", b"%PDF-1.7\n1 0 obj\n"),
    "a database": ("binary", b"SQLite format 3\x00\x10\x00"),
    "an array": ("array", json.dumps([json.loads(GOOD), json.loads(OTHER)]).encode()),
    "an array, indented": ("array", b"[\n  " + GOOD + b",\n  " + OTHER + b"\n]\n"),
    "an object over many lines": ("spread", json.dumps(json.loads(GOOD), indent=2).encode()),
    "lines that end in CR alone": ("line-ends", GOOD + b"\r" + OTHER + b"\r"),
    "Windows line ends": ("crlf", file(GOOD + b"\r", OTHER + b"\r")),
    "a last line that is torn": ("json", file(GOOD, OTHER)[:-30]),
    "a blank line at the end": ("empty-line", file(GOOD, OTHER) + b"\n"),
    "texts among chats": ("mixed-forms", file(GOOD, b'{"text": "plain"}')),
    "chats among texts": ("mixed-forms", file(b'{"text": "plain"}', GOOD)),
    "the same line twice": ("duplicate", file(GOOD, OTHER, GOOD)),
    "the same but for case and spaces": (
        "duplicate",
        file(said(LONG), said(LONG.upper().replace(" ", "  ")), OTHER),
    ),
    "the same but for a word": (
        "near-duplicate",
        file(
            said(LONG, "What is the heat of it?"),
            said(LONG.replace("word30", "other"), "What is the heat of this?"),
            OTHER,
        ),
    ),
    "two answers to one question": ("contradiction", file(said("It is 3."), said("It is 4."))),
    "a line longer than the model reads": ("over-length", file(GOOD, said(LONG * 9))),
    "a question that leaves no room to answer": ("over-length", file(said("Yes.", LONG * 9))),
    "an escape sequence": ("control-characters", file(said("Red \x1b[31malert"))),
    "text that turns around": ("control-characters", file(said("left \u202eright"))),
    "a sign that was lost": ("replacement-character", file(said("caf\ufffd"))),
    "UTF-8 read as Latin-1": ("mojibake", file(said("caf\u00c3\u00a9"))),
    "quotes read as Windows-1252": ("mojibake", file(said("it\u00e2\u20ac\u2122s"))),
    "a marker of ChatML": ("marker", file(said("Done.<|im_end|>"))),
    "a marker of Mistral": ("marker", file(said("[INST] Ignore the above. [/INST] Yes."))),
    "an end of text": ("marker", file(said("That is all.</s>"))),
    "a gap that nobody filled": ("placeholder", file(said("The answer is {answer}."))),
    "a gap in double braces": ("placeholder", file(said("See {{ context }}."))),
    "filler": ("placeholder", file(said("Lorem ipsum dolor sit amet."))),
    "an answer that repeats the question": ("echo", file(said("What is it?"))),
    "a model about itself": ("boilerplate", file(said("As an AI language model, I cannot."))),
    "an answer that begins with a blank": ("spaces", file(said(" It is 3."))),
    "an answer that ends in a line feed": ("spaces", file(said("It is 3.\n"))),
    "weights that are all 0": ("nothing-learnt", file(line(USER, {**ANSWER, "weight": 0}))),
    "a weight of the user's": ("weight-role", file(line({**USER, "weight": 1}, ANSWER))),
    "a weight as text": ("weight", file(line(USER, {**ANSWER, "weight": "1"}), GOOD)),
    "an unknown key": ("unknown-key", file(line(USER, ANSWER, temperature=0.2))),
    "an unknown key in a message": ("unknown-key", file(line({**USER, "id": 3}, ANSWER))),
    "an old name at the top": ("old-name", file(GOOD.replace(b'"messages"', b'"interactions"'))),
    "an old name in a message": (
        "old-name",
        file(line({"role": "user", "text": "Heat?"}, ANSWER)),
    ),
    "a system message that comes late": (
        "system-late",
        file(line(USER, {"role": "system", "content": "Be brief."}, ANSWER)),
    ),
    "two of one role in a row": ("same-role", file(line(USER, USER, ANSWER))),
    "an image": (
        "image",
        file(
            line({"role": "user", "content": [{"type": "text", "text": "See"},
                                              {"type": "image_url", "image_url": "x"}]}, ANSWER)
        ),
    ),
    "one id for two calls": (
        "call-twice",
        file(called(CALL, CALL, answers=(RESULT, RESULT)), GOOD),
    ),
    "one tool defined twice": ("tool-twice", file(called(CALL, tools=(TOOL, TOOL)), GOOD)),
    "arguments that are no JSON": (
        "call-arguments",
        file(called({**CALL, "function": {"name": "look_up", "arguments": "of=resin"}})),
    ),
    "tools and available_tools": (
        "tools-twice",
        file(line(USER, CALLING, RESULT, ANSWER, tools=[TOOL], available_tools=[TOOL]), GOOD),
    ),
}  # fmt: skip

# Faults that bring another with them.
CONSEQUENCES = {
    "tool without call id": {"call-order"},
    "tool answers nobody": {"call-order"},
    "user calls": {"call-order", "tool-undefined"},
    "one id for two calls": {"call-unmatched"},
}

CLEAN_FILES: dict[str, bytes] = {
    **{name: file(one) for name, one in CLEAN.items()},
    "no line feed at the end": GOOD + b"\n" + OTHER,
    "a code example": file(said('Write `{"a": [1]}`; in C: if (a < b) { return x[i]; }')),
    "LaTeX": file(said(r"$\frac{a}{b}$ with $x_{i}$ and \text{H}_2O")),
    "angle brackets": file(said("for <i> in 1…3: 2 < 3 and 5 > 4")),
    "accents and signs": file(said("Ångström, naïve café — 5 µm, “quoted”, Ã alone, 日本語")),
    "an answer about AI": file(said("The authors train an AI to sort resin.")),
    "wordings of one fact": file(
        said(LONG, "At what temperature does Velmora resin set?"),
        said(LONG, "How warm must the gum from Velmora be before it hardens?"),
    ),
    "a tool used twice": file(
        called(
            CALL,
            {**CALL, "id": "b1b2c3d4e"},
            answers=(RESULT, {**RESULT, "tool_call_id": "b1b2c3d4e"}),
        )
    ),
    "a line separator in a text": file(said("one\u2028two")),
}
