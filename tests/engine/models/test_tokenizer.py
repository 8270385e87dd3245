from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.models.gguf_bytes import tiny_model
from tui.engine.models.gguf import read_header
from tui.engine.models.tokenizer import UnknownTokenizerError, build, write_tokenizer
from tui.formats.chatml import CHATML
from tui.formats.tokenizer import ModelTokenizer


def test_the_vocabulary_becomes_a_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(tiny_model())
    write_tokenizer(read_header(path), tmp_path, CHATML)
    tokenizer = ModelTokenizer.from_folder(tmp_path)
    text = "<|im_start|>the été\n42"
    assert tokenizer.decode(tokenizer.encode(text), special=True) == text
    assert tokenizer.encode("the") == [260]
    assert tokenizer.encode("<|im_end|>") == [2]
    assert tokenizer.template.source == CHATML


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer.ggml.model": "llama"},
        {"tokenizer.ggml.pre": "something-new\x1b[31m"},
        {"tokenizer.ggml.tokens": ["a", "a"]},
        {"tokenizer.ggml.merges": ["no such"]},
    ],
)
def test_what_cannot_be_rebuilt_exactly_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(tiny_model(**changes))
    with pytest.raises(UnknownTokenizerError) as caught:
        build(read_header(path))
    assert "\x1b" not in str(caught.value)
