"""The Modelfile says to Ollama what the model's own template and tokens say."""

from __future__ import annotations

import re

import pytest

from convert.errors import ConvertError
from convert.modelfile import ModelfileParts, go_template, modelfile
from convert.turns import read_turns
from convert.vocabulary import load_tokenizer
from tests.convert.go_template import render_go
from tests.convert.tiny_hf import tiny_tokenizer

CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is iron for?"},
    {"role": "assistant", "content": "Blood {{ .Content }}."},
    {"role": "user", "content": "And zinc?"},
]


@pytest.mark.parametrize("first", [0, 1])
def test_the_go_template_writes_what_the_chat_template_writes(hf, first):
    tokenizer = load_tokenizer(hf.base)
    messages = CONVERSATION[first:]
    expected = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert isinstance(expected, str)
    found = render_go(go_template(read_turns(tokenizer)), messages)
    assert found == expected.removeprefix("<|begin|>")


def test_a_template_of_another_shape_has_no_go_form():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ loop.index }} {{ m.role }}: {{ m.content }}\n"
        "{% endfor %}"
    )
    with pytest.raises(ConvertError, match="by hand"):
        read_turns(tokenizer)


def test_a_modelfile_holds_paths_stops_parameters_and_licence(hf):
    text = modelfile(
        ModelfileParts(
            weights="./base.gguf",
            adapter="./adapter.gguf",
            turns=read_turns(load_tokenizer(hf.base)),
            stops=["<|end|>"],
            context=256,
            licence="Use it well.",
            system="Be brief.",
            heading="A heading\nof two lines",
        )
    )
    assert text.startswith("# A heading\n# of two lines\nFROM ./base.gguf\n")
    commands = re.findall(r"^([A-Z]+) ", text, re.MULTILINE)
    assert {"FROM", "ADAPTER", "TEMPLATE", "SYSTEM", "PARAMETER", "LICENSE"} == set(
        commands
    )
    assert 'PARAMETER stop "<|end|>"' in text
    assert "PARAMETER num_ctx 256" in text


def test_a_text_that_a_modelfile_cannot_hold_is_refused(hf):
    with pytest.raises(ConvertError, match="three quotes"):
        modelfile(
            ModelfileParts(
                weights="./base.gguf",
                adapter=None,
                turns=read_turns(load_tokenizer(hf.base)),
                stops=[],
                context=256,
                licence='a """ b',
            )
        )
