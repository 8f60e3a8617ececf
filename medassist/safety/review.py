"""Review of a finished answer: doses worth a second look, and sources.

Nothing of it says that an answer is right, and nothing of it says which model wrote it:
only the texts of questions and answers are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from medassist.safety.citations import find_citations
from medassist.safety.dose_mentions import find_doses
from medassist.safety.doses import DoseWarning, check_doses, compare_doses

Span = tuple[int, int]

MOST_CITED: Final = 3
"""Citations that are named; the others are counted."""
LONGEST_CITED: Final = 60
_ORDER: Final = (
    "never", "thousandfold", "unit", "weekly", "day", "tenfold", "in doubt", "range",
    "weight", "renal", "error-prone", "unchecked",
)  # fmt: skip
_SOURCE: Final = re.compile(
    r"(?P<site>[\w.-]+\.[a-z]{2,})(?:/[^\s,:]*)?(?: \([^)]*\))?"
    r"(?:, (?P<what>(?:the maker's|a|reprint|copy|after) [^,:;()]*[^,:;() ]))?"
)
"""A page of doses.toml: its site, and whose text it is."""
_WITH_WORDS: Final = {"never", "unit", "weekly", "day", "range", "weight", "in doubt"}
"""Kinds whose sentence does not name the amount that it is about."""


@dataclass(frozen=True, slots=True)
class Review:
    """Review of one answer.

    Attributes:
        warnings: A sentence each, what can do most harm first.
        sources: That the answer cites nothing, or what it cites, unverified.
        cites: It cites something.
    """

    warnings: tuple[str, ...]
    sources: str
    cites: bool = True


def review(story: str, answer: str, other: str = "") -> Review:
    """Review a finished answer; never raises.

    Args:
        story: What was asked, with the earlier questions of the conversation.
        answer: The answer, as the reader has it.
        other: The answer in the other pane, where that is over too.
    """
    found: list[DoseWarning] = [*check_doses(story, answer)]
    if other:
        found += compare_doses(answer, other)
    found.sort(key=lambda warning: _ORDER.index(warning.kind))
    renal = [warning for warning in found if warning.kind == "renal"]
    sentences = dict.fromkeys(
        _sentence(warning, answer) for warning in found if warning.kind != "renal"
    )
    if renal:
        sentences[_of_the_kidneys(renal)] = None
    return Review(tuple(sentences), sources(answer), cites(answer))


def cites(answer: str) -> bool:
    """Whether `answer` names a source, right or wrong."""
    return bool(find_citations(answer))


def sources(answer: str) -> str:
    """Sentence about the sources of `answer`."""
    cited = list(dict.fromkeys(_short(c.text) for c in find_citations(answer)))
    if not cited:
        return "No source: this answer cites nothing."
    named = "; ".join(cited[:MOST_CITED])
    more = len(cited) - MOST_CITED
    rest = f" and {more} more" if more > 0 else ""
    return f"Unverified on this computer: {named}{rest}."


@dataclass(frozen=True, slots=True)
class DosePart:
    """A part of a dose in a text.

    Attributes:
        span: Its characters.
        amount: Value and unit; else drug, route or frequency.
    """

    span: Span
    amount: bool


def dose_marks(text: str) -> tuple[DosePart, ...]:
    """Places of doses in `text`: value and unit, drug, route and frequency."""
    marks: list[DosePart] = []
    for dose in find_doses(text):
        marks.append(DosePart(dose.span, amount=True))
        marks += [DosePart(part, amount=False) for part in dose.parts]
    return tuple(marks)


def _sentence(warning: DoseWarning, answer: str) -> str:
    said = warning.text
    if warning.kind in _WITH_WORDS and warning.spans:
        start, end = warning.spans[0]
        said = f"“{answer[start:end]}”: {said}"
    return f"{said}{_by([warning])}"


def _of_the_kidneys(warnings: Sequence[DoseWarning]) -> str:
    """One sentence for all: in a medication review there would be a dozen."""
    if len(warnings) == 1:
        return f"{warnings[0].text}{_by(warnings)}"
    *names, last = (warning.drug for warning in warnings)
    return (
        f"The doses of {', '.join(names)} and {last} depend on renal function, and none"
        f" is given.{_by(warnings)}"
    )


def _by(warnings: Sequence[DoseWarning]) -> str:
    """What was read for the table, and where; doses.toml names the pages."""
    sites = dict.fromkeys(_read(w.source) for w in warnings if w.source)
    return f" ({'; '.join(sites)})" if sites else ""


def _read(source: str) -> str:
    """Who wrote the first page of `source`, where the row says it, and its site.

    The site alone would not tell a clinician that what was read there is a label.
    """
    found = _SOURCE.match(source)
    if found is None:
        return source.split()[0]
    site, what = found["site"], found["what"]
    return f"{what.removeprefix('a ')}, {site}" if what else site


def _short(cited: str) -> str:
    line = " ".join(cited.split())
    return line if len(line) <= LONGEST_CITED else f"{line[: LONGEST_CITED - 1]}…"
