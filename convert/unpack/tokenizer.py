"""Builds a Hugging Face tokenizer from a GGUF's vocabulary and pre-tokenizer.

transformers has a way of its own, which splits every text as GPT-2 does whatever the
name says: a model that reads digits one by one would be trained on other tokens than
it is asked in.
"""

from __future__ import annotations

from gguf import TokenType
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts
from convert.vocabulary.pre_tokenizers import PreTokenizer, known, rules_named
from medassist.engine.scorer import GgufVocabulary

JOINED = (TokenType.NORMAL, TokenType.BYTE)
MARKS = (TokenType.CONTROL, TokenType.UNKNOWN)


def tokenizer_of(
    facts: GgufFacts, vocabulary: GgufVocabulary
) -> PreTrainedTokenizerFast:
    """A tokenizer equivalent to llama.cpp's with this GGUF.

    Args:
        facts: of the GGUF.
        vocabulary: the same, open in llama.cpp, which has the last word about the
            tokens that begin and end a text.

    Raises:
        ConvertError: it is of a kind that has no exact form here.
    """
    kind = facts.values.get("tokenizer.ggml.model")
    if kind != "gpt2":
        raise ConvertError(
            f"{facts.file}: the tokenizer is of the kind {kind!r}; of GGUFs this "
            "program can tune those with a byte-level BPE ('gpt2'). Take the folder of "
            "the Hugging Face model that it was made of"
        )
    made = _byte_level(facts)
    _put_around(made, vocabulary)
    named = {
        role: vocabulary.text(token)
        for role, token in (
            ("bos_token", vocabulary.bos),
            ("eos_token", vocabulary.eos),
            ("pad_token", _number(facts, "padding")),
            ("unk_token", _number(facts, "unknown")),
        )
        if token is not None and vocabulary.text(token)
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        clean_up_tokenization_spaces=False,
        model_max_length=facts.context,
        chat_template=facts.template,
        **named,
    )


def _byte_level(facts: GgufFacts) -> Tokenizer:
    rules = _rules(facts)
    texts = _texts(facts, "tokens")
    types = facts.values.get("tokenizer.ggml.token_type") or [TokenType.NORMAL]
    kinds = [TokenType(kind) for kind in types] * (len(texts) // len(types))
    if len(kinds) != len(texts) or len({*texts}) != len(texts):
        raise ConvertError(
            f"{facts.file}: the vocabulary has {len(texts):,} tokens of which "
            f"{len({*texts}):,} differ, and {len(types):,} types; the file is damaged"
        )
    marks = [(t, k) for t, k in zip(texts, kinds, strict=True) if k not in JOINED]
    pairs = [merge.partition(" ") for merge in _texts(facts, "merges")]
    try:
        made = Tokenizer(
            models.BPE(
                # Marks have their numbers here, and are found before text is split.
                vocab={text: number for number, text in enumerate(texts)},
                merges=[(left, right) for left, _, right in pairs],
                ignore_merges=rules.ignores_merges,
            )
        )
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise ConvertError(
            f"{facts.file}: its list of merges is not of its vocabulary ({error}); "
            "copy or download it again"
        ) from error
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(rule), "isolated") for rule in rules.splits),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t, k in marks if k in MARKS]
    )
    made.add_tokens(
        [
            AddedToken(text, special=False, normalized=False)
            for text, kind in marks
            if kind == TokenType.USER_DEFINED
        ]
    )
    return made


def _rules(facts: GgufFacts) -> PreTokenizer:
    name = str(facts.values.get("tokenizer.ggml.pre", "gpt-2"))
    found = rules_named(name)
    if found is None:
        raise ConvertError(
            f"{facts.file}: text is split in the way that llama.cpp calls {name!r}; "
            f"this program knows {', '.join(rules.name for rules in known())}. Take "
            "the folder of the Hugging Face model that it was made of"
        )
    return found


def _put_around(made: Tokenizer, vocabulary: GgufVocabulary) -> None:
    """BOS and EOS around a text, where llama.cpp puts them."""
    bare, whole = vocabulary.tokenize("a", special=False), vocabulary.whole("a")
    before = whole[:1] if vocabulary.adds_bos and whole[:1] == [vocabulary.bos] else []
    after = whole[len(before) + len(bare) :]
    if not before and not after:
        made.post_processor = processors.ByteLevel(trim_offsets=False)
        return
    texts = [(vocabulary.text(token), token) for token in (*before, *after)]
    first = [text for text, _ in texts[: len(before)]]
    last = [text for text, _ in texts[len(before) :]]
    made.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=[*first, "$A", *last], special_tokens=texts
            ),
        ]
    )


def _texts(facts: GgufFacts, key: str) -> list[str]:
    found = facts.values.get(f"tokenizer.ggml.{key}")
    if not isinstance(found, list) or not found:
        raise ConvertError(
            f"{facts.file} holds no tokenizer.ggml.{key}; copy or download it again"
        )
    return [str(text) for text in found]


def _number(facts: GgufFacts, role: str) -> int | None:
    found = facts.values.get(f"tokenizer.ggml.{role}_token_id")
    return found if isinstance(found, int) else None
