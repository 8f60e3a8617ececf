"""Puts a PEFT adapter on a model whose weights are streamed from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from convert.errors import ConvertError
from convert.foreign import (
    Sight,
    of_adapter_config,
    of_folder,
    of_tensors,
    refuse_form,
)
from convert.hf_folder import JsonFile
from convert.plain_adapter import plain_adapter
from convert.verify.stored_weights import Stored, stored_in
from medassist.core.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS

Owners = Mapping[nn.Module, Mapping[str, Stored]]
"""The stored weights of each module of the base."""


def adapted_model(model: PreTrainedModel, adapter: Path, owners: Owners) -> PeftModel:
    """Put the PEFT LoRA in `adapter` on `model`; its matrices stay in memory.

    Raises:
        ConvertError: it does not fit, or holds more than a GGUF adapter can.
    """
    adapter = plain_adapter(adapter)
    file = adapter / ADAPTER_WEIGHTS
    if not file.is_file():
        refuse_form(of_folder(adapter, file.name))
        raise ConvertError(f"{file} is not there; save the adapter as safetensors")
    stored = {weight.name: weight for weight in stored_in(file)}
    try:
        adapted = PeftModel.from_pretrained(
            model, str(adapter), local_files_only=True, low_cpu_mem_usage=True
        )
    except Exception as error:
        # PEFT raises errors of many kinds for an adapter that does not fit.
        config = JsonFile.read(adapter / ADAPTER_CONFIG)
        refuse_form(of_adapter_config(config.file, config.values))
        refuse_form(of_tensors(file, stored, Sight.ADAPTER_TENSOR))
        raise ConvertError(
            f"{adapter}: PEFT cannot put this adapter on its base: {str(error)[:300]}"
        ) from error
    _fill(adapted, file, stored)
    _check_rest(adapted, stored, owners)
    return adapted.eval()


def _fill(adapted: PeftModel, file: Path, stored: dict[str, Stored]) -> None:
    """Put A and B in their places; taken out of `stored` as they are used.

    PEFT keeps an adapter where its base is, and that is nowhere.
    """
    names = [*stored]
    for path, module in adapted.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}"
            if "lora_" not in full:
                continue
            weight = stored.pop(full.replace(".default", ""), None)
            values = None if weight is None else weight.floats().clone()
            if values is None or values.shape != parameter.shape:
                refuse_form(of_tensors(file, names, Sight.ADAPTER_TENSOR))
                raise ConvertError(
                    f"{file}: {full.replace('.default', '')} is missing or has "
                    f"another shape than {tuple(parameter.shape)}; the adapter is of "
                    "another base, or its save is not whole"
                )
            module._parameters[name] = nn.Parameter(values, requires_grad=False)


def _check_rest(adapted: PeftModel, rest: dict[str, Stored], owners: Owners) -> None:
    """Make sure that what is no LoRA is the base's own: PEFT saves copies of that.

    Raises:
        ConvertError: a weight is another, with which PEFT would compute.
    """
    modules = dict(adapted.named_modules())
    for key, weight in rest.items():
        path, _, name = key.rpartition(".")
        base = owners.get(modules[path], {}).get(name) if path in modules else None
        if base is not None and path.endswith(".base_layer"):
            values, of_base = weight.floats(), base.floats()
            if values.shape == of_base.shape and torch.equal(values, of_base):
                continue
        refuse_form(of_tensors(weight.file, [key], Sight.ADAPTER_TENSOR))
        raise ConvertError(
            f"{weight.file} holds {key}, which is no LoRA and not the base's own: "
            "PEFT computes with it, and no GGUF adapter can hold it. Merge the "
            "adapter into its base (medassist convert merge BASE ADAPTER OUT) and "
            "convert the result"
        )
