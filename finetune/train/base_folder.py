"""The base of a training: folder, tokenizer and weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe
from finetune.train.base_gguf import unpacked_base
from finetune.train.base_model import (
    context_of,
    find_base,
    give_pad,
    load_base,
    load_config,
    load_tokenizer,
)
from finetune.train.chat_format import give_template
from finetune.train.hardware import Hardware
from finetune.train.training_folder import TrainingRun
from finetune.train.training_rows import default_invocation
from medassist.core.progress import Watcher, unwatched
from medassist.core.unpacked import is_gguf
from medassist.core.way_out import WayOut


@dataclass(frozen=True)
class BaseFolder:
    """A base's folder and tokenizer."""

    name: str
    """The base's, as an adapter names it."""
    folder: Path
    context: int | None
    tokenizer: PreTrainedTokenizerBase
    plain: bool
    """It brought no chat template and was given a plain one."""
    invocation: tuple[int, ...]
    notes: tuple[str, ...]


def open_base(
    run: TrainingRun, *, download: bool, way: WayOut, watcher: Watcher = unwatched
) -> BaseFolder:
    """Find the base of `run` and read its tokenizer; the weights stay where they are.

    A GGUF is unpacked into the run folder.

    Raises:
        FinetuneError: it is not there, or too short for the recipe's rows.
    """
    recipe = run.recipe
    name = str(run.base_folder or recipe.base)
    folder = unpacked_base(name, run.root, watcher) or find_base(
        name, recipe.revision, download=download, way=way
    )
    context = context_of(load_config(folder))
    if context is not None and recipe.train.max_length > context:
        raise FinetuneError(
            f"train.max_length is {recipe.train.max_length:,} tokens, and the base "
            f"{recipe.base} was made for {context:,}; set it to {context:,} or less"
        )
    tokenizer = load_tokenizer(folder)
    notes: list[str] = []
    if is_gguf(name):
        notes.append(
            f"base: {Path(name).name}, its weights as floating-point numbers in "
            f"{folder}; ids and prompts are llama.cpp's"
        )
    if (give_pad(tokenizer) or tokenizer.pad_token) == tokenizer.eos_token:
        notes.append("padding: the end token, since the base has none of its own")
    plain = give_template(tokenizer)
    if plain:
        notes.append("chat format: plain, since the base brings no chat template")
    invocation: tuple[int, ...] = ()
    if recipe.lora.method == "alora":
        invocation = default_invocation(tokenizer, recipe.lora.invocation)
    return BaseFolder(
        _name(name), folder, context, tokenizer, plain, invocation, tuple(notes)
    )


def load_model(
    recipe: TrainRecipe, base: BaseFolder, hardware: Hardware, watcher: Watcher
) -> PreTrainedModel:
    """The weights of `base`, on `hardware`.

    Raises:
        FinetuneError: they do not load, or are not of the tokenizer beside them.
    """
    watcher("loading the base", 0, 1)
    model = load_base(
        base.folder,
        hardware.dtype,
        device=hardware.device,
        nf4=recipe.lora.method == "qlora",
        attention=None if recipe.train.attention == "auto" else recipe.train.attention,
    )
    watcher("loading the base", 1, 1)
    vocabulary = cast("Any", model.get_input_embeddings()).weight.shape[0]
    if len(base.tokenizer) > vocabulary:
        raise FinetuneError(
            f"the tokenizer in {base.folder} has {len(base.tokenizer):,} tokens and "
            f"the model {vocabulary:,}; they do not belong together"
        )
    return model


def _name(base: str) -> str:
    folder = Path(base).expanduser()
    return str(folder.resolve()) if folder.is_dir() or is_gguf(base) else base
