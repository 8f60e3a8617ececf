"""A byte-level BPE of our own, with the pre-tokenizer that llama.cpp calls gpt-2."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from finetune.errors import FinetuneError
from finetune.starter.chat import BEGIN, END, PAD, SPECIAL, TEMPLATE


def train_tokenizer(
    texts: Iterable[str], size: int, context: int
) -> PreTrainedTokenizerFast:
    """Learn a vocabulary of `size` tokens from `texts`.

    The special tokens have the first ids. A text gets the begin token in front, as
    the GGUF's `add_bos_token` will say.

    Raises:
        FinetuneError: the text is too little for so many tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=True
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != size:
        raise FinetuneError(
            f"the text yields {tokenizer.get_vocab_size():,} tokens, fewer than the "
            f"{size:,} of the recipe; give more text or a smaller tokenizer.size"
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A",
        pair=f"{BEGIN} $A {BEGIN} $B",
        special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[t for t in SPECIAL if t not in (BEGIN, END, PAD)],
        chat_template=TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that was saved in `folder`."""
    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of a token that the vocabulary holds whole."""
    found = tokenizer.get_vocab().get(token)
    if found is None:
        raise FinetuneError(f"the tokenizer has no token {token}; make the run anew")
    return found
