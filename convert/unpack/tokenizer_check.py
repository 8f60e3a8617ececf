"""Checks that an unpacked tokenizer gives the same ids as llama.cpp with the GGUF.

What is trained in other tokens than it is asked in answers badly, and nothing shows
why. So every training on a GGUF begins with this: texts as they are rendered, as users
type them, and whole; and conversations through the chat template.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.verify.corpus import corpus
from convert.verify.rendered_prompts import compare_prompts
from convert.verify.token_ids import parted
from convert.vocabulary.tokenizer_folder import load_tokenizer
from medassist.core.progress import Watcher
from medassist.engine.scorer import GgufVocabulary

ODD = 1500
SEED = 14
SHOWN = 60
PARTS = (
    "0 1 2 7 12 39 100 2024 1,000 3.75 007 ½ ² ٣ ५ 七 Ⅳ 1e-5 120/80 37.5°C",
    "the heart Patient mg/dL It's don't WE'LL naïve CAFÉ x-ray HbA1c q.i.d. µg",
    "привет сердце γεια καρδιά مرحبا قلب שלום नमस्ते हृदय สวัสดี หัวใจ 你好 心臓 안녕",
    "! ? ... — \u2013 “ ” ' \" ( ) [ ] { } < > <| |> | / \\ # $ % & * + = ~ ^ _ ` @",
    "é e\u0301 ﬁ ß İ ǆ 🫀 👩\u200d⚕️ 🇬🇧 \u200b \ufeff \u00ad \x00 \x7f",
)
BLANKS = (" ", "  ", "   ", "     ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "\u00a0")
BLANKS_OF_OTHERS = ("\u3000", "\u2028", "\x0b", "\x85", "\u2009")

Reading = Callable[[str], list[int]]


def odd_texts() -> Iterator[str]:
    """Random texts of digits, blanks, line ends, scripts and signs.

    The same each time; the parts meet in every order, with and without blanks.
    """
    chosen = random.Random(SEED)
    parts = [part for line in PARTS for part in line.split(" ")]
    blanks = (*BLANKS, *BLANKS_OF_OTHERS)
    for _ in range(ODD):
        pieces = [
            chosen.choice(parts if chosen.random() < 0.65 else blanks)
            for _ in range(chosen.randint(1, 9))
        ]
        yield "".join(pieces)


def check_reading(
    folder: Path, gguf: Path, vocabulary: GgufVocabulary, watcher: Watcher
) -> None:
    """Check that the tokenizer in `folder` gives llama.cpp's ids for `gguf`.

    Args:
        folder: made of `gguf`.
        gguf: the model.
        vocabulary: the same, open in llama.cpp.
        watcher: is told how far it is.

    Raises:
        ConvertError: it reads a text, or renders a conversation, otherwise.
    """
    tokenizer = load_tokenizer(folder)
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    texts = [*corpus(added), *odd_texts()]
    different: list[str] = []
    for done, text in enumerate(texts):
        watcher("Comparing token ids", done, len(texts))
        different += _differences(tokenizer, vocabulary, text)
    if different:
        raise ConvertError(
            f"{gguf}: the tokenizer that was made of it reads {len(different):,} of "
            f"{3 * len(texts):,} readings otherwise than llama.cpp does, so that it "
            f"would be trained in other tokens than it is asked in: {different[0]}. "
            "Take the folder of the Hugging Face model that it was made of"
        )
    prompts = compare_prompts(folder, vocabulary, watcher=watcher)
    if not prompts.equal:
        raise ConvertError(
            f"{gguf}: its chat template makes other prompts of {prompts.differences:,} "
            f"of {prompts.compared:,} conversations in training than in use: "
            f"{prompts.first_difference}"
        )


def _differences(
    tokenizer: PreTrainedTokenizerFast, vocabulary: GgufVocabulary, text: str
) -> Iterator[str]:
    bare = partial(tokenizer.encode, add_special_tokens=False, verbose=False)
    readings: tuple[tuple[str, Reading, Reading], ...] = (
        ("as a rendered prompt", bare, partial(vocabulary.tokenize, special=True)),
        (
            "as a user types it",
            partial(bare, split_special_tokens=True),
            partial(vocabulary.tokenize, special=False),
        ),
        ("whole", partial(tokenizer.encode, verbose=False), vocabulary.whole),
    )
    for how, ours, theirs in readings:
        expected, found = ours(text), theirs(text)
        if expected != found:
            short = repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")
            said = parted(tokenizer, vocabulary, expected, found)
            yield f"{short} read {how}: {said}"
