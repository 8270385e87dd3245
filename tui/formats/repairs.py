"""Repairs that change how a training line is written, never what is learnt from it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tui.formats.rules import UNSAFE
from tui.text import clean

_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "developer": "system",
    "function": "tool",
    "observation": "tool",
    **{role: role for role in ("system", "user", "assistant", "tool")},
}
_OLD = {"interactions": "messages", "content": "text", "available_tools": "tools"}
_TOP = ("messages", "text", "tools")
_MESSAGE = ("role", "content", "weight", "tool_calls", "tool_call_id", "name", "prefix")
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


def repair(document: dict[str, Any], *, cut: bool = False) -> tuple[dict[str, Any], list[str]]:
    """The line as today's rules write it, and the codes of the findings that this mends.

    Old names, spellings of roles, `functions` and `function_call`, the ids of calls, weights where
    none belong, keys that readers ignore and control characters are mended. `cut` also drops
    what follows the last answer, from which nothing is learnt. What cannot be mended stays as it is
    for the rules to refuse.
    """
    done: list[str] = []
    line = dict(document)
    for old, new in _OLD.items():
        if old in line and not line.keys() & {"messages", "text"} - {new, old}:
            if new in line:
                continue
            line[new] = line.pop(old)
            done.append("old-name")
    functions = line.pop("functions", None)
    if isinstance(functions, list) and "tools" not in line:
        line["tools"] = functions
        done.append("function-call")
    if isinstance(line.get("tools"), list):
        line["tools"] = [_tool(tool, done) for tool in line["tools"]]
        if not line["tools"]:
            del line["tools"]
    elif line.get("tools", "") is None:
        del line["tools"]
    if line.keys() & {"messages", "text"} and line.keys() - set(_TOP):
        line = {key: line[key] for key in _TOP if key in line}
        done.append("unknown-key")
    if isinstance(line.get("text"), str):
        line["text"] = _safe(line["text"], done)
    if isinstance(line.get("messages"), list):
        line["messages"] = _messages(line["messages"], done, cut)
    return line, list(dict.fromkeys(done))


def _tool(tool: Any, done: list[str]) -> Any:
    if not isinstance(tool, dict):
        return tool
    if "function" not in tool and isinstance(tool.get("name"), str):
        tool = {"type": "function", "function": tool}
        done.append("tool-definition")
    function = tool.get("function")
    if isinstance(function, dict) and function.get("parameters") is None:
        tool = {**tool, "function": {**function, "parameters": NO_PARAMETERS}}
        done.append("tool-definition")
    return tool


def _messages(messages: list[Any], done: list[str], cut: bool) -> list[Any]:
    ids = _Ids(done)
    mended = [_message(m, ids, done) if isinstance(m, dict) else m for m in messages]
    if cut:
        roles = [m.get("role") if isinstance(m, dict) else None for m in mended]
        answers = [n for n, role in enumerate(roles) if role == "assistant"]
        if answers and answers[-1] + 1 < len(mended):
            done.append("last-message")
            mended = mended[: answers[-1] + 1]
    return mended


def _message(message: dict[str, Any], ids: _Ids, done: list[str]) -> dict[str, Any]:
    found = {key: value for key, value in message.items() if value is not None}
    role = found.get("role")
    if isinstance(role, str) and role not in ("system", "user", "assistant", "tool"):
        known = _ROLES.get(role.strip().lower())
        if known is not None:
            found["role"] = known
            done.append("role-unknown")
    if "text" in found and "content" not in found:
        found["content"] = found.pop("text")
        done.append("old-name")
    call = found.pop("function_call", None)
    if isinstance(call, dict) and "tool_calls" not in found:
        found["tool_calls"] = [{"type": "function", "function": call}]
        done.append("function-call")
    elif call is not None:
        found["function_call"] = call
    if found.get("tool_calls") == []:
        del found["tool_calls"]
    if isinstance(found.get("tool_calls"), list):
        found["tool_calls"] = [ids.of_call(call) for call in found["tool_calls"]]
        if found.get("content") == "":
            del found["content"]
    if found.get("role") == "tool":
        ids.of_answer(found)
    _weight(found, done)
    if isinstance(found.get("content"), str):
        found["content"] = _safe(found["content"], done)
    extra = found.keys() - set(_MESSAGE) - {"text", "function_call"}
    if extra:
        done.append("unknown-key")
    return {key: value for key, value in found.items() if key not in extra}


def _weight(message: dict[str, Any], done: list[str]) -> None:
    if "weight" not in message:
        return
    if message.get("role") in ("system", "user", "tool"):
        del message["weight"]
        done.append("weight-role")
    elif isinstance(message["weight"], float) and message["weight"] in (0.0, 1.0):
        message["weight"] = int(message["weight"])


def _safe(text: str, done: list[str]) -> str:
    """The text without what nobody sees; composed letters and line ends are left as they are."""
    if not UNSAFE.search(text):
        return text
    done.append("control-characters")
    return UNSAFE.sub("", clean(text))


class _Ids:
    """Ids of exactly nine letters or digits, the same for the same id of the line."""

    def __init__(self, done: list[str]) -> None:
        self._done = done
        self._open: list[str] = []

    def of_call(self, call: Any) -> Any:
        if not isinstance(call, dict):
            return call
        function = call.get("function")
        if isinstance(function, dict) and isinstance(function.get("arguments"), dict | list):
            arguments = json.dumps(function["arguments"], ensure_ascii=False)
            call = {**call, "function": {**function, "arguments": arguments}}
            self._done.append("call")
        given = call.get("id")
        name = given if isinstance(given, str) else json.dumps(function, sort_keys=True)
        call = {**call, "id": self._nine(name, isinstance(given, str))}
        self._open.append(call["id"])
        return call

    def of_answer(self, message: dict[str, Any]) -> None:
        given = message.get("tool_call_id")
        if isinstance(given, str):
            message["tool_call_id"] = self._nine(given, True)
            if message["tool_call_id"] in self._open:
                self._open.remove(message["tool_call_id"])
        elif self._open:
            message["tool_call_id"] = self._open.pop(0)
            self._done.append("call-id")

    def _nine(self, name: str, given: bool) -> str:
        if given and len(name) == 9 and name.isascii() and name.isalnum():
            return name
        self._done.append("call-id")
        return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:9]
