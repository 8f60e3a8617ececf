"""The messages between the app and the child process that runs llama.cpp.

Commands travel from the app to the child, events from the child to the app. On
the pipe a message is one frame: its length in bytes (4 bytes, big-endian), then
UTF-8 JSON. Both sides validate what they read; the child is fed by a file from
outside and is not trusted.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

PaneName = Literal["base", "tuned"]
PANES: tuple[PaneName, PaneName] = ("base", "tuned")
Mode = Literal["together", "in-turn"]
StopReason = Literal["end", "length", "stopped"]
MAX_SEED = 2**32 - 2
"""The next one means a random seed to llama.cpp."""
FRAME_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 64 * 1024 * 1024


class Value(BaseModel):
    """An immutable value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Value):
    """One message of a conversation, as a chat template takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


class PairFiles(Value):
    """The files of a pair. Four shapes are allowed.

    - base and adapter: one set of weights, the adapter on the tuned pane;
    - base and tuned: two models, the second one merged;
    - base alone, tuned alone: one pane.
    """

    base: Path | None = None
    tuned: Path | None = None
    adapter: Path | None = None

    @model_validator(mode="after")
    def _shape(self) -> PairFiles:
        if self.base is None and self.tuned is None:
            raise ValueError("a pair needs a base model, a tuned model, or both")
        if self.adapter is not None and self.base is None:
            raise ValueError("an adapter needs the base model that it was trained on")
        if self.adapter is not None and self.tuned is not None:
            raise ValueError("give an adapter or a tuned model, not both")
        return self

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
            found = (self.tuned or self.base, self.adapter)
        return tuple(f for f in found if f is not None)


class EngineOptions(Value):
    """How a pair is loaded. `None` means: chosen for this machine and model."""

    context: int | None = Field(default=None, ge=64)
    """Tokens that each pane can hold; by default the model's own, at most 4096."""
    threads: int | None = Field(default=None, ge=1)
    """Threads that compute; by default the physical cores."""
    gpu_layers: int | None = Field(default=None, ge=0)
    """Layers on the GPU; by default all where the build of llama.cpp has one."""
    kv: Literal["f16", "q8_0"] = "f16"
    """Type of the KV cache; q8_0 halves its memory and turns flash attention on."""
    flash_attention: bool | None = None
    """By default off on a CPU, where it decodes more slowly, and on on a GPU."""
    share_prefill: bool = True
    """Read the prompt once for both panes where the adapter allows it."""


class Sampling(Value):
    """How the next token is chosen, and when an answer ends."""

    temperature: float = Field(default=0.3, ge=0)
    """0 takes the likeliest token. Low, since facts are asked for: of the starter
    pair's sixty answers that were read (its card), far fewer stray than at 0.7."""
    top_k: int = Field(default=40, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    min_p: float = Field(default=0.05, ge=0, le=1)
    repeat_penalty: float = Field(default=1.1, gt=0)
    """Divides the likelihood of what the answer's last 64 tokens hold; 1 is off."""
    seed: int = Field(default=42, ge=0, le=MAX_SEED)
    max_tokens: int | None = Field(default=512, ge=1)
    """`None`: until the answer ends or the context is full."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer and are never shown, not even in part."""


class Question(Value):
    """What one pane is asked: its own history, ending with the user's turn."""

    messages: tuple[Message, ...] = Field(min_length=1)
    sampling: Sampling = Sampling()


# Commands: from the app to the child.


class Load(Value):
    kind: Literal["load"] = "load"
    files: PairFiles
    options: EngineOptions = EngineOptions()


class Ask(Value):
    kind: Literal["ask"] = "ask"
    id: int
    mode: Mode
    panes: dict[PaneName, Question] = Field(min_length=1)


class Prepare(Value):
    """Read these conversations into the caches while nothing else is to be done."""

    kind: Literal["prepare"] = "prepare"
    id: int
    panes: dict[PaneName, tuple[Message, ...]]


class Stop(Value):
    """Stop request `id`: in one pane, or in all."""

    kind: Literal["stop"] = "stop"
    id: int
    pane: PaneName | None = None


Command = Annotated[Load | Ask | Prepare | Stop, Field(discriminator="kind")]


# Events: from the child to the app.


class Hello(Value):
    """The child runs and is confined; nothing has been opened yet."""

    kind: Literal["hello"] = "hello"
    confined: str


class Loading(Value):
    kind: Literal["loading"] = "loading"
    file: Path
    fraction: float


class PaneInfo(Value):
    """What stands behind a pane once it is loaded."""

    file: Path
    adapter: Path | None = None
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
    kv: Literal["f16", "q8_0"]


class Loaded(Value):
    kind: Literal["loaded"] = "loaded"
    panes: dict[PaneName, PaneInfo]
    notices: tuple[str, ...] = ()
    """Sentences for the user: no template in the file, no end token, ..."""


class Reading(Value):
    """Progress of a prefill: `done` of `total` prompt tokens, `reused` from before."""

    kind: Literal["reading"] = "reading"
    id: int
    pane: PaneName
    done: int
    total: int
    reused: int


class Written(Value):
    """A further piece of an answer; whole characters, stop strings kept out."""

    kind: Literal["written"] = "written"
    id: int
    pane: PaneName
    text: str
    tokens: int
    """Tokens of the answer so far."""


class Answered(Value):
    """An answer is finished: its whole text and what it took."""

    kind: Literal["answered"] = "answered"
    id: int
    pane: PaneName
    text: str
    stop_reason: StopReason
    tokens_read: int
    """Prompt tokens that this pane computed."""
    tokens_reused: int
    """Prompt tokens that it had, or took over from the other pane."""
    tokens_written: int
    ttft_s: float | None
    """Seconds from the question to the first token; `None` where none came."""
    tok_per_s: float | None
    """Tokens after the first by the seconds they took, as the reader saw them."""
    sampling: Sampling
    context_used: int
    """Tokens of prompt and answer together."""


class TooLong(Value):
    """The prompt does not fit. Nothing has run and nothing was cut."""

    kind: Literal["too_long"] = "too_long"
    id: int
    pane: PaneName
    tokens: int
    fits: int
    """The most tokens that a prompt may have here, leaving room to answer."""
    droppable: tuple[int, ...]
    """Tokens that each earlier turn (question and answer) takes, oldest first."""


class Done(Value):
    """Request `id` is over: all that it had to say has been said."""

    kind: Literal["done"] = "done"
    id: int


class Failed(Value):
    """A command failed. The child lives on unless it says `fatal`."""

    kind: Literal["failed"] = "failed"
    id: int | None = None
    pane: PaneName | None = None
    message: str
    file: Path | None = None
    fatal: bool = False
    stopped: bool = False
    """The user stopped it: not an error."""


Event = Annotated[
    Hello | Loading | Loaded | Reading | Written | Answered | TooLong | Done | Failed,
    Field(discriminator="kind"),
]

COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)
EVENTS: TypeAdapter[Event] = TypeAdapter(Event)


class FrameTooLarge(ValueError):
    """A message does not fit on the pipe."""


def frame(message: BaseModel) -> bytes:
    """The bytes of `message` on the pipe.

    Raises:
        FrameTooLarge: the message is larger than `MAX_FRAME_BYTES`.
        ValueError: a text in it is no Unicode.
    """
    body = message.model_dump_json().encode()
    if len(body) > MAX_FRAME_BYTES:
        raise FrameTooLarge(
            f"a message of {len(body):,} bytes is over the {MAX_FRAME_BYTES:,} that "
            "the engine takes; shorten the text"
        )
    return FRAME_LENGTH.pack(len(body)) + body
