"""Adapters on tiny models, made and read by PEFT itself: the measure of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from tests.convert.families import load_model
from tests.convert.native import Logits

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def load_base(base: Path, rows: int = 0, dtype: Any = "auto") -> Any:
    """The model in `base`, its vocabulary resized to `rows`, the same each time."""
    model = load_model(base, dtype)
    if rows:
        torch.manual_seed(5)
        model.resize_token_embeddings(rows, mean_resizing=False)
    return model


def save_adapter(base: Path, folder: Path, *, rows: int = 0, **lora: Any) -> Path:
    """Save a LoRA with random weights, none of them zero, on the model in `base`."""
    settings: dict[str, Any] = {"r": 4, "lora_alpha": 12, "target_modules": LINEARS}
    torch.manual_seed(6)
    config = LoraConfig(task_type="CAUSAL_LM", **(settings | lora))
    adapted = get_peft_model(load_base(base, rows), config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                strength = 0.3 if "lora_" in name else 0.1
                parameter.add_(torch.randn_like(parameter) * strength)
    adapted.save_pretrained(str(folder))
    return folder


def load_adapted(base: Path, adapter: Path, rows: int = 0, dtype: Any = "auto") -> Any:
    """What PEFT makes of base and adapter."""
    model = load_base(base, rows, dtype)
    return PeftModel.from_pretrained(model, str(adapter)).eval()


@torch.no_grad()
def logits_of(model: Any, tokens: list[int]) -> Logits:
    """Logits after each of `tokens`: (T, V)."""
    ids = torch.tensor([tokens])
    return model(input_ids=ids, use_cache=False).logits[0].float().numpy()
