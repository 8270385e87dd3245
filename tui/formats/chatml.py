"""The ChatML template that papertune gives to models whose own template adds a system prompt.

SmolLM2's own template puts 22 tokens of "You are a helpful AI assistant named SmolLM, trained by
Hugging Face" before every conversation. On question-answer pairs that is 43 % of what is computed,
it says nothing about papers, and it makes a tuned assistant introduce itself as somebody else. The
markers are the model's own, so what it learnt about turns still holds. Training and chat both use
this template; its hash is kept with every adapter.
"""

from __future__ import annotations

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
