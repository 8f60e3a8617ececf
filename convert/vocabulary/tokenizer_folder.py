"""Loads a tokenizer from a folder, and its vocabulary for a GGUF."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.foreign import no_tokenizer, refuse_form
from convert.hf_folder import JsonFile
from convert.library_noise import keep_back_noise
from convert.vocabulary.added_tokens import read_added
from convert.vocabulary.backend import Backend
from convert.vocabulary.blanks import adds_blank
from convert.vocabulary.byte_level import byte_level_rows
from convert.vocabulary.ends import end_tokens, read_ends
from convert.vocabulary.gguf_vocabulary import TokenizerVocabulary
from convert.vocabulary.pre_tokenizers import named, pre_tokenizer_of
from convert.vocabulary.scores import scored_rows
from convert.vocabulary.templates import chat_templates

FILE = "tokenizer.json"


def load_tokenizer(
    folder: Path, template: str | None = None
) -> PreTrainedTokenizerFast:
    """The tokenizer in `folder`, without code from the folder and without a network.

    Args:
        folder: as transformers saves it.
        template: the chat template that it gets in the place of its own.

    Raises:
        ConvertError: there is none that can be read.
    """
    keep_back_noise()
    try:
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except ImportError as error:
        raise ConvertError(
            f"{folder}: its tokenizer needs a library that is not installed: {error}"
        ) from error
    except Exception as error:
        # The tokenizers library raises plain Exceptions for files that it cannot read.
        refuse_form(no_tokenizer(folder))
        raise ConvertError(
            f"{folder} holds no readable tokenizer: {str(error)[:300]}"
        ) from error
    if not isinstance(found, PreTrainedTokenizerFast):
        refuse_form(no_tokenizer(folder))
        raise ConvertError(f"{folder}: a tokenizer with a tokenizer.json is expected")
    if template is not None:
        found.chat_template = template
    return found


def read_vocabulary(
    folder: Path, size: int, pre: str | None = None, template: str | None = None
) -> TokenizerVocabulary:
    """The vocabulary in `folder` for a model with `size` rows of embeddings.

    Rows without a token (models are padded to round sizes) become unused tokens.

    Args:
        folder: as transformers saves it: tokenizer.json or tokenizer.model.
        size: rows of embeddings.
        pre: llama.cpp's name for the pre-tokenizer, where the user says to know it
            better than the table; comparing the ids must then prove it.
        template: the chat template in the place of the folder's.

    Raises:
        ConvertError: the tokenizer is of a kind that llama.cpp would read otherwise,
            or does not fit the model.
    """
    file = folder / FILE
    if file.is_file():
        _check_kind(file, JsonFile.read(file))
    tokenizer = load_tokenizer(folder, template)
    backend = Backend.of(tokenizer, file if file.is_file() else folder)
    ends = read_ends(folder, tokenizer, size)
    templates = chat_templates(tokenizer)
    needed = {*end_tokens(folder, tokenizer), ends.bos}
    added = read_added(tokenizer, backend, size, needed, (templates.default or ""))
    if backend.has_byte_fallback:
        if pre is not None:
            raise ConvertError(
                f"{backend.file}: a SentencePiece tokenizer has no pre-tokenizer to "
                f"name ({pre}); leave the name out"
            )
        rows = scored_rows(folder, backend, added, size, ends.unknown)
        blank = adds_blank(tokenizer, backend)
        return TokenizerVocabulary(
            "llama", "default", rows, ends, templates, blank, added.swallow_blanks
        )
    name = named(pre) if pre is not None else pre_tokenizer_of(backend)
    if added.swallow_blanks:
        raise ConvertError(
            f"{backend.file}: special tokens swallow the blanks beside them (rstrip), "
            "which llama.cpp does not do in such a vocabulary; set rstrip to false"
        )
    rows = byte_level_rows(backend, added, size)
    return TokenizerVocabulary("gpt2", name, rows, ends, templates)


def _check_kind(file: Path, found: JsonFile) -> None:
    """Refuse a kind before it is loaded, where the reason can still be told."""
    model = cast("dict[str, object]", found.values.get("model") or {})
    if model.get("type", "BPE") != "BPE":
        raise ConvertError(
            f"{file}: a {model['type']} tokenizer; this converter knows byte-level BPE "
            "and SentencePiece BPE"
        )
