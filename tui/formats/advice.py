"""What to do about each finding of a check, and the verdict in one sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_MENDED = "`dataset check FILE --fix NEW.jsonl` mends it"
MENDED = frozenset(
    {"bom", "crlf", "empty-line", "duplicate", "old-name", "unknown-key", "weight-role"}
    | {"control-characters", "role-unknown", "last-message", "call-id", "function-call"}
)
"""Codes of findings that `--fix` mends, most of the time."""

ADVICE: dict[str, str] = {
    "array": "Bring it in with `dataset import NAME FILE`, or write one object a line.",
    "balance": "Add examples from other papers, or reject some of this one.",
    "binary": "Unpack or export it to JSON Lines first.",
    "boilerplate": "Rewrite the answer from the paper, or drop the line.",
    "bom": f"{_MENDED}; or save the file as UTF-8 without a byte order mark.",
    "call": "Give each call an id and a function with a name and arguments.",
    "call-arguments": "Write the arguments as the JSON text of an object.",
    "call-id": f"{_MENDED}; ids are exactly nine letters or digits.",
    "call-order": "Put the tool's message right after the call, then the assistant's.",
    "call-twice": "Give every call an id of its own.",
    "call-unmatched": "Give the tool's message the id of the call that it answers.",
    "calls-role": "Move the call into an assistant's message.",
    "changed": "Wait until nobody writes the file, then check again.",
    "content-and-calls": "Keep the words or the calls, or make two messages of them.",
    "content-empty": "Write the message, or drop the line.",
    "content-missing": "Give the message its content, or drop the line.",
    "content-twice": "Keep `content`, drop `text`.",
    "content-type": "Write the content as one string.",
    "contradiction": "Keep the right answer, drop the other line.",
    "control-characters": f"{_MENDED}.",
    "crlf": f"{_MENDED}; or save the file with LF line ends.",
    "drafts": "Review them: press r in the app's Datasets, or `dataset accept NAME ID…`.",
    "duplicate": f"{_MENDED} (keeps the first); in a dataset reject one of the two.",
    "duplicate-key": "Keep one of the two; --fix does where both say the same.",
    "echo": "Write an answer, or drop the line.",
    "empty": "Accept examples, or add some with `dataset add NAME`.",
    "empty-file": "Export the data again.",
    "empty-line": f"{_MENDED}.",
    "encoding": "Save the file as UTF-8.",
    "first-message": "Begin with the user (after the system's message, if any).",
    "function-call": f"{_MENDED} (writes tool_calls).",
    "hosted": "Train on the local engine, or make the files smaller: fewer held-out examples.",
    "image": "Use a vision model, or drop the line.",
    "json": "Write one whole JSON object a line.",
    "key-phrase": "Correct the answer or the key phrase: `dataset edit NAME ID`.",
    "key-phrase-in-question": "Ask without giving the answer away: `dataset edit NAME ID`.",
    "last-message": f"{_MENDED} (drops what no answer follows).",
    "leak-overlap": "Read both; reject the training example if it gives the test away.",
    "leak-question": "Reject one of the two, or `dataset move NAME ID --role train`.",
    "leak-transfer-paper": "Split again, or reject the training example.",
    "line-ends": "Save the file with LF line ends.",
    "line-too-long": "Split the example, or drop it: no model reads so much.",
    "marker": "Take the marker out; papertune breaks it up, other trainers do not.",
    "message-type": "Write each message as an object with role and content.",
    "messages-empty": "Fill it, or drop the line.",
    "messages-type": "Write messages as a list.",
    "mixed-forms": "Put chats and plain texts into files of their own.",
    "mojibake": "Decode the source anew as UTF-8.",
    "nan": "Write null or a number.",
    "near-duplicate": "Reject one of the two unless the difference matters.",
    "near-duplicate-across": "Reject one: a test that resembles training tests memory only.",
    "nesting": "Flatten the value, or drop the line.",
    "no-form": "Write `messages` or `text`; other forms: `dataset import NAME FILE`.",
    "no-training": "Move examples into training, or split again.",
    "not-an-object": "Write one JSON object a line.",
    "nothing-learnt": "Give an answer weight 1, or drop the line.",
    "old-name": f"{_MENDED}.",
    "over-length": "Shorten or split them, or raise --seq-len if the model reads more.",
    "placeholder": "Fill the gap, or drop the line.",
    "replacement-character": "Decode the source anew; the lost signs cannot be guessed.",
    "role-missing": "Give the message its role.",
    "role-unknown": f"{_MENDED} where the role is known by another name.",
    "same-role": "Join the two messages, or put the missing one between.",
    "spaces": "Trim the answer: models learn the blanks too.",
    "spread": "Write one object a line; `jq -c .` does.",
    "surrogate": "Write the sign itself or both halves of the pair.",
    "system-late": "Put the system's message first.",
    "system-twice": "Keep one system message.",
    "template": "Change the conversation, or train a model whose template takes it.",
    "text-empty": "Fill it, or drop the line.",
    "text-type": "Write the text as one string.",
    "tool-definition": "Give each tool function.name, .description and .parameters.",
    "tool-twice": "Define each tool once.",
    "tool-undefined": "Define the tool in `tools`.",
    "tools-twice": "Keep `tools`.",
    "tools-type": "Write tools as a list.",
    "two-forms": "Keep one of them.",
    "types": "Generate or write other types of question.",
    "unknown-key": f"{_MENDED} (drops it).",
    "unlisted": "Mend the errors that are listed, then check again.",
    "unsplit": "Give every example a role: `dataset split NAME`.",
    "weight": "Write 0 or 1.",
    "weight-role": f"{_MENDED}.",
}


def code_of(warning: str) -> str:
    """The code that a warning begins with."""
    return warning.split(":", 1)[0]


def advice(codes: Iterable[str]) -> dict[str, str]:
    """What to do about each code, in the order of the codes."""
    return {code: ADVICE[code] for code in dict.fromkeys(codes) if code in ADVICE}


def verdict(lines: int, invalid: int, errors: Collection[str], warnings: Collection[str]) -> str:
    """Whether it is fit to train on, in one sentence; `errors` and `warnings` are codes."""
    if not lines:
        return "Not fit to train on: it is empty."
    weighed = f"; {len(warnings)} warnings to weigh" if len(warnings) > 1 else ""
    weighed = weighed or ("; one warning to weigh" if warnings else "")
    if not errors and not invalid:
        return f"Fit to train on{weighed}."
    leaks = sum(code.startswith("leak") for code in errors)
    parts = []
    if invalid:
        parts.append(f"{invalid} of {lines} lines are invalid")
    if leaks:
        parts.append(f"{leaks} tests stand in training")
    if not parts:
        parts.append(", ".join(sorted(set(errors))))
    return f"Not fit to train on: {' and '.join(parts)}{weighed}."
