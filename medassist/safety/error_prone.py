"""Ways to write a dose that are misread: 10U, .5 mg, 5.0 mg, QD, µg, MTX."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from medassist.frozen_model import FrozenModel
from medassist.safety.language import whose_rules
from medassist.text.quantities import Quantity, quantities

TABLE: Final = Path(__file__).with_name("error_prone.toml")
_NAKED: Final = re.compile(r"[.,\u00b7]\d")
_TRAILING: Final = re.compile(r"(\d+)[.,\u00b7]0{1,2}(?!\d)")


class Forms(FrozenModel):
    """Contents of error_prone.toml.

    Attributes:
        sources: The lists that the forms stand on.
        units: What to write instead of a unit, by how it is written.
        words: What to write instead of a word, in small letters.
        elsewhere: By language, what is written there for what these say in English.
    """

    sources: str
    units: dict[str, str]
    words: dict[str, str]
    elsewhere: dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class ErrorProne:
    """A form that is misread.

    Attributes:
        span: Its characters.
        instead: What to write.
    """

    span: tuple[int, int]
    instead: str


@cache
def forms() -> Forms:
    """The forms of the table."""
    return Forms.model_validate(tomllib.loads(TABLE.read_text("utf-8")))


@cache
def _words() -> re.Pattern[str]:
    longest = sorted(forms().words, key=len, reverse=True)
    said = "|".join(re.escape(word) for word in longest)
    begins = "".join(sorted({word[0] for word in longest}))
    return re.compile(rf"\b(?=[{begins}])(?:{said})(?![^\W_])", re.IGNORECASE)


def error_prone(text: str) -> tuple[ErrorProne, ...]:
    """The error-prone forms of the doses in `text`, in order; never raises."""
    found = [form for one in quantities(text) for form in _of_amount(text, one)]
    found += [
        ErrorProne(match.span(), forms().words[match.group().lower()])
        for match in _words().finditer(text)
    ]
    rules = whose_rules(text) if found else ()
    said = forms().elsewhere.get(rules[0], {}) if len(rules) == 1 else {}
    return tuple(
        ErrorProne(form.span, _said(form.instead, said))
        for form in sorted(found, key=lambda form: form.span)
    )


def _said(instead: str, language: dict[str, str]) -> str:
    """What to write, in the words of the text's language: "10 unidades"."""
    if instead in language:
        return language[instead]
    return " ".join(language.get(word, word) for word in instead.split(" "))


def _of_amount(text: str, one: Quantity) -> Iterator[ErrorProne]:
    if one.kind != "dose" or one.unit is None:
        return
    instead = forms().units.get(one.written)
    written = better = text[one.start : one.end]
    if not (instead or _TRAILING.search(written) or written[0] in ".,\u00b7"):
        return
    if _NAKED.match(written):
        better = f"0{better}"
    better = _TRAILING.sub(r"\1", better)
    if instead:
        unit = re.compile(rf"\s?{re.escape(one.written)}(?![^\W\d_])", re.IGNORECASE)
        better = unit.sub(f" {instead}", better)
    if better != written:
        yield ErrorProne((one.start, one.end), better)
