"""The rules of a training line: the hosted service's and mistral-finetune's.

What either of them refuses is an error; what one of them is known to take and the other is silent
about is a warning. Every problem of a line is found, not only the first.
"""

from __future__ import annotations

import difflib
import itertools
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.domain.example import Form
from tui.formats.lines import LineError, TrainingLine, decode_object

ROLES = ("system", "user", "assistant", "tool")
_TOP = frozenset({"messages", "text", "tools", "interactions", "content", "available_tools"})
_MESSAGE = frozenset(
    {"role", "content", "text", "weight", "tool_calls", "tool_call_id", "name", "prefix"}
)
_CALL_ID = re.compile(r"[A-Za-z0-9]{9}")
_MARKER = re.compile(
    r"<\|[a-z_]{2,30}\|>|</?s>|\[/?INST\]|\[/?SYSTEM_PROMPT\]|<</?SYS>>|<(?:start|end)_of_turn>"
)
_PLACEHOLDER = re.compile(
    r"\{\{?\s?(?:question|answer|context|title|text|input|output|passage|sources|name)\s?\}?\}"
)
_BOILERPLATE = re.compile(
    r"\bas an (?:ai|artificial intelligence)\b|\bas a (?:large )?language model\b"
    r"|\bmy knowledge cut-?off\b"
)
_MOJIBAKE = re.compile("\u00c3[\u0080-\u00bf]|\u00e2\u20ac[\u2122\u0153\u009d\u201c\u201d\u00a6]")
UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a line; `fatal` ones make it invalid."""

    code: str
    message: str
    fatal: bool = True


class _Problems(list[Problem]):
    def error(self, code: str, message: str) -> None:
        self.append(Problem(code, message))

    def warn(self, code: str, message: str) -> None:
        self.append(Problem(code, message, fatal=False))


def decode_line(data: bytes, number: int = 0) -> TrainingLine:
    """One line of a training file, valid by every rule; raises LineError with the first fault."""
    line, problems = examine(decode_object(data, number))
    if line is None:
        fault = next(problem for problem in problems if problem.fatal)
        raise LineError(fault.code, fault.message, number)
    return line


def examine(document: dict[str, Any]) -> tuple[TrainingLine | None, list[Problem]]:
    """The training line in a JSON object, or None, and everything that is wrong with it."""
    problems = _Problems()
    talks = [key for key in ("messages", "interactions") if key in document]
    texts = [key for key in ("text", "content") if key in document]
    line: TrainingLine | None = None
    if not talks and not texts:
        _no_form(document, problems)
    elif len(talks) + len(texts) > 1:
        names = " and ".join(f'"{key}"' for key in talks + texts)
        problems.error("two-forms", f"the line has {names}; exactly one is allowed")
    elif talks:
        if talks[0] == "interactions":
            problems.warn("old-name", '"interactions" is an old name; write "messages"')
        line = _conversation(document, document[talks[0]], problems)
    else:
        if texts[0] == "content":
            problems.warn("old-name", '"content" at the top is an old name; write "text"')
        line = _text(document[texts[0]], problems)
    for key in sorted(document.keys() - _TOP) if talks or texts else ():
        problems.warn("unknown-key", f'the key "{key[:40]}" is not known and is ignored')
    if any(problem.fatal for problem in problems):
        return None, problems
    return line, problems


def _no_form(document: dict[str, Any], problems: _Problems) -> None:
    if not document:
        problems.error("no-form", 'the object is empty; give it "messages" or "text"')
        return
    for key in document:
        near = difflib.get_close_matches(key.lower(), ("messages", "text"), 1, 0.75)
        if near:
            problems.error("no-form", f'"{key[:40]}" is not known; did you mean "{near[0]}"?')
            return
    problems.error("no-form", 'the line has neither "messages" nor "text"')


def _text(text: Any, problems: _Problems) -> TrainingLine | None:
    if not isinstance(text, str):
        problems.error("text-type", '"text" must be a string')
        return None
    if not text.strip():
        problems.error("text-empty", '"text" is empty')
    _words(text, problems)
    return TrainingLine(Form.TEXT, text=text)


def _conversation(
    document: dict[str, Any], messages: Any, problems: _Problems
) -> TrainingLine | None:
    if not isinstance(messages, list):
        problems.error("messages-type", '"messages" must be a list')
        return None
    if not messages:
        problems.error("messages-empty", '"messages" is empty')
        return None
    tools = _tools(document, problems)
    read = [_message(n, message, problems) for n, message in enumerate(messages, 1)]
    kept = [message for message in read if message is not None]
    if len(kept) == len(read):
        _order(kept, problems)
        _calls(kept, tools, problems)
    if len(kept) == len(read):
        _said(kept, problems)
    weights = tuple(
        int(message.pop("weight", 1)) if message["role"] == "assistant" else 0 for message in kept
    )
    if len(kept) == len(read) and not any(weights) and kept[-1]["role"] == "assistant":
        problems.warn("nothing-learnt", "every assistant message has weight 0: nothing is learnt")
    return TrainingLine(Form.MESSAGES, messages=tuple(kept), weights=weights, tools=tuple(tools))


def _said(messages: list[dict[str, Any]], problems: _Problems) -> None:
    """An answer that says nothing of its own."""
    for n, (before, message) in enumerate(itertools.pairwise(messages), 2):
        if message["role"] != "assistant" or message.get("tool_calls"):
            continue
        if before["role"] == "user" and before["content"].strip() == message["content"].strip():
            problems.warn("echo", f"message {n} only repeats the question")
        elif _BOILERPLATE.search(message["content"][:200].lower()):
            problems.warn("boilerplate", f"message {n} speaks as a model about itself")


def _message(n: int, message: Any, problems: _Problems) -> dict[str, Any] | None:
    if not isinstance(message, dict):
        problems.error("message-type", f"message {n} is no object")
        return None
    role = message.get("role")
    if role is None:
        problems.error("role-missing", f'message {n} has no "role"')
        return None
    if role not in ROLES:
        near = difflib.get_close_matches(str(role).lower(), ROLES, 1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; use {', '.join(ROLES)}"
        problems.error("role-unknown", f'message {n} has the role "{str(role)[:40]}"{hint}')
        return None
    if "function_call" in message:
        problems.error("function-call", f'message {n}: write "tool_calls", not "function_call"')
    known = {"role": role, "content": _content(n, role, message, problems)}
    calls = message.get("tool_calls")
    if calls:
        if role != "assistant":
            problems.error("calls-role", f"message {n}: only the assistant calls tools")
        known["tool_calls"] = calls
    if role == "tool":
        if not isinstance(message.get("tool_call_id"), str):
            problems.error("call-id", f'message {n}: a tool\'s answer needs its "tool_call_id"')
        known["tool_call_id"] = message.get("tool_call_id")
    if isinstance(message.get("name"), str) and message["name"]:
        known["name"] = message["name"]
    if message.get("weight") is not None:
        _weight(n, role, message["weight"], known, problems)
    unknown = () if message.keys() <= _MESSAGE else message.keys() - _MESSAGE - {"function_call"}
    for key in sorted(unknown):
        problems.warn("unknown-key", f'message {n}: the key "{key[:40]}" is ignored')
    return known


def _weight(n: int, role: str, weight: Any, known: dict[str, Any], problems: _Problems) -> None:
    if role != "assistant":
        problems.warn("weight-role", f"message {n}: a weight counts on assistant messages only")
    elif isinstance(weight, bool) or weight not in (0, 1):
        problems.error("weight", f"message {n}: a weight is 0 or 1")
    else:
        known["weight"] = weight


def _content(n: int, role: str, message: dict[str, Any], problems: _Problems) -> str:
    """A message's words; an empty string where a tool call stands in their place."""
    has_calls = bool(message.get("tool_calls"))
    if "content" in message and "text" in message:
        problems.error("content-twice", f'message {n} has both "content" and "text"')
    if "text" in message and "content" not in message:
        problems.warn("old-name", f'message {n}: "text" is an old name; write "content"')
    content = message.get("content", message.get("text"))
    if content is None:
        if not has_calls:
            problems.error("content-missing", f'message {n} has no "content"')
        return ""
    if isinstance(content, list):
        content = _chunks(n, content, problems)
    if not isinstance(content, str):
        problems.error("content-type", f'message {n}: "content" must be a string')
        return ""
    if has_calls and content:
        problems.error("content-and-calls", f"message {n} has both content and tool calls")
    elif not has_calls and not content.strip() and role != "tool":
        problems.error("content-empty", f"message {n} ({role}) is empty")
    _words(content, problems)
    if role == "assistant" and content and content != content.strip():
        problems.warn("spaces", f"message {n}: the answer begins or ends with blanks")
    return content


