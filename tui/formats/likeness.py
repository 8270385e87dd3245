"""What makes two training lines say the same, or ask the same."""

from __future__ import annotations

import hashlib
from typing import Any

from tui.domain.example import Form
from tui.formats import templates
from tui.formats.lines import TrainingLine

# Without any of these a text has single spaces only, which is told faster than it is split.
_BLANKS = ("  ", "\n", "\t", "\u00a0", "\u202f")


def content_key(line: TrainingLine) -> int:
    """The same number for lines that say the same but for spaces and case."""
    return content_keys(line)[1]


def content_keys(line: TrainingLine) -> tuple[int, int]:
    """Numbers for what comes before the last message and for the whole, but for spaces and case."""
    if line.form is Form.TEXT:
        return 0, _number(hashlib.blake2b(_normal(line.text), digest_size=8))
    *before, last = map(_said, line.messages)
    digest = hashlib.blake2b(_normal("\x01".join(before)), digest_size=8)
    prompt = _number(digest)
    digest.update(b"\x01" + _normal(last))
    return prompt, _number(digest)


def _said(message: dict[str, Any]) -> str:
    calls = str(message["tool_calls"]) if "tool_calls" in message else ""
    return f"{message['role']}\x02 {message['content']} {calls}"


def _normal(text: str) -> bytes:
    text = text.casefold()
    if any(blank in text for blank in _BLANKS):
        text = " ".join(text.split())
    return text.strip().encode()


def _number(digest: hashlib.blake2b) -> int:
    return int.from_bytes(digest.digest(), "big")


def prompt_and_whole(line: TrainingLine) -> tuple[str, str]:
    """The user's words and all words but the system's: what near-duplicates are judged by."""
    if line.form is Form.TEXT:
        plain = templates.parse(line.text)
        return (plain.question if isinstance(plain, templates.QuestionAnswer) else ""), line.text
    prompt = "\n".join(m["content"] for m in line.messages if m["role"] == "user")
    whole = "\n".join(m["content"] for m in line.messages if m["role"] != "system")
    return prompt, whole
