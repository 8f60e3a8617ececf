"""Mistral, Ministral 3 and Mixtral: Llamas with windows, warmer attention, experts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from convert.architectures.llama import Llama
from convert.hf_folder import JsonFile


@dataclass(frozen=True)
class Mistral(Llama):
    """A Llama by another name, with a window in its first version."""

    defaults = {  # noqa: RUF012 - as the class above declares it
        "num_key_value_heads": 8,
        "hidden_act": "silu",
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "sliding_window": 4096,
        "head_dim": None,
    }

    @classmethod
    def read(cls, config: JsonFile) -> Mistral:
        """Read a config.json; see `Llama.read`."""
        config = config.with_defaults(dict(cls.defaults))
        config.refuse("attention_bias", "mlp_bias", "layer_types")
        plain = super().read(config)
        assert isinstance(plain, Mistral)
        if config.values["sliding_window"] is None:
            return plain
        return replace(plain, window=config.positive("sliding_window"))
