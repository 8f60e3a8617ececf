"""Authors of each data set, and the licence under which it may be used."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from medassist.frozen_model import FrozenModel

CATALOGUE = Path(__file__).with_name("source_notices.yaml")


class SourceNotice(FrozenModel):
    """Notice that is due wherever words of a data set were used."""

    title: str
    licence: str
    attribution: str
    url: str
    articles: str | None = None
    """The index of the articles in a data folder, where there is a credit for each."""


@cache
def notices() -> dict[str, SourceNotice]:
    """The notices of all known data sets by their short names."""
    return TypeAdapter(dict[str, SourceNotice]).validate_python(
        yaml.safe_load(CATALOGUE.read_text("utf-8"))
    )
