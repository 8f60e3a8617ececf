"""Architectures, one file a family: hyper-parameters and tensors in GGUF's terms."""

from __future__ import annotations

from collections.abc import Callable

from convert.architectures.architecture import Architecture as Architecture
from convert.architectures.gemma import Gemma1, Gemma2, Gemma3, Gemma3Tower
from convert.architectures.gemma4 import Gemma4, Gemma4Tower
from convert.architectures.gpt2 import Gpt2
from convert.architectures.gpt_neox import GptNeoX
from convert.architectures.gpt_oss import GptOss
from convert.architectures.granite import Granite, Granite4
from convert.architectures.llama import Llama, SmolLm3
from convert.architectures.mistral import Ministral3, Mistral, Mistral3Tower, Mixtral
from convert.architectures.olmo import Olmo2, Olmo3
from convert.architectures.phi3 import Phi3
from convert.architectures.qwen import Qwen2, Qwen3, Qwen3Moe, Qwen25Vl
from convert.architectures.qwen35 import (
    Qwen35,
    Qwen35Moe,
    Qwen35MoeTower,
    Qwen35Tower,
)
from convert.architectures.text_tower import plain_name
from convert.errors import ConvertError
from convert.foreign import of_class
from convert.hf_folder import JsonFile, refuse_quantized

KNOWN: dict[str, type[Architecture]] = {
    "LlamaForCausalLM": Llama,
    "LLaMAForCausalLM": Llama,
    "MistralForCausalLM": Mistral,
    "Ministral3ForCausalLM": Ministral3,
    "Mistral3ForConditionalGeneration": Mistral3Tower,
    "MixtralForCausalLM": Mixtral,
    "SmolLM3ForCausalLM": SmolLm3,
    "GraniteForCausalLM": Granite,
    "GraniteMoeHybridForCausalLM": Granite4,
    "Qwen2ForCausalLM": Qwen2,
    "Qwen3ForCausalLM": Qwen3,
    "Qwen3MoeForCausalLM": Qwen3Moe,
    "Qwen2_5_VLForConditionalGeneration": Qwen25Vl,
    "Qwen3_5ForCausalLM": Qwen35,
    "Qwen3_5ForConditionalGeneration": Qwen35Tower,
    "Qwen3_5MoeForCausalLM": Qwen35Moe,
    "Qwen3_5MoeForConditionalGeneration": Qwen35MoeTower,
    "GemmaForCausalLM": Gemma1,
    "Gemma2ForCausalLM": Gemma2,
    "Gemma3ForCausalLM": Gemma3,
    "Gemma3ForConditionalGeneration": Gemma3Tower,
    "Gemma4ForCausalLM": Gemma4,
    "Gemma4ForConditionalGeneration": Gemma4Tower,
    "Phi3ForCausalLM": Phi3,
    "Olmo2ForCausalLM": Olmo2,
    "Olmo3ForCausalLM": Olmo3,
    "GptOssForCausalLM": GptOss,
    "GPT2LMHeadModel": Gpt2,
    "GPTNeoXForCausalLM": GptNeoX,
}
"""By the name that transformers gives the class, and config.json repeats."""


def says_tied(config: JsonFile) -> bool | None:
    """Whether a config.json says that embedding and output layer are one tensor.

    `None`: it does not say so, and the class, whose default would hold, is not known.
    The files have the last word: see `convert.architectures.tied`.
    """
    if "tie_word_embeddings" in config.values:  # the outer one: see `JsonFile.of_text`
        return bool(config.values["tie_word_embeddings"])
    if (known := _known(config)) is None:
        return None
    return bool(known.defaults["tie_word_embeddings"])


def embedding_name(config: JsonFile) -> str | None:
    """The usual name of the embedding, where the class is known."""
    known = _known(config)
    return None if known is None else known.outer + known.embeddings[0]


def spelling_of(config: JsonFile) -> Callable[[str], str]:
    """Turns the name of a stored tensor into that which the class has in memory."""
    known = _known(config)
    if known is None:
        return str
    return plain_name if known.in_images else known.plain_name


def turns_experts(config: JsonFile) -> bool:
    """Whether the weights of all experts lie (in, out); see `experts_turned`."""
    known = _known(config)
    return known is not None and known.experts_turned


def unused_in(config: JsonFile) -> Callable[[str], str]:
    """Tells of a tensor why nothing computes with it; see `Architecture.unused`."""
    known = _known(config)
    try:
        return known.read(config).unused if known else _used
    except ConvertError:  # what llama.cpp cannot compute may be merged all the same
        return _used


def has_towers(config: JsonFile) -> bool:
    """Whether the class is the text tower of a model of images, or is one in others."""
    known = _known(config)
    return known is not None and known.in_images


def rope_in_llama_cpp(config: JsonFile) -> dict[str, object]:
    """Settings of RoPE in which llama.cpp differs from a config.json, as a note says.

    Raises:
        ConvertError: a value is missing or cannot be.
    """
    known = _known(config)
    return known.read(config).rope_in_llama_cpp if known else {}


def architecture_of(config: JsonFile) -> Architecture:
    """The architecture that a model's config.json names.

    Raises:
        ConvertError: it is none that this converter knows, or its weights are in
            MXFP4, and those of this class never are.
    """
    if (known := _known(config)) is not None:
        if not known.takes_mxfp4:
            refuse_quantized(config)
        return known.read(config)
    match config.values.get("architectures"):
        case [*several] if several:
            named = ", ".join(str(name) for name in several)
        case _:
            named = "not named"
    raise ConvertError(of_class(config.file, named))


def _used(name: str) -> str:
    del name
    return ""


def _known(config: JsonFile) -> type[Architecture] | None:
    match config.values.get("architectures"):
        case [str(name)]:
            return KNOWN.get(name)
        case _:
            return None
