"""The one chat template for models that bring none: `Question: ...`, `Answer: ...`.

Training, evaluation, conversion and the app all take it from here, so that a model is
asked in the words that it was taught in. Its text is not to be changed: adapters were
trained on it and have it beside them in chat_template.jinja, and what a model was
trained on cannot be changed afterwards, while what it is asked with can.
"""

from __future__ import annotations

STOPS = ("\nQuestion:",)
"""Texts that a model writes after its answer if it does not know the end token."""

_TURNS = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}"
    "{{ message['content'] | trim + '\\n\\n' }}"
    "{% elif message['role'] == 'user' %}"
    "{{ 'Question: ' + message['content'] | trim + '\\n' }}"
    "{% else %}"
    "{{ 'Answer: ' + message['content'] | trim + eos_token + '\\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}"
)
_BEGIN = "{{ bos_token }}"


def plain_template(*, begins_with_bos: bool) -> str:
    """The plain template, in Jinja.

    An answer ends with the end token. There is no blank after `Answer:`, since the
    blank belongs to the first word of most vocabularies.

    Args:
        begins_with_bos: whether the tokenizer puts a begin token before a text.
    """
    return _BEGIN + _TURNS if begins_with_bos else _TURNS


def is_plain(template: object) -> bool:
    """Whether a model with this template is asked with the plain one.

    Args:
        template: in Jinja, or several by name; `None` or empty: the model has none.
    """
    if isinstance(template, str):
        return template.removeprefix(_BEGIN) in ("", _TURNS)
    return not template


def plain_stops(template: object) -> tuple[str, ...]:
    """Texts that end an answer by `template` beside the end that it writes itself."""
    return STOPS if is_plain(template) else ()
