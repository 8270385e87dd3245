"""A model's own tokenizer and chat template: exact token counts without torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.domain.errors import MissingError, PapertuneError
from tui.formats.chat_template import ChatTemplate, Message, as_message
from tui.text import visible

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer


class TokenizerError(PapertuneError):
    """A tokenizer file that cannot be read."""


class ModelTokenizer:
    """Counts and encodes text as one model does.

    `tokenizer_json` is the path of a `tokenizer.json`, or its text as an engine serves it. Special
    tokens written in a text are taken as such: chat templates write them.
    """

    def __init__(self, tokenizer_json: str | Path, template: ChatTemplate) -> None:
        self._source = tokenizer_json
        self.template = template

    @staticmethod
    def from_folder(folder: Path) -> ModelTokenizer:
        """The tokenizer of a model folder, or of the Hugging Face folder in it.

        Reads `tokenizer.json`, `tokenizer_config.json` and, where the template stands apart,
        `chat_template.jinja`. Raises MissingError when there is no tokenizer.
        """
        folder = folder / "hf" if (folder / "hf" / "tokenizer.json").is_file() else folder
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise MissingError(
                f"{visible(folder.name)} holds no tokenizer.json.",
                "Fetch the model again: papertune model pull.",
            )
        config = _config(folder / "tokenizer_config.json")
        template = _template(config.get("chat_template"))
        apart = folder / "chat_template.jinja"
        if apart.is_file():
            template = apart.read_text(encoding="utf-8")
        bos, eos = _token(config.get("bos_token")), _token(config.get("eos_token"))
        return ModelTokenizer(path, ChatTemplate(template, bos, eos))

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids; `special` lets the tokenizer add what it puts around a document (BOS)."""
        return list(self._tokenizer.encode(text, add_special_tokens=special).ids)

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids and the characters [start, end) that each stands for; nothing is added."""
        encoding: Encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return list(encoding.ids), list(encoding.offsets)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Text of token ids; special tokens are written out only if `special`."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=not special))

    def count(self, text: str) -> int:
        """Tokens of plain text, without what training puts around it."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def count_messages(
        self, turns: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
    ) -> int:
        """Tokens of a conversation in the model's chat template, markers and tools included."""
        return self.count(self.template.render(self.defused(turns), tools=tools))

    def count_prompt(self, turns: Sequence[Message]) -> int:
        """Tokens of a conversation that waits for an answer: what a chat request costs to read."""
        return self.count(self.template.render(self.defused(turns), add_generation_prompt=True))

    def defuse(self, text: str) -> str:
        """Foreign text in which no special token is left: `<|im_end|>` becomes `< |im_end|>`.

        A paper or a question that holds a marker would otherwise end its own turn and begin
        another, e.g. one of the system's. Training and chat both defuse, so they agree.
        """
        if self._markers is None:
            return text
        return self._markers.sub(lambda found: f"{found[0][:1]} {found[0][1:]}", text)

    def defused(self, turns: Sequence[Message]) -> list[dict[str, Any]]:
        """The messages with every text in them defused."""
        return [
            {
                key: self.defuse(v) if isinstance(v, str) else v
                for key, v in as_message(turn).items()
            }
            for turn in turns
        ]

    @property
    def eos_id(self) -> int | None:
        """The token that ends a text, None when the model names none."""
        found = self._tokenizer.token_to_id(self.template.eos) if self.template.eos else None
        return None if found is None else int(found)

    @property
    def size(self) -> int:
        """Number of tokens, added ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @cached_property
    def _markers(self) -> re.Pattern[str] | None:
        """Matches any special token; one of a single character cannot be broken and is left."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        texts = sorted({t.content for t in added if t.special and len(t.content) > 1}, key=len)
        return re.compile("|".join(map(re.escape, reversed(texts)))) if texts else None

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids of the special tokens: markers of turns, ends of text."""
        added = self._tokenizer.get_added_tokens_decoder()
        return frozenset(index for index, token in added.items() if token.special)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        try:
            if isinstance(self._source, Path):
                tokenizer = Tokenizer.from_file(str(self._source))
            else:
                tokenizer = Tokenizer.from_str(self._source)
        except Exception as error:  # the library raises bare exceptions
            raise TokenizerError(
                f"The model's tokenizer cannot be read: {visible(str(error))[:200]}.",
                "Fetch the model again: papertune model pull.",
            ) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


def _config(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TokenizerError(
            f"{visible(path.name)} cannot be read.", "Fetch the model again: papertune model pull."
        ) from error
    return value if isinstance(value, dict) else {}


def _token(value: Any) -> str:
    """A special token, written as text or as an object with `content`."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""


def _template(value: Any) -> str:
    """A chat template, written as text or as a list of named ones."""
    if isinstance(value, list):
        named = {str(item.get("name")): item.get("template") for item in value}
        value = named.get("default")
    return value if isinstance(value, str) else ""
