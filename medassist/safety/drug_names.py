"""The drugs of doses.toml, by all their names, and where a text names them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import Field

from medassist.frozen_model import FrozenModel
from medassist.safety.letters import folded
from medassist.text import units

TABLE: Final = Path(__file__).with_name("doses.toml")
WORD: Final = re.compile(r"[^\W\d_](?:[^\W_]|-(?=[^\W_])){2,40}")
"""A word that can be a part of a name."""
Span = tuple[int, int]


class DrugRow(FrozenModel):
    """A row of doses.toml; its lines are explained at the head of that file."""

    also: tuple[str, ...] = ()
    abroad: tuple[str, ...] = ()
    unit: str = "mg"
    low: float | None = Field(None, gt=0)
    high: float | None = Field(None, gt=0)
    iv: tuple[float, float] | None = None
    vein: float | None = Field(None, gt=0)
    day: float | None = Field(None, gt=0)
    daily: float | None = Field(None, gt=0)
    kg: float | None = Field(None, gt=0)
    hour: float | None = Field(None, gt=0)
    alert: bool = False
    strict: bool = False
    weekly: bool = False
    renal: bool = False
    unless: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    never_said: str = Field("", alias="never-said")
    never_source: str = Field("", alias="never-source")
    source: str


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug whose doses are looked at.

    Attributes:
        name: As the table has it.
        row: What the table says of it.
    """

    name: str
    row: DrugRow

    @property
    def other_names(self) -> tuple[str, ...]:
        """Other names of the drug, in any language."""
        return (*self.row.also, *self.row.abroad)

    @property
    def source(self) -> str:
        """The page that was read; "none" where nothing could be opened."""
        return self.row.source

    @property
    def sourced(self) -> bool:
        """Whether warnings may stand on this row."""
        return self.source != "none"

    def usual(self, route: str) -> tuple[float | None, float | None]:
        """Smallest and largest usual single dose by `route`, in the row's unit."""
        row = self.row
        if row.iv is None:
            return row.low, row.high
        if route in ("iv", "im", "sc"):
            return row.iv
        lows = [low for low in (row.low, row.iv[0]) if low is not None]
        highs = [high for high in (row.high, row.iv[1]) if high is not None]
        return min(lows), highs[0] if route else max(highs)


@cache
def drugs() -> tuple[Drug, ...]:
    """The rows of doses.toml.

    Raises:
        ValueError: the table is not as it should be.
    """
    rows = tomllib.loads(TABLE.read_text("utf-8"))
    del rows["read"]
    unread = {
        name: {"also": others.split(), "source": "none"}
        for name, others in rows.pop("unread").items()
    }
    found = tuple(
        Drug(name, DrugRow.model_validate(row)) for name, row in (rows | unread).items()
    )
    for drug in found:
        if drug.sourced and (
            drug.row.high is None or units.unit(drug.row.unit) is None
        ):
            raise ValueError(f"{TABLE.name}: the row {drug.name} lacks a value")
    return found


@cache
def names() -> dict[str, Drug]:
    """Every name of every drug of the table, in small letters."""
    return {
        name.lower(): drug
        for drug in drugs()
        for name in (drug.name, *drug.other_names)
    }


@cache
def _endings() -> tuple[str, ...]:
    rows = tomllib.loads(TABLE.read_text("utf-8"))
    return tuple(str(rows["read"]["endings"]).split())


class DrugMention(NamedTuple):
    """A drug that a text names: one of the table, or a word that ends as drugs do."""

    start: int
    end: int
    name: str
    drug: Drug | None

    @property
    def span(self) -> Span:
        return self.start, self.end


