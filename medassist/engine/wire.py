"""Messages between the app and the child process that runs a pair.

Commands travel from the app to the child, events from the child to the app, each as a
frame (`frames`). Both sides validate what they read; the child is fed by a file from
outside and is not trusted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from medassist.core.values import (
    EngineOptions,
    Figures,
    Message,
    Mode,
    PairFiles,
    PaneInfo,
    PaneName,
    Sampling,
    TooLong,
)
from medassist.engine.frames import Hello
from medassist.frozen_model import FrozenModel


class Question(FrozenModel):
    """A question to one pane, with its history."""

    messages: tuple[Message, ...] = Field(min_length=1)
    sampling: Sampling = Sampling()
    written: str = ""
    """Beginning of the answer: it is written on from there."""
    thought: str = ""
    """Thought of the model before that."""
    raw: str = ""
    """A text that is gone on with as it stands, control tokens read as such, without
    the chat template; in place of the messages."""


# Commands: from the app to the child.


class Load(FrozenModel):
    kind: Literal["load"] = "load"
    files: PairFiles
    options: EngineOptions = EngineOptions()


class Ask(FrozenModel):
    kind: Literal["ask"] = "ask"
    id: int
    mode: Mode
    panes: dict[PaneName, Question] = Field(min_length=1)
    asker: str = ""
    """Name of the asker: nothing read for another one is used again for this."""


class Prepare(FrozenModel):
    """Command: read these conversations into the caches while idle."""

    kind: Literal["prepare"] = "prepare"
    id: int
    panes: dict[PaneName, tuple[Message, ...]]


class Stop(FrozenModel):
    """Command: stop request `id`, in one pane or in all."""

    kind: Literal["stop"] = "stop"
    id: int
    pane: PaneName | None = None


Command = Annotated[Load | Ask | Prepare | Stop, Field(discriminator="kind")]


# Events: from the child to the app.


class Loading(FrozenModel):
    kind: Literal["loading"] = "loading"
    file: Path
    fraction: float


class Loaded(FrozenModel):
    kind: Literal["loaded"] = "loaded"
    panes: dict[PaneName, PaneInfo]
    notices: tuple[str, ...] = ()
    """Sentences for the user: no template in the file, no end token, ..."""


class Reading(FrozenModel):
    """Progress of a prefill: `done` of `total` prompt tokens, `reused` from before."""

    kind: Literal["reading"] = "reading"
    id: int
    pane: PaneName
    done: int
    total: int
    reused: int


class Written(FrozenModel):
    """A further piece of an answer: whole characters, stop strings withheld."""

    kind: Literal["written"] = "written"
    id: int
    pane: PaneName
    text: str
    tokens: int
    """Tokens that were written so far, those of the thought among them."""
    thought: str = ""
    """A further piece of what the model thinks."""
    thought_tokens: int = 0
    """Tokens of the thought so far."""
    restart: bool = False
    """Whether what was sent as the answer was thought: `text` begins it anew."""


class Answered(FrozenModel):
    """An answer is finished: its text and figures.

    One that was written on has all of the text, and the figures of what was added.
    """

    kind: Literal["answered"] = "answered"
    id: int
    pane: PaneName
    text: str
    figures: Figures
    sampling: Sampling
    thought: str = ""
    """Thought of the model, without the marks around it."""


class DoesNotFit(FrozenModel):
    """The prompt of a pane is too long for its context."""

    kind: Literal["does_not_fit"] = "does_not_fit"
    id: int
    pane: PaneName
    too_long: TooLong


class Done(FrozenModel):
    """Request `id` is finished."""

    kind: Literal["done"] = "done"
    id: int


class CommandFailed(FrozenModel):
    """A command failed. The child lives on unless it says `fatal`."""

    kind: Literal["failed"] = "failed"
    id: int | None = None
    pane: PaneName | None = None
    message: str
    file: Path | None = None
    fatal: bool = False
    stopped: bool = False
    """The user stopped it: not an error."""
    refused: bool = False
    """The model cannot be asked this as it stands."""


Event = Annotated[
    Hello
    | Loading
    | Loaded
    | Reading
    | Written
    | Answered
    | DoesNotFit
    | Done
    | CommandFailed,
    Field(discriminator="kind"),
]

COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)
EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
