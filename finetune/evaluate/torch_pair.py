"""Base and tuned model in one memory: a base whose adapter is switched on and off.

Loaded from safetensors only, without code of others, and without the network: what a
run was trained on is on this computer.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
import yaml
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from finetune.errors import FinetuneError
from finetune.evaluate.result import AdapterFacts, ModelFacts
from finetune.evaluate.single_model import CONTEXT_UNKNOWN, chosen_logits
from finetune.train.base_gguf import unpacked_base
from finetune.train.base_model import (
    context_of,
    find_base,
    hash_base,
    load_base,
    load_tokenizer,
)
from finetune.train.chat_format import give_template
from medassist.core.files import sha256_of_file
from medassist.core.plain_template import is_plain
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import ADAPTER_WEIGHTS, RECIPE, TRAINING
from medassist.core.unpacked import SUFFIX

Side = Literal["base", "tuned"]


@dataclass
class TorchPair:
    """A loaded base with its adapter.

    Attributes:
        model: the base with the adapter's layers in it.
        tokenizer: of the base.
        context: tokens that the model reads at most.
        invocation: tokens that switch an activated LoRA on; none of a plain one.
        base: which files the base was read from.
        tuned: which the adapter.
    """

    model: PeftModel
    tokenizer: PreTrainedTokenizerBase
    context: int
    invocation: tuple[int, ...]
    base: ModelFacts
    tuned: AdapterFacts

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    @property
    def dtype(self) -> str:
        """Precision: `float32`, `bfloat16`."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def attention(self) -> str:
        """Attention implementation."""
        return str(getattr(self.model.config, "_attn_implementation", "unknown"))

    @property
    def has_own_template(self) -> bool:
        """Whether prompts are made by a template that came with the base."""
        return not is_plain(cast("object", self.tokenizer.chat_template))

    @property
    def vocabulary(self) -> int:
        """Number of columns of the logits."""
        return int(cast(nn.Linear, self._base.get_output_embeddings()).weight.shape[0])

    @contextlib.contextmanager
    def side(self, which: Side) -> Generator[None]:
        """Context in which the pair is its base, or is tuned."""
        if which == "tuned":
            yield
        else:
            with self.model.disable_adapter():
                yield

    @torch.inference_mode()
    def logits(self, rows: Sequence[Sequence[int]], wanted: Tensor) -> Tensor:
        """Logits at the positions that are wanted, and at no others.

        The output layer, the widest of a small model, sees those positions alone.

        Args:
            rows: token ids, each row no longer than the context.
            wanted: (B, T), true where logits are needed; T is the longest row's.

        Returns:
            (N, V), row by row.
        """
        more: dict[str, Any] = {}
        if self.invocation:
            width = max(len(row) for row in rows)
            more["alora_offsets"] = [self._offset(row, width) for row in rows]
        return chosen_logits(self.model, self._base, rows, wanted, **more)

    def is_invoked(self, row: Sequence[int]) -> bool:
        """Whether the adapter acts on the row at all; a plain one always does."""
        return not self.invocation or self._invoked_at(row) is not None

    @property
    def _base(self) -> PreTrainedModel:
        return cast(PreTrainedModel, self.model.get_base_model())

    def _offset(self, row: Sequence[int], width: int) -> int | None:
        """Positions from the end of the padded row on which the adapter acts."""
        at = self._invoked_at(row)
        return None if at is None else width - at

    def _invoked_at(self, row: Sequence[int]) -> int | None:
        """Start of the last invocation, found as PEFT does."""
        wanted, length = list(self.invocation), len(self.invocation)
        for at in range(len(row) - length, -1, -1):
            if list(row[at : at + length]) == wanted:
                return at
        return None


def load_pair(
    run: Path, base: str | None = None, watcher: Watcher = unwatched
) -> TorchPair:
    """Load the base and the adapter of a run folder.

    Args:
        run: the run folder.
        base: another place of the base than the run says: a folder, or a GGUF.
        watcher: hears what is read.

    Raises:
        FinetuneError: a file is missing, broken, of another kind, or the adapter was
            made for another base.
    """
    adapter = run / "adapter"
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise FinetuneError(
            f"{adapter / ADAPTER_WEIGHTS} is not there: the run has no adapter to "
            f"evaluate. Train it first: medassist finetune train {run}"
        )
    name = base or _base_of(run)
    beside = run / name
    given = base is not None
    if (beside / "config.json").is_file():
        folder = beside
    else:
        folder = unpacked_base(name, run, watcher) or _find(name, run, given)
    watcher("Checking the weights", 0, 1)
    hashes = {
        file: sha
        for file, sha in hash_base(folder).items()
        if file.endswith((".safetensors", SUFFIX))
    }
    _check_trained_on(run, folder, hashes)
    watcher("Loading the base", 0, 1)
    # What a base without a template was taught in lies beside the adapter.
    own = (adapter / "tokenizer_config.json").is_file()
    tokenizer = load_tokenizer(adapter if own else folder)
    give_template(tokenizer)
    model = _load(folder)
    parameters = sum(p.numel() for p in model.parameters())
    watcher("Loading the adapter", 0, 1)
    adapted = _with_adapter(model, adapter, folder)
    config = cast(Any, adapted.peft_config["default"])
    invocation = tuple(config.alora_invocation_tokens or ())
    added = sum(p.numel() for n, p in adapted.named_parameters() if "lora_" in n)
    return TorchPair(
        adapted,
        tokenizer,
        context_of(model.config) or CONTEXT_UNKNOWN,
        invocation,
        ModelFacts(name=Path(name).name or name, sha256=hashes, parameters=parameters),
        AdapterFacts(
            name=run.resolve().name,
            sha256={ADAPTER_WEIGHTS: sha256_of_file(adapter / ADAPTER_WEIGHTS)},
            kind="activated" if invocation else "plain",
            rank=config.r,
            parameters=added,
        ),
    )


