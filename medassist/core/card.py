"""card.json: a model's lineage, licences, figures and limits.

This is the only reader and writer of that file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from medassist.core.errors import MedassistError
from medassist.core.files import SHARED_FILE, read_bytes, write_whole
from medassist.core.validated import NotOfThisKindError, from_json, to_json
from medassist.core.values import REFUSES_UNKNOWN

Sha256 = str
AdapterKind = Literal["activated", "plain"]
Pane = Literal["base", "tuned"]


class CardError(MedassistError):
    """A card is missing or broken; the message says which and why."""


class _CardPart:
    """Base of all parts of a card; unknown fields are refused."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN


@dataclass(frozen=True, kw_only=True)
class SourceUse(_CardPart):
    """A data set that a model was trained on."""

    name: str
    title: str
    licence: str
    attribution: str
    url: str
    passages: int = 0
    """Passages or questions of it that were trained on."""
    held_out: int = 0
    """Passages or questions of it that the losses were taken from."""
    bytes: int = 0
    """UTF-8 bytes trained on, counted once."""


@dataclass(frozen=True, kw_only=True)
class StageFigures(_CardPart):
    """One training: the base, or an adapter on it."""

    steps: int
    tokens: int
    minutes: float
    """Minutes of computing."""
    hardware: str
    parameters: int
    """Number of parameters that were trained."""
    training_loss: float
    """Nats per token, mean of the last steps."""
    validation_loss: float
    """Nats per token on held-out text: the sum over the text by its tokens."""
    bits_per_byte: float
    """The same loss in bits by UTF-8 byte, to compare different tokenizers."""


@dataclass(frozen=True, kw_only=True)
class TunedFrom(_CardPart):
    """The model of somebody else that an adapter was trained on."""

    name: str
    """Its id on the Hub, or the name of its folder."""
    licence: str
    """`unknown` where nobody has said it."""
    architecture: str
    parameters: int
    context: int
    """Tokens."""
    files: dict[str, Sha256]
    """Hashes of weights, configuration and tokenizer, by file name."""


@dataclass(frozen=True, kw_only=True)
class Tuning(_CardPart):
    """The training of an adapter on a model of somebody else."""

    method: str
    """lora, rslora, dora, qlora, alora."""
    rank: int
    parameters: int
    """Number of parameters that were trained."""
    steps: int
    epochs: float
    tokens: int
    minutes: float
    hardware: str
    precision: str
    training_loss: float
    """Nats per token in the loss, mean of the last steps."""
    validation_loss: float | None = None
    """Nats per token in the loss, of the checkpoint that was kept."""
    spent: float | None = None
    """Dollars, where a price was given."""


@dataclass(frozen=True, kw_only=True)
class CardComparison(_CardPart):
    """The tuned model against its base in one figure, on the same items."""

    what: str
    """`answers`, `text`, the name of an exam."""
    metric: str
    higher_is_better: bool
    n: int
    base: float
    tuned: float
    difference: float
    """Tuned less base."""
    low: float
    """Lower end of the difference's interval."""
    high: float
    level: float
    verdict: str
    """`better` and `worse` only where the interval excludes zero, and not of fewer than
    ten items or documents."""


@dataclass(frozen=True, kw_only=True)
class Readings(_CardPart):
    """Answers to questions that were not trained on, read by a person."""

    pane: Pane
    temperature: float
    answers: int
    fluent: int
    on_topic: int
    ended: int
    """By themselves, not at the limit."""
    repeated: int
    """Number of items that say the same words twice."""


@dataclass(frozen=True, kw_only=True)
class Lineage(_CardPart):
    """The SHA-256 of all that the files were made of, and of the files."""

    recipe: Sha256
    data: dict[str, Sha256] = field(default_factory=dict[str, Sha256])
    base: Sha256
    """Of the Hugging Face weights; of several files, of their `sha256  name` lines in
    the order of the names."""
    adapters: dict[AdapterKind, Sha256] = field(
        default_factory=dict[AdapterKind, Sha256]
    )
    merged: dict[str, Sha256] = field(default_factory=dict[str, Sha256])
    """Hashes of the weights of base and adapter in one, by file name, once merged."""
    gguf: dict[str, Sha256] = field(default_factory=dict[str, Sha256])
    """By file name, once converted."""
    run: dict[str, Sha256] = field(default_factory=dict[str, Sha256])
    """Files of the run folder that the card was written from, by path."""
    ollama: dict[str, Sha256] = field(default_factory=dict[str, Sha256])
    """Hashes of the models' manifests in Ollama, by their names, once published."""


@dataclass(frozen=True, kw_only=True)
class VerifiedFile(_CardPart):
    """Findings of the converter's gate about a file of the pair."""

    sha256: Sha256
    passed: bool
    checks: dict[str, bool]
    """By name: token ids, prompt, logits, greedy text, quantization loss."""
    figures: dict[str, float] = field(default_factory=dict[str, float])
    """NMSE, KLD, perplexities, by name."""
    against: str | None = None
    """The file that a quantized one was measured against."""


@dataclass(frozen=True, kw_only=True)
class Card(_CardPart):
    """The card of a pair."""

    version: Literal[1] = 1
    name: str
    what: str
    """Description in a sentence or two."""
    cannot: tuple[str, ...]
    """Things that it cannot do and must not be used for."""
    licence: str
    architecture: str
    parameters: int
    context: int
    stops: tuple[str, ...] = ()
    """Texts that end an answer of its GGUFs, where no token does."""
    lineage: Lineage
    sources: tuple[SourceUse, ...]
    base: StageFigures | None = None
    """Figures of the base's training, if it was trained here; else see `tuned_from`."""
    adapters: dict[AdapterKind, StageFigures] = field(
        default_factory=dict[AdapterKind, StageFigures]
    )
    base_answer_loss: float | None = None
    """Nats per token of the untuned base on the answers that the adapters are
    validated on."""
    readings: tuple[Readings, ...] = ()
    tuned_from: TunedFrom | None = None
    tuning: dict[AdapterKind, Tuning] = field(default_factory=dict[AdapterKind, Tuning])
    comparisons: tuple[CardComparison, ...] = ()
    notices: tuple[str, ...] = ()
    verified: dict[str, VerifiedFile] = field(default_factory=dict[str, VerifiedFile])
    """By file name."""


def read_card(file: Path) -> Card:
    """The card in `file`.

    Raises:
        CardError: there is none, or it is not a card; the message names the field.
    """
    try:
        return from_json(Card, read_bytes(file))
    except OSError as error:
        raise CardError(f"{file} cannot be read: {error.strerror}") from error
    except NotOfThisKindError as error:
        raise CardError(f"{file} is not a card of this version: {error}") from error


def write_card(card: Card, file: Path) -> None:
    """Write `card` to `file`, whole or not at all."""
    write_whole(file, to_json(card) + "\n", SHARED_FILE)
