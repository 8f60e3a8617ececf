"""The supported models in words, for help texts, README and error messages.

By the class that config.json names under `architectures`; another class of the same
family (of experts, of labels) is another model. `convert.architectures` has the code to
each; a test holds README, guide and help of `convert gguf` to this table.
"""

from __future__ import annotations

TAKEN: dict[str, str] = {
    "LlamaForCausalLM": "Llama 1 to 3.3, TinyLlama, SmolLM2",
    "MistralForCausalLM": "Mistral 7B and Nemo",
    "Ministral3ForCausalLM": "Ministral 3 of text alone",
    "Mistral3ForConditionalGeneration": "the text of Mistral Small 3.1 and Ministral 3",
    "MixtralForCausalLM": "Mixtral 8x7B and 8x22B",
    "SmolLM3ForCausalLM": "SmolLM3",
    "GraniteForCausalLM": "Granite 3",
    "GraniteMoeHybridForCausalLM": "Granite 4, with Mamba (the h models) and without",
    "Qwen2ForCausalLM": "Qwen2 and 2.5 without experts",
    "Qwen3ForCausalLM": "Qwen3 without experts",
    "Qwen3MoeForCausalLM": "Qwen3 with experts: 30B-A3B, 235B-A22B",
    "Qwen2_5_VLForConditionalGeneration": "the text of Qwen2.5-VL",
    "Qwen3_5ForCausalLM": "Qwen3.5 of text alone",
    "Qwen3_5ForConditionalGeneration": "the text of Qwen3.5: 0.8B to 27B",
    "Qwen3_5MoeForCausalLM": "Qwen3.5 with experts, of text alone",
    "Qwen3_5MoeForConditionalGeneration": (
        "the text of Qwen3.5 with experts: 35B-A3B to 397B-A17B"
    ),
    "GemmaForCausalLM": "Gemma 1",
    "Gemma2ForCausalLM": "Gemma 2",
    "Gemma3ForCausalLM": "Gemma 3 of text alone: 270M and 1B",
    "Gemma3ForConditionalGeneration": "the text of MedGemma and Gemma 3: 4B to 27B",
    "Gemma4ForCausalLM": "Gemma 4 of text alone",
    "Gemma4ForConditionalGeneration": "the text of Gemma 4 without experts: E2B to 31B",
    "Phi3ForCausalLM": "Phi-3 and 3.5 mini and medium, Phi-4 and its mini",
    "Olmo2ForCausalLM": "OLMo 2",
    "Olmo3ForCausalLM": "OLMo 3",
    "GptOssForCausalLM": "gpt-oss 20B and 120B",
    "GPT2LMHeadModel": "GPT-2, DistilGPT-2",
    "GPTNeoXForCausalLM": "Pythia, GPT-NeoX",
}
"""By class, the models that have it."""
