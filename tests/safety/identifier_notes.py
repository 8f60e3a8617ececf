"""Notes with planted identifiers, the same for one seed, and how they are scored."""

from __future__ import annotations

import csv
import random
import re
import string
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from medassist.safety.identifiers import find_identifiers

FILE = Path(__file__).with_name("planting.toml")
SLOT = re.compile(r"\{(\w+)(?::([A-Z]+))?\}")
TITLES = ("Mr", "Mrs", "Ms", "Dr", "Mr.", "Mrs.", "Professor")
MONTHS = ["January", "March", "April", "June", "August", "September", "October"]


@dataclass(frozen=True)
class Planted:
    """An identifier that was put into a note."""

    kind: str
    span: tuple[int, int]


@dataclass(frozen=True)
class Note:
    """A note and what was planted in it."""

    text: str
    planted: tuple[Planted, ...]


@dataclass
class Score:
    """Counts over many notes."""

    notes: int = 0
    planted: Counter[str] = field(default_factory=Counter[str])
    found: Counter[str] = field(default_factory=Counter[str])
    right_kind: Counter[str] = field(default_factory=Counter[str])
    marked: int = 0
    marked_right: int = 0
    marked_sure: int = 0
    marked_sure_right: int = 0
    missed: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])

    def recall(self, kinds: set[str]) -> float:
        """Found of planted, over `kinds`; any mark over the characters counts."""
        return sum(self.found[k] for k in kinds) / sum(self.planted[k] for k in kinds)

    @property
    def structured(self) -> set[str]:
        """Every planted kind but names and places."""
        return self.planted.keys() - {"NAME", "PLACE"}


