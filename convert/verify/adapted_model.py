"""Puts a PEFT adapter on a model whose weights are streamed from disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel

from convert.architectures.text_tower import of_images, plain_name
from convert.errors import ConvertError
from convert.foreign import (
    Sight,
    of_adapter_config,
    of_folder,
    of_tensors,
    refuse_form,
)
from convert.hf_folder import JsonFile
from convert.plain_adapter import PREFIX, plain_adapter
from convert.verify.stored_weights import Stored, stored_in
from medassist.core.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS

Owners = Mapping[nn.Module, Mapping[str, Stored]]
"""The stored weights of each module of the base."""


def adapted_model(
    model: PreTrainedModel,
    adapter: Path,
    owners: Owners,
    unused: Callable[[str], str],
    *,
    towers: bool = False,
) -> PeftModel:
    """Put the PEFT LoRA in `adapter` on `model`; its matrices stay in memory.

    Args:
        model: the base.
        adapter: of it.
        owners: of the base's weights.
        unused: of the base; see `convert.architectures.unused_in`.
        towers: the base is (or was taken out of) a model of images and text: names
            have several spellings, and what is of images is passed over.

    Raises:
        ConvertError: it does not fit, or holds more than a GGUF adapter can.
    """
    adapter = plain_adapter(adapter)
    file = adapter / ADAPTER_WEIGHTS
    if not file.is_file():
        refuse_form(of_folder(adapter, file.name))
        raise ConvertError(f"{file} is not there; save the adapter as safetensors")
    stored = {weight.name: weight for weight in stored_in(file)}
    if towers:
        stored = {
            spelled: weight
            for name, weight in stored.items()
            if (spelled := _spelled(name))
        }
    left_out = [why for name in stored if (why := unused(_weight(name)))]
    stored = {name: w for name, w in stored.items() if not unused(_weight(name))}
    if left_out and not stored:
        raise ConvertError(
            f"{file} changes nothing that is computed with ({left_out[0]}); use the "
            "base as it is"
        )
    try:
        with _loras_alone(adapter, stored) as loras:
            adapted = PeftModel.from_pretrained(
                model,
                str(loras),
                config=_on_text(model, adapter, stored) if towers else None,
                local_files_only=True,
                low_cpu_mem_usage=True,
            )
    except Exception as error:
        # PEFT raises errors of many kinds for an adapter that does not fit.
        config = JsonFile.read(adapter / ADAPTER_CONFIG)
        refuse_form(of_adapter_config(config.file, config.values))
        refuse_form(of_tensors(file, stored, Sight.ADAPTER_TENSOR))
        raise ConvertError(
            f"{adapter}: PEFT cannot put this adapter on its base: {str(error)[:300]}"
        ) from error
    _fill(adapted, file, stored, _spelled if towers else str)
    _check_rest(adapted, stored, owners, _spelled if towers else str)
    return adapted.eval()


@contextmanager
def _loras_alone(adapter: Path, stored: Mapping[str, Stored]) -> Generator[Path]:
    """The adapter's folder, or a copy without what is no LoRA in it.

    PEFT would put copies of the base's weights in the place of those that are streamed.
    """
    loras = {w.name: w for name, w in stored.items() if "lora_" in name}
    if len(loras) == len(stored):
        yield adapter
        return
    with TemporaryDirectory(prefix="medassist-loras-") as made:
        shutil.copy(adapter / ADAPTER_CONFIG, made)
        tensors = {name: weight.tensor() for name, weight in loras.items()}
        save_file(tensors, Path(made) / ADAPTER_WEIGHTS, {"format": "pt"})
        yield Path(made)


def _on_text(
    model: PreTrainedModel, adapter: Path, stored: Mapping[str, Stored]
) -> LoraConfig:
    """The adapter's settings, with the modules named as the text of `model` has them.

    A list or pattern of names that was made on another spelling would find none.
    """
    config = cast(
        "LoraConfig", LoraConfig.from_pretrained(str(adapter), local_files_only=True)
    )
    ends = (".lora_A.weight", ".lora_embedding_A")
    adapted = {_spelled(PREFIX + name): name for name, _ in model.named_modules()}
    config.target_modules = [
        name
        for spelled, name in adapted.items()
        if any(f"{spelled}{end}" in stored for end in ends)
    ]
    config.layers_to_transform = None
    return config


def _spelled(name: str) -> str:
    """The name of an adapter's tensor in the text class; empty if it is of images."""
    bare = name.removeprefix(PREFIX)
    return "" if of_images(bare) else PREFIX + plain_name(bare)


def _weight(name: str) -> str:
    """The weight of the base that the tensor `name` of an adapter changes."""
    changed = name.removeprefix(PREFIX).partition(".lora_")[0]
    return f"{changed.removesuffix('.weight')}.weight"


def _fill(
    adapted: PeftModel,
    file: Path,
    stored: dict[str, Stored],
    spelled: Callable[[str], str],
) -> None:
    """Put A and B in their places; taken out of `stored` as they are used.

    PEFT keeps an adapter where its base is, and that is nowhere.
    """
    names = [*stored]
    for path, module in adapted.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}.{name}"
            if "lora_" not in full:
                continue
            weight = stored.pop(spelled(full.replace(".default", "")), None)
            values = None if weight is None else weight.floats().clone()
            if values is None or values.shape != parameter.shape:
                refuse_form(of_tensors(file, names, Sight.ADAPTER_TENSOR))
                raise ConvertError(
                    f"{file}: {full.replace('.default', '')} is missing or has "
                    f"another shape than {tuple(parameter.shape)}; the adapter is of "
                    "another base, or its save is not whole"
                )
            module._parameters[name] = nn.Parameter(values, requires_grad=False)


def _check_rest(
    adapted: PeftModel,
    rest: dict[str, Stored],
    owners: Owners,
    spelled: Callable[[str], str],
) -> None:
    """Make sure that what is no LoRA is the base's own: PEFT saves copies of that.

    Raises:
        ConvertError: a weight is another, with which PEFT would compute.
    """
    modules = {
        spelled(path): module for path, module in adapted.named_modules() if path
    }
    for key, weight in rest.items():
        path, _, name = key.rpartition(".")
        base = owners.get(modules[path], {}).get(name) if path in modules else None
        if base is not None and _is_copy(weight, base):
            continue
        refuse_form(of_tensors(weight.file, [key], Sight.ADAPTER_TENSOR))
        raise ConvertError(
            f"{weight.file} holds {key}, which is no LoRA and not the base's own: "
            "PEFT computes with it, and no GGUF adapter can hold it. Merge the "
            "adapter into its base (medassist convert merge BASE ADAPTER OUT) and "
            "convert the result"
        )


def _is_copy(weight: Stored, base: Stored) -> bool:
    """Whether `weight` is the base's, or that rounded to its own type."""
    values, of_base = weight.tensor(), base.floats()
    if values.shape != of_base.shape:
        return False
    return torch.equal(values.float(), of_base) or torch.equal(
        values, of_base.to(values.dtype)
    )
