"""Rows of a project's own words, as YAML: questions and answers with places for words.

A file is a list of items. Each has ways to ask and answers, in which `{word}` stands
for a word of `words` (all go with all) or of `each` (those of one entry go together):

    - kind: normal value
      asks: ["What is a normal {test}?", "normal {test}"]
      says: ["A normal {test} is {range}."]
      each: [{test: potassium, range: 3.5 to 5.0 mmol/L}]
      rows: 20

`rows` is how many of the combinations are taken at most, drawn by the file's name and
the item's place; without it all are.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Self

import yaml
from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from finetune.data.prepared_records import DialogueRecord, Licence
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import inputs
from finetune.errors import FinetuneError
from medassist.core.files import read_text
from medassist.core.validated import first_problem
from medassist.frozen_model import FrozenModel

NAME = "own-rows"
MOST_ROWS = 100_000  # of an item, before it is drawn from
LICENCE = Licence(
    name="unknown", evidence="the files say none; whose rows they are does"
)
_PLACE = re.compile(r"\{(\w+)\}")


class Item(FrozenModel):
    """Ways to ask for one kind of thing, and what is said to it."""

    kind: str = Field(min_length=1)
    asks: tuple[str, ...] = Field(min_length=1)
    says: tuple[str, ...] = Field(min_length=1)
    """One of them is drawn for each row."""
    words: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    each: tuple[dict[str, str], ...] = ({},)
    rows: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _every_place_has_a_word(self) -> Self:
        for text in (*self.asks, *self.says):
            if left := re.search(r"[{}]", _PLACE.sub("", text)):
                raise ValueError(
                    f"{text[:60]!r} has a {left[0]} that belongs to no place; a place "
                    "is one word in braces, such as {drug}"
                )
            for place in _PLACE.findall(text):
                if place not in self.words and any(place not in e for e in self.each):
                    raise ValueError(
                        f"{text[:60]!r} has the place {place}, for which neither "
                        "`words` nor every entry of `each` has a word"
                    )
        return self

    def combinations(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Ways to ask, each with the words for its places and the answers'."""
        answers = {place for text in self.says for place in _PLACE.findall(text)}
        for ask in self.asks:
            places = dict.fromkeys((*_PLACE.findall(ask), *sorted(answers)))
            for entry in self.each:
                free = [name for name in places if name not in entry]
                for chosen in product(*(self.words[name] for name in free)):
                    yield ask, {**entry, **dict(zip(free, chosen, strict=True))}


@dataclass(frozen=True)
class OwnRows:
    """The rows of files of items, in the files' order."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, (".yaml", ".yml"), "rows of one's own")

    def read(self, file: Path) -> Iterator[Read]:
        for number, item in enumerate(_items(file), start=1):
            key = f"{file.stem}-{number}"
            rows = list(islice(item.combinations(), MOST_ROWS + 1))
            if len(rows) > MOST_ROWS:
                yield Broken(
                    key,
                    str(file),
                    f"has more than {MOST_ROWS:,} combinations; give it fewer words",
                )
                continue
            chance = random.Random(f"{file.stem}/{number}")
            if item.rows is not None and item.rows < len(rows):
                rows = chance.sample(rows, item.rows)
            for place, (ask, words) in enumerate(rows, start=1):
                yield _row(
                    f"{key}-{place}", item.kind, ask, chance.choice(item.says), words
                )


def _row(
    key: str, kind: str, ask: str, say: str, words: Mapping[str, str]
) -> DialogueRecord:
    question, answer = _filled(ask, words), _filled(say, words)
    return dialogue(NAME, key, question, answer, LICENCE, meta={"type": kind})


def _filled(text: str, words: Mapping[str, str]) -> str:
    # Not str.format(): it reaches into objects, and these files are anybody's.
    return _PLACE.sub(lambda place: words[place[1]], text)


def _items(file: Path) -> tuple[Item, ...]:
    try:
        content = yaml.safe_load(read_text(file))
        return TypeAdapter(tuple[Item, ...]).validate_python(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FinetuneError(f"{file} cannot be read as YAML: {error}") from error
    except ValidationError as error:
        raise FinetuneError(
            f"{file} is no list of items with kind, asks and says: "
            f"{first_problem(error, 'the file')}"
        ) from error


INFO = SourceInfo(
    name=NAME,
    title="Rows of one's own",
    about="Questions and answers in one's own words with places for words, as YAML; "
    "finetune/recipes/smollm2-135m-starter holds some.",
    licence="yours to say",
    terms="",
    kind="dialogue",
    open_source=OwnRows,
)
