"""A tokenizer in GGUF's terms: byte-level BPE with GPT-2's pre-tokenizer.

llama.cpp does not read the pre-tokenizer's rules but its name, so a tokenizer that
splits text in another way must not pass under a known name: its ids would differ
without an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gguf import GGUFWriter, TokenType
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.hf_folder import JsonFile

GPT2 = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
TURN = "a-turn-of-the-conversation"


@dataclass(frozen=True)
class Vocabulary:
    """What a GGUF says about its tokens."""

    tokens: tuple[str, ...]
    types: tuple[TokenType, ...]
    merges: tuple[str, ...]
    bos: int | None
    eos: int
    turn_end: int | None
    """The token that the chat template puts after an answer."""
    pad: int | None
    adds_bos: bool
    adds_eos: bool
    template: str | None

    def write(self, writer: GGUFWriter) -> None:
        """Write the vocabulary."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        writer.add_token_merges(self.merges)
        if self.bos is not None:
            writer.add_bos_token_id(self.bos)
        writer.add_eos_token_id(self.eos)
        if self.turn_end is not None:
            writer.add_eot_token_id(self.turn_end)
        if self.pad is not None:
            writer.add_pad_token_id(self.pad)
        writer.add_add_bos_token(self.adds_bos)
        writer.add_add_eos_token(self.adds_eos)
        if self.template is not None:
            writer.add_chat_template(self.template)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in `folder`, without code from the folder and without a network.

    Raises:
        ConvertError: there is none that can be read.
    """
    try:
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConvertError(f"{folder} holds no readable tokenizer: {error}") from error
    if not isinstance(found, PreTrainedTokenizerFast):
        raise ConvertError(f"{folder}: a tokenizer with a tokenizer.json is expected")
    return found


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The vocabulary in `folder` for a model with `size` rows of embeddings.

    Rows without a token (models are padded to round sizes) become unused tokens.

    Raises:
        ConvertError: the tokenizer is of a kind that llama.cpp would read otherwise,
            or does not fit the model.
    """
    file = folder / "tokenizer.json"
    model = _bpe(JsonFile.read(file))
    tokenizer = load_tokenizer(folder)
    tokens: list[str] = [f"[PAD{i}]" for i in range(size)]
    types = [TokenType.UNUSED] * size
    added = tokenizer.added_tokens_decoder
    for token, index in tokenizer.get_vocab().items():
        if index >= size:
            raise ConvertError(
                f"{file}: token {token!r} has the id {index}, and the model has "
                f"{size} rows of embeddings; resize the model's embeddings"
            )
        tokens[index] = token
        types[index] = TokenType.NORMAL
        if index in added:
            special = added[index].special
            types[index] = TokenType.CONTROL if special else TokenType.USER_DEFINED
    eos = cast("int | None", tokenizer.eos_token_id)
    if eos is None:
        raise ConvertError(f"{folder}: the tokenizer names no end token (eos_token)")
    bos = cast("int | None", tokenizer.bos_token_id)
    adds_bos, adds_eos = _added_ends(tokenizer, bos, eos)
    template = cast("str | None", tokenizer.chat_template)
    return Vocabulary(
        tokens=tuple(tokens),
        types=tuple(types),
        merges=_merges(model["merges"], file),
        bos=bos,
        eos=eos,
        turn_end=turn_end(tokenizer) if template else None,
        pad=cast("int | None", tokenizer.pad_token_id),
        adds_bos=adds_bos,
        adds_eos=adds_eos,
        template=template,
    )


def turn_end(tokenizer: PreTrainedTokenizerFast) -> int:
    """The token that the chat template puts after an answer.

    Raises:
        ConvertError: it puts none, so that an answer would never end.
    """
    rendered = cast(
        str,
        tokenizer.apply_chat_template(
            [{"role": "user", "content": "?"}, {"role": "assistant", "content": TURN}],
            tokenize=False,
        ),
    )
    after = rendered.rpartition(TURN)[2]
    ids = tokenizer.encode(after, add_special_tokens=False)
    if not ids or ids[0] not in tokenizer.all_special_ids:
        raise ConvertError(
            "the chat template does not end an answer with a special token (it puts "
            f"{after!r}); answers would never end"
        )
    return ids[0]


def _bpe(tokenizer: JsonFile) -> dict[str, object]:
    """The BPE model of a tokenizer.json, if it is one that llama.cpp calls gpt-2."""
    model = tokenizer.values.get("model") or {}
    splits = tokenizer.values.get("pre_tokenizer")
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise ConvertError(
            f"{tokenizer.file}: a {model.get('type')} tokenizer"
            f"{' with byte fallback' if model.get('byte_fallback') else ''}; this "
            "converter knows byte-level BPE"
        )
    if splits is None or {k: splits.get(k) for k in GPT2} != GPT2:
        raise ConvertError(
            f"{tokenizer.file}: the pre-tokenizer is {splits}; llama.cpp would split "
            f"text in another way. This converter knows {GPT2}"
        )
    for key in ("normalizer",):
        if tokenizer.values.get(key) is not None:
            raise ConvertError(
                f"{tokenizer.file}: a {key} changes text before it is split, which "
                "llama.cpp does not do"
            )
    if model.get("ignore_merges") or model.get("dropout"):
        raise ConvertError(
            f"{tokenizer.file}: `ignore_merges` or `dropout` is set; llama.cpp would "
            "join letters in another way"
        )
    return model


def _merges(merges: object, file: Path) -> tuple[str, ...]:
    """Merges as "left right", from either of the two ways to write them."""
    if not isinstance(merges, Sequence):
        raise ConvertError(f"{file}: the BPE model has no merges")
    return tuple(m if isinstance(m, str) else " ".join(m) for m in merges)


def _added_ends(
    tokenizer: PreTrainedTokenizerFast, bos: int | None, eos: int
) -> tuple[bool, bool]:
    """Whether the tokenizer puts BOS before and EOS after a text, as it really does."""
    bare = tokenizer.encode("a", add_special_tokens=False)
    whole = tokenizer.encode("a")
    adds_bos = bos is not None and whole[:1] == [bos] and whole != bare
    adds_eos = whole[-1:] == [eos] and whole != bare
    expected = [bos] * adds_bos + bare + [eos] * adds_eos
    if whole != expected:
        raise ConvertError(
            f"the tokenizer turns 'a' into {whole}; llama.cpp can put BOS ({bos}) "
            f"before and EOS ({eos}) after {bare}, nothing else"
        )
    return adds_bos, adds_eos
