"""Chat templates with the behaviour of well-known ones, written in our own words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Spoken:
    """A chat template and the tokens that it is used with."""

    template: str
    bos: str | None
    eos: str
    specials: tuple[str, ...] = ()
    adds_bos: bool = True
    takes_system: bool = True
    date: str | None = None

    def tokenizer(self) -> PreTrainedTokenizerFast:
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        made = Tokenizer(
            models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[])
        )
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        every = dict.fromkeys([self.bos, self.eos, *self.specials])
        made.add_special_tokens([token for token in every if token])
        if self.adds_bos and self.bos:
            bos = made.token_to_id(self.bos)
            made.post_processor = processors.TemplateProcessing(
                single=f"{self.bos} $A", special_tokens=[(self.bos, bos)]
            )
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=made, bos_token=self.bos, eos_token=self.eos or None
        )
        tokenizer.chat_template = self.template
        return tokenizer

    def folder(self, folder: Path) -> Path:
        self.tokenizer().save_pretrained(folder)
        return folder

    def gguf(self, file: Path) -> Path:
        """A GGUF with the tokens and the template, and one small tensor."""
        tokenizer = self.tokenizer()
        ids = tokenizer.get_vocab()
        words = sorted(ids.items(), key=lambda item: item[1])
        special = set(tokenizer.all_special_tokens) | set(self.specials)
        writer = GGUFWriter(file, "llama")
        writer.add_type("model")
        writer.add_context_length(4096)
        writer.add_file_type(1)
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list([word for word, _ in words])
        writer.add_token_types(
            [
                TokenType.CONTROL if word in special else TokenType.NORMAL
                for word, _ in words
            ]
        )
        if self.bos:
            writer.add_bos_token_id(ids[self.bos])
        if self.eos:
            writer.add_eos_token_id(ids[self.eos])
        writer.add_add_bos_token(self.adds_bos)
        writer.add_chat_template(self.template)
        writer.add_tensor("token_embd.weight", np.ones((4, 32), np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return file


def chatml(default: str | None) -> Spoken:
    opening = ""
    if default is not None:
        opening = (
            "{% if loop.first and message.role != 'system' %}"
            f"{{{{ '<|im_start|>system\\n{default}<|im_end|>\\n' }}}}{{% endif %}}"
        )
    return Spoken(
        "{% for message in messages %}" + opening + "{{ '<|im_start|>' ~ message.role"
        " ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        bos=None,
        eos="<|im_end|>",
        specials=("<|im_start|>", "<|endoftext|>"),
        adds_bos=False,
    )


LLAMA_2 = Spoken(
    "{% if messages[0].role == 'system' %}{% set told = messages[0].content %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
    "{% for turn in turns %}"
    "{% if (turn.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('user and assistant must take turns') }}{% endif %}"
    "{% if loop.first and told is defined %}"
    "{% set text = '<<SYS>>\\n' ~ told ~ '\\n<</SYS>>\\n\\n' ~ turn.content %}"
    "{% else %}{% set text = turn.content %}{% endif %}"
    "{% if turn.role == 'user' %}"
    "{{ bos_token ~ '[INST] ' ~ text.strip() ~ ' [/INST]' }}"
    "{% else %}{{ ' ' ~ text.strip() ~ ' ' ~ eos_token }}{% endif %}{% endfor %}",
    bos="<s>",
    eos="</s>",
)
LLAMA_3 = Spoken(
    "{% for turn in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' ~ turn.role ~ '<|end_header_id|>\\n\\n' }}"
    "{{ turn.content | trim ~ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
    specials=("<|start_header_id|>", "<|end_header_id|>"),
)
_DATED = (
    "{{ bos_token }}{% if not today is defined %}{% set today = TODAY %}{% endif %}"
    "{% if messages[0].role == 'system' %}{% set told = messages[0].content | trim %}"
    "{% set turns = messages[1:] %}{% else %}{% set told = '' %}"
    "{% set turns = messages %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\\n\\nKnowledge to: May\\n' }}"
    "{{ 'Today: ' ~ today ~ '\\n\\n' ~ told ~ '<|eot_id|>' }}"
    "{% for turn in turns %}"
    "{{ '<|start_header_id|>' ~ turn.role ~ '<|end_header_id|>\\n\\n' }}"
    "{{ turn.content | trim ~ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
LLAMA_31 = Spoken(
    _DATED.replace("TODAY", "'26 Jul 2024'"),
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
    specials=("<|start_header_id|>", "<|end_header_id|>"),
)
LLAMA_32 = Spoken(
    _DATED.replace("TODAY", "strftime_now('%d %b %Y')"),
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
    specials=("<|start_header_id|>", "<|end_header_id|>"),
    date="01 Oct 2026",
)
MISTRAL = Spoken(
    "{{ bos_token }}{% for turn in messages %}"
    "{% if (turn.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('user and assistant must take turns') }}{% endif %}"
    "{% if turn.role == 'user' %}{{ '[INST] ' ~ turn.content ~ ' [/INST]' }}"
    "{% else %}{{ turn.content ~ eos_token }}{% endif %}{% endfor %}",
    bos="<s>",
    eos="</s>",
    takes_system=False,
)
MISTRAL_3 = Spoken(
    "{% if messages[0].role == 'system' %}{% set told = messages[0].content %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
    "{{ bos_token }}{% for turn in turns %}{% if turn.role == 'user' %}"
    "{{ '[INST] ' }}{% if loop.last and told is defined %}{{ told ~ '\\n\\n' }}"
    "{% endif %}{{ turn.content ~ '[/INST]' }}"
    "{% else %}{{ ' ' ~ turn.content ~ eos_token }}{% endif %}{% endfor %}",
    bos="<s>",
    eos="</s>",
    specials=("[INST]", "[/INST]"),
)
_GEMMA = (
    "{{ '<start_of_turn>' ~ ('model' if turn.role == 'assistant' else turn.role)"
    " ~ '\\n' }}FOLD{{ turn.content | trim ~ '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
GEMMA_2 = Spoken(
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{{ raise_exception('There is no system role') }}{% endif %}"
    "{% for turn in messages %}" + _GEMMA.replace("FOLD", ""),
    bos="<bos>",
    eos="<eos>",
    specials=("<start_of_turn>", "<end_of_turn>"),
    takes_system=False,
)
GEMMA_3 = Spoken(
    "{{ bos_token }}{% set told = '' %}{% set turns = messages %}"
    "{% if messages[0].role == 'system' %}{% set turns = messages[1:] %}"
    "{% set told = messages[0].content ~ '\\n\\n' %}{% endif %}"
    "{% for turn in turns %}"
    + _GEMMA.replace("FOLD", "{{ told if loop.first else '' }}"),
    bos="<bos>",
    eos="<eos>",
    specials=("<start_of_turn>", "<end_of_turn>"),
)
PHI_3 = Spoken(
    "{% for turn in messages %}{% if turn.role in ['system', 'user', 'assistant'] %}"
    "{{ '<|' ~ turn.role ~ '|>\\n' ~ turn.content ~ '<|end|>\\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}"
    "{% else %}{{ eos_token }}{% endif %}",
    bos="<s>",
    eos="<|endoftext|>",
    specials=("<|end|>", "<|user|>", "<|assistant|>", "<|system|>"),
    adds_bos=False,
)
ZEPHYR = Spoken(
    "{% for turn in messages %}"
    "{{ '<|' ~ turn.role ~ '|>\\n' ~ turn.content ~ eos_token ~ '\\n' }}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    "{% endfor %}",
    bos="<s>",
    eos="</s>",
)
STARTER = Spoken(
    "{{ bos_token }}{% for turn in messages %}"
    "{{ '<|' ~ turn.role ~ '|>' ~ turn.content | trim ~ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    bos="<|begin|>",
    eos="<|end|>",
    specials=("<|system|>", "<|user|>", "<|assistant|>"),
)
WRITES_ITS_OWN_BOS = Spoken(MISTRAL_3.template, bos="<s>", eos="</s>", adds_bos=False)
BRACES_AND_QUOTES = Spoken(
    "{% for turn in messages %}{{ '{{' ~ turn.role ~ '}} {' ~ turn.content }}"
    '{{ \' """\\u200b<e>{\' }}{% endfor %}{% if add_generation_prompt %}'
    "{{ '{{assistant}} {' }}{% endif %}",
    bos=None,
    eos="<e>",
    adds_bos=False,
)
NO_SYSTEM_AT_ALL = Spoken(
    "{% for turn in messages if turn.role != 'system' %}"
    "{{ turn.role ~ ': ' ~ turn.content ~ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
    bos=None,
    eos="<e>",
    adds_bos=False,
)