@cache
def material() -> dict[str, Any]:
    """What planting.toml says."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def own_notes(
    count: int, seed: int = 20_26, carriers: str = "carriers"
) -> Iterator[Note]:
    """Notes of our own sentences, some of which carry an identifier."""
    chance = random.Random(seed)
    table = material()
    for _ in range(count):
        sentences = chance.sample(table["plain"], 5)
        carrying = chance.sample(table[carriers], 5)
        mixed = [*sentences, *carrying]
        chance.shuffle(mixed)
        yield _note(mixed, chance)


def real_notes(folder: Path, most: int, seed: int = 20_27) -> Iterator[Note]:
    """Notes of MTS-Dialog and ACI-Bench with planted sentences, or nothing."""
    csv.field_size_limit(sys.maxsize)
    chance = random.Random(seed)
    texts: list[str] = []
    for name, column in (
        ("mts-dialog/MTS-Dialog-TrainingSet.csv", "section_text"),
        ("mts-dialog/MTS-Dialog-ValidationSet.csv", "section_text"),
        ("aci-bench/train.csv", "note"),
        ("aci-bench/valid.csv", "note"),
    ):
        if (folder / name).is_file():
            with (folder / name).open(encoding="utf-8", newline="") as rows:
                texts += [row[column] for row in csv.DictReader(rows)]
    chance.shuffle(texts)
    for text in texts[:most]:
        pieces = re.split(r"(?<=[.!?])\s+", text)
        for carrier in chance.sample(material()["carriers"], 4):
            pieces.insert(chance.randrange(len(pieces) + 1), carrier)
        yield _note(pieces, chance)


def score(notes: Iterator[Note]) -> Score:
    """How much of what was planted is found, and how much else is marked."""
    total = Score()
    for note in notes:
        total.notes += 1
        found = find_identifiers(note.text)
        for planted in note.planted:
            total.planted[planted.kind] += 1
            over = [one for one in found if _covers(one.span, planted.span)]
            if over:
                total.found[planted.kind] += 1
                total.right_kind[planted.kind] += over[0].kind == planted.kind
            else:
                start, end = planted.span
                around = note.text[max(0, start - 30) : end + 20]
                total.missed.append(f"{planted.kind}: {around!r}")
        for one in found:
            right = any(_touch(one.span, planted.span) for planted in note.planted)
            total.marked += 1
            total.marked_right += right
            total.marked_sure += one.sure
            total.marked_sure_right += one.sure and right
            if not right:
                total.wrong.append(f"{one.kind}: {one.text!r}")
    return total


def _covers(found: tuple[int, int], planted: tuple[int, int]) -> bool:
    """Nothing of it is left to be read, but for a stop or a space at its ends."""
    return found[0] <= planted[0] and found[1] >= planted[1]


def _touch(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _note(sentences: list[str], chance: random.Random) -> Note:
    text = ""
    planted: list[Planted] = []
    templates = {*material()["carriers"], *material()["held-back"]}
    for sentence in sentences:
        text += " " if text else ""
        if sentence not in templates:
            text += sentence
            continue
        last = 0
        for slot in SLOT.finditer(sentence):
            text += sentence[last : slot.start()]
            value = MAKERS[slot[1]](chance)
            if slot[2]:
                planted.append(Planted(slot[2], (len(text), len(text) + len(value))))
            text += value
            last = slot.end()
        text += sentence[last:]
    return Note(text, tuple(planted))


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choice(string.digits) for _ in range(count))


def _phone(chance: random.Random) -> str:
    a, b, c = _digits(chance, 2), _digits(chance, 2), _digits(chance, 4)
    return chance.choice(
        [
            f"2{a}-5{b}-{c}",
            f"(2{a}) 5{b}-{c}",
            f"2{a}.5{b}.{c}",
            f"+44 20 79{a} {c}",
            f"020 79{a} {c}",
            f"2{a} 5{b} {c} ext. 12",
        ]
    )


def _date(chance: random.Random) -> str:
    day, month, year = (
        chance.randint(1, 28),
        chance.randint(1, 12),
        chance.randint(1931, 2025),
    )
    return chance.choice(
        [
            f"{month:02}/{day:02}/{year}",
            f"{day}.{month}.{year}",
            f"{year}-{month:02}-{day:02}",
            f"{month}/{day}/{year % 100:02}",
        ]
    )


def _long_date(chance: random.Random) -> str:
    day, month, year = (
        chance.randint(1, 28),
        chance.choice(MONTHS),
        chance.randint(1931, 2025),
    )
    return chance.choice(
        [
            f"{month} {day}, {year}",
            f"{day} {month} {year}",
            f"{day}th of {month}",
            f"{month[:3]} {day}",
            f"{month} {year}",
        ]
    )


def _code(chance: random.Random) -> str:
    letters = "".join(chance.choice("ABCDEFGHJKMNPRSTUVWXYZ") for _ in range(2))
    return chance.choice(
        [
            f"{letters}{_digits(chance, 7)}",
            f"{letters}-{_digits(chance, 4)}-{_digits(chance, 3)}",
        ]
    )


def _pick(name: str) -> Callable[[random.Random], str]:
    def pick(chance: random.Random) -> str:
        values = material()[name]
        return chance.choice(values.split() if isinstance(values, str) else values)

    return pick


def _vin(chance: random.Random) -> str:
    signs = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    return "1" + "".join(chance.choice(signs) for _ in range(16))


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "given": _pick("given"),
    "family": _pick("family"),
    "town": _pick("towns"),
    "title": lambda chance: chance.choice(TITLES),
    "mrn": lambda chance: chance.choice(
        [
            _digits(chance, 8),
            f"{_digits(chance, 3)}-{_digits(chance, 2)}-{_digits(chance, 2)}",
            f"M{_digits(chance, 6)}",
        ]
    ),
    "nhs": lambda c: f"{_digits(c, 3)} {_digits(c, 3)} {_digits(c, 4)}",
    "date": _date,
    "longdate": _long_date,
    "phone": _phone,
    "email": lambda c: f"{_pick('family')(c).lower()}{_digits(c, 2)}@example.org",
    "ssn": lambda c: f"{_digits(c, 3)}-{_digits(c, 2)}-{_digits(c, 4)}",
    "code": _code,
    "digits": lambda c: _digits(c, 10),
    "vin": _vin,
    "plate": lambda c: f"{_code(c)[:2]}{_digits(c, 2)} {_code(c)[:2]}X",
    "url": lambda c: f"https://portal.example.org/p/{_digits(c, 6)}",
    "ip": lambda c: ".".join(str(c.randint(1, 254)) for _ in range(4)),
    "photo": lambda c: f"IMG_{_digits(c, 4)}.jpg",
    "address": lambda c: f"{c.randint(1, 199)} {_pick('roads')(c)}",
    "old": lambda c: f"{c.randint(90, 104)}-year-old",
}
