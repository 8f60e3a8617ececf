"""Derives config.json from a GGUF, and proves it by converting it back.

What the architecture's own class would write of that config.json must be what the GGUF
says. A setting that comes out otherwise, or not at all, changes what the weights mean:
such a file is refused.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from gguf import GGUFWriter

from convert.architectures import Architecture, architecture_of
from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts, same_number
from convert.hf_folder import CONFIG, JsonFile

CLASSES = {
    "llama": ("LlamaForCausalLM", "llama"),
    "qwen2": ("Qwen2ForCausalLM", "qwen2"),
    "qwen3": ("Qwen3ForCausalLM", "qwen3"),
}
"""By GGUF's name of the architecture: transformers' class and type of model."""
NOT_COMPUTED_WITH = ("rope.dimension_count", "vocab_size")
"""Settings that are held against the config.json by the shapes of the tensors."""


def config_of(facts: GgufFacts) -> dict[str, Any]:
    """The config.json equivalent to a GGUF's metadata.

    Raises:
        ConvertError: its architecture has no way back here, or a setting is missing or
            changes what the weights mean.
    """
    named = CLASSES.get(facts.architecture)
    if named is None:
        raise ConvertError(
            f"{facts.file} is a {facts.architecture}; of GGUFs this program can tune "
            f"those of {', '.join(CLASSES)}. Take the folder of the Hugging Face model "
            "that it was made of"
        )
    config = _values(facts) | {"architectures": [named[0]], "model_type": named[1]}
    architecture = architecture_of(JsonFile(facts.file.with_name(CONFIG), config))
    _prove(facts, architecture)
    return config


def _values(facts: GgufFacts) -> dict[str, Any]:
    said = facts.values
    shapes = {tensor.name: tensor.shape for tensor in facts.tensors}

    def number(key: str, default: Any = None) -> Any:
        found = said.get(f"{facts.architecture}.{key}", default)
        if not isinstance(found, int | float) or isinstance(found, bool):
            raise ConvertError(
                f"{facts.file}: {facts.architecture}.{key} is {found!r}, where a "
                "number is expected; the file is damaged, or made by a program of "
                "another kind"
            )
        return found

    table = shapes.get("token_embd.weight")
    if table is None or len(table) != 2:
        raise ConvertError(
            f"{facts.file} holds no embedding (token_embd.weight); copy or download it "
            "again"
        )
    hidden, heads = number("embedding_length"), number("attention.head_count")
    return {
        "hidden_size": hidden,
        "num_hidden_layers": number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": number("attention.head_count_kv", heads),
        "head_dim": number("attention.key_length", hidden // max(1, heads)),
        "intermediate_size": number("feed_forward_length"),
        "max_position_embeddings": number("context_length"),
        "vocab_size": table[1],
        "rms_norm_eps": _short(number("attention.layer_norm_rms_epsilon")),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": _short(number("rope.freq_base", 10000.0)),
        },
        "hidden_act": "silu",
        "tie_word_embeddings": "output.weight" not in shapes,
        "attention_bias": "blk.0.attn_q.bias" in shapes,
        "mlp_bias": "blk.0.ffn_up.bias" in shapes,
        "dtype": "float32",
    }


def _short(number: float) -> float:
    """A float32 as people write it: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(number)))


def _prove(facts: GgufFacts, architecture: Architecture) -> None:
    """Make sure that the config.json says all that the GGUF says."""
    writer = GGUFWriter(None, architecture.gguf_name)
    architecture.write_settings(writer)
    written = {key: value.value for key, value in writer.kv_data[0].items()}
    for key, value in facts.values.items():
        start, _, name = key.partition(".")
        if start != facts.architecture or name in NOT_COMPUTED_WITH:
            continue
        default = _usual(name, architecture)
        if not same_number(written.get(key, default), value):
            raise ConvertError(
                f"{facts.file}: {key} is {_shown(value)}, which this program cannot "
                "say in a config.json, so that the model would be trained as another "
                "one. Take the folder of the Hugging Face model that it was made of"
            )


def _usual(name: str, architecture: Architecture) -> Any:
    """Default of a value that some programs write all the same."""
    sizes = architecture.sizes
    return {
        "attention.key_length": sizes.head,
        "attention.value_length": sizes.head,
        "rope.scaling.type": "none",
    }.get(name)


def _shown(value: object) -> str:
    return json.dumps(value, default=str)[:60]
