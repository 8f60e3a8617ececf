"""Plan of a merge: which weights are kept, replaced, or changed by a LoRA.

The adapted model, as PEFT computes it, is the measure. Where embedding and output
layer are one tensor (tied) and the adapter changes only one of them, PEFT computes
with two; they are written as two then. `merge_and_unload` does not: it adds the change
to the one tensor, or leaves the tie in the config, and the merged model answers
otherwise than the adapted one (https://github.com/huggingface/peft/issues/2777).
Where config.json ties them and the files hold two that differ, they were two, and the
merged config says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convert.adapter_text_part import images_left_out, text_part, used_part
from convert.architectures import (
    embedding_name,
    has_towers,
    says_tied,
    spelling_of,
    turns_experts,
    unused_in,
)
from convert.architectures.text_tower import of_images
from convert.architectures.tied import HEAD, are_one
from convert.errors import ConvertError
from convert.foreign import Sight, of_tensors, refuse_form
from convert.hf_folder import JsonFile, Weight
from convert.peft_adapter import PeftAdapter
from convert.peft_lora import Lora
from convert.safetensors_file import FLOATS, SafetensorsFile, TensorInfo

_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight")
# Models whose inner part was saved by itself have names without it, and the other way
# round: GPT-2's own checkpoint says h.0, and the adapter transformer.h.0.
_INNER = ("model.", "transformer.")
# transformers' Conv1D keeps its weight (in, out).
_CONV1D_MODELS = ("gpt2", "openai-gpt")
_CONV1D = ("c_attn", "c_proj", "c_fc", "q_attn")


@dataclass(frozen=True)
class WeightPlan:
    """Plan for one weight of the merged model."""

    name: str
    dtype: str
    """Type in the base, and so in the merged model."""
    source: SafetensorsFile
    key: str
    """Name in `source`: that of the base, or of an adapter that replaces the weight."""
    lora: Lora | None = None
    turned: bool = False
    """The weight lies (in, out): embeddings and Conv1D."""
    bias: Lora | None = None
    """This is a bias, and the LoRA has one to add."""
    experts: tuple[Lora, ...] = ()
    """One for each matrix of a layer's experts, which all lie in this, `turned`."""
    rows: tuple[int, ...] = ()
    """These rows are taken anew from `rows_key` of the adapter."""
    rows_key: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the merged model."""
        return self.source.tensors[self.key].shape

    @property
    def info(self) -> TensorInfo:
        """Entry for its safetensors file."""
        return TensorInfo(self.name, self.dtype, self.shape)

    @property
    def kept(self) -> bool:
        """Whether its bytes are copied from the source."""
        return (
            self.lora is None
            and self.bias is None
            and not self.experts
            and not self.rows
            and self.source.tensors[self.key].dtype == self.dtype
        )


@dataclass(frozen=True)
class MergePlan:
    """The merged model's weights, file by file, and what its config says of them."""

    files: dict[str, list[WeightPlan]]
    vocabulary: int | None
    """Rows of the embedding; `None` where the model has none that is known."""
    untied: bool
    """The base's embedding and output layer were one tensor, and are two now."""
    head_kept: bool
    """The base's config ties them, its files hold two, and two they stay."""
    changed: int
    """Weights that are not the base's."""
    left_out: int = 0
    """Parts of the adapter for images, which the base does not see."""

    @property
    def bytes(self) -> int:
        """Size of all weights."""
        return sum(plan.info.bytes for file in self.files.values() for plan in file)


def plan_merge(
    config: JsonFile, weights: list[Weight], adapter: PeftAdapter
) -> MergePlan:
    """Plan the merge of `adapter` into the model of `config` and `weights`.

    Raises:
        ConvertError: the adapter is for another base, or changes what is not there.
    """
    planner = _Planner(config, weights, adapter)
    planner.replace_whole()
    planner.add_loras()
    planner.replace_rows()
    return planner.result()