@lru_cache(maxsize=8)
def mentions(text: str) -> tuple[DrugMention, ...]:
    """The drugs that `text` names, in order."""
    words = list(WORD.finditer(text))
    found: list[DrugMention] = []
    last = 0
    for at, word in enumerate(words):
        known = _looked_up(word.group())
        if known is None or at < last:
            continue
        drug, name, longer = known
        many = 1
        for parts, other in longer:
            if _are(words[at : at + len(parts)], parts):
                drug, name, many = other, other.name, len(parts)
                break
        last = at + many
        if name:
            found.append(DrugMention(word.start(), words[last - 1].end(), name, drug))
    return tuple(found)


def _are(words: Sequence[re.Match[str]], parts: Sequence[str]) -> bool:
    """The words of a text are those of a name, with little between them."""
    return len(words) == len(parts) and all(
        two.start() - one.end() <= BETWEEN and _bare(two.group()) == wanted
        for (one, two), wanted in zip(pairwise(words), parts[1:], strict=True)
    )


LongNames = tuple[tuple[tuple[str, ...], "Drug"], ...]


@lru_cache(maxsize=4096)
def _looked_up(word: str) -> tuple[Drug | None, str, LongNames] | None:
    """What a word can name by itself and with more behind it; most words nothing."""
    small = word.lower()
    drug = known_drug(small)
    name = drug.name if drug is not None else _by_its_end(small)
    longer = _long_names().get(_bare(small), ())
    return (drug, name, longer) if name or longer else None


BETWEEN: Final = 3
"""Characters between two words of a name: "penicillin G benzathine"."""


@cache
def _long_names() -> dict[str, LongNames]:
    """Names of several words by the first, the longest first."""
    found: dict[str, list[tuple[tuple[str, ...], Drug]]] = {}
    for name, drug in names().items():
        words = tuple(_bare(word.group()) for word in WORD.finditer(name))
        if len(words) > 1:
            found.setdefault(words[0], []).append((words, drug))
    return {
        first: tuple(sorted(rows, key=lambda row: -len(row[0])))
        for first, rows in found.items()
    }


_ENDINGS_ELSEWHERE: Final = (
    ("", "e"), ("e", ""), ("o", "e"), ("a", "e"), ("o", ""), ("a", ""),
    ("cilina", "cillin"), ("cilline", "cillin"), ("micina", "mycin"),
    ("mycine", "mycin"), ("ciclina", "cycline"), ("zyklin", "cycline"),
)  # fmt: skip
"""How names end in other languages, and in English: Pantoprazol, amlodipino."""


def _by_its_end(word: str) -> str:
    """`word`, in small letters, in English where it ends as names of drugs do."""
    if len(word) <= 5:
        return ""
    word = folded(word)
    changed = (
        word.removesuffix(theirs) + ours
        for theirs, ours in _ENDINGS_ELSEWHERE
        if word.endswith(theirs)
    )
    forms = (word, *changed)
    return next((form for form in forms if form.endswith(_endings())), "")


@lru_cache(maxsize=4096)
def known_drug(word: str) -> Drug | None:
    """The drug of the table that `word`, in small letters, names in any language."""
    known = names().get(word)
    if known is None and len(word) >= SHORTEST_ELSEWHERE:
        known = _bare_names().get(_bare(word))
    return known


SHORTEST_ELSEWHERE: Final = 6
"""Letters from which a name is known by its bare form."""
_SAME_SOUND: Final = (
    ("ph", "f"), ("th", "t"), ("y", "i"), ("k", "c"), ("z", "c"), ("ch", "c"),
)  # fmt: skip
_TWICE: Final = re.compile(r"(.)\1")


@cache
def _bare_names() -> dict[str, Drug]:
    return {
        _bare(name): drug
        for name, drug in names().items()
        if len(name) >= SHORTEST_ELSEWHERE
    }


@lru_cache(maxsize=4096)
def _bare(word: str) -> str:
    """What a name has in common in many languages: metotrexato is methotrexate."""
    word = folded(word)
    for sound, letter in _SAME_SOUND:
        word = word.replace(sound, letter)
    word = _TWICE.sub(r"\1", word).rstrip("aeo")
    return word[1:] if word.startswith(("esp", "est", "esc")) else word
