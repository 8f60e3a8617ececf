"""What is to be asked again about the doses that an answer names.

Nothing here says that a dose is right. A warning names what makes it worth a second
look: an amount far outside the usual range, a daily dose of a weekly drug, a number
that can be read in two ways, a dose by weight where no weight is known, a drug of the
kidneys where no renal function is known, and two answers that differ tenfold.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from medassist.safety.dose_mentions import Dose, Drug, drugs, find_doses, names
from medassist.text.quantities import quantities
from medassist.text.units import unit

Kind = Literal[
    "unit", "range", "weekly", "weight", "renal", "tenfold", "thousandfold", "in doubt"
]
Span = tuple[int, int]

UNIT_MIX_UP: Final = 50.0
"""Times outside the usual range from which a wrong unit is the likely cause."""
FAR: Final = 5.0
"""Times outside the usual range from which an amount is named."""
TENFOLD: Final = 8.0
THOUSANDFOLD: Final = 500.0

_WEIGHED: Final = re.compile(r"\b(?:weigh(?:s|t|ing)?|wt)\b.{0,20}\d", re.IGNORECASE)
_RENAL: Final = re.compile(
    r"\b(?:e?gfr|crcl|creat(?:inine)?|creatinine clearance|ckd|aki|dialysis|esrd|esrf"
    r"|renal (?:function|failure|impairment)|kidney (?:function|failure|disease))\b",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"[^\W\d_][\w-]{3,40}")


@dataclass(frozen=True, slots=True)
class DoseWarning:
    """Something about a dose that is worth a second look.

    Attributes:
        kind: What it is about.
        drug: The drug's name; empty where none stands by the dose.
        text: One sentence for the reader. Of the kinds "unit", "range", "weekly",
            "weight" and "in doubt" it goes on after the words at the first of `spans`.
        spans: Characters of the answer that it is about.
        source: What it stands on; empty where it needs no table.
    """

    kind: Kind
    drug: str
    text: str
    spans: tuple[Span, ...]
    source: str = ""


def check_doses(question: str, answer: str) -> tuple[DoseWarning, ...]:
    """What to ask again about the doses of `answer`.

    Args:
        question: What was asked, the patient's story in it: weight and renal function
            are looked for here, and in the answer.
        answer: A model's answer.
    """
    doses = find_doses(answer)
    warnings: list[DoseWarning] = []
    table = names()
    for dose in doses:
        drug = table.get(dose.drug)
        if drug is not None and drug.sourced:
            warnings.extend(_against_table(dose, drug))
        if dose.in_doubt:
            warnings.append(_in_doubt(dose))
    by_weight = [dose for dose in doses if dose.by_weight]
    if by_weight and not (_weighed(question) or _weighed(answer, by_weight)):
        first = by_weight[0]
        warnings.append(
            DoseWarning(
                "weight",
                first.drug,
                "a dose by weight, and no weight is given.",
                tuple(dose.span for dose in by_weight),
            )
        )
    if not _RENAL.search(question):
        warnings.extend(_renal(answer, doses))
    return tuple(warnings)


def compare_doses(one: str, other: str) -> tuple[DoseWarning, ...]:
    """Drugs for which two answers name doses at least about tenfold apart.

    The spans are those of the first answer; a drug that only one of them names, or that
    they give on different bases (per kilogram and whole), is left out.
    """
    warnings: list[DoseWarning] = []
    theirs = _by_drug(find_doses(other))
    for key, doses in _by_drug(find_doses(one)).items():
        against = theirs.get(key)
        if against is None:
            continue
        apart = _times_apart(doses, against)
        if apart < TENFOLD:
            continue
        drug = key[0]
        thousand = apart >= THOUSANDFOLD
        cause = " Were mg and micrograms confused?" if thousand else ""
        warnings.append(
            DoseWarning(
                "thousandfold" if thousand else "tenfold",
                drug,
                f"The two answers are {apart:.0f} times apart on the dose of {drug}."
                f"{cause}",
                tuple(dose.span for dose in doses),
            )
        )
    return tuple(warnings)


def _against_table(dose: Dose, drug: Drug) -> Iterable[DoseWarning]:
    spans = (dose.span, *dose.parts)
    measured = unit(drug.unit)
    factor = measured.factor if measured else 1.0
    usual_low, usual_high = drug.low * factor, drug.high * factor
    of = measured.of if measured else ""
    same_kind = dose.family == {"mg": "mass", "unit": "units"}.get(of)
    if "day" in dose.per:
        usual_high *= 4
    if drug.weekly and dose.times_a_day is not None and dose.times_a_day >= 1:
        yield DoseWarning(
            "weekly",
            drug.name,
            f"{drug.name} is given once a week as a rule; this reads as a daily dose.",
            spans,
            drug.source,
        )
    amounts = [(low, high) for low, high in dose.readings if low > 0]
    if not same_kind or dose.by_weight or "m2" in dose.per or not amounts:
        return
    outside = min(max(low / usual_high, usual_low / high) for low, high in amounts)
    usual = f"{drug.low:g} to {drug.high:g} {drug.unit}"
    if outside >= UNIT_MIX_UP:
        yield DoseWarning(
            "unit",
            drug.name,
            f"the usual dose of {drug.name} is {usual}. Were mg and micrograms"
            " confused?",
            spans,
            drug.source,
        )
    elif outside >= FAR:
        yield DoseWarning(
            "range",
            drug.name,
            f"the usual dose of {drug.name} is {usual}.",
            spans,
            drug.source,
        )


def _in_doubt(dose: Dose) -> DoseWarning:
    """An amount that can be read in two ways, with both."""
    factor = dose.readings[0][1] / dose.high if dose.high else 1.0
    ways = dict.fromkeys(
        " to ".join(f"{end / factor:.12g}" for end in dict.fromkeys(reading))
        for reading in dose.readings
    )
    said = " or as ".join(f"{way} {dose.unit}" for way in ways)
    return DoseWarning(
        "in doubt", dose.drug, f"this can be read as {said}.", (dose.span,)
    )


def _weighed(text: str, by_weight: Sequence[Dose] = ()) -> bool:
    """Whether a text says how much somebody weighs; "5 mg/kg" does not."""
    return bool(_WEIGHED.search(_without(text, by_weight))) or any(
        one.of == "kg" for one in quantities(text)
    )


def _renal(answer: str, doses: Iterable[Dose]) -> Iterable[DoseWarning]:
    table = names()
    places: dict[str, list[Span]] = {}
    dosed = {dose.drug for dose in doses}
    for match in _NAME.finditer(answer):
        drug = table.get(match.group().lower())
        if drug and drug.renal and drug.sourced and drug.name in dosed:
            places.setdefault(drug.name, []).append(match.span())
    sources = {drug.name: drug.source for drug in drugs()}
    for name, spans in places.items():
        yield DoseWarning(
            "renal",
            name,
            f"The dose of {name} depends on renal function, and none is given.",
            tuple(spans),
            sources[name],
        )


def _without(text: str, doses: Iterable[Dose]) -> str:
    """`text` without the doses: "5 mg/kg" is no weight of a patient."""
    pieces: list[str] = []
    last = 0
    for dose in doses:
        pieces.append(text[last : dose.span[0]])
        last = dose.span[1]
    return " ".join([*pieces, text[last:]])


_Key = tuple[str, str, bool, bool]
Amount = tuple[float, float]
"""The lowest and the highest of an amount, in its base unit."""


def _by_drug(doses: Iterable[Dose]) -> dict[_Key, list[Dose]]:
    """Doses that can be compared: of one drug, on one basis."""
    found: dict[_Key, list[Dose]] = {}
    for dose in doses:
        if dose.drug and dose.family != "volume":
            weekly = dose.times_a_day is not None and 0 < dose.times_a_day < 1
            key = (dose.drug, dose.family, dose.by_weight, weekly)
            found.setdefault(key, []).append(dose)
    return found


def _times_apart(one: Iterable[Dose], other: Iterable[Dose]) -> float:
    """How far apart the nearest two amounts are, as a factor of at least 1.

    Where an amount can be read in several ways, each counts. Both lists are sorted, so
    that a model that repeats one dose for ever costs no more than its length.
    """
    ours, theirs = _amounts(one), _amounts(other)
    nearest = min(_above(ours, theirs), _above(theirs, ours))
    return nearest if nearest != float("inf") else 1.0


def _amounts(doses: Iterable[Dose]) -> list[Amount]:
    found = {reading for dose in doses for reading in dose.readings}
    return sorted(reading for reading in found if reading[0] > 0)


def _above(ours: Sequence[Amount], theirs: Sequence[Amount]) -> float:
    """How far ours lie above the nearest of theirs that begin no higher."""
    starts = [low for low, _ in theirs]
    reach = [*accumulate((high for _, high in theirs), max)]
    nearest = float("inf")
    for low, high in ours:
        below = bisect_right(starts, high)
        if below:
            nearest = min(nearest, max(1.0, low / reach[below - 1]))
    return nearest
