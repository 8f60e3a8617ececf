"""A tokenizer in GGUF's terms, as it really behaves.

llama.cpp reads neither the rules of a `tokenizer.json` nor SentencePiece's settings: it
reads a kind (`gpt2` for byte-level BPE, `llama` for SentencePiece), for the first a
name of a pre-tokenizer, and for the second scores. What cannot be said in these terms
is refused here, since its ids would differ without an error.
"""

from __future__ import annotations

from convert.vocabulary.ends import template_end
from convert.vocabulary.gguf_vocabulary import TokenizerVocabulary
from convert.vocabulary.tokenizer_folder import load_tokenizer, read_vocabulary

__all__ = ["TokenizerVocabulary", "load_tokenizer", "read_vocabulary", "template_end"]
