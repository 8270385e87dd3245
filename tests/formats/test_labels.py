from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tui.domain.example import Form
from tui.formats.chat_template import ChatTemplate
from tui.formats.chatml import CHATML
from tui.formats.labels import LabelError, encode_line
from tui.formats.lines import TrainingLine
from tui.formats.tokenizer import ModelTokenizer

_INST = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'system' %}{{ m.content }}\n\n{% else %} {{ m.content }}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)
_PLAIN = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
# The system prompt goes to the last question, as some of Mistral's templates have it.
_MOVING = (
    "{% for m in messages %}{% if m.role == 'user' %}[INST]"
    "{% if loop.last or loop.index0 == messages|length - 2 %}SYSTEM {% endif %}"
    "{{ m.content }}[/INST]{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
_SPECIAL = ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "[INST]", "[/INST]")


def _tokenizer(template: str, eos: str = "</s>") -> ModelTokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate([*alphabet, "th", "Ġa", "in"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("t", "h"), ("Ġ", "a"), ("i", "n")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in _SPECIAL])
    return ModelTokenizer(tokenizer.to_str(), ChatTemplate(template, "<s>", eos))


_TEMPLATES = {
    "chatml": (_tokenizer(CHATML, "<|im_end|>"), "<|im_end|>"),
    "inst": (_tokenizer(_INST), "</s>"),
    "plain": (_tokenizer(_PLAIN), "\n\n"),
}


def _line(*messages: tuple[str, str], weights: tuple[int, ...] = ()) -> TrainingLine:
    turns = tuple({"role": role, "content": content} for role, content in messages)
    return TrainingLine(Form.MESSAGES, messages=turns, weights=weights)


_words = st.text(
    st.characters(codec="utf-8", exclude_characters="<|>[]", exclude_categories=("Cs", "Cc")),
    min_size=1,
    max_size=40,
).filter(str.strip)


@pytest.mark.parametrize("name", _TEMPLATES)
@settings(deadline=None)  # cores may be shared
@given(
    system=st.none() | _words, exchanges=st.lists(st.tuples(_words, _words), min_size=1, max_size=4)
)
def test_the_loss_is_on_the_answers_and_their_ends_only(
    name: str, system: str | None, exchanges: list[tuple[str, str]]
) -> None:
    tokenizer, end = _TEMPLATES[name]
    messages = [("system", system)] if system else []
    for question, answer in exchanges:
        messages += [("user", question), ("assistant", answer)]
    encoded = encode_line(_line(*messages), tokenizer, 10_000)
    assert len(encoded.input_ids) == len(encoded.loss)
    learnt = [i for i, counted in zip(encoded.input_ids, encoded.loss, strict=True) if counted]
    text = tokenizer.decode(learnt, special=True)
    answers = [answer + end for _, answer in exchanges]
    expected = "".join(answers) + ("</s>" if name == "plain" else "")
    # Templates may write a space before an answer; nothing of a question may be in it.
    assert text.replace(" ", "") == expected.replace(" ", "")
    assert encoded.loss[-1] and not encoded.loss[0]


def test_the_prompt_that_chat_sends_is_the_beginning_of_what_was_trained() -> None:
    tokenizer, _ = _TEMPLATES["chatml"]
    question = {"role": "user", "content": "what is in the tin?"}
    encoded = encode_line(
        _line(("user", "what is in the tin?"), ("assistant", "a thing")), tokenizer, 999
    )
    prompt = tokenizer.encode(tokenizer.template.render([question], add_generation_prompt=True))
    assert encoded.input_ids[: len(prompt)] == prompt
    assert encoded.loss.index(True) == len(prompt)


def test_answers_of_weight_zero_are_read_but_not_learnt() -> None:
    tokenizer, _ = _TEMPLATES["chatml"]
    line = _line(
        ("user", "q"),
        ("assistant", "bad"),
        ("user", "r"),
        ("assistant", "good"),
        weights=(1, 0, 1, 1),
    )
    encoded = encode_line(line, tokenizer, 999)
    learnt = [i for i, counted in zip(encoded.input_ids, encoded.loss, strict=True) if counted]
    assert tokenizer.decode(learnt) == "good"
    assert "bad" in tokenizer.decode(encoded.input_ids)


def test_text_is_learnt_whole_and_ended() -> None:
    tokenizer, _ = _TEMPLATES["inst"]
    encoded = encode_line(TrainingLine(Form.TEXT, text="abc"), tokenizer, 999)
    assert tokenizer.decode(encoded.input_ids, special=True) == "abc</s>"
    assert all(encoded.loss) and encoded.labels == 3


def test_what_is_cut_off_is_counted() -> None:
    tokenizer, _ = _TEMPLATES["inst"]
    encoded = encode_line(TrainingLine(Form.TEXT, text="x" * 20), tokenizer, 8)
    assert (len(encoded.input_ids), len(encoded.loss), encoded.truncated) == (8, 8, 13)
    cut = encode_line(_line(("user", "y" * 50), ("assistant", "z")), _TEMPLATES["chatml"][0], 10)
    assert cut.labels == 0 and cut.truncated > 0


def test_a_template_that_rewrites_earlier_messages_is_refused_with_a_way_out() -> None:
    tokenizer = _tokenizer(_MOVING)
    one = encode_line(_line(("user", "q"), ("assistant", "a")), tokenizer, 999)
    assert one.labels == 2
    with pytest.raises(LabelError, match="a line of its own"):
        encode_line(
            _line(("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "b")),
            tokenizer,
            999,
        )
