"""Reads config.json and safetensors of a Hugging Face folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.errors import ConvertError
from convert.foreign import Sight, of_folder, of_tensors, refuse_form
from convert.mxfp4 import BLOCKS, MXFP4, SCALES, PackedExperts, shape_of
from convert.safetensors_file import FLOATS, SafetensorsFile
from medassist.core.files import read_text
from medassist.core.run_folder import ADAPTER_CONFIG

Array = npt.NDArray[np.float32]
LARGEST = 3e38  # numbers of settings are float32 in a GGUF
CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
OUTER = ("architectures", "model_type", "tie_word_embeddings")
"""Keys of config.json about the whole model, whatever its `text_config` says."""
OF_TRAINING = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")
"""Pickles of a trainer that hold no weights."""


@dataclass(frozen=True)
class JsonFile:
    """A JSON object from a file, with typed access to its values."""

    file: Path
    values: dict[str, Any]

    @classmethod
    def read(cls, file: Path) -> JsonFile:
        """Read `file`.

        Raises:
            ConvertError: it is missing or is not a JSON object.
        """
        try:
            values = json.loads(read_text(file))
        except OSError as error:
            raise ConvertError(
                f"{file} cannot be read: {error.strerror}; a folder as transformers "
                "or PEFT saves it is expected"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ConvertError(f"{file} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise ConvertError(f"{file} holds no JSON object")
        return cls(file, values)

    def with_defaults(self, defaults: dict[str, Any]) -> JsonFile:
        """The same, with `defaults` under the keys that are not there."""
        return JsonFile(self.file, defaults | self.values)

    def part(self, key: str) -> JsonFile | None:
        """The object under `key`; `None` where there is none or it is null."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ConvertError(f"{self.file}: `{key}` is {value!r}; expected an object")
        return JsonFile(self.file, value)

    @property
    def of_text(self) -> JsonFile:
        """The settings of the text model: under `text_config`, where there is one.

        Tokens stand in both, the outer ones going first. Whether embedding and output
        layer are one tensor transformers reads outside alone.
        """
        inner = self.part("text_config")
        if inner is None:
            return self
        held = {k: v for k, v in inner.values.items() if k not in OUTER}
        tokens = {
            key: value
            for key, value in self.values.items()
            if key.endswith("_token_id") and value is not None
        }
        return JsonFile(self.file, self.values | held | tokens)

    def integer(self, key: str, default: int | None = None) -> int:
        """The whole number under `key`, or `default` where there is none."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConvertError(
                f"{self.file}: `{key}` is {value!r}; expected a whole number"
            )
        return value

    def positive(self, key: str, default: int | None = None) -> int:
        """The whole number above 0 under `key`, or `default` where there is none."""
        value = self.integer(key, default)
        if not 0 < value < 2**31:
            raise ConvertError(
                f"{self.file}: `{key}` is {value}; expected a whole number above 0, "
                "of 32 bits at most"
            )
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """The number under `key`, or `default` where there is none."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not abs(value) < LARGEST
        ):
            raise ConvertError(f"{self.file}: `{key}` is {value!r}; expected a number")
        return float(value)

    def numbers(self, key: str) -> list[float]:
        """The list of numbers under `key`."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(
            isinstance(n, int | float) and not isinstance(n, bool) for n in value
        ):
            raise ConvertError(
                f"{self.file}: `{key}` is {value!r}; expected a list of numbers"
            )
        return [float(n) for n in value]

    def refuse(self, *keys: str) -> None:
        """Raise if any of `keys` is set.

        Raises:
            ConvertError: one is: it changes what the weights mean.
        """
        for key in keys:
            if value := self.values.get(key):
                raise ConvertError(
                    f"{self.file}: `{key}` is {value!r}, which this converter does "
                    "not write; a GGUF without it would answer differently"
                )

    def expect(self, key: str, *known: Any) -> None:
        """Raise unless the value under `key` is one of `known`.

        Raises:
            ConvertError: it is another, which llama.cpp does not compute.
        """
        if (value := self.values.get(key)) not in known:
            raise ConvertError(
                f"{self.file}: `{key}` is {value!r}; llama.cpp computes this "
                f"architecture with {' or '.join(repr(k) for k in known)}, and would "
                "answer differently"
            )


@dataclass(frozen=True)
class Weight:
    """A tensor of a model, still in its file."""

    name: str
    source: SafetensorsFile

    @property
    def dtype(self) -> str:
        """Type in safetensors' words: F32, F16, BF16, F64; or MXFP4."""
        return self.source.tensors[self.name].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first, as in the file."""
        return self.source.tensors[self.name].shape

    def stored(self) -> npt.NDArray[Any]:
        """The numbers as they lie in the mapped file; BF16 as its 16 bits."""
        kinds = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8", "U8": "u1"}
        raw = self.source.raw(self.name)
        return np.frombuffer(raw, kinds[self.dtype]).reshape(self.shape)

    def parts(self) -> npt.NDArray[Any] | PackedExperts:
        """Parts that make up a GGUF's tensor; several if it is in MXFP4."""
        return self.stored()

    def expect(self) -> None:
        """Ask the system to prefetch it from disk."""
        self.source.expect(self.name)


