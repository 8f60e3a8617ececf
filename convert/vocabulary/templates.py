"""The chat templates of a tokenizer, one or several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.vocabulary.gguf_vocabulary import Templates
from medassist.core.plain_template import plain_template

DEFAULT = "default"


def chat_templates(tokenizer: PreTrainedTokenizerFast) -> Templates:
    """The templates that transformers read from the folder.

    They may stand in tokenizer_config.json, in chat_template.jinja or in
    additional_chat_templates/; transformers knows the order.

    Raises:
        ConvertError: a named template has a name that a key cannot hold.
    """
    found = cast("str | Mapping[str, str] | None", tokenizer.chat_template)
    if found is None or isinstance(found, str):
        return Templates(found or None)
    named = {name: text for name, text in found.items() if name != DEFAULT}
    for name in named:
        if not name.isidentifier() or not name.isascii():
            raise ConvertError(
                f"the chat template named {name!r} cannot stand in a GGUF; rename it "
                "in letters, digits and underscores"
            )
    return Templates(found.get(DEFAULT), named)


def asked_template(tokenizer: PreTrainedTokenizerFast) -> str:
    """The template that a model is asked with: its tokenizer's, else the plain one."""
    begins = begins_with_bos(tokenizer)
    own = chat_templates(tokenizer).default
    return own or plain_template(begins_with_bos=begins)


def begins_with_bos(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the tokenizer puts a begin token before a text by itself."""
    bos = cast("int | None", tokenizer.bos_token_id)
    return bos is not None and tokenizer.encode("a")[:1] == [bos]
