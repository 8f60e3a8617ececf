"""The base of what stands in files and crosses pipes, as Pydantic checks it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """An immutable value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ForeignModel(BaseModel):
    """An immutable value of somebody else's form; fields not known here are skipped."""

    model_config = ConfigDict(frozen=True, extra="ignore")
