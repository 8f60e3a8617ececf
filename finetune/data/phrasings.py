"""Ways of asking a question, for data sets that vary their questions."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from medassist.frozen_model import FrozenModel

_FILE = Path(__file__).with_name("phrasings.yaml")


class Phrasings(FrozenModel):
    """Ways to ask about one kind of thing; `{focus}` stands for what is asked about."""

    asks: tuple[str, ...]
    """Stand alone."""
    follows: tuple[str, ...]
    """Come second in a conversation."""
    patients: tuple[str, ...]
    """Questions in the first person, or for somebody of the family."""
    clinicians: tuple[str, ...]
    """Questions in shorthand."""


@cache
def phrasings() -> dict[str, Phrasings]:
    """The ways to ask, by kind of question as MedQuAD names it."""
    return TypeAdapter(dict[str, Phrasings]).validate_python(
        yaml.safe_load(_FILE.read_text("utf-8"))
    )
