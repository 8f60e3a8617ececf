"""Small tokenizers of every kind, trained on our own texts, and GGUFs of them alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gguf import GGUFWriter
from sentencepiece import SentencePieceTrainer
from tokenizers import AddedToken, Tokenizer, decoders, models, processors, trainers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from convert.verify.corpus import corpus
from convert.vocabulary import TokenizerVocabulary, read_vocabulary
from tests.convert.hf_from_gguf import CHATML, splitter

END = "<|end_of_answer|>"
TURNS = ["<start_of_turn>", "<end_of_turn>"]
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}"
    "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\\n' + m['content'] | trim + '<end_of_turn>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
LLAMA_2 = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'system' %}{{ '<<SYS>>' + m['content'] + '<</SYS>>' }}"
    "{% else %}{{ m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)


def byte_level_folder(
    folder: Path, name: str = "qwen2", size: int = 1200, **settings: Any
) -> Path:
    """A byte-level BPE that splits text in the way that llama.cpp calls `name`."""
    made = Tokenizer(models.BPE(ignore_merges=name in ("llama-bpe", "tekken")))
    made.pre_tokenizer = splitter(name)
    made.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>", "<|begin|>", END, "<|pad|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(corpus(()), trainer)
    made.add_tokens([AddedToken("<note>", normalized=False)])
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return save(
        folder,
        made,
        **{"eos_token": "<|im_end|>", "chat_template": CHATML, **settings},
    )


def save(folder: Path, made: Tokenizer, **settings: Any) -> Path:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, clean_up_tokenization_spaces=False, **settings
    )
    tokenizer.save_pretrained(folder)
    config = {"model_type": "llama", "vocab_size": len(tokenizer)}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def sentence_piece_folder(folder: Path, kind: str, **settings: Any) -> Path:
    """A SentencePiece BPE as Llama 2 (`llama`) or Gemma (`gemma`) have one."""
    folder.mkdir(parents=True, exist_ok=True)
    gemma = kind == "gemma"
    ids = (
        {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3}
        if gemma
        else {"pad_id": -1, "eos_id": 2, "bos_id": 1, "unk_id": 0}
    )
    names = {"pad_piece": "<pad>", "eos_piece": "<eos>", "bos_piece": "<bos>"}
    pieces: dict[str, Any] = ids | (names if gemma else {})
    SentencePieceTrainer.Train(
        sentence_iterator=iter(t for t in corpus(()) if "\0" not in t),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=1600,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=not gemma,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        character_coverage=0.99,
        control_symbols=TURNS if gemma else [],
        minloglevel=2,
        num_threads=1,
        hard_vocab_limit=False,
        **pieces,
    )
    (folder / "tokenizer.vocab").unlink()
    if gemma:
        return gemma_settings(folder, **settings)
    config: dict[str, Any] = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
        "chat_template": LLAMA_2,
        "legacy": True,
    }
    return _write_settings(folder, "llama", config | settings)


def gemma_settings(folder: Path, **settings: Any) -> Path:
    """What stands beside the tokenizer.model of a Gemma."""
    config: dict[str, Any] = {
        "tokenizer_class": "GemmaTokenizer",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<pad>",
        "add_bos_token": True,
        "add_eos_token": False,
        "chat_template": GEMMA,
        "extra_special_tokens": TURNS,
    }
    return _write_settings(folder, "gemma2", config | settings)


def _write_settings(folder: Path, model: str, config: dict[str, Any]) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": model}), "utf-8")
    return folder


def vocabulary_gguf(
    file: Path,
    vocabulary: TokenizerVocabulary,
    name: str = "tiny",
    architecture: str = "llama",
) -> Path:
    """A GGUF that holds a vocabulary and nothing else."""
    writer = GGUFWriter(file, architecture)
    writer.add_name(vocabulary.model_name(name))
    vocabulary.write(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return file


def convert_vocabulary(folder: Path, file: Path, size: int | None = None) -> Path:
    from convert.vocabulary import load_tokenizer

    rows = size or len(load_tokenizer(folder))
    return vocabulary_gguf(file, read_vocabulary(folder, rows))
