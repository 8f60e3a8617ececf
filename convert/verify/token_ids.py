"""First check of the gate: same token ids from tokenizer and GGUF.

Every text of the corpus is read three ways by both: as a rendered prompt, in which
special tokens are control; as what a user types, in which they are letters; and whole,
with BOS and EOS where they belong.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ConfigDict
from tokenizers.normalizers import NFC
from transformers import GenerationConfig, PreTrainedTokenizerFast

from convert.errors import ConvertError, in_our_words
from convert.verify.corpus import corpus
from convert.verify.pieces import wrong_pieces
from convert.vocabulary.backend import Backend
from convert.vocabulary.blanks import Blanks, blanks_of
from convert.vocabulary.ends import end_tokens
from convert.vocabulary.tokenizer_folder import load_tokenizer
from medassist.core.end_tokens import known_ends
from medassist.core.progress import Watcher, unwatched
from medassist.engine.scorer import GgufVocabulary

SHOWN = 60  # letters of a text in a message
LEADING = (" ", "\u2581")
Reading = Callable[[str], list[int]]


class TokenCheck(BaseModel):
    """Result of comparing token ids."""

    model_config = ConfigDict(frozen=True)

    equal: bool
    compared: int
    """Texts that were read by both."""
    first_difference: str | None = None
    differences: int = 0
    notes: tuple[str, ...] = ()
    """Differences between llama.cpp and the tokenizer, and what was done about them."""


@dataclass(frozen=True)
class TokenizerPair:
    """A tokenizer and the GGUF that should match it."""

    hf: PreTrainedTokenizerFast
    gguf: GgufVocabulary
    blanks: Blanks | None
    """Blanks that a SentencePiece tokenizer adds."""

    @cached_property
    def added(self) -> dict[str, int]:
        """The added tokens that the model has rows for, by id."""
        added = self.hf.added_tokens_decoder
        return {added[i].content: i for i in sorted(added) if i < self.gguf.size}

    @cached_property
    def special(self) -> frozenset[str]:
        """The added tokens that are letters where a user types them."""
        added = self.hf.added_tokens_decoder.values()
        return frozenset(token.content for token in added if token.special)

    @cached_property
    def overruled(self) -> dict[str, bool]:
        """Texts that llama.cpp takes for control by heart, against the tokenizer.

        The value says whether the text is one token in the tokenizer.
        """
        ids = self.hf.get_vocab()
        by_heart = known_ends().control_by_heart - self.special
        known = (text for text in by_heart if text in ids)
        return {
            text: text in self.added
            for text in known
            if ids[text] < self.gguf.size and self.gguf.is_control(ids[text])
        }


@contextmanager
def vocabulary_of(gguf: Path | GgufVocabulary) -> Generator[GgufVocabulary]:
    """The vocabulary of `gguf`, opened unless it is open already."""
    if isinstance(gguf, GgufVocabulary):
        yield gguf
    else:
        with in_our_words(), GgufVocabulary(gguf) as vocabulary:
            yield vocabulary


def compare_tokens(
    folder: Path,
    gguf: Path | GgufVocabulary,
    *,
    template: str | None = None,
    watcher: Watcher = unwatched,
) -> TokenCheck:
    """Compare the tokenizer in `folder` with the vocabulary of `gguf`.

    Args:
        folder: the Hugging Face model.
        gguf: made from it; or its vocabulary, open in llama.cpp.
        template: the chat template in the place of the folder's.
        watcher: is told how far it is.

    Raises:
        ConvertError: one of both cannot be loaded.
    """
    tokenizer = load_tokenizer(folder, template)
    with vocabulary_of(gguf) as vocabulary:
        pair = _pair(folder, tokenizer, vocabulary)
        texts = corpus(list(pair.added))
        notes: Counter[str] = Counter()
        differences = _ends(folder, pair)
        for done, text in enumerate(texts):
            watcher("token ids", done, len(texts))
            if (found := _compare(pair, text, notes)) is not None:
                differences.append(f"text {done + 1} of {len(texts)}, {found}")
        differences += wrong_pieces(
            tokenizer,
            vocabulary,
            pair.special,
            has_byte_fallback=pair.blanks is not None,
        )
        watcher("token ids", len(texts), len(texts))
    return TokenCheck(
        equal=not differences,
        compared=len(texts),
        first_difference=differences[0] if differences else None,
        differences=len(differences),
        notes=tuple(f"{note} ({count} readings)" for note, count in notes.items()),
    )


def _pair(
    folder: Path, tokenizer: PreTrainedTokenizerFast, vocabulary: GgufVocabulary
) -> TokenizerPair:
    backend = Backend.of(tokenizer, folder)
    return TokenizerPair(
        tokenizer,
        vocabulary,
        blanks_of(tokenizer) if backend.has_byte_fallback else None,
    )


def _ends(folder: Path, pair: TokenizerPair) -> list[str]:
    """Checks the tokens that begin and end texts and answers."""
    tokens = pair.gguf
    wrong = [
        f"the end token {_named(pair, token)} does not end an answer in the GGUF: it "
        "would run on"
        for token in dict.fromkeys(
            (*end_tokens(folder, pair.hf), *_ends_of_generate(folder, pair))
        )
        if token >= tokens.size or not tokens.ends_answer(token)
    ]
    expected = cast("int | None", pair.hf.eos_token_id)
    if expected is not None and tokens.eos != expected:
        wrong.append(
            f"the end token is {_named(pair, expected)}, and the GGUF says "
            f"{tokens.eos} ({tokens.text(tokens.eos)!r})"
        )
    bos = cast("int | None", pair.hf.bos_token_id)
    if bos is not None and tokens.bos != bos:
        wrong.append(
            f"the begin token is {_named(pair, bos)}, and the GGUF says {tokens.bos} "
            f"({tokens.text(tokens.bos)!r})"
        )
    return wrong


def _ends_of_generate(folder: Path, pair: TokenizerPair) -> list[int]:
    """Tokens at which transformers' `generate` ends an answer, by its own reading."""
    if not (folder / "generation_config.json").is_file():
        return []
    try:
        found = GenerationConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConvertError(
            f"{folder / 'generation_config.json'}: transformers cannot read it: "
            f"{str(error)[:300]}"
        ) from error
    ids = cast("object", found.eos_token_id)
    several = cast("list[object]", ids) if isinstance(ids, list) else [ids]
    return [i for i in several if isinstance(i, int) and 0 <= i < len(pair.hf)]


