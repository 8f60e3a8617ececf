"""Messages between the scorer's client and its child process.

As with the pair, a message is a frame of JSON. Logits follow their `Rows` as bare
float32 of this machine, since a chunk of a large vocabulary has 130 MB of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from medassist.core.values import Message
from medassist.engine.frames import Opening, Refused
from medassist.frozen_model import FrozenModel


class OpenScorer(FrozenModel):
    """First command: load a model.

    Attributes:
        context: tokens that are read at a time, at most; fewer where the model was
            trained to hold fewer.
        batch: tokens that are computed at once.
        exact: keep the cache in F32 and use no flash attention, to find what a
            conversion did; else as llama-perplexity reads by default.
        threads: that compute.
        flash: whether llama.cpp may choose flash attention, as it does by default.
    """

    kind: Literal["open"] = "open"
    model: Path
    adapter: Path | None = None
    context: int
    batch: int
    exact: bool
    threads: int
    flash: bool = True


class OpenVocabulary(FrozenModel):
    """First command: load the vocabulary of a GGUF, without weights.

    Attributes:
        model: may hold nothing but a vocabulary.
    """

    kind: Literal["open_vocabulary"] = "open_vocabulary"
    model: Path


class Tokenize(FrozenModel):
    """Command: tokenize a text.

    Attributes:
        special: whether the text of a control token stands for that token.
        whole: whether BOS and EOS are put around it where the model wants them.
        rendered: it is what `Render` gave, perhaps with more text behind it; it is read
            as the app reads a conversation, whatever the others say.
    """

    kind: Literal["tokenize"] = "tokenize"
    text: str
    special: bool = False
    whole: bool = False
    rendered: bool = False


class Render(FrozenModel):
    """A conversation by the model's chat template, up to where the answer begins."""

    kind: Literal["render"] = "render"
    messages: tuple[Message, ...]


class Describe(FrozenModel):
    """Command: describe the `count` tokens from `first` on."""

    kind: Literal["describe"] = "describe"
    first: int
    count: int


class ReadTokens(FrozenModel):
    """Command: compute the logits after each token from position `first` on.

    Attributes:
        shared: tokens at its start that other texts begin with, too.
        adapted_from: the position from which the adapter counts; `None` for never.
    """

    kind: Literal["read"] = "read"
    tokens: tuple[int, ...]
    first: int = 0
    shared: int = 0
    adapted_from: int | None = None


class Write(FrozenModel):
    """Command: generate `count` tokens greedily after `tokens`."""

    kind: Literal["write"] = "write"
    tokens: tuple[int, ...]
    count: int
    adapted_from: int | None = None


class OpenedVocabulary(FrozenModel):
    """The vocabulary is loaded.

    Attributes:
        size: its tokens.
        bos: the token that begins a text, or -1.
        eos: the token that ends a text, or -1.
        adds_bos: every text is read with it in front.
        template: the chat template in the file.
    """

    kind: Literal["opened_vocabulary"] = "opened_vocabulary"
    size: int
    bos: int
    eos: int
    adds_bos: bool
    template: str | None


class Opened(FrozenModel):
    """The model is loaded.

    Attributes:
        quantization: F16, Q4_K_M and so on.
        size: tokens of the vocabulary.
        trained_context: tokens that the model was trained to hold.
        context: tokens that can be read at a time.
        bos: the token to begin with; `None` where the model has none or wants none.
        vocabulary: what there is to say of it.
        invocation: the tokens that switch an activated LoRA on.
    """

    kind: Literal["opened"] = "opened"
    architecture: str
    quantization: str
    size: int
    trained_context: int
    context: int
    bos: int | None
    vocabulary: OpenedVocabulary
    invocation: tuple[int, ...] = ()


class Described(FrozenModel):
    """Properties of tokens, one list each, in their order.

    Attributes:
        texts: how each is written in the vocabulary.
        pieces: the bytes that each writes.
        control: whether llama.cpp takes it for control, whatever the file says.
        ends: whether it ends an answer.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    kind: Literal["described"] = "described"
    texts: tuple[str, ...]
    pieces: tuple[bytes, ...]
    control: tuple[bool, ...]
    ends: tuple[bool, ...]


class TokenIds(FrozenModel):
    """Token ids, of a text or generated."""

    kind: Literal["tokens"] = "tokens"
    tokens: tuple[int, ...]


class Rendered(FrozenModel):
    """A conversation as a text."""

    kind: Literal["rendered"] = "rendered"
    text: str


class Rows(FrozenModel):
    """Header of that many rows of logits."""

    kind: Literal["rows"] = "rows"
    rows: int
    columns: int


Command = (
    OpenScorer | OpenVocabulary | Tokenize | Render | Describe | ReadTokens | Write
)
Reply = (
    Opening
    | Opened
    | OpenedVocabulary
    | Described
    | TokenIds
    | Rendered
    | Rows
    | Refused
)
COMMANDS: TypeAdapter[Command] = TypeAdapter(
    Annotated[Command, Field(discriminator="kind")]
)
REPLIES: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])
