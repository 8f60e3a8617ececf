"""A model is called what people know it as."""

from __future__ import annotations

from pathlib import Path

import pytest

from medassist.core.gguf_name import model_name


@pytest.mark.parametrize(
    ("within", "file", "expected"),
    [
        # A trainer's own name, and the publisher's.
        (
            "Smollm2 135M 8k Lc100K Mix1 Ep2",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "SmolLM2-135M-Instruct",
        ),
        (
            "Qwen2.5 7B Ckpt 4200",
            "qwen2.5-7b-instruct-q4_k_m.gguf",
            "qwen2.5-7b-instruct",
        ),
        # The file says nothing that the name does not say.
        ("Llama 3.2 1B Instruct", "Llama-3.2-1B-Instruct-Q4_K_M.gguf", None),
        ("Qwen2.5 0.5B Instruct", "qwen2.5-0.5b.IQ2_XS.gguf", None),
        ("SmolLM2 135M Instruct", "model.gguf", None),
        ("medassist-starter base", "base-q8_0.gguf", None),
        ("Mixtral 8x7B Instruct v0.1", "my-copy-8x7b.gguf", None),
        ("BioMistral 7B", "download (3).gguf", None),
        # The name says nothing.
        ("Model", "gemma-2b-it.gguf", "gemma-2b-it"),
        ("ggml-model", "tiny-q4.gguf", "tiny-q4"),
        ("./output/", "Phi-3-mini.gguf", "Phi-3-mini"),
        ("", "tiny-plain.gguf", "tiny-plain"),
        (None, "tiny-plain.gguf", "tiny-plain"),
        ("hf", "sha256-0123abcd", "hf"),
        # Of a split model the part is no word of the name.
        (
            "Llama Run 12",
            "llama-70B-chat-Q8_0-00001-of-00003.gguf",
            "llama-70B-chat",
        ),
    ],
)
def test_a_model_s_name_is_the_one_that_says_more(within, file, expected):
    assert model_name(within, Path("/models") / file) == (expected or within)