class _Planner:
    def __init__(
        self, config: JsonFile, weights: list[Weight], adapter: PeftAdapter
    ) -> None:
        self.config, self.adapter = config, adapter
        self.base = {weight.name: weight for weight in weights}
        self.plain = spelling_of(config)
        self.plans = {
            weight.name: WeightPlan(weight.name, weight.dtype, weight.source, name)
            for name, weight in self.base.items()
        }
        self.embedding = next(
            (name for name in self.plans if name.endswith(_EMBEDDINGS)), None
        )
        stored_head = (name for name in self.plans if self.plain(name) == HEAD)
        self.head = next(stored_head, HEAD)
        said = says_tied(config)
        self.said = self.head not in self.plans if said is None else said
        if self.said and self.embedding is None and self.head in self.plans:
            # The one tensor is stored under the name of the output layer.
            self.embedding = embedding_name(config)
            if self.embedding is not None:
                self.plans[self.embedding] = replace(
                    self.plans[self.head], name=self.embedding
                )
        self.said = self.said and self.embedding is not None
        self.tied = self.said and are_one(
            self.base.get(self.embedding or ""), self.base.get(self.head)
        )
        if self.tied:
            one = self.plans[self.embedding or ""]
            self.plans[self.head] = replace(one, name=self.head)
        self.by_plain = {self.plain(name): name for name in self.plans}
        self.left_out = 0
        if has_towers(config) and not any(map(of_images, self.base)):
            self.left_out = images_left_out(adapter)
            self.adapter = text_part(adapter)
        self.adapter = used_part(self.adapter, unused_in(config))

    def replace_whole(self) -> None:
        """Weights that the adapter holds anew, with more rows for more tokens."""
        found = {weight: self.name_of(weight) for weight in self.adapter.whole}
        for weight, key in self.adapter.whole.items():
            name = found[weight]
            dtype = self.adapter.source.tensors[key].dtype
            if dtype not in FLOATS:
                raise ConvertError(
                    f"{self.adapter.source.file}: {key} is of type {dtype}; expected "
                    f"one of {', '.join(FLOATS)}"
                )
            names = [name]
            other = self.twin(name)
            apart = weight in self.adapter.trained_apart
            # A resized base: it is still one tensor, and one again where it was two
            # (transformers ties anew what it resizes).
            rows = self.adapter.source.tensors[key].shape[:1]
            one = self.tied or rows != self.plans[name].shape[:1]
            if other and one and not apart and other not in found.values():
                names.append(other)
            for each in names:
                plan = replace(
                    self.plans[each], source=self.adapter.source, key=key, dtype=dtype
                )
                self.check_whole(self.plans[each], plan)
                self.plans[each] = replace(plan, dtype=self.plans[each].dtype)

    def check_whole(self, old: WeightPlan, new: WeightPlan) -> None:
        grown = old.name in (self.head, self.embedding)
        if old.shape[grown:] != new.shape[grown:]:
            raise self.another_base(
                f"{old.name} has the shape {old.shape} in the base and {new.shape} in "
                "the adapter"
            )

    def add_loras(self) -> None:
        for lora in self.adapter.loras.values():
            if lora.part and (stack := self.found(lora.part.parameter)):
                if lora.part.which == 0:
                    self.add_to_stack(stack, replace(lora, part=lora.part.whole))
                continue
            name = self.name_of(f"{lora.module}.weight")
            plan = self.plans[name]
            turned = lora.embedding or self.is_conv1d(lora.module)
            a, b = self.adapter.shapes(lora)
            needed = (a[1], b[0]) if turned else (b[0], a[1])
            if plan.shape != needed:
                raise self.another_base(
                    f"{name} has the shape {plan.shape} in the base, and the adapter "
                    f"is for {needed}"
                )
            if lora.magnitude is not None:
                shape = self.adapter.source.tensors[lora.magnitude].shape
                if shape != b[:1]:
                    raise self.another_base(
                        f"{lora.magnitude} has the shape {shape}; expected {b[:1]}"
                    )
            self.plans[name] = replace(plan, lora=lora, turned=turned)
            if lora.bias is not None:
                self.add_bias(lora, b[0])

    def add_to_stack(self, name: str, lora: Lora) -> None:
        """Add the LoRA of one expert's matrix to the weight that holds all of them."""
        plan, part = self.plans[name], lora.part
        assert part is not None
        a, b = self.adapter.shapes(lora)
        turned = turns_experts(self.config)
        needed = (part.experts, *((a[1], b[0]) if turned else (b[0], a[1])))
        if plan.shape != needed:
            raise self.another_base(
                f"{name} has the shape {plan.shape} in the base, and the adapter is "
                f"for {needed}"
            )
        experts = (*plan.experts, lora)
        self.plans[name] = replace(plan, experts=experts, turned=turned)

    def add_bias(self, lora: Lora, rows: int) -> None:
        name = self.name_of(f"{lora.module}.bias", f"{lora.module} was adapted with a")
        if self.plans[name].shape != (rows,):
            raise self.another_base(
                f"{name} has the shape {self.plans[name].shape}; expected ({rows},)"
            )
        self.plans[name] = replace(self.plans[name], bias=lora)

    def replace_rows(self) -> None:
        """Rows of single tokens.

        PEFT gives those of the embedding to an output layer that config.json ties to
        it, even where that holds other numbers.
        """
        found = {self.name_of(f"{m}.weight"): t for m, t in self.adapter.tokens.items()}
        for name, (rows, key) in found.items():
            plan = self.plans[name]
            width = self.adapter.source.tensors[key].shape[1:]
            if max(rows, default=0) >= plan.shape[0] or width != plan.shape[1:]:
                raise self.another_base(
                    f"{name} has the shape {plan.shape}, and the adapter replaces "
                    f"rows up to {max(rows)} by rows of {width}"
                )
            if plan.lora is not None:
                raise ConvertError(
                    f"{self.adapter.source.file}: {name} has both a LoRA and rows that "
                    "were trained; merge the adapter with PEFT's merge_and_unload"
                )
            names = [name]
            if self.said and name == self.embedding and self.head not in found:
                names.append(self.head)
            for each in names:
                self.plans[each] = replace(self.plans[each], rows=rows, rows_key=key)

    def result(self) -> MergePlan:
        two = self.said and not self.same_twins()
        untied = self.tied and two
        if self.tied and not untied:
            for name in {self.head, self.embedding or self.head} - self.base.keys():
                del self.plans[name]
        files: dict[str, list[WeightPlan]] = {}
        for plan in self.plans.values():
            weight = self.base.get(plan.name) or self.base[self.stored_twin]
            files.setdefault(weight.source.file.name, []).append(plan)
        return MergePlan(
            files=files,
            vocabulary=self.rows_of_vocabulary(),
            untied=untied,
            head_kept=two and not self.tied,
            changed=sum(
                not plan.kept or plan.source is self.adapter.source
                for plan in self.plans.values()
            ),
            left_out=self.left_out,
        )

    def rows_of_vocabulary(self) -> int | None:
        if self.embedding is None:
            return None
        rows = (self.plans.get(self.embedding) or self.plans[self.head]).shape[0]
        if (
            self.head in self.plans
            and (other := self.plans[self.head].shape[0]) != rows
        ):
            raise ConvertError(
                f"{self.adapter.source.file}: the embedding gets {rows} rows and the "
                f"output layer has {other}; both must be saved when tokens are added: "
                "train with modules_to_save for both, or save with "
                "save_embedding_layers=True"
            )
        return rows

    def same_twins(self) -> bool:
        """Whether embedding and output layer become the same numbers."""
        one, two = self.plans[self.embedding or ""], self.plans[self.head]
        if one.shape != two.shape or one.rows != two.rows:
            return False
        if not _same(one.source, one.key, two.source, two.key):
            return False
        rows = self.adapter.source
        if one.rows and not _same(rows, one.rows_key, rows, two.rows_key):
            return False
        if one.lora is None or two.lora is None:
            return one.lora is two.lora
        if one.lora.magnitude or two.lora.magnitude or one.lora.scale != two.lora.scale:
            return False
        # With `ensure_weight_tying` A of the one is B of the other, turned.
        return all(
            np.array_equal(self.adapter.numbers(x), self.adapter.numbers(y).T)
            for x, y in (
                (one.lora.a, two.lora.b),
                (one.lora.b, two.lora.a),
            )
        )

    def twin(self, name: str) -> str | None:
        """The other of two tied weights."""
        if not self.said:
            return None
        return {self.embedding: self.head, self.head: self.embedding}.get(name)

    @property
    def stored_twin(self) -> str:
        """Of the two tied names, the one under which the base stores the tensor."""
        return self.head if self.embedding not in self.base else self.embedding

    def name_of(self, weight: str, before: str = "the adapter changes") -> str:
        """The base's name of a weight that the adapter names.

        Raises:
            ConvertError: the base has no such weight.
        """
        if name := self.found(weight):
            return name
        source, where = self.adapter.source, Sight.ADAPTER_TENSOR
        but = ", which the base does not have"
        if has_towers(self.config):
            raise self.another_base(f"{before} {weight}, which the base does not have")
        refuse_form(of_tensors(source.file, source.tensors, where, but))
        for stored in self.base.values():
            file = stored.source.file
            refuse_form(of_tensors(file, [stored.name], Sight.MODEL_TENSOR))
        raise self.another_base(f"{before} {weight}, which the base does not have")

    def found(self, weight: str) -> str | None:
        """The base's name of a weight; `None` if it has none."""
        names = [weight, *(weight.removeprefix(inner) for inner in _INNER)]
        names += [inner + weight for inner in _INNER]
        names.append(self.by_plain.get(self.plain(weight), weight))
        return next((name for name in names if name in self.plans), None)

    def is_conv1d(self, module: str) -> bool:
        kind = self.config.values.get("model_type")
        return kind in _CONV1D_MODELS and module.rpartition(".")[2] in _CONV1D

    def another_base(self, why: str) -> ConvertError:
        name = self.adapter.base_name
        wanted = f" It was trained on {Path(name).name}." if name else ""
        return ConvertError(
            f"{self.adapter.folder} does not fit {self.config.file.parent}: {why}; "
            f"give the base that the adapter was trained on.{wanted}"
        )


def _same(one: SafetensorsFile, key: str, two: SafetensorsFile, other: str) -> bool:
    return (one, key) == (two, other) or one.raw(key) == two.raw(other)