def _chunks(n: int, chunks: list[Any], problems: _Problems) -> str | None:
    texts = []
    for chunk in chunks:
        kind = chunk.get("type") if isinstance(chunk, dict) else None
        if kind == "text" and isinstance(chunk.get("text"), str):
            texts.append(chunk["text"])
        elif kind == "image_url":
            problems.warn("image", f"message {n} holds an image; only vision models can learn it")
            texts.append("")
        else:
            return None
    return "".join(texts) if any(texts) else (" " if texts else "")


def _order(messages: list[dict[str, Any]], problems: _Problems) -> None:
    roles = [message["role"] for message in messages]
    if roles[-1] != "assistant":
        problems.error(
            "last-message", f"the last message is the {roles[-1]}'s, not the assistant's"
        )
    if roles.count("system") > 1:
        problems.error("system-twice", "there is more than one system message")
    elif "system" in roles[1:]:
        problems.warn("system-late", "the system message does not come first")
    spoken = [role for role in roles if role != "system"]
    if spoken and spoken[0] != "user":
        problems.error("first-message", f"the first to speak is the {spoken[0]}, not the user")
    if any(a == b and a != "tool" for a, b in itertools.pairwise(spoken)):
        problems.warn("same-role", "two messages of one role follow each other")


def _tools(document: dict[str, Any], problems: _Problems) -> list[dict[str, Any]]:
    if "tools" in document and "available_tools" in document:
        problems.error("tools-twice", 'the line has both "tools" and "available_tools"')
    tools = document.get("tools", document.get("available_tools"))
    if tools is None:
        return []
    if not isinstance(tools, list):
        problems.error("tools-type", '"tools" must be a list')
        return []
    good = []
    names: set[str] = set()
    for n, tool in enumerate(tools, 1):
        function = tool.get("function") if isinstance(tool, dict) else None
        if (
            isinstance(function, dict)
            and isinstance(function.get("name"), str)
            and isinstance(function.get("description", ""), str)
            and isinstance(function.get("parameters"), dict)
        ):
            if function["name"] in names:
                problems.error("tool-twice", f'tool {n}: "{function["name"][:40]}" stands twice')
            names.add(function["name"])
            good.append(tool)
        else:
            problems.error(
                "tool-definition",
                f"tool {n} needs function.name, function.description and function.parameters",
            )
    return good


