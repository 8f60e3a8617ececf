"""The recipe of a run, in one YAML file.

`docs/recipes.md` and `finetune/recipes/llama2-7b-qlora-24gb.yaml` explain every key. A
run folder keeps its recipe with every default written out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import (
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from finetune.data.recipe import DataPart
from finetune.errors import FinetuneError
from finetune.evaluate.recipe import EvaluatePart
from medassist.core.files import SHARED_FILE, read_text, write_whole
from medassist.core.run_folder import RECIPE
from medassist.frozen_model import FrozenModel

FOLDER = Path(__file__).parent / "recipes"
"""Folder of the recipes that come with the program."""

MethodName = Literal["lora", "rslora", "dora", "qlora", "alora"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class Expected(FrozenModel):
    """Expectations of the recipe's author, for people to read before they start."""

    hardware: str = ""
    memory: str = ""
    time: str = ""
    cost: str = ""
    source: str = ""
    """`measured`, `estimated by finetune/train/estimate.py`, or who published it."""


class LoraPart(FrozenModel):
    """Settings of the adapter."""

    method: MethodName = "lora"
    """`lora`; `rslora` scales by alpha / sqrt(r); `dora` learns the size of each
    row apart; `qlora` keeps the base in 4 bits (NVIDIA GPUs); `alora` acts only from
    the answer's header on (for medassist's two panes)."""
    r: int = Field(16, ge=1, le=1024)
    """The rank."""
    alpha: float | None = Field(None, gt=0)
    """The update is scaled by alpha / r; by default 2 r."""
    dropout: float = Field(0.05, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """`all-linear` (all but the output layer), or the last names of modules."""
    invocation: str | None = None
    """For `alora`: the text that switches it on; by default the answer's header."""

    @property
    def scale(self) -> float:
        """Alpha, its default applied."""
        return self.alpha if self.alpha is not None else 2.0 * self.r

    @model_validator(mode="after")
    def _suits_the_output_layer(self) -> Self:
        for name in ("lm_head", "embed_tokens", "wte"):
            if name in self.targets:
                raise ValueError(
                    f"an adapter on {name} is not trained by TRL's fused output "
                    "layer, and not carried into GGUF; leave it out"
                )
        if self.invocation is not None and self.method != "alora":
            raise ValueError("invocation belongs to method: alora")
        return self


class TrainPart(FrozenModel):
    """Length, learning rate and memory of the training."""

    epochs: float = Field(3.0, gt=0, le=1000)
    """Passes over the training set."""
    steps: int | None = Field(None, ge=1)
    """So many steps instead of `epochs`."""
    rate: float = Field(2e-4, gt=0, lt=1)
    """The learning rate at its height."""
    rows: int = Field(16, ge=1)
    """Rows in a step, over all GPUs: a packed row is `max_length` tokens."""
    rows_at_once: int = Field(1, ge=1)
    """Rows that a GPU holds at a time; gradients are summed up to `rows`."""
    max_length: int = Field(2048, ge=16)
    """Tokens of a row."""
    packing: bool = True
    """Fill rows with several records, which do not see each other."""
    too_long: Literal["leave out", "cut"] = "leave out"
    """Treatment of a dialogue over `max_length`; text is divided, never lost."""
    warm_up: float = Field(0.03, ge=0, lt=1)
    """Share of the training in which the rate rises."""
    schedule: Literal["cosine", "linear", "constant", "plateau"] = "cosine"
    """Course of the rate afterwards: to zero, or not, or (`plateau`) to zero along a
    line in the last 60 % of the training."""
    weight_decay: float = Field(0.0, ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """`auto`: bf16 where the GPU has it, else fp16 with a scaler; fp32 on a CPU."""
    checkpointing: bool = True
    """Compute activations twice rather than keep them: less memory, slower."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    """`auto`: PyTorch's own (sdpa)."""
    validations: int = Field(4, ge=0)
    """Validations in an epoch; the best checkpoint of them becomes the adapter."""
    validation_records: int | None = Field(None, ge=1)
    """At most so many records of the validation set, chosen by the seed."""
    patience: int | None = Field(3, ge=1)
    """Stop after so many validations without a better one; `null` never."""
    checkpoint_minutes: float = Field(10.0, gt=0)
    """A checkpoint at least so often, beside the one at each validation."""

    @model_validator(mode="after")
    def _rows_divide(self) -> Self:
        if self.rows % self.rows_at_once:
            raise ValueError(
                f"rows ({self.rows}) must be a multiple of rows_at_once "
                f"({self.rows_at_once})"
            )
        return self


class TrainRecipe(FrozenModel):
    """A whole recipe."""

    name: Name
    about: str = ""
    seed: int = Field(42, ge=0, lt=2**32)
    base: str = Field(min_length=1)
    """A folder with a Hugging Face model, the id of one on the hub, or a GGUF."""
    revision: str | None = None
    """Revision of a hub id: a commit or tag."""
    data: DataPart | None = None
    """None where the run folder's data was prepared without this recipe."""
    train: TrainPart = Field(default_factory=lambda: TrainPart.model_validate({}))
    lora: LoraPart = Field(default_factory=lambda: LoraPart.model_validate({}))
    evaluate: EvaluatePart = Field(
        default_factory=lambda: EvaluatePart.model_validate({})
    )
    expected: Expected = Field(default_factory=Expected)

    @model_validator(mode="after")
    def _activated_is_not_packed(self) -> Self:
        if self.lora.method == "alora" and self.train.packing:
            raise ValueError(
                "an activated LoRA acts from the last invocation of a row, so that of "
                "packed records only the last would be learned: set train.packing: "
                "false"
            )
        return self

    def write(self, file: Path) -> None:
        """Write the recipe, every default written out, whole or not at all."""
        write_whole(file, self.text(), SHARED_FILE)

    def text(self) -> str:
        """The recipe as YAML, every default written out."""
        return yaml.safe_dump(
            self.model_dump(mode="json"), sort_keys=False, allow_unicode=True
        )


def known_recipes() -> list[str]:
    """The names of the recipes that come with the program."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def find_recipe(wish: str) -> Path:
    """The file for `wish`: a file, a run folder, or a name of `known_recipes`.

    Raises:
        FinetuneError: it is none of them; the nearest known name is given.
    """
    path = Path(wish)
    if path.is_dir():
        if not (path / RECIPE).is_file():
            raise FinetuneError(
                f"{path} has no recipe.yaml, so it is no run folder; name a recipe"
            )
        return path / RECIPE
    if path.is_file():
        return path
    if wish in known_recipes():
        return FOLDER / f"{wish}.yaml"
    near = difflib.get_close_matches(wish, known_recipes(), 1)
    meant = f"; did you mean {near[0]}?" if near else "."
    raise FinetuneError(
        f"{wish} is no file, no run folder and no recipe of this program{meant} There "
        f"are: {', '.join(known_recipes())}"
    )


def read_recipe(file: Path) -> TrainRecipe:
    """The recipe in `file`.

    Raises:
        FinetuneError: it is missing, is not YAML, has an unknown key (the nearest
            known one is named), or a value is not allowed (the key is named).
    """
    try:
        content = yaml.safe_load(read_text(file))
    except OSError as error:
        raise FinetuneError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FinetuneError(f"{file} is not YAML: {error}") from error
    return parse_recipe(content, str(file))


def parse_recipe(content: object, where: str) -> TrainRecipe:
    """Parse `content`, read from YAML; `where` names it in errors.

    Raises:
        FinetuneError: as `read_recipe`.
    """
    if not isinstance(content, dict):
        raise FinetuneError(
            f"{where} holds no recipe: a mapping with name, base, data, train and lora "
            f"was expected, and {type(content).__name__} was found"
        )
    try:
        return TrainRecipe.model_validate(content)
    except ValidationError as error:
        raise FinetuneError(f"{where}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    # An unknown key explains what else is wrong, so it comes first.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    steps = [str(s) for s in first["loc"]]
    key = ".".join(steps) or "the recipe"
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg'].removeprefix('Value error, ')}"
    known = dict(_keys(TrainRecipe))
    # A known name in the wrong part, else a name that was spelled otherwise.
    near = [k for k in known if k.split(".")[-1] == steps[-1]]
    near = near or difflib.get_close_matches(key, known, 1, 0.5)
    meant = f"; did you mean {near[0]}?" if near else "."
    siblings = [k for k in known if k.split(".")[:-1] == steps[:-1]]
    there = ", ".join(k.split(".")[-1] for k in siblings)
    return f"there is no key {key}{meant} Known there: {there}"


def known_keys() -> list[str]:
    """Every key of a recipe in dotted form: `train.rate`."""
    return [key for key, _ in _keys(TrainRecipe)]


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield prefix + name, field
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _keys(inner, f"{prefix}{name}.")
