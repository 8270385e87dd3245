"""Which files of a model repository are taken, and which repositories are not taken at all.

Weights are safetensors or GGUF, which hold numbers only; pickled weights can run code when they
are read, and Python files are code. Neither is ever fetched, however a repository names them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tui.domain.errors import UsageError
from tui.engine.models.errors import PullError
from tui.text import visible

_TAKEN = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
        "model.safetensors.index.json",
    }
)
_WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
_PICKLED = re.compile(r".*\.(bin|pt|pth|ckpt|pkl|pickle|h5|msgpack|npz)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REFERENCE = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
    r"(@(?P<revision>[\w./-]{1,100}))?(:(?P<file>[\w.-]{1,200}\.gguf))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What `ORGANISATION/MODEL[@REVISION][:FILE.gguf]` names."""

    repo: str
    revision: str = "main"
    file: str = ""

    @property
    def id(self) -> str:
        """The name it gets here: the repository's, or the file's, as they are."""
        return self.file.removesuffix(".gguf") or self.repo.partition("/")[2]

    @property
    def url(self) -> str:
        """The reference as it is written."""
        return self.repo + (f":{self.file}" if self.file else "")


def parse_reference(text: str) -> Reference | None:
    """The reference that `text` is, or None when it is something else, e.g. a plain name."""
    match = _REFERENCE.fullmatch(text)
    if match is None or ".." in text:
        return None
    return Reference(match["repo"], match["revision"] or "main", match["file"] or "")


def check_id(model_id: str) -> str:
    """A name that can be a folder's; raises UsageError for others."""
    if not _NAME.fullmatch(model_id) or model_id.startswith("ft"):
        raise UsageError(
            f"'{visible(model_id)[:100]}' cannot be a model's name here.",
            "Use letters, digits, '.', '-' and '_': papertune model pull NAME --from "
            "hf:ORGANISATION/MODEL",
        )
    return model_id


def choose(names: Sequence[str], reference: Reference) -> list[str]:
    """The files to take of those in a repository, weights last.

    Raises PullError when it holds no weights that can be read safely, or several GGUF files and
    none was named.
    """
    if reference.file:
        if reference.file not in names:
            raise PullError(
                f"{reference.repo} holds no {reference.file}.", _offer(reference, names)
            )
        return [reference.file]
    weights = sorted(name for name in names if _WEIGHTS.fullmatch(name))
    if weights:
        return sorted(name for name in names if name in _TAKEN) + weights
    found = sorted(name for name in names if name.endswith(".gguf") and "/" not in name)
    if found:
        raise PullError(f"{reference.repo} holds GGUF files; name one.", _offer(reference, found))
    pickled = next((name for name in names if _PICKLED.fullmatch(name)), "")
    if pickled:
        raise PullError(
            f"{reference.repo} holds pickled weights only ({visible(pickled)[:80]}), which can run "
            "code when they are read.",
            "Choose a repository with safetensors or GGUF files.",
        )
    raise PullError(f"{reference.repo} holds no weights.", "Choose another repository.")


def _offer(reference: Reference, names: Sequence[str]) -> str:
    found = [name for name in names if name.endswith(".gguf")][:8]
    if not found:
        return "Choose a repository with safetensors or GGUF files."
    return "E.g. " + ", ".join(f"papertune model pull {reference.repo}:{name}" for name in found)


def refuse_code(config: dict[str, Any]) -> None:
    """Raise PullError when a model's configuration asks for Python code of its repository."""
    if config.get("auto_map"):
        raise PullError(
            "This model needs Python code of its repository, which is never run here.",
            "Choose a model whose architecture transformers itself has.",
        )
