"""A Hugging Face tokenizer made from the vocabulary that stands in a GGUF file.

llama.cpp and the trainer must cut text alike, so both vocabularies come from the same file. Only
byte-level BPE with the pre-tokenizers named here is rebuilt; another kind is refused by name, as
one that is nearly right would train on other tokens than the model answers with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.domain.errors import PapertuneError
from tui.engine.models.gguf import GgufHeader
from tui.storage.atomic import write_text
from tui.text import visible

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONTROL_TOKEN = 3  # llama.cpp's LLAMA_TOKEN_TYPE_CONTROL: `<|im_start|>` and the like
_DIGITS_APART = {"smollm": True, "gpt-2": False, "default": False}


class UnknownTokenizerError(PapertuneError):
    """The GGUF file's tokenizer is of a kind that cannot be rebuilt exactly."""


def write_tokenizer(header: GgufHeader, folder: Path, template: str) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` with this chat template to `folder`."""
    tokenizer = build(header)
    write_text(folder / "tokenizer.json", tokenizer.to_str())
    write_text(
        folder / "tokenizer_config.json",
        json.dumps(configuration(header, template), ensure_ascii=False, indent=2) + "\n",
    )


def build(header: GgufHeader) -> Tokenizer:
    """The tokenizer of this vocabulary; raises UnknownTokenizerError for other kinds."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    kind, pre = header.text("tokenizer.ggml.model"), header.text("tokenizer.ggml.pre", "default")
    if kind != "gpt2" or pre not in _DIGITS_APART:
        raise UnknownTokenizerError(
            f"The model's tokenizer ('{visible(kind)}', '{visible(pre)}') is not supported.",
            f"Supported: byte-level BPE with {', '.join(sorted(_DIGITS_APART))}.",
        )
    tokens = header.strings("tokenizer.ggml.tokens")
    merges = [_pair(merge) for merge in header.strings("tokenizer.ggml.merges")]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        raise UnknownTokenizerError("The model's vocabulary holds a token twice.")
    try:
        model = models.BPE(vocab=vocabulary, merges=merges)
    except Exception as error:  # the library raises bare exceptions
        raise UnknownTokenizerError(
            f"The model's vocabulary and merges do not fit together: {visible(str(error))}."
        ) from error
    tokenizer = Tokenizer(model)
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])
        if _DIGITS_APART[pre]
        else level
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = header.metadata.get("tokenizer.ggml.token_type") or []
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, type_ in zip(tokens, types, strict=False)
            if type_ == _CONTROL_TOKEN
        ]
    )
    return tokenizer


def configuration(header: GgufHeader, template: str) -> dict[str, Any]:
    """The `tokenizer_config.json` that transformers reads beside `tokenizer.json`."""
    tokens = header.strings("tokenizer.ggml.tokens")

    def token(key: str) -> str | None:
        index = header.metadata.get(f"tokenizer.ggml.{key}_token_id")
        return tokens[index] if isinstance(index, int) and 0 <= index < len(tokens) else None

    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": token("bos"),
        "eos_token": token("eos"),
        "pad_token": token("padding"),
        "model_max_length": context_length(header),
        "clean_up_tokenization_spaces": False,
        "chat_template": template,
    }


def context_length(header: GgufHeader) -> int:
    """Tokens of context that the model was trained for."""
    return header.number(f"{header.text('general.architecture')}.context_length")


def _pair(merge: str) -> tuple[str, str]:
    left, _, right = merge.partition(" ")
    return left, right
