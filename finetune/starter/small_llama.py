"""The base's architecture, and a bf16 copy that computes for float32 weights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.modeling_outputs import CausalLMOutputWithPast

from finetune.errors import FinetuneError
from finetune.starter.chat import BEGIN, END, PAD
from finetune.starter.starter_recipe import ModelPart
from finetune.starter.tokenizer import token_id


def new_model(
    part: ModelPart, tokenizer: PreTrainedTokenizerFast, seed: int
) -> LlamaForCausalLM:
    """A Llama with random weights (float32, CPU) for `tokenizer`."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=part.hidden,
            intermediate_size=part.feed_forward,
            num_hidden_layers=part.layers,
            num_attention_heads=part.heads,
            num_key_value_heads=part.key_value_heads,
            max_position_embeddings=part.context,
            tie_word_embeddings=True,
            bos_token_id=token_id(tokenizer, BEGIN),
            eos_token_id=token_id(tokenizer, END),
            pad_token_id=token_id(tokenizer, PAD),
        )
    )


class ComputeCopy:
    """Float32 parameters that learn, with a bf16 model that computes.

    Half the memory traffic of autocast, which casts the weights at each use: 20 %
    more tokens per second on a CPU. Small updates are not lost, as they would be if
    the bf16 weights themselves were changed.
    """

    def __init__(self, model: LlamaForCausalLM, device: torch.device) -> None:
        self.learned = {
            name: parameter.detach().to(device, torch.float32, copy=True)
            for name, parameter in model.named_parameters()
        }
        self.model = model
        nn.Module.to(model, device=device, dtype=torch.bfloat16)
        self._computing = dict(model.named_parameters())

    def take_gradients(self) -> None:
        """Move the gradients of the last backward pass to the learned parameters."""
        for name, parameter in self._computing.items():
            if parameter.grad is not None:
                self.learned[name].grad = parameter.grad.float()
                parameter.grad = None

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the learned values into the model."""
        for name, parameter in self._computing.items():
            parameter.copy_(self.learned[name])

    @torch.no_grad()
    def whole(self) -> LlamaForCausalLM:
        """The model itself in float32 on the CPU, nothing lost to bf16."""
        nn.Module.to(self.model, device="cpu", dtype=torch.float32)
        for name, parameter in self.model.named_parameters():
            parameter.copy_(self.learned[name])
        self.model.eval()
        return self.model


def compiled(
    model: LlamaForCausalLM, device: torch.device
) -> Callable[..., CausalLMOutputWithPast]:
    """`model` behind torch.compile: a tenth to a quarter faster on two CPU cores.

    Raises:
        FinetuneError: there is no C++ compiler for code of a CPU.
    """
    compiler = os.environ.get("CXX", "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise FinetuneError(
            f"base.compile needs the C++ compiler {compiler}, which is not there; "
            "install it, or set compile: false in the recipe"
        )
    return cast("Callable[..., CausalLMOutputWithPast]", torch.compile(model))
