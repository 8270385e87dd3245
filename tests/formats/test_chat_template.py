from __future__ import annotations

import pytest

from tui.domain.example import Turn
from tui.formats.chat_template import ChatTemplate, TemplateError
from tui.formats.chatml import CHATML

# Shapes as model repositories ship them: system prompt inserted, roles enforced, tools as JSON.
_DEFAULT_SYSTEM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nHello<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_STRICT = """
{{- bos_token }}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + message['content'] + ' [/INST]' }}
    {%- else %}
        {%- generation %}
        {{- message['content'] + eos_token }}
        {%- endgeneration %}
        {%- if loop.last %}{%- break %}{%- endif %}
    {%- endif %}
{%- endfor %}
"""
_TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}{{ messages[0]['content'] }}"
_BLOCKS = """{% for m in messages %}
    {% if m.role == 'user' %}
  {{ m.content }}
    {% endif %}
{% endfor %}
"""

_TURNS = [Turn("user", "What is it?"), Turn("assistant", "It is <b> & so.")]


def test_chatml_writes_the_turns_and_no_system_prompt() -> None:
    text = ChatTemplate(CHATML).render(_TURNS[:1], add_generation_prompt=True)
    assert text == "<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.train
@pytest.mark.parametrize("source", [CHATML, _DEFAULT_SYSTEM, _STRICT, _TOOLS, _BLOCKS])
@pytest.mark.parametrize("prompt", [False, True])
def test_renders_what_transformers_renders(source: str, prompt: bool) -> None:
    utils = pytest.importorskip("transformers.utils.chat_template_utils")
    turns = [{"role": turn.role, "content": turn.content} for turn in _TURNS]
    tools = [{"type": "function", "function": {"name": "f<é>", "parameters": {}}}]
    expected, _ = utils.render_jinja_template(
        conversations=[turns],
        tools=tools,
        chat_template=source,
        add_generation_prompt=prompt,
        bos_token="<s>",
        eos_token="</s>",
    )
    template = ChatTemplate(source, "<s>", "</s>")
    assert template.render(turns, add_generation_prompt=prompt, tools=tools) == expected[0]


def test_a_refusal_of_the_template_is_a_sentence() -> None:
    with pytest.raises(TemplateError, match="roles must alternate"):
        ChatTemplate(_STRICT, "<s>", "</s>").render([_TURNS[1]])


def test_a_broken_or_missing_template_is_named() -> None:
    with pytest.raises(TemplateError, match="broken"):
        ChatTemplate("{% for %}").render(_TURNS)
    with pytest.raises(TemplateError, match="no chat template"):
        ChatTemplate("").render(_TURNS)


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__base__ }}x{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ messages.append(1) }}",
        "{{ self.__init__.__globals__ }}{{ raise_exception.__globals__['json'] }}",
    ],
)
def test_a_hostile_template_cannot_leave_the_sandbox(source: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(source).render(_TURNS)


def test_the_hash_is_of_the_source_alone() -> None:
    assert ChatTemplate(CHATML, "a", "b").sha256 == ChatTemplate(CHATML).sha256
    assert ChatTemplate(CHATML).sha256 != ChatTemplate(CHATML + " ").sha256
