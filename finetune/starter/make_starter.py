"""Makes a starter pair from a folder of text: tokenizer, base and two adapters.

Each stage reads what the one before it left in the run folder and is skipped when its
own result is there.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path

import torch
from rich.console import Console
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from finetune.data.sources import medquad, open_corpus
from finetune.data.sources.articles import credits
from finetune.errors import FinetuneError
from finetune.starter.adapters import (
    Conversations,
    dialogues,
    fitting,
    keep_adapter,
    train_adapter,
)
from finetune.starter.corpus import (
    SplitText,
    conversations,
    read_questions,
    read_text,
    short_answers,
    write_questions,
)
from finetune.starter.pretrain import text_loss, train_base
from finetune.starter.pretrain_progress import PretrainProgress
from finetune.starter.questions import QUESTION_SETS
from finetune.starter.starter_card import base_figures, write_pair_card
from finetune.starter.starter_folder import StarterFolder, save_whole
from finetune.starter.starter_recipe import DEFAULT_RECIPE, Recipe, read_recipe
from finetune.starter.token_rows import PassageTokens, encode_passages
from finetune.starter.tokenizer import load_tokenizer, train_tokenizer
from finetune.train.hardware import Hardware, pick_device
from medassist.core.card import AdapterKind
from medassist.core.files import SHARED_FILE, sha256_of_file, write_whole
from medassist.core.terminal import say_on
from medassist.core.validated import to_json
from medassist.core.words import duration

KINDS: tuple[AdapterKind, ...] = ("plain", "activated")
TEXT_ROWS = 100  # rows of held-out text that the base's loss is taken over
ANSWERS = 400  # held-out questions that the adapters' losses are taken over


def make_starter(
    data: Path,
    out: Path,
    *,
    recipe_file: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    threads: int | None = None,
    console: Console | None = None,
) -> Path:
    """Make a starter pair from the `data` folder in the run folder `out`.

    Args:
        data: holds one folder for each data set.
        out: is made; with `resume` it may hold what an earlier call left.
        recipe_file: by default the recipe of the shipped pair. A resumed run keeps
            its own.
        device: `cpu`, `cuda` or `auto`.
        resume: go on with what is in `out`.
        threads: of the CPU; by default PyTorch's choice.
        console: where progress is shown.

    Returns:
        The card of the run.

    Raises:
        Interrupted: the user stopped it; call again with `resume`.
        FinetuneError: something is missing or broken.
    """
    console = console or Console()
    if not data.is_dir():
        raise FinetuneError(
            f"{data} is not a folder; name the one that holds {medquad.SOURCE}/ and "
            "the other data sets"
        )
    folder = StarterFolder(out)
    recipe = _begin(folder, recipe_file, resume)
    if threads:
        torch.set_num_threads(threads)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("peft").setLevel(logging.ERROR)
    hardware = Hardware(pick_device(device), 1, "bf16", "as the base is made for")
    say_on(console, f"{recipe.name}: {hardware.words}; run folder {out}")

    tokenizer = _prepare_text(data, folder, recipe, console)
    _base_stage(folder, recipe, tokenizer, hardware, console)
    for kind in KINDS:
        _adapter_stage(kind, folder, recipe, tokenizer, device, console)
    sources = (source.name for source in recipe.text.sources)
    write_whole(folder.articles, credits(data, sources), SHARED_FILE)
    card = write_pair_card(folder, recipe)
    say_on(console, f"done: {folder.card}")
    for name, figures in (("base", card.base), *card.adapters.items()):
        if figures is None:
            continue
        say_on(
            console,
            f"  {name:<10} validation {figures.validation_loss:.3f} nats/token, "
            f"{figures.bits_per_byte:.3f} bits/byte, "
            f"{duration(figures.minutes * 60)}, {figures.tokens:,} tokens",
        )
    return folder.card


def _begin(folder: StarterFolder, recipe_file: Path | None, resume: bool) -> Recipe:
    """Make the run folder with its recipe, or read the recipe of the one there."""
    if folder.root.is_dir() and any(folder.root.iterdir()):
        if not resume:
            raise FinetuneError(
                f"{folder.root} is not empty; go on with what is in it by --resume, "
                "or name another folder"
            )
        recipe = read_recipe(folder.recipe)
        if recipe_file is not None and read_recipe(recipe_file) != recipe:
            raise FinetuneError(
                f"{recipe_file} differs from {folder.recipe}, by which the run was "
                "begun; leave --recipe out, or begin anew in another folder"
            )
        return recipe
    recipe = read_recipe(recipe_file or DEFAULT_RECIPE)
    folder.root.mkdir(parents=True, exist_ok=True)
    recipe.write(folder.recipe)
    return recipe


def _prepare_text(
    data: Path, folder: StarterFolder, recipe: Recipe, console: Console
) -> PreTrainedTokenizerFast:
    if folder.manifest.is_file():
        return load_tokenizer(folder.tokenizer)
    say_on(console, f"reading the text in {data}")
    reading = read_text(data, recipe)
    say_on(console, "learning the tokenizer")
    tokenizer = train_tokenizer(
        (t for p in reading.train for t in (p.question, p.text) if t),
        recipe.tokenizer.size,
        recipe.model.context,
    )
    tokenizer.save_pretrained(folder.tokenizer)
    folder.data.mkdir(exist_ok=True)
    train = encode_passages(tokenizer, reading.train)
    train.save(folder.data / "train.safetensors")
    validation = encode_passages(tokenizer, reading.validation)
    validation.save(folder.data / "validation.safetensors")
    write_questions(folder.data / "questions-train.jsonl", reading.questions_train)
    write_questions(
        folder.data / "questions-validation.jsonl", reading.questions_validation
    )
    manifest = _manifest(data, reading, train)
    write_whole(folder.manifest, json.dumps(manifest, indent=2), SHARED_FILE)
    say_on(
        console,
        f"{len(reading.train):,} passages, {len(train.ids):,} tokens; "
        f"{len(reading.questions_train):,} questions, "
        f"{len(reading.questions_validation):,} held out by what they are about",
    )
    return tokenizer


def _manifest(
    data: Path, reading: SplitText, train: PassageTokens
) -> dict[str, object]:
    passages: Counter[str] = Counter()
    text_bytes: Counter[str] = Counter()
    held_out: Counter[str] = Counter()
    for passage in reading.train:
        passages[passage.source] += 1
        text_bytes[passage.source] += len(
            f"{passage.question or ''}{passage.text}".encode()
        )
    for passage in reading.validation:
        held_out[passage.source] += 1
    files = [
        data / found.folder / file
        for name, found in QUESTION_SETS.items()
        if name in passages
        for file in found.files
    ]
    if set(passages) - set(QUESTION_SETS):
        files.append(data / "pretrain-corpus" / open_corpus.FILE)
    return {
        "files": {
            f"{file.parent.name}/{file.name}": sha256_of_file(file) for file in files
        },
        "sources": {
            name: {
                "passages": passages[name],
                "held_out": held_out[name],
                "bytes": text_bytes[name],
            }
            for name in sorted(passages)
        },
        "questions": {
            "train": len(reading.questions_train),
            "validation": len(reading.questions_validation),
        },
        "dropped": dict(reading.dropped),
        "tokens": len(train.ids),
    }


def _base_stage(
    folder: StarterFolder,
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    hardware: Hardware,
    console: Console,
) -> None:
    if folder.done("base").is_file():
        return
    text = PassageTokens.load(folder.data / "train.safetensors")
    with PretrainProgress("base", folder.metrics, console) as report:
        trained = train_base(
            recipe,
            tokenizer,
            text,
            folder.checkpoints("base"),
            report,
            hardware.device,
        )
    held_out = PassageTokens.load(folder.data / "validation.safetensors")
    loss = text_loss(trained.model, held_out, recipe.model.context, TEXT_ROWS)
    save_whole(
        folder.base,
        lambda to: (trained.model.save_pretrained(to), tokenizer.save_pretrained(to)),
    )
    figures = base_figures(
        trained.progress,
        hardware.words,
        trained.model.num_parameters(),
        folder.metrics,
        loss,
    )
    write_whole(folder.done("base"), to_json(figures), SHARED_FILE)


def _adapter_stage(
    kind: AdapterKind,
    folder: StarterFolder,
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    device: str,
    console: Console,
) -> None:
    if folder.done(kind).is_file():
        return
    asked = read_questions(folder.data / "questions-train.jsonl")
    unseen = read_questions(folder.data / "questions-validation.jsonl")
    context = recipe.model.context
    held_out = fitting(
        dialogues(short_answers(unseen, recipe.tune), recipe.seed), tokenizer, context
    )
    found = Conversations(
        tuple(dialogues(conversations(asked, recipe.tune, recipe.seed), recipe.seed)),
        tuple(held_out[:: max(1, len(held_out) // ANSWERS)]),
    )
    result = train_adapter(kind, folder, recipe, found, device, console)
    before = json.dumps(result.first_validation_loss)
    write_whole(folder.done("base-answers"), before, SHARED_FILE)
    figures = keep_adapter(kind, folder, result, found.answer_bytes)
    write_whole(folder.done(kind), to_json(figures), SHARED_FILE)
