"""A tiny Gemma 3 of images and text with a vocabulary of Gemma's kind, and LoRAs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Gemma3ForConditionalGeneration

from tests.convert.families import FAMILIES, fill
from tests.convert.tiny_vocabularies import sentence_piece_folder

WEIGHTS, ADAPTER = "model.safetensors", "adapter_model.safetensors"
PUBLISHED = {
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "sliding_window_pattern": 6,
}


def published(name: str) -> str:
    """As the makers publish them: the vision tower has an inner model too."""
    return name.replace("vision_tower.", "vision_tower.vision_model.")


def since_4_52(name: str) -> str:
    """`model.` goes before all, and the text model lost its own."""
    if name.startswith("lm_head."):
        return name
    return "model." + name.replace("language_model.model.", "language_model.")


def short(name: str) -> str:
    """Of the inner model alone."""
    return name.replace("language_model.model.", "language_model.")


SPELLINGS: dict[str, Callable[[str], str]] = {
    "published": published,
    "since 4.52": since_4_52,
    "short": short,
}


def save_tower(folder: Path, vocabulary: Path | None = None) -> Path:
    """Save the model as the makers publish theirs, its config.json of older form.

    Args:
        folder: for it.
        vocabulary: the folder of a Gemma's tokenizer; by default one of our own.
    """
    if vocabulary is None:
        sentence_piece_folder(folder, "gemma")
    else:
        shutil.copytree(vocabulary, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows, turn_end = len(tokenizer), tokenizer.convert_tokens_to_ids("<end_of_turn>")
    family = FAMILIES["gemma3-images"]
    config = family.config(vocab_size=rows, **family.settings)
    config.text_config.eos_token_id, config.text_config.bos_token_id = 1, 2
    model: Any = Gemma3ForConditionalGeneration(config)
    fill(model)
    model.save_pretrained(folder)
    respell(folder / WEIGHTS, published)
    file = folder / "config.json"
    values = json.loads(file.read_text("utf-8"))
    for key in ("rope_parameters", "layer_types", "_sliding_window_pattern"):
        del values["text_config"][key]
    values["text_config"] |= PUBLISHED
    values |= {"eos_token_id": [1, turn_end], "bos_token_id": 2}
    file.write_text(json.dumps(values), "utf-8")
    return folder


def respell(file: Path, spelling: Callable[[str], str]) -> None:
    """Rename the tensors in `file`."""
    tensors = {spelling(name): t for name, t in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})


def respelled(folder: Path, copy: Path, spelling: str) -> Path:
    """A copy of the published model with the names of another `spelling`."""
    shutil.copytree(folder, copy)
    change = SPELLINGS[spelling]
    if spelling != "published":
        respell(
            copy / WEIGHTS,
            lambda name: change(
                name.replace("vision_tower.vision_model.", "vision_tower.")
            ),
        )
    return copy


def older_names(adapter: Path, copy: Path) -> Path:
    """A copy of `adapter`, which PEFT saved now, with the names of before 4.52."""
    shutil.copytree(adapter, copy)

    def older(name: str) -> str:
        for part in ("vision_tower.", "multi_modal_projector."):
            name = name.replace(f"model.model.{part}", f"model.{part}")
        return published(
            name.replace("model.model.language_model.", "model.language_model.model.")
        )

    respell(copy / ADAPTER, older)
    return copy
