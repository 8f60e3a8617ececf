"""Estimates memory, time and cost of a training before it starts.

Memory, in bytes, of one GPU (P parameters of the base, T of the adapter, n tokens held
at a time, h hidden, f feed-forward, L layers, v vocabulary):

    weights      2 P (bf16, fp16), 4 P (fp32); with nf4 0.516 for each of the
                 parameters in linear layers (4 bits, and the doubly quantized scales:
                 0.127 bits, Dettmers et al. 2023, section 3) and 2 for the others
    learning     16 T: the adapter in fp32, its gradient, AdamW's two moments
    activations  with checkpointing b n h L, each layer's input, and one layer's
                 inside; without it L times the inside. The inside of a layer is
                 n b (8 h + 4 f) with b bytes a number: the inputs of the norms, the
                 four attention projections' and three feed-forward ones' inputs and
                 outputs; attention itself (SDPA) keeps nothing quadratic
    logits       256 rows of v in fp32, four times: TRL's output layer works in chunks
    rest         a tenth of it all for fragmentation, and 0.6 GiB for CUDA itself
                 (on a CPU: for the program)

Time is measured: `trial.py` reads a few rows as a step does. Where the memory is too
small for that, it is 2 FLOP a parameter and token for each of: forward, the gradient of
the activations, and forward again with checkpointing; the base's weights need no
gradient. It is divided by a measured speed of matrix products, and by the share of it
that trainings reach. A validation is forward alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch

GIB = 1 << 30
NF4 = 0.5 + 0.127 / 8
LEARNING = 16
CHUNK = 256
CUDA_ITSELF = 0.6 * GIB
FRAGMENTED = 1.1
REACHED = 0.45
"""The share of the matrix products' speed that a training reaches: A10G at 70
TFLOP/s, Llama-2-7B in nf4, packed, gave 0.7 to 1 k tokens a second, which is 0.40 to
0.58 of it."""

Precision = Literal["bf16", "fp16", "fp32"]


@dataclass(frozen=True)
class Shape:
    """Properties of a model that memory and time depend on."""

    parameters: int
    linear: int
    """Parameters in linear layers (but for the output layer), which nf4 quantizes."""
    hidden: int
    feed_forward: int
    layers: int
    vocabulary: int


@dataclass(frozen=True)
class TrainingLoad:
    """Trainable parameters, tokens at once and precision of a training."""

    trainable: int
    tokens_at_once: int
    precision: Precision
    nf4: bool = False
    checkpointing: bool = True


@dataclass(frozen=True)
class Memory:
    """Bytes by purpose."""

    weights: int
    learning: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """Sum, with fragmentation and CUDA's own."""
        parts = self.weights + self.learning + self.activations + self.logits
        return int(parts * FRAGMENTED + CUDA_ITSELF)


@dataclass(frozen=True)
class TrainingEstimate:
    """The estimate that is shown before a training."""

    trainable: int
    parameters: int
    tokens_per_epoch: int
    steps: int
    memory: int
    """Bytes."""
    available: int
    """Bytes of the GPU, or of the computer."""
    seconds: float
    """Seconds of steps and validations."""
    cost: float | None

    @property
    def fits(self) -> bool:
        """Whether the memory is likely to do."""
        return self.memory <= self.available


def memory(shape: Shape, load: TrainingLoad) -> Memory:
    """The memory of a training."""
    size = 4 if load.precision == "fp32" else 2
    if load.nf4:
        weights = NF4 * shape.linear + 2 * (shape.parameters - shape.linear)
    else:
        weights = size * shape.parameters
    inside = size * load.tokens_at_once * (8 * shape.hidden + 4 * shape.feed_forward)
    inputs = size * load.tokens_at_once * shape.hidden * shape.layers
    kept = inputs + inside if load.checkpointing else shape.layers * inside
    chunk = min(CHUNK, load.tokens_at_once)
    return Memory(
        weights=int(weights),
        learning=LEARNING * load.trainable,
        activations=kept,
        logits=4 * 4 * chunk * shape.vocabulary,
    )


def passes(load: TrainingLoad) -> int:
    """Times that the weights are read for each token trained on; once to validate."""
    return 3 if load.checkpointing else 2


def operations(shape: Shape, load: TrainingLoad) -> int:
    """FLOP for each token trained on."""
    return 2 * passes(load) * (shape.parameters + load.trainable)


def expected_speed(shape: Shape, load: TrainingLoad, matrix: float) -> float:
    """Tokens a second of a training, with matrix products at `matrix` FLOP/s."""
    return matrix * REACHED / operations(shape, load)


def shape_of(model: torch.nn.Module) -> Shape:
    """The shape of a loaded base (in 4 bits: before its adapter is put on)."""
    config = cast("Any", model).config.get_text_config()
    linear = sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if type(module).__name__ in ("Linear", "Conv1D", "Linear4bit")
        and isinstance(module.weight, torch.Tensor)
        and not name.endswith("lm_head")
    )
    parameters = sum(p.numel() for p in model.parameters())
    if any(type(m).__name__ == "Linear4bit" for m in model.modules()):
        parameters, linear = parameters + linear, 2 * linear  # two to a byte
    hidden = int(config.hidden_size)
    return Shape(
        parameters=parameters,
        linear=linear,
        hidden=hidden,
        feed_forward=int(
            getattr(config, "intermediate_size", None)
            or getattr(config, "n_inner", None)
            or 4 * hidden
        ),
        layers=int(config.num_hidden_layers),
        vocabulary=int(config.vocab_size),
    )


def matrix_speed(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of matrix products on `device`, measured in a moment."""
    side = 4096 if device.type == "cuda" else 512
    one = torch.randn(side, side, device=device, dtype=dtype)
    torch.mm(one, one)
    wait(device)
    times, began = 0, time.perf_counter()
    while time.perf_counter() - began < 0.15:
        torch.mm(one, one)
        times += 1
        wait(device)
    return 2 * side**3 * times / (time.perf_counter() - began)


def available_memory(device: torch.device) -> int:
    """Bytes that a training can have: the GPU's, or what the computer has free."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    import psutil

    return int(psutil.virtual_memory().available)


def wait(device: torch.device) -> None:
    """Wait until `device` has computed what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
