"""Files of a merged model besides its weights: config, tokenizer, licence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.chat_template import TEMPLATE, TEMPLATES, template_of
from convert.errors import ConvertError
from convert.hf_folder import CONFIG, JsonFile
from convert.merge.weight_plan import MergePlan
from convert.peft_adapter import PeftAdapter

TOKENIZER_JSON, SENTENCEPIECE = "tokenizer.json", "tokenizer.model"
TOKENIZER = (
    TOKENIZER_JSON,
    SENTENCEPIECE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    TEMPLATE,
    "chat_template.json",
)
_BESIDE = (
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
)
_LEGAL = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")


@dataclass(frozen=True)
class FilesBeside:
    """Files of the merged model that are no weights."""

    copied: dict[str, Path]
    """By name, where each comes from."""
    written: dict[str, str]
    """By name, the text."""


def files_beside(
    base: Path, config: JsonFile, adapter: PeftAdapter, plan: MergePlan
) -> FilesBeside:
    """Collect the files to put beside the merged weights.

    Raises:
        ConvertError: the tokenizer has tokens that the embedding has no rows for.
    """
    copied = {
        name: file
        for name in _BESIDE
        if (file := _first(adapter.folder / name, base / name)) is not None
    }
    for pattern in _LEGAL:
        copied |= {file.name: file for file in base.glob(pattern) if file.is_file()}
    tokenizer, written = _tokenizer(base, adapter.folder)
    for folder in (base, adapter.folder):  # the adapter's go before the base's
        found = sorted((folder / TEMPLATES).glob("*.jinja"))
        tokenizer |= {f"{TEMPLATES}/{file.name}": file for file in found}
    if (file := tokenizer.get(TOKENIZER_JSON)) is not None:
        _check_size(file, plan)
    written[CONFIG] = json.dumps(_merged_config(config, plan), indent=2) + "\n"
    return FilesBeside(copied | tokenizer, written)


def _merged_config(config: JsonFile, plan: MergePlan) -> dict[str, Any]:
    values = dict(config.values)
    values.pop("auto_map", None)  # names code of the base's folder, never copied
    if plan.vocabulary is not None:
        rows = {"vocab_size": plan.vocabulary}
        if "vocab_size" in values:
            values |= rows
        if (inner := config.part("text_config")) is not None:
            values["text_config"] = inner.values | rows
    if plan.untied or plan.head_kept:
        values["tie_word_embeddings"] = False
    return values


def _tokenizer(base: Path, adapter: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The adapter's tokenizer where it has one, with what that lacks of the base's."""
    ours = _there(adapter, TOKENIZER)
    theirs = _there(base, TOKENIZER)
    if TOKENIZER_JSON not in ours and SENTENCEPIECE not in ours:
        # A template that lies alone beside the adapter is still what it was taught in.
        return theirs | {n: f for n, f in ours.items() if n == TEMPLATE}, {}
    # transformers 5 saves no tokenizer.model, which alone has the pieces' true scores.
    if SENTENCEPIECE in theirs and _same_pieces(ours, theirs):
        ours.setdefault(SENTENCEPIECE, theirs[SENTENCEPIECE])
    if template_of(ours) is None and (template := template_of(theirs)) is not None:
        return ours, {TEMPLATE: template}
    return ours, {}


def _same_pieces(ours: dict[str, Path], theirs: dict[str, Path]) -> bool:
    """Whether the tokenizers differ in added tokens at most."""
    if TOKENIZER_JSON not in ours or TOKENIZER_JSON not in theirs:
        return True  # nothing says otherwise
    one, two = (
        JsonFile.read(files[TOKENIZER_JSON]).part("model") for files in (ours, theirs)
    )
    keys = ("type", "vocab", "merges")
    return (
        one is not None
        and two is not None
        and all(one.values.get(key) == two.values.get(key) for key in keys)
    )


def _check_size(file: Path, plan: MergePlan) -> None:
    tokenizer = JsonFile.read(file)
    model = tokenizer.part("model")
    vocabulary = model.values.get("vocab") if model else None
    match vocabulary:
        case dict():
            ids = [n for n in vocabulary.values() if isinstance(n, int)]
        case list():
            ids = [len(vocabulary) - 1]
        case _:
            ids = []
    added = tokenizer.values.get("added_tokens") or []
    ids += [token["id"] for token in added if isinstance(token, dict) and "id" in token]
    needed = max(ids, default=-1) + 1
    if plan.vocabulary is not None and needed > plan.vocabulary:
        raise ConvertError(
            f"{file} has {needed} tokens, and the embedding has rows for "
            f"{plan.vocabulary}: the rows of the added tokens were not saved with the "
            "adapter; train with modules_to_save for embedding and output layer, or "
            "give the base whose vocabulary was resized"
        )


def _there(folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
    return {name: folder / name for name in names if (folder / name).is_file()}


def _first(*files: Path) -> Path | None:
    return next((file for file in files if file.is_file()), None)