@dataclass(frozen=True)
class PackedWeight(Weight):
    """The weight of a layer's experts in MXFP4, which two tensors hold."""

    blocks: Weight
    scales: Weight

    @property
    def dtype(self) -> str:
        """MXFP4."""
        return MXFP4

    @property
    def shape(self) -> tuple[int, ...]:
        """(experts, rows, columns)."""
        return shape_of(self.blocks.shape, self.scales.shape)

    def parts(self) -> PackedExperts:
        """The matrices of the experts."""
        return PackedExperts(self.blocks.stored(), self.scales.stored())

    def expect(self) -> None:
        """Ask the system to prefetch it from disk."""
        self.blocks.expect()


def read_config(folder: Path) -> JsonFile:
    """The config.json of the model in `folder`.

    Raises:
        ConvertError: `folder` is no model's folder, or its weights are quantized.
    """
    if folder.is_file():
        with folder.open("rb") as opened:
            gguf = opened.read(4) == b"GGUF"
        raise ConvertError(
            f"{folder} is a GGUF already; the folder of a Hugging Face model is "
            "expected. For other types of it use: medassist convert quantize"
            if gguf
            else f"{folder} is a file; the folder of a Hugging Face model is expected, "
            "with config.json, weights and tokenizer"
        )
    if not folder.is_dir():
        raise ConvertError(
            f"{folder} is not there; the folder of a Hugging Face model is expected"
        )
    if not (folder / CONFIG).exists():
        adapter = (folder / ADAPTER_CONFIG).exists()
        if not adapter or not any(folder.glob("adapter_model.*")):
            refuse_form(of_folder(folder, CONFIG))
        if adapter:
            raise ConvertError(
                f"{folder} holds a PEFT adapter; a model is expected. Use medassist "
                "convert adapter, or merge it into its base first"
            )
        if any(folder.glob("*.gguf")):
            raise ConvertError(
                f"{folder} holds a GGUF and no {CONFIG}; the folder of a Hugging Face "
                "model is expected"
            )
    config = JsonFile.read(folder / CONFIG)
    named = config.values.get("transformers_weights")
    if named not in (None, WEIGHTS if (folder / WEIGHTS).is_file() else INDEX):
        raise ConvertError(
            f"{config.file}: `transformers_weights` is {named!r}, so that transformers "
            f"loads another file than {WEIGHTS} or {INDEX}; give the one that holds "
            "the model that name, and take the key away"
        )
    if quantized_by(config) != MXFP4.lower():
        refuse_quantized(config)
    return config


def refuse_quantized(config: JsonFile) -> None:
    """Raise if the weights are quantized.

    Raises:
        ConvertError: they are, as the model's config.json says.
    """
    if (method := quantized_by(config)) is not None:
        raise ConvertError(
            f"{config.file.parent}: the weights are quantized ({method}), and a GGUF "
            "of them would be quantized twice; take the model that they were made of, "
            "or load them with transformers, dequantize() and save them as bfloat16"
        )


