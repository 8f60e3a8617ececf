"""Checks the doses that an answer names.

Nothing here says that a dose is right. A warning names what makes it worth a second
look: an amount far outside the usual range, a daily dose of a weekly drug, a number
that can be read in two ways, a dose by weight where no weight is known, a drug of the
kidneys where no renal function is known, and two answers that differ tenfold.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Final

from medassist.safety.dose_limits import Amount, Kind, beyond
from medassist.safety.dose_mentions import Dose, find_doses
from medassist.safety.drug_names import Drug, Span, mentions, names
from medassist.safety.error_prone import error_prone, forms
from medassist.text.quantities import quantities

LIMIT_REACHES: Final = 40
"""Characters from the words of a limit to its amount."""
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
_CHILD: Final = re.compile(
    r"\b(?:child(?:ren)?|toddlers?|infants?|baby|babies|neonate|newborn|boy|girl|kid"
    r"|p(?:a)?ediatric|kind(?:er|es|ern)?|kleinkind|säugling|baby|neugeboren\w*|junge"
    r"|mädchen|enfants?|nourrisson|bébé|nouveau-né|garçon|fille|niñ[oa]s?|lactante|bebé"
    r"|reci[ée]n\snacido|(?:\d|1[0-3])[\s-]?(?:month|year|yr)s?[\s-]?old|\d{1,2}\s?mo)\b",
    re.IGNORECASE,
)
MOST_OF_A_CHILD: Final = 40.0
"""Kilograms from which a dose is held against an adult's alone."""
_CHANGED: Final = re.compile(
    r"(?:los[est]\w*|gain\w*|abgenommen|zugenommen|perdu|pris|perd[iíe]\w*|ganado)"
    r"\W{1,3}(?:\w+\W{1,3}){0,2}$",
    re.IGNORECASE,
)
_CAPPED: Final = re.compile(
    r"\b(?=[aehlmnu])"
    r"(?:max(?:im(?:um|al(?:e|dosis)?))?|not\s(?:to\s)?exceed|no\smore\sthan|at\smost"
    r"|up\sto|limit|höchst\w*|nicht\smehr\sals|au\splus|ne\spas\sdépasser|máxim[oa]"
    r"|no\s(?:exceder|superar|más\sde)|hasta)\b",
    re.IGNORECASE,
)
_AT_MOST: Final = re.compile(
    r"\b(?:max\w*|máx\w*|höchst\w*|not\s(?:to\s)?exceed\w*|no\smore\sthan|at\smost"
    r"|nicht\smehr\sals|au\splus|sans\sdépasser|ne\spas\sdépasser"
    r"|(?:no|sin)\s(?:exceder|superar|más\sde))\W{0,3}(?:[^\W\d]+\W{1,2}){0,2}$",
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
    weight = _of_a_child(question, answer)
    unchecked: list[Dose] = []
    for dose in doses:
        drug = table.get(dose.drug)
        if drug is None or not drug.sourced or _is_another_use(dose, drug, answer):
            unchecked.append(dose)
        elif not dose.ruled_out:
            warnings.extend(
                DoseWarning(
                    kind, drug.name, said, (dose.span, *dose.parts), drug.source
                )
                for kind, said in beyond(
                    dose, drug, None if _is_a_limit(dose, answer) else weight
                )
            )
        if dose.in_doubt:
            warnings.append(_in_doubt(dose))
    warnings = _without_what_is_told(warnings, answer, doses)
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
    warnings.extend(_unchecked(unchecked))
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


def _is_a_limit(dose: Dose, answer: str) -> bool:
    """Whether a dose is the most that anybody gets: "0.01 mg/kg, at most 0.5 mg"."""
    start = dose.span[0]
    return _AT_MOST.search(answer, max(0, start - 40), start) is not None


def _is_another_use(dose: Dose, drug: Drug, answer: str) -> bool:
    """Whether words beside a dose mean a use of the drug of which nothing was read."""
    words = _any_of(drug.row.unless)
    around = _sentence(answer, *dose.span)
    return words is not None and words.search(answer, *around) is not None


@cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str] | None:
    """A search for one of some whole words; None: there are none."""
    said = "|".join(map(re.escape, words))
    return re.compile(rf"(?<!\w)(?:{said})(?!\w)", re.IGNORECASE) if words else None


def _without_what_is_told(
    warnings: list[DoseWarning], answer: str, doses: Sequence[Dose]
) -> list[DoseWarning]:
    """The warnings without that of a daily maximum which the answer names itself.

    "1 g every 4 to 6 hours, no more than 4 g a day" says what it may come to. A limit
    of something else ("up to 8 doses", "for up to a week") says nothing of that.
    """
    if all(warning.kind != "day" for warning in warnings):
        return warnings
    starts = [dose.span[0] for dose in doses]
    told: dict[str, int] = {}
    for match in _CAPPED.finditer(answer):
        at = bisect_left(starts, match.end())
        if at < len(doses) and starts[at] - match.end() <= LIMIT_REACHES:
            told[doses[at].drug] = starts[at]
    return [
        warning
        for warning in warnings
        if warning.kind != "day"
        or warning.spans[0][1] > max(told.get(warning.drug, -1), told.get("", -1))
    ]


def _never(answer: str, named: _Named) -> Iterator[DoseWarning]:
    """Warnings of drugs that kill when given as the answer says."""
    for drug, span in named:
        if not drug.row.never:
            continue
        start, end = _sentence(answer, *span)
        sentence = answer[start:end]
        ways = _any_of(drug.row.never)
        way = ways.search(sentence) if ways else None
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
    spans: dict[str, list[Span]] = {}
    for dose in doses:
        if dose.drug:
            spans.setdefault(dose.drug, []).append(dose.span)
    if spans:
        *some, last = spans
        looked_up, them = f"the dose of {last}", "it"
        if some:
            looked_up, them = f"the doses of {', '.join(some)} and {last}", "them"
        yield DoseWarning(
            "unchecked",
            "",
            f"Look up {looked_up}: no source was read for {them} here.",
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


def _of_a_child(question: str, answer: str) -> float | None:
    """Kilograms of the child that is asked about; `None` where that is not told."""
    if not (_CHILD.search(question) or _CHILD.search(answer)):
        return None
    for text in (question, answer):
        told = {
            one.low[0] * (one.unit.factor if one.unit else 1.0)
            for one in quantities(text)
            if one.of == "kg"
            and not _CHANGED.search(text, max(0, one.start - 40), one.start)
        }
        if told:
            weight = told.pop()
            return weight if not told and 0 < weight < MOST_OF_A_CHILD else None
    return None


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
