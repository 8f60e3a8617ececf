from __future__ import annotations

import pytest

from medassist.core.values import Message
from medassist.engine.template import ChatTemplate, TemplateError
from tests.engine.conversation import user

SYSTEM = Message(role="system", content="Be brief.")


def render(source: str, *messages: Message) -> str:
    return ChatTemplate(source, "model.gguf", "<s>", "</s>").render(messages)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ messages.append(1) }}",
        "{{ 'a' * 10**9 }}",
        "{{ 'ab' * 99999999 }}",
        "{{ '%1000000000d' % 3 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ 'x'.ljust(10000000000) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = namespace(a='aaaa') %}{% for i in range(60) %}"
        "{% set x.a = x.a ~ x.a %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}"
        "{% endfor %}{% endfor %}",
        "{% if %}",
        "{{ undefined.attribute }}",
    ],
)
def test_a_hostile_or_broken_template_is_an_error_that_names_the_file(
    source: str,
) -> None:
    with pytest.raises(TemplateError, match=r"^model\.gguf: the chat template"):
        render(source, user("Why?"))


def test_a_template_has_what_hugging_face_gives_it() -> None:
    source = (
        "{%- for m in messages %}\n"
        "    {%- if m.role == 'tool' %}{% continue %}{% endif %}\n"
        "    {%- generation %}{{ m['content'] | trim | tojson }}{% endgeneration %}\n"
        "{%- endfor %}{{ eos_token }}{{ strftime_now('%Y') | length }}"
    )
    assert render(source, user(" é<b> ")) == '"é<b>"</s>4'


def test_a_system_turn_that_a_template_refuses_goes_before_the_question() -> None:
    source = (
        "{% if messages[0].role == 'system' %}"
        "{{ raise_exception('no system role') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    )
    assert render(source, SYSTEM, user("Why?")) == "[user]Be brief.\n\nWhy?"
    with pytest.raises(TemplateError, match="no system role"):
        render(source.replace("== 'system'", "!= ''"), user("Why?"))
