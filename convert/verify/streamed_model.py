"""A Hugging Face model in float32, loaded layer by layer.

The model is built without weights, by transformers' own classes; each matrix is read
from its file when its turn comes, used on all prompts at once, and let go. So a model
of 7 B needs its activations and its largest matrix, and what computes is still
transformers' own code: the gate compares with the model, not with our reading of it.
That holds for which weights are one tensor too: transformers ties them, from the files.
Of a model of images and text the whole class is built, and its text computes; the
parts for images are taken out, unread.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from peft.tuners.lora.layer import ParamWrapper
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from convert.architectures import (
    has_towers,
    rope_in_llama_cpp,
    spelling_of,
    unused_in,
)
from convert.architectures.text_tower import IMAGE_PARTS
from convert.errors import ConvertError
from convert.foreign import Sight, of_tensors, refuse_form
from convert.hf_folder import read_config
from convert.library_noise import keep_back_noise
from convert.verify.adapted_model import adapted_model
from convert.verify.embeddings import EmbeddingTable
from convert.verify.rounding import (
    as_eights,
    has_experts,
    is_router,
    modules_in_float32,
    round_products,
)
from convert.verify.routing import Settled, Text, Values, settled_positions
from convert.verify.stored_weights import (
    Stored,
    StoredPackedExperts,
    packed_experts,
    stacked_experts,
    stored_weights,
)
from medassist.core.progress import Watcher, unwatched
from medassist.exams.log_probs import Logits

WHAT = "Hugging Face model, matrix by matrix"


class StreamedModel:
    """The model in `folder`, perhaps with a PEFT adapter.

    Args:
        folder: config.json and safetensors.
        adapter: a PEFT LoRA of it; it is small, and stays in memory.
        watcher: is told the matrices that were read.

    Attributes:
        rounded_to: round matrices and what goes into them to this type, as a file in
            it and llama.cpp with that file do; routers stay as they are, and experts
            in MXFP4, what goes into which is rounded to Q8_0. `None` for all in
            float32.
        rope: settings of RoPE in which llama.cpp differs from config.json, and which
            this computes with in their place.

    Raises:
        ConvertError: the model cannot be built, or lacks weights.
    """

    def __init__(
        self, folder: Path, adapter: Path | None = None, watcher: Watcher = unwatched
    ) -> None:
        self.folder = folder
        self._watcher = watcher
        self.rounded_to: torch.dtype | None = None
        self._wanted: dict[bool, dict[Text, Values]] = {False: {}, True: {}}
        self._keep = False
        self._done = self._total = 0
        config = read_config(folder)
        self._towers, self._plain = has_towers(config), spelling_of(config)
        self.rope = rope_in_llama_cpp(config)
        self._model = _without_weights(folder, self.rope, towers=self._towers)
        self._inner = cast(
            nn.Module, getattr(self._model, self._model.base_model_prefix)
        )
        self._exact = modules_in_float32(self._model)
        self._owners: dict[nn.Module, dict[str, Stored]] = {}
        # What each embedding has for a weight but while rows are looked up in it.
        self._before: dict[nn.Module, nn.Parameter] = {}
        self._assign()
        self._adapted = (
            None
            if adapter is None
            else adapted_model(
                self._model,
                adapter,
                self._owners,
                unused_in(config),
                towers=self._towers,
            )
        )
        self._routers = [module for module in self._owners if is_router(module)]
        users = self._users()
        self._lend_padding()
        for module in self._owners:
            self._hook(module, users.get(module))
            if has_experts(module):
                packed = self._packed(module)
                rounding = self._as_eights if packed else self._as_rounded
                round_products(module, rounding)
            weight = getattr(module, "weight", None)
            is_matrix = (
                weight is not None and weight.ndim == 2 and module not in self._exact
            )
            if is_matrix and not isinstance(module, nn.Embedding):
                module.register_forward_pre_hook(self._round)

    @property
    def size(self) -> int:
        """Rows of the output layer."""
        return int(cast(Any, self._model.get_output_embeddings()).out_features)

    def tables(self) -> list[EmbeddingTable]:
        """Embedding, output layer, and position embeddings if there are any."""
        tokens = cast(nn.Module, self._model.get_input_embeddings())
        output = cast(nn.Module, self._model.get_output_embeddings())
        of_tokens, of_output = (self._owners[m]["weight"] for m in (tokens, output))
        found = [
            EmbeddingTable("token_embd.weight", of_tokens, "token"),
            EmbeddingTable("output.weight", of_output, "token", "token_embd.weight"),
        ]
        for path, module in self._model.named_modules():
            if path.endswith(".embed_tokens_per_layer"):
                of_layers = self._owners[module]["weight"]
                name = "per_layer_token_embd.weight"
                found.append(EmbeddingTable(name, of_layers, "token"))
        positions = getattr(self._inner, "wpe", None)
        if isinstance(positions, nn.Embedding):
            weight = self._owners[positions]["weight"]
            found.append(EmbeddingTable("position_embd.weight", weight, "position"))
        return found

    @torch.no_grad()
    def hidden(
        self, texts: Sequence[Sequence[int]], *, adapted: bool
    ) -> list[torch.Tensor]:
        """Input of the output layer for each of `texts`: (T, hidden) each.

        All texts go through the model side by side, so that its weights are read
        once. They are padded at their ends, where nothing looks back from.
        """
        longest = max(map(len, texts))
        ids = torch.zeros((len(texts), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1
        found: list[torch.Tensor] = []

        def catch(_module: nn.Module, _inputs: object, output: Any) -> None:
            found.append(output[0])

        self._done, self._total = 0, len(self._owners) - 1
        wanted: Values = []
        handles = [
            self._inner.register_forward_hook(catch),
            *(
                router.register_forward_hook(
                    lambda _module, _inputs, output: wanted.append(output[0])
                )
                for router in self._routers
            ),
        ]
        outer, off = self._as(adapted)
        try:
            with off, self._without_head():
                # Told a number and no row, some layers would leave out the other rows.
                outer(
                    input_ids=ids,
                    attention_mask=mask,
                    use_cache=False,
                    logits_to_keep=torch.zeros(1, dtype=torch.long),
                )
        finally:
            for handle in handles:
                handle.remove()
        if not adapted:
            self._keep_wanted(texts, longest, wanted)
        return [found[0][row, : len(text)] for row, text in enumerate(texts)]

    @contextmanager
    def _without_head(self) -> Generator[None]:
        """Leave out what makes logits, which is a matrix as large as the embedding.

        That comes later, text by text, since all logits at once would be gigabytes.
        """
        head = self._model.get_output_embeddings()
        self._model.set_output_embeddings(nn.Identity())
        try:
            yield
        finally:
            self._model.set_output_embeddings(head)

    def settled(self, texts: Iterable[Sequence[int]]) -> Settled | None:
        """Positions in `texts` at which no rounding swaps experts, if they are known.

        They have been read in float32 and rounded before.
        """
        counts = (int(cast(Any, router).top_k) for router in self._routers)
        exact, rounded = self._wanted[False], self._wanted[True]
        return settled_positions(exact, rounded, counts, map(tuple, texts))

    def _keep_wanted(
        self, texts: Sequence[Sequence[int]], longest: int, wanted: Values
    ) -> None:
        """Keep what the routers wanted for each of `texts`, which were read as one."""
        of_all = [values.float().reshape(len(texts), longest, -1) for values in wanted]
        kept = self._wanted[self.rounded_to is not None]
        for row, text in enumerate(texts):
            kept[tuple(text)] = [values[row, : len(text)] for values in of_all]

    @contextmanager
    def output_layer(self) -> Generator[None]:
        """Keep the output layer in memory while `logits` is called."""
        self._keep = True
        try:
            yield
        finally:
            self._keep = False
            for module in self._owners:
                self._forget(module)

    @torch.no_grad()
    def logits(
        self, hidden: torch.Tensor, text: Sequence[int] = (), *, adapted: bool = False
    ) -> Logits:
        """The logits (T, V) of one text, of what `hidden` gave for it.

        The model's own head computes them, with its scales and caps, and with the
        adapter's part of it.

        Args:
            hidden: (T, hidden).
            text: its tokens, by which an activated LoRA finds where it begins.
            adapted: whether the adapter counts.
        """
        prefix = self._model.base_model_prefix
        ids = torch.zeros((1, len(hidden)), dtype=torch.long)
        if text:
            ids[0] = torch.tensor(text)
        outer, off = self._as(adapted)
        with off:
            setattr(self._model, prefix, _Given(hidden[None]))
            try:
                output = outer(input_ids=ids, use_cache=False)
            finally:
                setattr(self._model, prefix, self._inner)
        return output.logits[0].float().numpy().astype(np.float32, copy=False)

    def _as(self, adapted: bool) -> tuple[nn.Module, AbstractContextManager[None]]:
        """The model to call and its context, with or without the adapter."""
        if self._adapted is None:
            return self._model, nullcontext()
        return self._adapted, nullcontext() if adapted else (
            self._adapted.disable_adapter()
        )

    def _assign(self) -> None:
        """Find the stored weight of each parameter."""
        stored = stored_weights(self.folder)
        stored |= {self._plain(name): each for name, each in stored.items()}
        tied = self._tie(stored)
        for path, module in self._model.named_modules():
            for name, _ in module.named_parameters(recurse=False):
                full = f"{path}.{name}" if path else name
                weight = tied.get(full) or self._stored_as(full, stored)
                if weight is None:
                    for each in () if self._towers else stored.values():
                        where = Sight.MODEL_TENSOR
                        refuse_form(of_tensors(each.file, [each.name], where))
                    raise ConvertError(
                        f"{self.folder}: the weights lack {full}, which transformers "
                        "asks for; the download or save is not whole"
                    )
                self._owners.setdefault(module, {})[name] = weight
            for name, _ in module.named_buffers(recurse=False):
                full = f"{path}.{name}" if path else name
                if (weight := self._stored_as(full, stored)) is not None:
                    module._buffers[name] = weight.floats()

    def _stored_as(self, full: str, stored: dict[str, Stored]) -> Stored | None:
        """Both names of a parameter, with the inner model's prefix and without."""
        prefix = f"{self._model.base_model_prefix}."
        candidates = (full, full.removeprefix(prefix), prefix + full, self._plain(full))
        found = next((stored[c] for c in candidates if c in stored), None)
        return found or stacked_experts(full, stored) or packed_experts(full, stored)

    def _tie(self, stored: dict[str, Stored]) -> dict[str, Stored]:
        """Let transformers decide which parameters are one tensor, as it does at load.

        It ties what config.json and class say, unless both are stored and differ; of
        two of which one is stored it takes that one. Both lie in their mapped files
        while it looks at them.

        Returns:
            The stored weight of each parameter that may be tied.
        """
        pairs = dict(getattr(self._model, "all_tied_weights_keys", None) or {})
        names = sorted({*pairs, *pairs.values()})
        shapes = {full: _on_meta(self._model.get_parameter(full)) for full in names}
        found: dict[nn.Parameter, Stored] = {}
        missing: set[str] = set()
        tensors: dict[str, tuple[Stored, torch.Tensor]] = {}
        for full in names:
            if (weight := self._stored_as(full, stored)) is None:
                missing.add(full)
            else:
                tensors[full] = weight, weight.tensor()
        if len({tensor.dtype for _, tensor in tensors.values()}) > 1:
            tensors = {n: (weight, t.float()) for n, (weight, t) in tensors.items()}
        for full in names:
            # Built without weights, they are tied already: each gets one of its own.
            weight, tensor = tensors.get(full, (None, torch.empty(0, device="meta")))
            parameter = nn.Parameter(tensor, requires_grad=False)
            self._set(full, parameter)
            if weight is not None:
                found[parameter] = weight
        self._model.tie_weights(missing_keys=missing, recompute_mapping=False)
        of_names = {full: found.get(self._model.get_parameter(full)) for full in names}
        for full, parameter in shapes.items():
            self._set(full, parameter)
        return {full: weight for full, weight in of_names.items() if weight}

    def _set(self, full: str, parameter: nn.Parameter) -> None:
        path, _, name = full.rpartition(".")
        self._model.get_submodule(path)._parameters[name] = parameter

    def _users(self) -> dict[nn.Module, nn.Module]:
        """The modules that compute with the weights of others, by those.

        Layers with a state use the weights of their convolution.
        """
        return {
            child: parent
            for parent in self._model.modules()
            for child in parent.children()
            if isinstance(child, nn.Conv1d)
        }

    def _lend_padding(self) -> None:
        """Have the row of the padding in the embedding while the model computes.

        A Gemma 4 that sees images takes it from there, past the module's own look-up,
        for what stands in the place of an image.
        """
        text: Any = self._model.config.get_text_config()
        if not (self._towers and getattr(text, "hidden_size_per_layer_input", 0)):
            return
        tokens = cast(nn.Module, self._model.get_input_embeddings())
        (weight,) = self._owners[tokens].values()

        def lend(*_: object) -> None:
            table = weight.tensor()
            row = self._as_rounded(table[text.pad_token_id].float())
            # Each row is that one, and there is one in memory.
            rows = nn.Parameter(row.expand(table.shape), requires_grad=False)
            tokens._parameters["weight"] = rows

        self._inner.register_forward_pre_hook(lend)
        self._inner.register_forward_hook(lambda *_: self._forget(tokens))

    def _hook(self, module: nn.Module, parent: nn.Module | None) -> None:
        """Read the weights of `module` before it computes, and let them go after it.

        PEFT's wrappers of a parameter take that out of the module before they call it.

        Args:
            module: that has weights.
            parent: computes with them in its place.
        """
        wrappers = (
            each
            for each in (self._adapted or nn.Module()).modules()
            if isinstance(each, ParamWrapper) and each.get_base_layer() is module
        )
        outermost = parent or next(wrappers, module)
        if isinstance(outermost, nn.Embedding):
            outermost.padding_idx = None  # of training; and its number is another here
            outermost.register_forward_pre_hook(self._read_rows)
            outermost.register_forward_hook(
                lambda *_: module._parameters.update(weight=self._before[module])
            )
            return
        outermost.register_forward_pre_hook(lambda *_: self._read(module))
        outermost.register_forward_hook(lambda *_: self._forget(module))

    def _read_rows(
        self, module: nn.Module, inputs: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...]:
        """Read the rows of an embedding that are looked up, and no more.

        A table with embeddings for each layer has gigabytes, and texts a few hundred
        rows.

        Returns:
            What is looked up, numbered by these rows.
        """
        (weight,) = self._owners[module].values()
        table = weight.tensor()
        self._before[module] = cast(nn.Parameter, module.weight)
        self._check_shape(weight, table, self._before[module])
        ids, places = inputs[0].unique(return_inverse=True)
        rows = self._as_rounded(table[ids].float())
        module._parameters["weight"] = nn.Parameter(rows, requires_grad=False)
        self._told()
        return places, *inputs[1:]

    def _read(self, module: nn.Module, *_: object) -> None:
        for name, weight in self._owners[module].items():
            parameter = module._parameters[name]
            assert parameter is not None
            if parameter.device.type != "meta":
                continue
            tensor = weight.floats()
            self._check_shape(weight, tensor, parameter)
            if tensor.ndim > 1 and not (
                module in self._exact or self._packed(module) or name.endswith("_bias")
            ):
                tensor = self._as_rounded(tensor)
            module._parameters[name] = nn.Parameter(tensor, requires_grad=False)
        self._told()

    @staticmethod
    def _check_shape(
        weight: Stored, tensor: torch.Tensor, parameter: torch.Tensor
    ) -> None:
        if tensor.shape != parameter.shape:
            raise ConvertError(
                f"{weight.file}: {weight.name} has the shape {tuple(tensor.shape)}, "
                f"and config.json makes it {tuple(parameter.shape)}"
            )

    def _told(self) -> None:
        self._done += 1
        if not self._keep:
            self._watcher(WHAT, min(self._done, self._total), self._total)

    def _round(
        self, _module: nn.Module, inputs: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...] | None:
        return tuple(map(self._as_rounded, inputs))

    def _as_rounded(self, values: torch.Tensor) -> torch.Tensor:
        if self.rounded_to is None or not values.is_floating_point():
            return values
        return values.to(self.rounded_to).float()

    def _as_eights(self, values: torch.Tensor) -> torch.Tensor:
        return values if self.rounded_to is None else as_eights(values)

    def _packed(self, module: nn.Module) -> bool:
        return any(
            isinstance(w, StoredPackedExperts) for w in self._owners[module].values()
        )

    def _forget(self, module: nn.Module, *_: object) -> None:
        if self._keep:
            return
        for name in self._owners[module]:
            parameter = module._parameters[name]
            assert parameter is not None
            module._parameters[name] = _on_meta(parameter)


