"""Models of a run on an endpoint, and the memory that they need there."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from finetune.sagemaker import places
from finetune.sagemaker.channel import InputChannel
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.places import EngineKind
from medassist.core.files import read_text
from medassist.core.progress import Watcher, unwatched
from medassist.core.run_folder import ADAPTER_CONFIG, RunFolder

CONTAINER = "/opt/ml"
DEFAULT_CONTEXT = 4096
LEAST_CONTEXT = 64
GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class SubjectWish:
    """Options for what is served."""

    context: int = DEFAULT_CONTEXT
    """Tokens of a question with its answer, as far as the base has them."""
    base_from: str | None = None
    """s3://... or a folder: the base, where it is not where the recipe says."""
    gguf: str | None = None
    """The base's file in RUN/gguf, where there are several."""


@dataclass(frozen=True)
class ServedSubject(ABC):
    """A base and its adapter, for an engine."""

    run: RunFolder
    engine: EngineKind
    base: str
    """The base's name."""
    context: int
    adapter_sha256: str
    needs: int | None
    """Bytes of memory: of all GPUs, or of a computer that has none; None: not known."""
    own_share: float
    """Share of the instance's memory that the engine may have."""

    def available(self, machine: places.Instance) -> int:
        """Bytes that the engine may have on an instance."""
        whole = machine.memory * GIB
        if machine.gpus:
            whole = machine.gpu_memory * MIB * machine.gpus
        return int(whole * self.own_share)

    @abstractmethod
    def environment(self, machine: places.Instance) -> dict[str, str]:
        """The container's settings; none of them is a secret."""

    @abstractmethod
    def sources(self, addresses: dict[str, str]) -> dict[str, Any]:
        """Addresses of the container's files, as CreateModel takes them.

        Args:
            addresses: of the channels, by name.
        """

    @abstractmethod
    def channels(
        self, scratch: Path, watcher: Watcher = unwatched
    ) -> list[InputChannel]:
        """Channels of files that leave this computer for it.

        Args:
            scratch: a folder for what has to be written first.
            watcher: is told how much is read.
        """


def under(address: str) -> dict[str, str]:
    """All that lies under an address of S3, as CreateModel takes it."""
    return {
        "S3Uri": address.rstrip("/") + "/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }


def bounded(wished: int, longest: int | None) -> int:
    """A context that the base has.

    Raises:
        SageMakerError: it would be too short for a question.
    """
    found = wished if longest is None else min(wished, longest)
    if found < LEAST_CONTEXT:
        raise SageMakerError(
            f"a context of {found} tokens has no room for a question; at least "
            f"{LEAST_CONTEXT} are needed"
        )
    return found


def adapter_config(adapter: Path) -> dict[str, Any]:
    """PEFT's configuration of an adapter.

    Raises:
        SageMakerError: it is not there, or is none.
    """
    file = adapter / ADAPTER_CONFIG
    try:
        found: object = json.loads(read_text(file))
    except (OSError, ValueError) as error:
        raise SageMakerError(
            f"{file} cannot be read ({error}); PEFT's settings of the adapter were "
            "expected"
        ) from error
    if not isinstance(found, dict):
        raise SageMakerError(f"{file} holds no settings of an adapter")
    return cast("dict[str, Any]", found)
