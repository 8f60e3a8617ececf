"""Values shared by all packages: panes, messages, files, sampling, figures.

Each is defined here and nowhere else. They are plain dataclasses, so that the first
frame waits for no checking library; what comes from outside (a settings file, a
process, the records) is checked against the same types by `medassist.core.validated`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le

PaneName = Literal["base", "tuned"]
PANES: tuple[PaneName, PaneName] = ("base", "tuned")
LETTERS: dict[PaneName, str] = {"base": "A", "tuned": "B"}
"""Names of the panes where it is not told which model writes in them."""
Mode = Literal["together", "in-turn"]
"""The panes write in turns, token by token, or one answer after the other."""
Role = Literal["system", "user", "assistant"]
StopReason = Literal["end", "length", "stopped"]
KvType = Literal["f16", "q8_0"]
Thinking = Literal["auto", "on", "off"]
"""Whether a model shall think first, where its template lets one choose; `auto`: as
the template has it by itself."""
CHUNK = 128
"""Tokens read at a time: small enough to stop quickly, large enough to read fast."""
KEPT_COPY_BYTES = 64 * 2**20
"""The most that handing a prompt over from one pane to the other keeps."""
MAX_SEED = 2**32 - 2
"""The next one means a random seed to llama.cpp."""
REFUSES_UNKNOWN: dict[str, str] = {"extra": "forbid"}
"""A table that is checked against one of these types may hold no field beyond it."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation, as a chat template takes it."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    role: Role
    content: str


@dataclass(frozen=True)
class PairFiles:
    """The files of a pair, in one of five allowed combinations.

    - base and adapter: one set of weights, the adapter on the tuned pane;
    - adapter and adapter_base: the adapter on weights of its own, with or without a
      base beside them;
    - base and tuned: two models, the second one merged;
    - base alone, tuned alone: one pane.

    Raises:
        ValueError: the files have another shape.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    base: Path | None = None
    tuned: Path | None = None
    adapter: Path | None = None
    adapter_base: Path | None = None
    """The weights under the adapter, where they are not those of `base`."""

    def __post_init__(self) -> None:
        if self.adapter_base is not None and self.adapter is None:
            raise ValueError("weights for an adapter need the adapter")
        if not (self.base or self.tuned or self.adapter_base):
            raise ValueError("a pair needs a base model, a tuned model, or both")
        if self.adapter is not None and not (self.base or self.adapter_base):
            raise ValueError("an adapter needs the base model that it was trained on")
        if self.adapter is not None and self.tuned is not None:
            raise ValueError("give an adapter or a tuned model, not both")

    @property
    def panes(self) -> tuple[PaneName, ...]:
        """The panes that these files can answer in."""
        tuned = self.tuned is not None or self.adapter is not None
        return tuple(p for p in PANES if (self.base if p == "base" else tuned))

    def files(self, pane: PaneName) -> tuple[Path, ...]:
        """The files that the answers of `pane` come from, weights first."""
        if pane == "base":
            found = (self.base,)
        else:
            found = (self.tuned or self.adapter_base or self.base, self.adapter)
        return tuple(f for f in found if f is not None)

    def with_pane(self, pane: PaneName, files: tuple[Path, ...]) -> PairFiles:
        """The pair with `files`, weights first, in `pane`, and its other pane as it is.

        Raises:
            ValueError: the base pane would have an adapter.
        """
        if pane == "base" and len(files) > 1:
            raise ValueError("the base pane takes a model without an adapter")
        both = {name: self.files(name) for name in self.panes} | {pane: files}
        base = next(iter(both.get("base", ())), None)
        weights, adapter = (*both.get("tuned", ()), None, None)[:2]
        if adapter is None:
            return PairFiles(base=base, tuned=weights)
        own = weights if weights != base else None
        return PairFiles(base=base, adapter=adapter, adapter_base=own)


DEFAULT_CONTEXT = 4096
"""Tokens that a pane holds where nobody asks for more, and the model can."""


@dataclass(frozen=True)
class EngineOptions:
    """Options for loading a pair; `None`: chosen for this machine and model."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    context: Annotated[int, Ge(64)] | None = None
    """Tokens that each pane can hold; by default the model's own, at most 4096."""
    threads: Annotated[int, Ge(1)] | None = None
    """Threads that compute; by default the physical cores."""
    gpu_layers: Annotated[int, Ge(0)] | None = None
    """Layers on the GPU; by default all where the build of llama.cpp has one."""
    kv: KvType = "f16"
    """Type of the KV cache; q8_0 halves its memory and turns flash attention on."""
    flash_attention: bool | None = None
    """By default off on a CPU, where it decodes more slowly, and on on a GPU."""
    share_prefill: bool = True
    """Read the prompt once for both panes where the adapter allows it."""


