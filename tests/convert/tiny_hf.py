"""Tiny random Hugging Face pairs: a Llama, a tokenizer of our own, LoRAs by PEFT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from finetune.starter.chat import ASSISTANT
from finetune.starter.tokenizer import token_id, train_tokenizer
from tests.convert.native import Logits

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

SENTENCES = (
    "The heart pumps blood; a weak heart pumps too little of it.",
    "Wash the wound, dry it, and cover it with a clean dressing.",
    "Why does the ankle swell in the evening and not in the morning?",
    "Iron 8 µmol/L (10 to 30), ferritin 9 µg/L: iron is missing.",
    "Sie hustet seit drei Wochen, ohne Fieber, nachts mehr als am Tag.",
)
CONTEXT = 256


@dataclass(frozen=True)
class HfFolders:
    """Where a pair was saved."""

    base: Path
    plain: Path
    activated: Path


def tiny_tokenizer(size: int = 400) -> PreTrainedTokenizerFast:
    return train_tokenizer(SENTENCES * 4, size, CONTEXT)


def save_pair(folder: Path, *, tied: bool = True, **lora: object) -> HfFolders:
    """Save a base and a plain and an activated adapter with the same random weights."""
    torch.manual_seed(11)
    tokenizer = tiny_tokenizer()
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=tied,
            initializer_range=0.12,
            bos_token_id=0,
            eos_token_id=1,
        )
    )
    with torch.no_grad():
        for name, parameter in base.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.6, 1.4)
    where = HfFolders(folder / "base", folder / "plain", folder / "activated")
    base.save_pretrained(where.base)
    tokenizer.save_pretrained(where.base)
    invocation = token_id(tokenizer, ASSISTANT)
    for path, tokens in ((where.plain, None), (where.activated, [invocation])):
        torch.manual_seed(12)
        settings = {"r": 8, "lora_alpha": 16, **lora}
        adapted = get_peft_model(
            LlamaForCausalLM.from_pretrained(where.base),
            LoraConfig(
                task_type="CAUSAL_LM",
                target_modules=LINEARS,
                alora_invocation_tokens=tokens,
                **settings,  # pyright: ignore[reportArgumentType]
            ),
        )
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(0, 0.15)
        adapted.save_pretrained(str(path))
    return where


def load(base: Path, adapter: Path | None = None) -> LlamaForCausalLM | PeftModel:
    """The Hugging Face side of a comparison, in float32."""
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(model, adapter) if adapter else model
    return adapted.eval()


@torch.no_grad()
def hf_logits(model: LlamaForCausalLM | PeftModel, tokens: list[int]) -> Logits:
    """Logits after each of `tokens`: (T, V); PEFT finds the invocation by itself."""
    logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits
    return logits[0].float().numpy().astype(np.float32)


def hf_greedy(
    model: LlamaForCausalLM | PeftModel, tokens: list[int], count: int
) -> list[int]:
    """The `count` likeliest tokens, the whole text read anew for each.

    PEFT's own generate is wrong for an activated LoRA without a cache: it takes the
    adapter off for all but the first token.
    """
    whole = list(tokens)
    for _ in range(count):
        whole.append(int(hf_logits(model, whole)[-1].argmax()))
    return whole[len(tokens) :]
