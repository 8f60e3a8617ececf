"""Checks the doses that an answer names.

Nothing here says that a dose is right. A warning names what makes it worth a second
look: an amount far outside the usual range, a daily dose of a weekly drug, a number
that can be read in two ways, a dose by weight where no weight is known, a drug of the
kidneys where no renal function is known, and two answers that differ tenfold.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from medassist.safety.dose_mentions import Dose, Family, find_doses
from medassist.safety.drug_names import Drug, Span, mentions, names
from medassist.safety.error_prone import error_prone, forms
from medassist.text.quantities import quantities
from medassist.text.units import unit

Kind = Literal[
    "unit", "range", "day", "weekly", "never", "weight", "renal", "tenfold",
    "thousandfold", "in doubt", "error-prone", "unchecked",
]  # fmt: skip
Amount = tuple[float, float]
"""The lowest and the highest of an amount, in its base unit."""

UNIT_MIX_UP: Final = 50.0
"""Times outside the usual range from which a wrong unit is the likely cause."""
FAR: Final = 5.0
"""Times above the usual range from which an amount is named."""
FAR_OF_ALERT: Final = 2.0
"""The same for high-alert medications."""
FAR_BELOW: Final = 10.0
"""Times below the usual range from which an amount is named."""
MOST_FORMS: Final = 4
"""Error-prone forms that are named; the others are counted."""
TENFOLD: Final = 8.0
THOUSANDFOLD: Final = 500.0

_WEIGHED: Final = re.compile(
    r"\b(?=[gpw])"
    r"(?:weigh(?:s|t|ing)?|wt|wiegt|gewicht|pèse|poids|pesa|peso)\b.{0,20}\d",
    re.IGNORECASE,
)
_RENAL: Final = re.compile(
    r"\b(?=[acdefgiknr])"
    r"(?:e?gfr|crcl|creat(?:inine)?|creatinine clearance|ckd|aki|dialysis|esrd|esrf"
    r"|renal (?:function|failure|impairment)|kidney (?:function|failure|disease)"
    r"|nieren\w*|kreatinin\w*|krea|dialyse|dfg|créat\w*"
    r"|(?:fonction|insuffisance) rénale"
    r"|(?:función|insuficiencia) renal|creatinina|filtrado|diálisis)\b",
    re.IGNORECASE,
)
_CAPPED: Final = re.compile(
    r"\b(?=[aehlmnu])"
    r"(?:max(?:im(?:um|al(?:e|dosis)?))?|not\s(?:to\s)?exceed|no\smore\sthan|at\smost"
    r"|up\sto|limit|höchst\w*|nicht\smehr\sals|au\splus|ne\spas\sdépasser|máxim[oa]"
    r"|no\s(?:exceder|superar|más\sde)|hasta)\b",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"[.!?;](?:\s|$)|\n")
_WARNED: Final = re.compile(
    r"\b(?:never|not|avoid|don't|cannot|must\snot|no|without|instead|rather|contraindicat\w*"
    r"|fatal|dangerous|kills?|lethal|prohibit\w*|nie|niemals|nicht|kein\w*|vermeiden"
    r"|tödlich|verboten|jamais|pas|éviter|mortel\w*|interdit\w*|contre[- ]indiqu\w*"
    r"|nunca|jamás|evitar|mortal|prohibid\w*|kontraindiziert)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class DoseWarning:
    """A warning about a dose that is worth a second look.

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
    """Warnings about the doses of `answer`.

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
    warnings = _without_what_is_told(warnings, answer)
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
    named = [(one.drug, one.span) for one in mentions(answer) if one.drug is not None]
    if not _RENAL.search(question):
        warnings.extend(_renal(named, doses))
    warnings.extend(_never(answer, named))
    warnings.extend(_error_prone(answer))
    warnings.extend(_unchecked(doses))
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


def _against_table(dose: Dose, drug: Drug) -> Iterator[DoseWarning]:
    row = drug.row
    spans = (dose.span, *dose.parts)
    weekly = dose.times_a_day is not None and dose.times_a_day > 1 / 7 + 0.01
    if row.weekly and weekly:
        daily = dose.times_a_day is not None and dose.times_a_day >= 1
        reads = "a daily dose" if daily else "a dose more often than that"
        yield DoseWarning(
            "weekly",
            drug.name,
            f"{drug.name} is given once a week as a rule; this reads as {reads}.",
            spans,
            drug.source,
        )
    measured = unit(row.unit)
    if measured is None or dose.family != _FAMILIES.get(measured.of):
        return
    amounts = [(low, high) for low, high in dose.readings if low > 0]
    if dose.by_weight or "m2" in dose.per or not amounts:
        return
    found = [_outside(dose, drug, amounts, measured.factor)]
    if row.day is not None and "day" not in dose.per:
        found.append(_of_the_day(dose, drug, amounts, row.day * measured.factor))
    for kind, text in filter(None, found):
        yield DoseWarning(kind, drug.name, text, spans, drug.source)
        if kind == "unit":
            return


_FAMILIES: Final[dict[str, Family]] = {
    "mg": "mass", "unit": "units", "mmol": "amount", "meq": "amount",
}  # fmt: skip


def _outside(
    dose: Dose, drug: Drug, amounts: Sequence[Amount], factor: float
) -> tuple[Kind, str] | None:
    """Warning about an amount far outside the usual one; None: there is none."""
    row = drug.row
    usual_low, usual_high = drug.usual(dose.route)
    in_a_day = "day" in dose.per
    if in_a_day:
        usual_high = row.day or (usual_high or 0) * 4
    if not usual_high:
        return None
    above = min(low for low, _ in amounts) / (usual_high * factor)
    below = min((usual_low or 0) * factor / high for _, high in amounts)
    if in_a_day and row.day:
        what = f"the most {drug.name} in a day is {row.day:g} {row.unit}"
    elif usual_low:
        usual = f"{usual_low:g} to {usual_high:g} {row.unit}"
        what = f"the usual dose of {drug.name} is {usual}"
    else:
        what = f"the usual dose of {drug.name} is up to {usual_high:g} {row.unit}"
    if max(above, below) >= UNIT_MIX_UP:
        mass = dose.family == "mass"
        cause = "Were mg and micrograms confused?" if mass else "Is a zero too many?"
        return "unit", f"{what}. {cause}"
    strict = row.strict or (in_a_day and row.day)
    far = FAR_OF_ALERT if row.alert else FAR
    if (above > 1 if strict else above >= far) or below >= FAR_BELOW:
        return ("day" if in_a_day and row.day else "range"), f"{what}."
    return None


def _of_the_day(
    dose: Dose, drug: Drug, amounts: Sequence[Amount], most: float
) -> tuple[Kind, str] | None:
    """Amount times frequency, read as the least it can be, against a day's most."""
    often = dose.least_a_day
    if not often or often < 1:
        return None
    total = min(low for low, _ in amounts) * often
    if total <= most * 1.001:
        return None
    measured = unit(drug.row.unit)
    factor = measured.factor if measured else 1.0
    said = f"{total / factor:.6g} {drug.row.unit}"
    return "day", (
        f"this makes {said} of {drug.name} a day; the most is"
        f" {drug.row.day:g} {drug.row.unit}."
    )


