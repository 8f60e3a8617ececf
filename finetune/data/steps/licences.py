"""Checks each record's licence against the list of allowed ones.

A licence is known by its family: `CC BY 4.0`, `CC-BY` and `Creative Commons
Attribution 3.0` are all CC BY. What restricts more than the family says (NC, ND) is
another family. Where a name has several parts, each must be allowed, and where anything
stands in it that is not understood, the name is a family of its own: "CC BY (for
members)" is not CC BY.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from finetune.data.prepared_records import Licence
from finetune.data.sources.data_source import CONCERN, RETRACTED
from finetune.data.steps.step_result import AnyRecord, Dropped, Kept, StepResult
from medassist.text.licences import named_licences
from medassist.text.licences.named_licences import RESTRICTED, UNKNOWN

SENTENCE = 12  # words from which a licence's name is read as a statement
_BETWEEN = re.compile(r"[\s_\-\u2010\u2011\u2013/,.]+")
_SEVERAL = re.compile(r"\s*(?:;|\+|&|\band\b)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class LicenceDecision:
    """Whether a licence is allowed, and why."""

    family: str
    used: bool
    why: str

    def verdict(self, record: AnyRecord) -> StepResult:
        """The step's result for `record`."""
        if self.used:
            return Kept(record)
        return Dropped(self.family, f"{record.licence.evidence}: {self.why}")


def as_stated(record: AnyRecord, stated: str | None) -> AnyRecord:
    """The record with the user's stated licence, if its files name none."""
    if stated is None or record.licence.name.casefold() != UNKNOWN:
        return record
    licence = Licence(name=stated, evidence="stated by the user for the data set")
    return record.model_copy(update={"licence": licence})


@lru_cache(maxsize=4096)
def families(name: str) -> tuple[str, ...]:
    """The licence families in a name, without repetitions; mostly one."""
    if name.casefold().lstrip().startswith("conflict"):
        return (UNKNOWN,)
    if whole := _families(name):
        return whole
    parts = [part for part in _SEVERAL.split(name) if part.strip()]
    known = [_families(part) for part in parts]
    if any(known) and not all(known):
        found = [
            each
            for part, of in zip(parts, known, strict=True)
            for each in of or (_folded(part),)
        ]
        return tuple(dict.fromkeys(found))
    return (_folded(name) or UNKNOWN,)


def _families(name: str) -> tuple[str, ...]:
    """The families that all of `name` speaks of; none where it is not understood."""
    found = named_licences.from_name(name)
    if not found and len(name.split()) >= SENTENCE:
        said = named_licences.from_sentence(name)
        found = tuple(each.name for each in said)
        if RESTRICTED in found:
            return ()
    return tuple(dict.fromkeys(named_licences.without_version(each) for each in found))


def _folded(name: str) -> str:
    return _BETWEEN.sub(" ", name.casefold()).strip()


class LicenceStep:
    """Removes what has no allowed licence, and retracted or doubted articles."""

    name = "licence"

    def __init__(self, allowed: Iterable[str]) -> None:
        names = tuple(allowed)
        self._allowed = {each for name in names for each in families(name)}
        asked = {name.casefold() for name in names}
        self._retracted, self._doubted = RETRACTED in asked, CONCERN in asked

    def decide(self, record: AnyRecord) -> LicenceDecision:
        """Decide on `record`; the decision is counted in the manifest."""
        if RETRACTED in record.meta and not self._retracted:
            return LicenceDecision(RETRACTED, False, "the article was retracted")
        if CONCERN in record.meta and not self._doubted:
            why = "its editors published an expression of concern"
            return LicenceDecision(CONCERN, False, why)
        found = families(record.licence.name)
        shown = " and ".join(found)
        refused = [each for each in found if each not in self._allowed]
        if refused:
            return LicenceDecision(
                shown, False, f"{refused[0]} is not on the list of allowed"
            )
        return LicenceDecision(shown, True, f"{shown} is on the list of allowed")

    def __call__(self, record: AnyRecord) -> StepResult:
        return self.decide(record).verdict(record)
