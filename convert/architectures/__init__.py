"""One file a family: its hyper-parameters and tensors in GGUF's terms."""

from __future__ import annotations

from convert.architectures.architecture import Architecture as Architecture
from convert.architectures.gemma import Gemma2, Gemma3
from convert.architectures.gpt2 import Gpt2
from convert.architectures.llama import Llama, Mistral
from convert.architectures.phi3 import Phi3
from convert.architectures.qwen import Qwen2, Qwen3
from convert.errors import ConvertError
from convert.hf_folder import JsonFile

KNOWN: dict[str, type[Architecture]] = {
    "LlamaForCausalLM": Llama,
    "LLaMAForCausalLM": Llama,
    "MistralForCausalLM": Mistral,
    "Qwen2ForCausalLM": Qwen2,
    "Qwen3ForCausalLM": Qwen3,
    "Gemma2ForCausalLM": Gemma2,
    "Gemma3ForCausalLM": Gemma3,
    "Phi3ForCausalLM": Phi3,
    "GPT2LMHeadModel": Gpt2,
}
"""By the name that transformers gives the class, and config.json repeats."""


def architecture_of(config: JsonFile) -> Architecture:
    """The architecture that a model's config.json names.

    Raises:
        ConvertError: it is none that this converter knows.
    """
    names = config.values.get("architectures")
    match names:
        case [str(name)] if name in KNOWN:
            return KNOWN[name].read(config)
        case [*several] if several:
            named = ", ".join(str(name) for name in several)
        case _:
            named = "not named"
    raise ConvertError(
        f"{config.file}: the architecture is {named}; this converter knows "
        f"{', '.join(KNOWN)}"
    )
