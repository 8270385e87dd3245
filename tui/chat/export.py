"""Conversations for people: Markdown with citations, and notes for a vault such as Obsidian's."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tui.chat.cite import marked
from tui.domain.chat import Answer, Conversation, Exchange, Source
from tui.domain.errors import UsageError
from tui.storage.atomic import write_text
from tui.text import clean, visible

_UNSAFE = re.compile(r'[\\/:*?"<>|#^\[\]\x00-\x1f]')
_STAMP = "papertune-sha256"
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class NotesWritten:
    """What an export to a notes folder did; `kept` are files that a person has changed."""

    note: Path
    papers: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()


def as_markdown(conversation: Conversation) -> str:
    """A conversation for people: questions as headings, answers, numbered sources."""
    parts = [f"# {conversation.title}\n"]
    for exchange in conversation.exchanges:
        parts.append(f"## {' '.join(exchange.question.split())}\n")
        parts += _answers(exchange, lambda source: source.title)
    return "\n".join(parts)


def _answers(exchange: Exchange, name: Callable[[Source], str]) -> list[str]:
    parts = []
    for answer in filter(None, (exchange.answer, exchange.other)):
        if exchange.other is not None:
            chosen = " (preferred)" if exchange.preferred == answer.arm.value else ""
            parts.append(f"### {answer.arm.value}{chosen}\n")
        parts += _answer(answer, name)
    return parts


def _answer(answer: Answer, name: Callable[[Source], str]) -> list[str]:
    parts = [f"{marked(answer.text, answer.flaws)}\n"]
    if not answer.complete:
        parts.append("*(The answer was cut short.)*\n")
    parts += [f"> [!warning] {problem}\n" for problem in answer.problems if answer.complete]
    parts += [_cited(source, name(source)) for source in answer.sources]
    parts.append(f"\n*{answer.model}, {answer.arm.value}*\n")
    return parts


def _cited(source: Source, name: str) -> str:
    page = f", p. {source.page}" if source.page else ""
    return f"- [{source.n}] {name}{page}: “{' '.join(source.quote.split())}”"


def to_notes(conversation: Conversation, folder: Path) -> NotesWritten:
    """Write a conversation and a stub for each cited paper into a folder of notes.

    Front matter, and `[[links]]` from the conversation to its papers. A file that a person has
    changed since, or made, is never written over: a changed conversation's new text goes beside it.
    Raises UsageError when there is no such folder.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {visible(str(folder))}.", "Make it, or name the vault's folder."
        )
    names: dict[str, str] = {}
    for exchange in conversation.exchanges:
        for answer in filter(None, (exchange.answer, exchange.other)):
            for source in answer.sources:
                names.setdefault(source.paper, _name(source.title or source.paper))
    papers, kept = [], []
    for paper, name in names.items():
        path = folder / f"{name}.md"
        if path.exists():
            kept.append(path)
        else:
            _write(
                path, {"paper": paper, "title": name, "tags": ["papertune/paper"]}, f"# {name}\n"
            )
            papers.append(path)
    day = time.strftime("%Y-%m-%d", time.localtime(conversation.started_at))
    title = _name(f"{day} {conversation.title}")
    models = sorted({e.answer.model for e in conversation.exchanges if e.answer.model})
    front = {
        "conversation": conversation.id,
        "title": conversation.title,
        "date": day,
        "models": models,
        "tags": ["papertune/conversation"],
    }
    parts = [f"# {conversation.title}\n"]
    for exchange in conversation.exchanges:
        parts.append(f"## {' '.join(exchange.question.split())}\n")
        parts += _answers(exchange, lambda source: f"[[{names[source.paper]}]]")
    path, changed = _free(folder, title)
    if changed is not None:
        kept.append(changed)
    _write(path, front, "\n".join(parts))
    return NotesWritten(path, tuple(papers), tuple(kept))


def _free(folder: Path, title: str) -> tuple[Path, Path | None]:
    """Where a note may be written: its name, unless a person changed that; then what was kept."""
    kept: Path | None = None
    for number in range(1, 1000):
        path = folder / (f"{title}.md" if number == 1 else f"{title} {number}.md")
        if not path.exists() or _untouched(path):
            return path, kept
        kept = kept or path
    raise UsageError(f"{visible(title)} has too many notes.", "Move some of them away.")


def _write(path: Path, front: Mapping[str, object], body: str) -> None:
    """Front matter in YAML's JSON subset, with a hash by which a person's change is seen."""
    body = clean(body).rstrip() + "\n"
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()]
    head = "\n".join(lines)
    digest = hashlib.sha256(f"{head}\n{body}".encode()).hexdigest()
    write_text(path, f"---\n{head}\n{_STAMP}: {digest}\n---\n{body}")


def _untouched(path: Path) -> bool:
    """Whether a note is exactly as it was written here."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    match = re.fullmatch(rf"---\n(.*?)\n{_STAMP}: ([0-9a-f]{{64}})\n---\n(.*)", text, re.DOTALL)
    if match is None:
        return False
    return hashlib.sha256(f"{match[1]}\n{match[3]}".encode()).hexdigest() == match[2]


def _name(text: str) -> str:
    """A title as a file name that every system and `[[links]]` can hold."""
    name = " ".join(_UNSAFE.sub(" ", visible(text)).split()).strip(". ")
    return name[:_LONGEST_NAME].rstrip(". ") or "untitled"
