"""Messages between a measurement and its timing process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from medassist.core.values import KvType
from medassist.engine.frames import Opening, Refused
from medassist.frozen_model import FrozenModel


class OpenTimed(FrozenModel):
    """First command: load a model as the app does.

    Attributes:
        adapter: computes with every token where it is given.
        context: tokens that the cache holds.
        threads: that compute.
        gpu_layers: on the GPU; `None` for all, where the build has one.
    """

    kind: Literal["open_timed"] = "open_timed"
    model: Path
    adapter: Path | None = None
    context: int
    threads: int
    kv: KvType = "f16"
    flash_attention: bool = False
    gpu_layers: int | None = None


class TimedRun(FrozenModel):
    """Command: read `prompt` tokens, then write `written`, after `depth` tokens.

    The `depth` tokens are in the cache before the time is taken.

    Attributes:
        threads: that compute.
    """

    kind: Literal["run"] = "run"
    prompt: int = Field(default=0, ge=0)
    written: int = Field(default=0, ge=0)
    depth: int = Field(default=0, ge=0)
    threads: int = Field(ge=1)


class OpenedTimed(FrozenModel):
    """The model is loaded, and how long that took.

    Attributes:
        description: architecture, size and quantization as llama.cpp says them.
        tensor_bytes: of the model's tensors.
        parameters: of the model.
        weights_ns: until the weights were mapped.
        ready_ns: until the cache was there, too.
        first_ns: until a first token had been computed.
        context: tokens that the cache holds.
        on_gpu: layers are on a GPU.
        commit: of llama.cpp.
        version: of llama-cpp-python.
        features: of the processor that the build uses.
    """

    kind: Literal["opened_timed"] = "opened_timed"
    description: str
    tensor_bytes: int
    parameters: int
    weights_ns: int
    ready_ns: int
    first_ns: int
    context: int
    on_gpu: bool
    commit: str
    version: str
    features: tuple[str, ...]


class Took(FrozenModel):
    """Duration of a run.

    Attributes:
        ns: of wall time.
        cpu_ns: of all threads of the child together.
        switches: times that a thread was thrown off its core by another program; `None`
            where the system does not tell.
    """

    kind: Literal["took"] = "took"
    ns: int
    cpu_ns: int
    switches: int | None = None


Command = OpenTimed | TimedRun
Reply = Opening | OpenedTimed | Took | Refused
COMMANDS: TypeAdapter[Command] = TypeAdapter(
    Annotated[Command, Field(discriminator="kind")]
)
REPLIES: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])
