"""Hugging Face tokenizers built again from the vocabularies of GGUF files.

The rules of each family (how text is split, which tokens swallow blanks) are what its
published tokenizer.json says.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from gguf import GGUFReader, TokenType
from sentencepiece import SentencePieceProcessor
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import LlamaTokenizer, PreTrainedTokenizerFast

from convert.vocabulary.pre_tokenizers import known

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + "
    "'<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA_3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + "
    "'<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
PHI_3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + "
    "'<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)


class GgufVocab:
    """The lists of a GGUF's vocabulary."""

    def __init__(self, file: Path) -> None:
        reader = GGUFReader(file)

        def value(key: str) -> Any:
            field = reader.get_field(f"tokenizer.{key}")
            return None if field is None else field.contents()

        self.tokens: list[str] = value("ggml.tokens")
        self.types = [TokenType(t) for t in value("ggml.token_type")]
        self.scores: list[float] | None = value("ggml.scores")
        self.merges: list[str] | None = value("ggml.merges")
        self.bos: int = value("ggml.bos_token_id")
        self.eos: int = value("ggml.eos_token_id")

    def size_of_base(self) -> int:
        """How many tokens there are before the added ones at the end."""
        kinds = (TokenType.NORMAL, TokenType.BYTE)
        return 1 + max(i for i, kind in enumerate(self.types) if kind in kinds)

    def of(self, *kinds: TokenType) -> dict[str, int]:
        return {
            t: i
            for i, (t, kind) in enumerate(zip(self.tokens, self.types, strict=True))
            if kind in kinds
        }


def splitter(name: str) -> pre_tokenizers.PreTokenizer:
    """The pre-tokenizer that llama.cpp calls `name`, as Hugging Face writes it."""
    rules = next(rule for rule in known() if rule.name == name)
    gpt_2 = known()[0].splits[0]
    if name in ("gpt-2", "smollm"):
        digits = [pre_tokenizers.Digits(True)] if name == "smollm" else []
        whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        return pre_tokenizers.Sequence([*digits, whole]) if digits else whole
    assert gpt_2 not in rules.splits
    return pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(split), "isolated") for split in rules.splits),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def byte_level(
    file: Path,
    folder: Path,
    name: str,
    *,
    template: str | None = None,
    eos: str | None = None,
    adds_bos: bool = False,
    composes: bool = False,
    plain: tuple[str, ...] = (),
) -> Path:
    """Save the byte-level vocabulary of `file` as a tokenizer in `folder`."""
    vocab = GgufVocab(file)
    assert vocab.merges
    rules = next(rule for rule in known() if rule.name == name)
    made = Tokenizer(
        models.BPE(
            vocab=vocab.of(TokenType.NORMAL),
            merges=[(m.partition(" ")[0], m.partition(" ")[2]) for m in vocab.merges],
            ignore_merges=rules.ignores_merges,
        )
    )
    made.pre_tokenizer = splitter(name)
    made.decoder = decoders.ByteLevel()
    if composes:
        made.normalizer = normalizers.NFC()
    control = vocab.of(TokenType.CONTROL)
    made.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in control]
    )
    made.add_tokens(
        [AddedToken(t, normalized=False) for t in vocab.of(TokenType.USER_DEFINED)]
    )
    made.add_tokens([AddedToken(t, special=False, normalized=False) for t in plain])
    bos = vocab.tokens[vocab.bos]
    if adds_bos:
        made.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, vocab.bos)]
        )
    else:
        made.post_processor = processors.ByteLevel(trim_offsets=False)
    return _save(
        folder,
        made,
        "PreTrainedTokenizerFast",
        bos_token=None if composes else bos,
        eos_token=eos or vocab.tokens[vocab.eos],
        chat_template=template,
    )


def sentence_piece(
    file: Path,
    folder: Path,
    model: Path,
    *,
    kind: str = "PreTrainedTokenizerFast",
    template: str | None = None,
    swallows: bool = False,
    prefix: bool = True,
    eos: str | None = None,
) -> Path:
    """Save the SentencePiece vocabulary of `file` in Llama 2's published manner.

    `model` is the tokenizer.model that the vocabulary was made of, and goes with it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model, folder / "tokenizer.model")
    vocab = GgufVocab(file)
    special = vocab.of(TokenType.CONTROL, TokenType.UNKNOWN)
    merges = _merges(model)
    size = vocab.size_of_base()
    whole = {t: i for i, t in enumerate(vocab.tokens[:size])}
    made = Tokenizer(
        models.BPE(
            vocab=whole,
            merges=merges,
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    steps = [normalizers.Prepend("▁")] if prefix else []
    made.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            *([decoders.Strip(" ", 1, 0)] if prefix else []),
        ]
    )
    keep = ("<unk>", "<s>", "<|endoftext|>")

    def added(text: str, control: bool) -> AddedToken:
        strip = swallows and text not in keep
        return AddedToken(text, special=control, normalized=False, rstrip=strip)

    used = {t for t in special if not t.startswith("[PAD")}
    made.add_special_tokens([added(t, True) for t in special if t in used])
    made.add_tokens([added(t, False) for t in vocab.of(TokenType.USER_DEFINED)])
    bos = vocab.tokens[vocab.bos]
    made.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, vocab.bos)]
    )
    return _save(
        folder,
        made,
        kind,
        bos_token=bos,
        eos_token=eos or vocab.tokens[vocab.eos],
        unk_token="<unk>",
        chat_template=template,
    )


@cache
def _merges(model: Path) -> list[tuple[str, str]]:
    """The merges in a tokenizer.model, in the order of its scores.

    transformers finds them, and puts them in the order of the ids.
    """
    tokenizer = LlamaTokenizer.from_pretrained(model.parent, vocab_file=str(model))
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = SentencePieceProcessor(model_file=str(model))
    scores = {
        str(pieces.id_to_piece(i)): float(pieces.get_score(i))
        for i in range(pieces.get_piece_size())
    }
    merges = [(left, right) for left, right in rules["model"]["merges"]]
    return sorted(merges, key=lambda merge: -scores[merge[0] + merge[1]])


def _save(folder: Path, made: Tokenizer, kind: str, **settings: Any) -> Path:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, clean_up_tokenization_spaces=False, **settings
    )
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(config | {"tokenizer_class": kind}), "utf-8")
    size = made.get_vocab_size()
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "vocab_size": size}), "utf-8"
    )
    return folder