def _with_adapter(model: PreTrainedModel, adapter: Path, folder: Path) -> PeftModel:
    try:
        with safe_open(adapter / ADAPTER_WEIGHTS, "pt") as file:
            keys = list(file.keys())
            stored = {key: tuple(file.get_slice(key).get_shape()) for key in keys}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PEFT, on keys: checked below
            adapted = PeftModel.from_pretrained(
                model, str(adapter), local_files_only=True
            ).eval()
            state = get_peft_model_state_dict(adapted)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise FinetuneError(
            f"{adapter} does not fit into memory beside {folder}."
        ) from (error)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FinetuneError(
            f"{adapter} is no PEFT adapter that can be loaded on {folder}: "
            f"{_first_line(error)}"
        ) from error
    except (SafetensorError, RuntimeError) as error:
        raise FinetuneError(
            f"{adapter} does not fit the base {folder}: {_first_line(error)} Give the "
            "base that it was trained on: --base DIR."
        ) from error
    found = {key: tuple(value.shape) for key, value in state.items()}
    if stored != found:
        odd = sorted({k for k in {*stored, *found} if stored.get(k) != found.get(k)})
        raise FinetuneError(
            f"{adapter} does not fit the base {folder}: {len(odd)} of its tensors "
            f"differ from the model's layers, {odd[0]} first. Give the base that it "
            "was trained on: --base DIR."
        )
    if not any(bool(value.any()) for k, value in state.items() if "lora_B" in k):
        raise FinetuneError(f"{adapter} holds zeros: it was never trained.")
    return adapted


def _base_of(run: Path) -> str:
    """The base of a run as its files name it: a folder or an id on the Hub."""
    for name, keys in (
        (TRAINING, ("base", "name")),
        (RECIPE, ("base",)),
        ("adapter/adapter_config.json", ("base_model_name_or_path",)),
    ):
        try:
            found: Any = yaml.safe_load((run / name).read_text("utf-8"))
            for key in keys:
                found = found[key]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            continue
        if isinstance(found, str) and found:
            return found
    raise FinetuneError(
        f"{run} does not say which base it was trained on (training.json, recipe.yaml, "
        "adapter/adapter_config.json). Give it: --base DIR."
    )


def _find(name: str, run: Path, given: bool) -> Path:
    try:
        return find_base(name)
    except FinetuneError as error:
        if given:
            raise
        raise FinetuneError(
            f"{error} ({run} names it as its base; --base DIR says where it lies now)."
        ) from error


def _load(folder: Path) -> PreTrainedModel:
    """On a GPU in 16 bits where there is one, else in float32."""
    device, dtype = _hardware()
    # Bars and warnings of the library are none of the user's; the watcher tells.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return load_base(folder, dtype, device=device).eval()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise FinetuneError(
            f"{folder} does not fit into the memory of {device.type}. Free memory, or "
            "evaluate on a machine with more of it."
        ) from error


def _check_trained_on(run: Path, folder: Path, hashes: dict[str, str]) -> None:
    try:
        trained = json.loads((run / TRAINING).read_bytes())["base"]["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # another program trained it, and says nothing
    # A GGUF can have any name, and be given for the folder that it was made of.
    wrong = [
        n
        for n, sha in hashes.items()
        if (
            sha not in trained.values()
            if n.endswith(SUFFIX)
            else sha != trained.get(n, sha)
        )
    ]
    if wrong:
        raise FinetuneError(
            f"{folder / wrong[0]} is not the file that {run / 'adapter'} was trained "
            "on (its sha256 differs from training.json's). Give the right base: "
            "--base DIR."
        )


def _hardware() -> tuple[torch.device, torch.dtype]:
    if not torch.cuda.is_available():
        return torch.device("cpu"), torch.float32
    whole = torch.cuda.is_bf16_supported()
    return torch.device("cuda"), torch.bfloat16 if whole else torch.float16


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = " ".join(lines[:2])[:300] or type(error).__name__
    return line if line.endswith(".") else f"{line}."