def _compare(pair: TokenizerPair, text: str, notes: Counter[str]) -> str | None:
    """The first way in which both read `text` differently."""
    bare = partial(pair.hf.encode, add_special_tokens=False, verbose=False)
    tokenize = pair.gguf.tokenize
    readings: tuple[tuple[str, bool, Reading, Reading], ...] = (
        ("as a rendered prompt", False, bare, partial(tokenize, special=True)),
        (
            "as a user types it",
            True,
            partial(bare, split_special_tokens=True),
            partial(tokenize, special=False),
        ),
        ("whole", False, partial(pair.hf.encode, verbose=False), pair.gguf.whole),
    )
    for how, typed, read, read_gguf in readings:
        for_both = _composed(pair, text, notes)
        for_gguf = _adapted(pair, for_both, typed, notes)
        if for_gguf is None:
            continue
        expected, found = read(for_both), read_gguf(for_gguf)
        if expected != found:
            said = parted(pair.hf, pair.gguf, expected, found)
            return f"{_short(for_both)} read {how}: {said}"
    return None


def _composed(pair: TokenizerPair, text: str, notes: Counter[str]) -> str:
    if (whole := composed(pair.hf, text)) != text:
        notes[
            "the tokenizer composes letters with their accents (NFC), llama.cpp does "
            "not: texts with loose accents were compared composed"
        ] += 1
    return whole


def _adapted(
    pair: TokenizerPair, text: str, typed: bool, notes: Counter[str]
) -> str | None:
    """The text for llama.cpp to read as the tokenizer reads `text`.

    `None` where it cannot: the reasons are llama.cpp's, and each is noted.
    """
    for content, is_token in pair.overruled.items():
        if content in text and is_token == typed:
            notes[
                f"llama.cpp takes {content!r} for control by its text, the tokenizer "
                "does not: texts with it were left out"
            ] += 1
            return None
    return _blanks(pair, text, typed, notes)


def _blanks(
    pair: TokenizerPair, text: str, typed: bool, notes: Counter[str]
) -> str | None:
    """`text` with a blank more or less in front, where the manners differ."""
    blanks = pair.blanks
    if blanks is None or not text:
        return text
    whole = [t for t in pair.added if not typed or t not in pair.special]
    adds = pair.gguf.adds_blank
    pads = adds and pair.gguf.pads and not blanks.doubles
    for behind in (text.partition(token)[2] for token in whole):
        if behind and (blanks.after_special != adds or (pads and behind[0] in LEADING)):
            notes[
                "llama.cpp puts a blank before text behind a special token, and the "
                "tokenizer does not (as with `legacy: false`): texts with that were "
                "left out"
            ] += 1
            return None
    if text.startswith(tuple(whole)):
        return text
    if blanks.first and not adds:
        notes[
            "the tokenizer puts a blank before a text that does not begin with a "
            "special token, the GGUF does not, so that conversations are exact: the "
            "blank was given"
        ] += 1
        return text if text[0] in LEADING and not blanks.doubles else f" {text}"
    if blanks.first and pads and text[0] in LEADING:
        notes[
            "llama.cpp puts a blank before a text that begins with one, the tokenizer "
            "does not: the text was compared with one blank less"
        ] += 1
        return text[1:]
    return text


def parted(
    tokenizer: PreTrainedTokenizerFast,
    vocabulary: GgufVocabulary,
    expected: Sequence[int],
    found: Sequence[int],
) -> str:
    """The first differing token ids, in words."""
    same = 0
    for left, right in zip(expected, found, strict=False):
        if left != right:
            break
        same += 1
    texts = cast(
        "list[str]", tokenizer.convert_ids_to_tokens(list(expected[same : same + 4]))
    )
    gguf_texts = [vocabulary.text(i) for i in found[same : same + 4]]
    return (
        f"from token {same + 1} on the tokenizer reads {_ids(expected[same:], texts)}, "
        f"the GGUF {_ids(found[same:], gguf_texts)}"
    )


def composed(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """`text` in the tokenizer's Unicode normal form, which llama.cpp does not apply."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    if isinstance(normalizer, NFC):
        return unicodedata.normalize("NFC", text)
    return text


def _ids(ids: Sequence[int], texts: Sequence[str]) -> str:
    shown = " ".join(f"{i} {t!r}" for i, t in zip(ids, texts, strict=False))
    return (shown or "nothing") + (" ..." if len(ids) > len(texts) else "")


def _named(pair: TokenizerPair, token: int) -> str:
    return f"{token} ({pair.hf.convert_ids_to_tokens(token)!r})"


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")
