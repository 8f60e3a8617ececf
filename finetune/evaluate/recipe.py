"""The recipe's key `evaluate`."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from finetune.errors import FinetuneError
from medassist.core.files import read_text
from medassist.core.run_folder import RECIPE
from medassist.frozen_model import FrozenModel

SYSTEM_PROMPT = (
    "You are a careful, professional and empathetic medical assistant. Answer in plain "
    "words, say what is not certain, acknowledge what worries the person, and say when "
    "a doctor must be seen, and how soon."
)


class EvaluatePart(FrozenModel):
    """Settings of an evaluation, all with defaults."""

    split: str = "test"
    """Split of data/*.jsonl to measure both models on; where test has no records,
    validation is taken, and said."""
    generate: int = Field(50, ge=0)
    """Number of questions that both models answer in full, for ROUGE-L."""
    examples: bool = True
    """Whether both answer the prompts of evaluate/prompts.yaml, for reading."""
    system_prompt: str = SYSTEM_PROMPT
    """System prompt before the prompts of `examples`."""
    max_new_tokens: int = Field(256, ge=1)
    """Tokens of a generated answer at most."""
    temperature: float = Field(0.0, ge=0)
    """0 takes the likeliest token each time."""
    batch_tokens: int = Field(8192, ge=1)
    """Tokens read at a time, padding included; halved where memory does not suffice."""
    shots: int = Field(5, ge=0)
    """Solved questions before each question of MMLU."""
    exam_chat: bool | None = None
    """Whether exam questions are put by the chat template. Published figures are
    mostly without; by default only an activated LoRA is asked so, since without its
    invocation it does nothing."""
    seed: int = 0
    """Seed of the bootstrap, and of sampling where the temperature is above 0."""


def part_of(run: Path) -> EvaluatePart:
    """Evaluation settings in a run folder's recipe; else the defaults.

    Raises:
        FinetuneError: the recipe's part has a key or a value that is not known.
    """
    file = run / RECIPE
    try:
        content: object = yaml.safe_load(read_text(file))
    except FileNotFoundError:
        return EvaluatePart.model_validate({})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FinetuneError(f"{file} cannot be read as YAML: {error}") from error
    part = content.get("evaluate") if isinstance(content, dict) else None
    try:
        return EvaluatePart.model_validate(part or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(("evaluate", *(str(step) for step in first["loc"])))
        known = ", ".join(EvaluatePart.model_fields)
        raise FinetuneError(
            f"{file}: {key}: {first['msg']}. Known keys there: {known}"
        ) from error