THINKS = Spoken(
    "{% for turn in messages %}{% set text = turn.content %}"
    "{% if turn.role == 'assistant' and '</think>' in text %}"
    "{% set text = text.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
    "{{ '<|im_start|>' ~ turn.role ~ '\\n' ~ text ~ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    bos=None,
    eos="<|im_end|>",
    specials=("<|im_start|>",),
    adds_bos=False,
)


def with_tools(spoken: Spoken) -> Spoken:
    """The same, and it could write tools, which makes Ollama render it itself."""
    tools = "{% if tools %}{{ tools }}{% endif %}"
    return replace(spoken, template=spoken.template + tools)


def switched(default: str) -> Spoken:
    """Thinking can be switched; `default` is a test for it being on."""
    return Spoken(
        chatml(None).template
        + "{% if add_generation_prompt and not ("
        + default
        + ") %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}",
        bos=None,
        eos="<|im_end|>",
        specials=("<|im_start|>",),
        adds_bos=False,
    )


# A date of its own, unless it is given one by that name.
DATE_CAN_BE_GIVEN = with_tools(
    replace(LLAMA_31, template=LLAMA_31.template.replace("today", "date_string"))
)
THINKS_UNLESS_TOLD = switched("enable_thinking is not defined or enable_thinking")
THINKS_WHEN_TOLD = switched("enable_thinking is defined and enable_thinking")
DATED_AND_SWITCHED = replace(
    THINKS_WHEN_TOLD,
    template="{{ date_string if date_string is defined else 'never' }}"
    + THINKS_WHEN_TOLD.template,
)
# The server's word for it is enable_thinking.
THINKS_BY_ANOTHER_NAME = switched("thinking is defined and thinking")
# Switched by a word in the prompt, without the marks that the server looks for.
THINKS_AT_A_WORD = with_tools(
    replace(
        ZEPHYR,
        template="{% if thinking is defined and thinking %}{{ 'Think first.\n' }}"
        "{% endif %}" + ZEPHYR.template,
    )
)
# A head that says the day and the mode, which a word in the system text switches too.
MODE_IN_THE_HEAD = Spoken(
    "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
    "{% set mode = '/think' if enable_thinking else '/no_think' %}"
    "{% set told = '' %}{% set turns = messages %}"
    "{% if messages[0].role == 'system' %}{% set turns = messages[1:] %}"
    "{% set told = messages[0].content %}"
    "{% if '/no_think' in told %}{% set mode = '/no_think' %}"
    "{% elif '/think' in told %}{% set mode = '/think' %}{% endif %}"
    "{% set told = told.replace('/no_think', '').replace('/think', '').rstrip() %}"
    "{% endif %}{{ '<|im_start|>system\n# About\n\nDay: ' }}"
    "{{ strftime_now('%d %B %Y') ~ '\nMode: ' ~ mode ~ '\n\n# Told\n\n' }}"
    "{% if told %}{{ told ~ '\n\n' }}"
    "{% elif mode == '/think' %}{{ 'Think first, between the marks.\n\n' }}"
    "{% else %}{{ 'Be of help.\n\n' }}{% endif %}{{ '<|im_end|>\n' }}"
    "{% set silent = '' if mode == '/think' else '<think>\n\n</think>\n' %}"
    "{% for turn in turns %}{% set text = turn.content %}"
    "{% if turn.role == 'assistant' %}{% set text = silent ~ text.lstrip('\n') %}"
    "{% endif %}{{ '<|im_start|>' ~ turn.role ~ '\n' ~ text ~ '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' ~ silent }}{% endif %}",
    bos=None,
    eos="<|im_end|>",
    specials=("<|im_start|>",),
    adds_bos=False,
)

SPOKEN: dict[str, Spoken] = {
    "llama-2": LLAMA_2,
    "llama-3": LLAMA_3,
    "llama-3.1": LLAMA_31,
    "llama-3.2": LLAMA_32,
    "mistral": MISTRAL,
    "mistral-0.3": MISTRAL_3,
    "chatml": chatml(None),
    "qwen2": chatml("You are a helpful assistant."),
    "smollm2": chatml("You are small, and help."),
    "gemma-2": GEMMA_2,
    "gemma-3": GEMMA_3,
    "phi-3": PHI_3,
    "zephyr": ZEPHYR,
    "starter": STARTER,
    "qwen3": THINKS,
    "bos of its own": WRITES_ITS_OWN_BOS,
    "braces and quotes": BRACES_AND_QUOTES,
    "no system at all": NO_SYSTEM_AT_ALL,
}