def _without_what_is_told(
    warnings: list[DoseWarning], answer: str
) -> list[DoseWarning]:
    """The warnings without that of a daily maximum which the answer names itself."""
    if all(warning.kind != "day" for warning in warnings):
        return warnings
    told = max((match.start() for match in _CAPPED.finditer(answer)), default=-1)
    return [w for w in warnings if w.kind != "day" or w.spans[0][1] > told]


def _never(answer: str, named: _Named) -> Iterator[DoseWarning]:
    """Warnings of drugs that kill when given as the answer says."""
    for drug, span in named:
        if not drug.row.never:
            continue
        start, end = _sentence(answer, *span)
        sentence = answer[start:end]
        ways = "|".join(map(re.escape, drug.row.never))
        way = re.search(rf"\b(?:{ways})\b", sentence, re.IGNORECASE)
        if way and not _WARNED.search(sentence):
            at = (start + way.start(), start + way.end())
            yield DoseWarning(
                "never",
                drug.name,
                f"{drug.row.never_said}.",
                (at, span),
                drug.row.never_source,
            )


def _sentence(text: str, start: int, end: int) -> Span:
    first = 0
    for stop in _SENTENCE_END.finditer(text, max(0, start - 200), start):
        first = stop.end()
    after = _SENTENCE_END.search(text, end, end + 200)
    return max(first, start - 200), after.start() if after else min(
        end + 200, len(text)
    )


def _error_prone(answer: str) -> Iterator[DoseWarning]:
    found = error_prone(answer)
    if not found:
        return
    said = dict.fromkeys(
        f"“{answer[slice(*form.span)]}”: {form.instead}" for form in found
    )
    shown = list(said)[:MOST_FORMS]
    more = f" and {len(said) - MOST_FORMS} more" if len(said) > MOST_FORMS else ""
    yield DoseWarning(
        "error-prone",
        "",
        f"Often misread, and what to write: {', '.join(shown)}{more}.",
        tuple(form.span for form in found),
        forms().sources,
    )


def _unchecked(doses: Iterable[Dose]) -> Iterator[DoseWarning]:
    """The drugs whose doses nothing that was read speaks of."""
    table = names()
    spans: dict[str, list[Span]] = {}
    for dose in doses:
        known = table.get(dose.drug)
        if dose.drug and (known is None or not known.sourced):
            spans.setdefault(dose.drug, []).append(dose.span)
    if spans:
        *some, last = spans
        drugs_said = f"{', '.join(some)} and {last}" if some else last
        yield DoseWarning(
            "unchecked",
            "",
            f"Not checked, for want of a source: the dose of {drugs_said}.",
            tuple(span for found in spans.values() for span in found),
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


_Named = list[tuple[Drug, Span]]


def _renal(named: _Named, doses: Iterable[Dose]) -> Iterator[DoseWarning]:
    places: dict[str, list[Span]] = {}
    sources: dict[str, str] = {}
    dosed = {dose.drug for dose in doses}
    for drug, span in named:
        if drug.row.renal and drug.sourced and drug.name in dosed:
            places.setdefault(drug.name, []).append(span)
            sources[drug.name] = drug.source
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