def _calls(
    messages: list[dict[str, Any]], tools: list[dict[str, Any]], problems: _Problems
) -> None:
    names = {tool["function"]["name"] for tool in tools}
    open_ids: set[str] = set()
    given: set[str] = set()
    for n, message in enumerate(messages, 1):
        role = message["role"]
        if role == "tool":
            answered = message["tool_call_id"]
            if isinstance(answered, str) and answered in open_ids:
                open_ids.discard(answered)
            elif isinstance(answered, str):
                problems.error("call-unmatched", f"message {n} answers a tool call nobody made")
            if n < len(messages) and messages[n]["role"] not in ("tool", "assistant"):
                problems.error("call-order", f"after the tool's message {n} the assistant speaks")
            continue
        if open_ids:
            problems.error("call-order", f"message {n} comes before the tool's answer")
            open_ids = set()
        calls = message.get("tool_calls", ())
        if not isinstance(calls, list | tuple):
            problems.error("call", f'message {n}: "tool_calls" must be a list')
            continue
        for call in calls:
            _call(n, call, names, problems)
            if isinstance(call, dict) and isinstance(call.get("id"), str):
                if call["id"] in given:
                    problems.error("call-twice", f"message {n}: two calls have one id")
                given.add(call["id"])
                open_ids.add(call["id"])


def _call(n: int, call: Any, names: set[str], problems: _Problems) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    if (
        not isinstance(function, dict)
        or not isinstance(function.get("name"), str)
        or not isinstance(function.get("arguments"), str)
    ):
        problems.error(
            "call", f"message {n}: a tool call needs function.name and function.arguments (string)"
        )
        return
    try:
        arguments = msgspec.json.decode(function["arguments"])
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        problems.warn("call-arguments", f"message {n}: the arguments of a call are no JSON object")
    if not _CALL_ID.fullmatch(str(call.get("id", ""))):
        problems.error("call-id", f"message {n}: a tool call's id is exactly 9 letters or digits")
    if function["name"] not in names:
        problems.error(
            "tool-undefined", f'message {n} calls "{function["name"][:40]}", which "tools" lacks'
        )


def _words(text: str, problems: _Problems) -> None:
    """What in a text is seldom meant: signs nobody sees, damage, markers, gaps left unfilled."""
    # Printable text, which is told faster than searched, holds nothing unsafe.
    if not text.replace("\n", "").isprintable() and UNSAFE.search(text):
        problems.warn("control-characters", "the text holds control characters that nobody sees")
    if "\ufffd" in text:
        problems.warn(
            "replacement-character", "the text holds “\ufffd”: it was decoded wrongly once"
        )
    if "\u00c3" in text or "\u00e2\u20ac" in text:
        found = _MOJIBAKE.search(text)
        if found:
            problems.warn("mojibake", f"“{found[0]}” looks like UTF-8 that was read as Latin-1")
    if ("<" in text or "[" in text) and (found := _MARKER.search(text)):
        problems.warn("marker", f"the text holds {found[0]}, which a chat template gives a meaning")
    if "{" in text and (found := _PLACEHOLDER.search(text)):
        problems.warn("placeholder", f"{found[0]} looks like a gap that nobody filled")
    if "orem ipsum" in text:
        problems.warn("placeholder", "the text is filler (“lorem ipsum”)")