class _Output(BaseModelOutputWithPastAndCrossAttentions):
    # What the heads of models of images and of experts pass on.
    image_hidden_states = rope_deltas = router_logits = None
    shared_kv_states = audio_hidden_states = None


class _Given(nn.Module):
    """Stands for all of a model but its head."""

    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self._hidden = hidden

    def forward(self, *_: object, **__: object) -> object:
        return _Output(last_hidden_state=cast(Any, self._hidden))


def _on_meta(parameter: nn.Parameter) -> nn.Parameter:
    """One of the same shape that holds nothing."""
    return nn.Parameter(parameter.to("meta"), requires_grad=False)


def _without_weights(
    folder: Path, rope: Mapping[str, object], *, towers: bool
) -> PreTrainedModel:
    keep_back_noise()
    try:
        config = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        if rope:
            config.rope_parameters.update(rope)
        with torch.device("meta"):
            # Some models of images are among the causal ones as their text alone.
            images = type(config) in AutoModelForImageTextToText._model_mapping
            kind = AutoModelForImageTextToText if images else AutoModelForCausalLM
            model: PreTrainedModel = kind.from_config(
                config,
                dtype=torch.float32,
                attn_implementation="eager",
                experts_implementation="eager",
                trust_remote_code=False,
            )
    except Exception as error:
        # transformers raises errors of many kinds for a config that it does not take.
        raise ConvertError(
            f"{folder}: transformers cannot build this model: {str(error)[:300]}"
        ) from error
    if towers:
        inner = getattr(model, model.base_model_prefix)
        for part in IMAGE_PARTS & dict(inner.named_children()).keys():
            setattr(inner, part, nn.Identity())
    for module in model.modules():
        _fill_buffers(model, module, folder)
    return model.eval()


@torch.no_grad()
def _fill_buffers(model: PreTrainedModel, module: nn.Module, folder: Path) -> None:
    """Compute what a module has beside its weights, such as RoPE's frequencies."""
    empty = {
        name: buffer
        for name, buffer in module.named_buffers(recurse=False)
        if buffer.device.type == "meta"
    }
    if not empty:
        return
    for name, buffer in empty.items():
        values = torch.empty(buffer.shape, dtype=buffer.dtype)
        if values.is_floating_point():
            values.fill_(math.nan)
        module._buffers[name] = values
    # As from_pretrained does for every model, which it builds without memory too.
    model._init_weights(module)
    for name in empty:
        values = module._buffers[name]
        assert values is not None
        if not values.is_floating_point() or values.isnan().any():
            raise ConvertError(
                f"{folder}: {type(module).__name__} has a table ({name}) that this "
                "check cannot compute; the model cannot be verified"
            )
