"""A Hugging Face folder: its config.json and its safetensors, read as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open

from convert.errors import ConvertError

Array = npt.NDArray[np.float32]
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class JsonFile:
    """A JSON object from a file, whose values are taken out with their types."""

    file: Path
    values: dict[str, Any]

    @classmethod
    def read(cls, file: Path) -> JsonFile:
        """Read `file`.

        Raises:
            ConvertError: it is missing or is not a JSON object.
        """
        try:
            values = json.loads(file.read_text("utf-8"))
        except OSError as error:
            raise ConvertError(
                f"{file} cannot be read: {error.strerror}; a folder as transformers "
                "or PEFT saves it is expected"
            ) from error
        except ValueError as error:
            raise ConvertError(f"{file} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise ConvertError(f"{file} holds no JSON object")
        return cls(file, values)

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

    def number(self, key: str) -> float:
        """The number under `key`."""
        value = self.values.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ConvertError(f"{self.file}: `{key}` is {value!r}; expected a number")
        return float(value)

    def refuse(self, *keys: str) -> None:
        """Make sure that none of `keys` is set.

        Raises:
            ConvertError: one is: it changes what the weights mean.
        """
        for key in keys:
            if value := self.values.get(key):
                raise ConvertError(
                    f"{self.file}: `{key}` is {value!r}, which this converter does "
                    "not write; a GGUF without it would answer differently"
                )


def read_tensors(files: list[Path]) -> Iterator[tuple[str, Array]]:
    """All tensors of safetensors `files` as float32, one at a time.

    Raises:
        ConvertError: a file is missing or broken.
    """
    for file in files:
        if not file.is_file():
            raise ConvertError(f"{file} is not there; save the weights as safetensors")
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(safe_open(file, "pt"))
                names = sorted(opened.keys())
            except (SafetensorError, OSError) as error:
                raise ConvertError(f"{file} cannot be read: {error}") from error
            for name in names:
                try:
                    tensor = opened.get_tensor(name)
                except SafetensorError as error:
                    raise ConvertError(
                        f"{file}: {name} cannot be read: {error}"
                    ) from error
                yield name, tensor.to(torch.float32).numpy()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of the model in `folder`: one file, or those of an index.

    Raises:
        ConvertError: there are none.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise ConvertError(f"{folder} holds neither {WEIGHTS} nor {INDEX}")
    names = JsonFile.read(folder / INDEX).values.get("weight_map", {}).values()
    return sorted({folder / Path(str(name)).name for name in names})
