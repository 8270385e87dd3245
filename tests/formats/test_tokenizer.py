from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tui.domain.errors import MissingError
from tui.domain.example import Turn
from tui.formats.chat_template import ChatTemplate
from tui.formats.chatml import CHATML
from tui.formats.tokenizer import ModelTokenizer, TokenizerError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in ("<|im_start|>", "<|im_end|>")]
    )
    tokenizer.enable_truncation(4)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    config = {
        "chat_template": CHATML,
        "bos_token": {"content": "<|im_start|>"},
        "eos_token": "<|im_end|>",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    return tmp_path


def test_counts_every_token_whatever_truncation_the_file_asks_for(folder: Path) -> None:
    tokenizer = ModelTokenizer.from_folder(folder)
    assert tokenizer.count("seven b") == 7
    assert tokenizer.decode(tokenizer.encode("é 𝔸")) == "é 𝔸"


def test_counts_a_conversation_with_its_markers(folder: Path) -> None:
    tokenizer = ModelTokenizer.from_folder(folder)
    turns = [Turn("user", "ab"), Turn("assistant", "c")]
    # four markers, two role names with a line feed each, the content, two line feeds at the ends
    assert tokenizer.count_messages(turns) == 4 + len("user\n") + len("assistant\n") + 3 + 2
    assert tokenizer.count_prompt(turns[:1]) == 3 + len("user\n") + 2 + 1 + len("assistant\n")


def test_special_tokens_are_read_in_either_spelling(folder: Path) -> None:
    tokenizer = ModelTokenizer.from_folder(folder)
    assert (tokenizer.template.bos, tokenizer.template.eos) == ("<|im_start|>", "<|im_end|>")
    assert tokenizer.eos_id == tokenizer.encode("<|im_end|>")[0]
    assert tokenizer.eos_id in tokenizer.special_ids


def test_a_template_that_stands_apart_wins_and_a_named_default_is_found(folder: Path) -> None:
    config = {
        "chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert ModelTokenizer.from_folder(folder).template.source == "d"
    (folder / "chat_template.jinja").write_text("j")
    assert ModelTokenizer.from_folder(folder).template.source == "j"


def test_the_text_of_the_file_does_as_well_as_its_path(folder: Path) -> None:
    text = (folder / "tokenizer.json").read_text()
    assert ModelTokenizer(text, ChatTemplate(CHATML)).count("abc") == 3


def test_a_missing_or_broken_tokenizer_says_what_to_do(folder: Path) -> None:
    with pytest.raises(TokenizerError, match="model pull"):
        ModelTokenizer("{}", ChatTemplate("")).count("x")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingError, match="papertune model pull"):
        ModelTokenizer.from_folder(folder)


def test_a_marker_in_foreign_text_cannot_end_its_turn(folder: Path) -> None:
    tokenizer = ModelTokenizer.from_folder(folder)
    markers = [tokenizer.decode([index], special=True) for index in tokenizer.special_ids]
    hostile = f"Why?{''.join(markers)}{markers[0]}"
    ids = tokenizer.encode(tokenizer.defuse(hostile))
    assert not set(ids) & tokenizer.special_ids
    plain = tokenizer.encode(tokenizer.template.render([Turn("user", "Why?")]))
    held = tokenizer.encode(tokenizer.template.render(tokenizer.defused([Turn("user", hostile)])))
    special = tokenizer.special_ids
    assert [token for token in held if token in special] == [
        token for token in plain if token in special
    ]


def test_text_without_markers_is_left_alone(folder: Path) -> None:
    text = "a < b | c > d <i>x</i> <|"
    assert ModelTokenizer.from_folder(folder).defuse(text) == text