@dataclass(frozen=True)
class Sampling:
    """Settings for choosing the next token, and for ending an answer."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    temperature: Annotated[float, Ge(0)] = 0.3
    """0 takes the likeliest token. Low, since facts are asked for: of the starter
    pair's sixty answers that were read (its card), far fewer stray than at 0.7."""
    top_k: Annotated[int, Ge(0)] = 40
    top_p: Annotated[float, Gt(0), Le(1)] = 0.95
    min_p: Annotated[float, Ge(0), Le(1)] = 0.05
    repeat_penalty: Annotated[float, Gt(0)] = 1.1
    """Divides the likelihood of what the answer's last 64 tokens hold; 1 is off."""
    seed: Annotated[int, Ge(0), Le(MAX_SEED)] = 42
    max_tokens: Annotated[int, Ge(1)] | None = 1024
    """The longest answer, at most half of the context; `None`: until it ends or the
    context is full."""
    max_thought_tokens: Annotated[int, Ge(1)] | None = 2048
    """After so many the thought is closed, so that the answer begins. It is less where
    the context would have no room left for an answer. `None`: only then."""
    thinking: Thinking = "auto"
    stop: tuple[str, ...] = ()
    """Texts that end the answer and are never shown, not even in part."""


@dataclass(frozen=True)
class PaneInfo:
    """The model that was loaded for a pane."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    file: Path
    name: str
    architecture: str
    quantization: str
    parameters: int
    context: int
    """Tokens that the pane can hold."""
    trained_context: int
    template: Literal["model", "plain"]
    """`plain`: the model file has no chat template, so a simple one is used."""
    shares_prefill: bool
    """The prompt before the answer is read once for both panes (activated LoRA)."""
    threads: int
    flash_attention: bool
    kv: KvType
    adapter: Path | None = None
    thinks: bool = False
    """Its template or its tokens speak of thoughts."""
    thinking_switch: bool = False
    """Its template lets one choose whether it thinks."""


@dataclass(frozen=True)
class Figures:
    """Token counts and times of a finished answer."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    ending: StopReason
    tokens_read: int
    """Prompt tokens that this pane computed."""
    tokens_reused: int
    """Prompt tokens that it had, or took over from the other pane."""
    tokens_written: int
    ttft_s: float | None
    """Seconds from the question to the first token; `None` where none came."""
    tok_per_s: float | None
    """Tokens after the first by the seconds they took, as the reader saw them."""
    context_used: int
    """Tokens of prompt and answer together."""
    tokens_thought: int = 0
    """Those of `tokens_written` that are none of the answer."""
    gone_on_at: tuple[int, ...] = ()
    """Tokens of the answer at which it was cut off by its limit and gone on with: the
    seed began anew there."""

    @property
    def tokens_answered(self) -> int:
        """Tokens of the answer, without those of the thought before it."""
        return self.tokens_written - self.tokens_thought

    def after(self, before: Figures) -> Figures:
        """Those of an answer that had `before` when it was gone on with."""
        written = self.tokens_written + before.tokens_written
        seconds = [
            figures.tokens_written / figures.tok_per_s
            for figures in (before, self)
            if figures.tok_per_s
        ]
        return replace(
            self,
            tokens_read=self.tokens_read + before.tokens_read,
            tokens_reused=self.tokens_reused + before.tokens_reused,
            tokens_written=written,
            tokens_thought=self.tokens_thought + before.tokens_thought,
            ttft_s=before.ttft_s,
            tok_per_s=written / sum(seconds) if seconds else None,
            gone_on_at=(*before.gone_on_at, before.tokens_answered),
        )


@dataclass(frozen=True)
class TooLong:
    """The prompt of a pane does not fit. Nothing has run and nothing was cut."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    pane: PaneName
    tokens: int
    """Tokens of the prompt."""
    fits: int
    """The most tokens that a prompt may have here, leaving room to answer."""
    droppable: tuple[int, ...]
    """Tokens that each earlier turn (question and answer) takes, oldest first."""
