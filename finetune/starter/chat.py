"""The chat format: one special token opens each turn, one closes it.

`<|begin|><|user|>question<|end|><|assistant|>answer<|end|>`. The header of the answer
is a single token, so that an activated LoRA can take it as its invocation and no
other text can be mistaken for it.
"""

from __future__ import annotations

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
SPECIAL = (BEGIN, END, PAD, SYSTEM, USER, ASSISTANT)

TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('This model knows the roles system, user and assistant') }}"
    "{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

SYSTEM_SENTENCES = (
    "You answer questions about health in plain language.",
    "You are a medical assistant. Answer briefly.",
    "Answer the question about medicine in a few sentences.",
)
"""System turns at the beginning of some conversations in training. Our own words."""
