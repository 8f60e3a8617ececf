"""A model without a chat template is asked in one form, wherever it is asked."""

from __future__ import annotations

import pytest

from medassist.core.plain_template import is_plain, plain_stops, plain_template
from medassist.core.values import Message
from medassist.engine.template import ChatTemplate

TALK = (
    Message(role="system", content="Be brief."),
    Message(role="user", content=" Why? "),
    Message(role="assistant", content="So."),
    Message(role="user", content="Oh?"),
)
ASKED = "Be brief.\n\nQuestion: Why?\nAnswer: So.</s>\nQuestion: Oh?\nAnswer:"


@pytest.mark.parametrize("source", [None, "", plain_template(begins_with_bos=False)])
def test_a_model_without_a_template_is_asked_as_adapters_are_taught(
    source: str | None,
) -> None:
    template = ChatTemplate(source, "m.gguf", "<s>", "</s>")
    assert template.render(TALK) == ASKED
    assert template.is_plain
    assert template.further_stops == ("\nQuestion:",)


def test_a_tokenizer_that_begins_with_bos_begins_the_plain_prompt_with_it() -> None:
    template = ChatTemplate(None, "m.gguf", "<s>", "</s>", adds_bos=True)
    assert template.render(TALK) == "<s>" + ASKED
    assert template.source == plain_template(begins_with_bos=True)


def test_the_words_that_earlier_runs_were_trained_in_are_kept() -> None:
    # As chat_template.jinja stands beside the adapters of runs that were trained with
    # versions before this one.
    trained = (
        "{{ bos_token }}{% for message in messages %}"
        "{% if message['role'] == 'system' %}{{ message['content'] | trim + '\\n\\n' }}"
        "{% elif message['role'] == 'user' %}"
        "{{ 'Question: ' + message['content'] | trim + '\\n' }}"
        "{% else %}{{ 'Answer: ' + message['content'] | trim + eos_token + '\\n' }}"
        "{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}"
    )
    assert plain_template(begins_with_bos=True) == trained
    assert is_plain(trained)


def test_a_template_of_its_own_is_not_plain() -> None:
    own = "{% for m in messages %}Question: {{ m.content }}\n{% endfor %}Answer:"
    assert not is_plain(own)
    assert plain_stops(own) == ()