def quantized_by(config: JsonFile) -> str | None:
    """The method by which a model's weights are quantized, as its config.json says."""
    quantized = config.part("quantization_config")
    if quantized is None:
        return None
    return str(quantized.values.get("quant_method") or "some method")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of the model in `folder`: one file, or those of an index.

    Raises:
        ConvertError: there are none, or the index names one that is not there.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        refuse_form(of_folder(folder, CONFIG))
        pickles = sorted(
            file
            for kind in PICKLES
            for file in folder.glob(kind)
            if not file.name.startswith(OF_TRAINING)
        )
        if pickles:
            raise ConvertError(
                f"{folder} holds no safetensors but {pickles[0].name}, a pickle, which "
                "can run code when it is read and is never read here; load the model "
                "with transformers where you trust it, and save_pretrained it"
            )
        refuse_form(of_folder(folder, CONFIG, Sight.OTHER_FRAMEWORK))
        raise ConvertError(f"{folder} holds neither {WEIGHTS} nor {INDEX}")
    return sorted({folder / name for name in _weight_map(folder).values()})


def read_weights(folder: Path) -> list[Weight]:
    """All tensors of the model in `folder`, by file and name; nothing is read yet.

    Raises:
        ConvertError: a file is missing, broken or cut off, holds other tensors than
            the index says, or numbers that are no floating-point numbers.
    """
    files = weight_files(folder)
    sources = [SafetensorsFile(file) for file in files]
    found: dict[str, Weight] = {}
    for source in sources:
        for name in sorted(source.tensors):
            if name in found:
                raise ConvertError(
                    f"{name} is in {found[name].source.file} and in {source.file}; "
                    "which one holds? Save the model anew"
                )
            found[name] = Weight(name, source)
    if files != [folder / WEIGHTS]:
        for name, file in _weight_map(folder).items():
            if name not in found or found[name].source.file.name != file:
                raise ConvertError(
                    f"{folder / INDEX} says that {name} is in {file}, which lacks it; "
                    "the files are not of one save: get them again"
                )
    found = _joined(found)
    for weight in found.values():
        if weight.dtype not in (*FLOATS, MXFP4):
            names = weight.source.tensors
            refuse_form(of_tensors(weight.source.file, names, Sight.MODEL_TENSOR))
            raise ConvertError(
                f"{weight.source.file}: {weight.name} is of type {weight.dtype}; "
                f"expected one of {', '.join(FLOATS)}. Take a model whose weights are "
                "not quantized"
            )
    return list(found.values())


def _joined(found: dict[str, Weight]) -> dict[str, Weight]:
    """The same with one weight for the two tensors that hold one in MXFP4."""
    joined: dict[str, Weight] = {}
    for name, weight in found.items():
        bare, is_blocks = name.removesuffix(BLOCKS), name.endswith(BLOCKS)
        scales = found.get(bare + SCALES)
        if is_blocks and scales and {weight.dtype, scales.dtype} == {"U8"}:
            both = PackedWeight(bare, weight.source, weight, scales)
            if both.shape:
                joined[bare] = both
                continue
        blocks = joined.get(name.removesuffix(SCALES))
        if not isinstance(blocks, PackedWeight) or blocks.scales is not weight:
            joined[name] = weight
    return joined


def _weight_map(folder: Path) -> dict[str, str]:
    """Tensors and the files that an index finds them in, all of them there."""
    index = folder / INDEX
    entries = JsonFile.read(index).part("weight_map")
    if entries is None or not entries.values:
        raise ConvertError(f"{index} has no `weight_map`; get it again")
    for name in entries.values.values():
        if not isinstance(name, str) or name in ("", ".", "..") or {*name} & {*"/\\\0"}:
            raise ConvertError(
                f"{index} names the file {name!r}; expected one in the folder itself"
            )
        if not (folder / name).is_file():
            raise ConvertError(
                f"{index} names {name}, which is not there; the download or save is "
                "not whole: get it again"
            )
    return entries.values
