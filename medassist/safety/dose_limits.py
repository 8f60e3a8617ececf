"""How a dose stands against the row of its drug in doses.toml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from medassist.safety.dose_mentions import Dose, Family
from medassist.safety.drug_names import Drug
from medassist.text.units import unit

Kind = Literal[
    "unit", "range", "day", "weekly", "never", "weight", "renal", "tenfold",
    "thousandfold", "in doubt", "error-prone", "unchecked",
]  # fmt: skip
Amount = tuple[float, float]
"""The lowest and the highest of an amount, in its base unit."""
Found = tuple[Kind, str]

UNIT_MIX_UP: Final = 50.0
"""Times outside the usual range from which a wrong unit is the likely cause."""
FAR: Final = 5.0
"""Times above the usual range from which an amount is named."""
FAR_OF_ALERT: Final = 2.0
"""The same for high-alert medications."""
FAR_BELOW: Final = 10.0
"""Times below the usual range from which an amount is named."""
_A_LITTLE: Final = 1.001
_FAMILIES: Final[dict[str, Family]] = {
    "mg": "mass", "unit": "units", "mmol": "amount", "meq": "amount",
}  # fmt: skip
_IN_AN_HOUR: Final = {"minute": 60.0, "hour": 1.0}


def beyond(dose: Dose, drug: Drug, weight: float | None = None) -> Iterator[Found]:
    """What is to be asked again about `dose`: kind of the warning, and its text.

    Args:
        dose: A dose of `drug`.
        drug: Its row has a source.
        weight: Kilograms of the child that the dose is for; `None` where it is for an
            adult, or the weight is not told.
    """
    row = drug.row
    weekly = dose.times_a_day is not None and dose.times_a_day > 1 / 7 + 0.01
    if row.weekly and weekly:
        daily = dose.times_a_day is not None and dose.times_a_day >= 1
        reads = "a daily dose" if daily else "a dose more often than that"
        yield (
            "weekly",
            f"{drug.name} is given once a week as a rule; this reads as {reads}.",
        )
    measured = unit(row.unit)
    if measured is None or dose.family != _FAMILIES.get(measured.of):
        return
    factor = measured.factor
    amounts = [(low / factor, high / factor) for low, high in dose.readings if low > 0]
    if not amounts or "m2" in dose.per:
        return
    least = min(low for low, _ in amounts)
    an_hour = [_IN_AN_HOUR[per] for per in dose.per if per in _IN_AN_HOUR]
    if an_hour:
        found = [] if dose.by_weight else [_of_the_hour(least * an_hour[0], drug)]
    elif dose.by_weight:
        found = [] if "day" in dose.per else [_for_a_kilogram(dose, least, drug)]
    else:
        found = [_outside(dose, drug, amounts)]
        if weight and "day" not in dose.per:
            found.append(_for_a_kilogram(dose, least / weight, drug, weight))
        if "day" not in dose.per and not dose.diluted:
            found.append(_of_the_day(dose, least, drug))
    for one in filter(None, found):
        yield one
        if one[0] == "unit":
            return


def _outside(dose: Dose, drug: Drug, amounts: Sequence[Amount]) -> Found | None:
    """Warning about an amount far outside the usual one; None: there is none."""
    row = drug.row
    low, high = drug.usual(dose.route)
    strict = row.strict
    in_a_day = "day" in dose.per
    often = dose.times_a_day is not None and dose.times_a_day >= 1
    if in_a_day:
        high = row.day or (high or 0) * 4
        strict = row.day is not None
    elif row.daily and often:
        high, strict = row.daily, False
    elif row.vein and dose.route == "iv":
        high, strict = row.vein, False
    if not high:
        return None
    above = min(least for least, _ in amounts) / high
    below = min((low or 0) / most for _, most in amounts)
    if in_a_day and row.day:
        what = f"the most {drug.name} in a day is {row.day:g} {row.unit}"
    elif low:
        what = f"the usual dose of {drug.name} is {low:g} to {high:g} {row.unit}"
    else:
        what = f"the usual dose of {drug.name} is up to {high:g} {row.unit}"
    if max(above, below) >= UNIT_MIX_UP:
        return "unit", f"{what}. {_cause(dose, above)}"
    # What is put into a bag is given over hours, and need not be given whole.
    far = not dose.diluted and (above > 1 if strict else above >= _far(drug))
    if far or below >= FAR_BELOW:
        return ("day" if in_a_day and row.day else "range"), f"{what}."
    return None


def _of_the_day(dose: Dose, least: float, drug: Drug) -> Found | None:
    """Amount times frequency, read as the least it can be, against a day's most."""
    row = drug.row
    often = dose.least_a_day
    if not row.day or not often or often < 1 or least * often <= row.day * _A_LITTLE:
        return None
    return "day", (
        f"this makes {least * often:.6g} {row.unit} of {drug.name} a day; the most is"
        f" {row.day:g} {row.unit}."
    )


def _of_the_hour(least: float, drug: Drug) -> Found | None:
    """What is infused in an hour, against the most that the source gives."""
    row = drug.row
    if not row.hour or least <= row.hour * _A_LITTLE:
        return None
    return (
        "range",
        f"the most {drug.name} in an hour is {row.hour:g} {row.unit}.",
    )


def _for_a_kilogram(
    dose: Dose, least: float, drug: Drug, weight: float | None = None
) -> Found | None:
    """A dose for a kilogram, told or by a child's weight, against the most at once."""
    row = drug.row
    if not row.kg or least / row.kg < _far(drug):
        return None
    makes = f"this makes {least:.3g} {row.unit}/kg at {weight:g} kg; " if weight else ""
    what = f"{makes}the most {drug.name} at once is {row.kg:g} {row.unit}/kg"
    if least / row.kg >= UNIT_MIX_UP:
        return "unit", f"{what}. {_cause(dose, least / row.kg)}"
    return "range", f"{what}."


def _far(drug: Drug) -> float:
    return FAR_OF_ALERT if drug.row.alert else FAR


def _cause(dose: Dose, above: float) -> str:
    if dose.family == "mass":
        return "Were mg and micrograms confused?"
    return "Is a zero too many?" if above > 1 else "Is a zero missing?"
