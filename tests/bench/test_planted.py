"""The verdicts can tell: one file is equal, one has flipped answers, one is broken.

Perplexity and divergence are measured of real tiny models. The exam's answers are
planted where a model would give its logits; all that lies behind is the program's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from medassist.bench import exam
from medassist.bench.events import Ended, Planned
from medassist.bench.exam_verdict import ExamVerdict, sat, verdicts
from medassist.bench.recommend import Recommendation, broken, recommend
from medassist.bench.result_rows import ResultRow, rows
from medassist.bench.result_text import as_text
from medassist.bench.results import ResultLine
from medassist.bench.targets import target, targets
from medassist.exams.log_probs import Logits
from tests.bench.conftest import other_layer
from tests.bench.lines import exam as exam_lines
from tests.bench.lines import model
from tests.bench.measured import SMALL, measure
from tests.exams.papers import gold, medqa, write_lines
from tests.tiny_models import TinyPair, write_model, write_pair

QUESTIONS = 1000
FLIPPED = 20
"""Of the answers, two percent."""
NUMBER = re.compile(r"A man of (\d+) has")
YOUNGEST = 20
LETTERS = b"ABCD"


@dataclass(frozen=True)
class Planted:
    """The files, from the largest down, and what came of them."""

    base: Path
    equal: Path
    flipped: Path
    broken: Path
    notes: tuple[str, ...]
    lines: Sequence[ResultLine]
    verdicts: dict[str, ExamVerdict]
    rows: dict[str, ResultRow]

    def advice(self, margin: float = 0.01) -> Recommendation:
        return recommend(
            list(self.rows.values()), list(self.verdicts.values()), 0.0, margin
        )


def is_known(number: int) -> bool:
    """Whether the base answers it rightly: two of three."""
    return number % 3 != 0


def base_answers(number: int) -> int:
    return gold(number) if is_known(number) else (gold(number) + 1) % 4


LOST = [n for n in range(QUESTIONS) if is_known(n)][:: QUESTIONS // 30][:FLIPPED]
"""What the base knows and the flipped file does not."""


def answers(file: str, number: int) -> int:
    before = base_answers(number)
    if file.startswith("flipped") and number in LOST:
        return (before + 2) % 4
    if file.startswith("broken"):
        return (7 * number + 3) % 4
    return before


class PlantedScorer:
    """Stands where the child with a GGUF stands; its tokens are bytes."""

    def __init__(self, model: Path, _adapter: object = None, **_how: object) -> None:
        self._name = model.name
        self.opened = SimpleNamespace(context=4096)

    def __enter__(self) -> PlantedScorer:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    def logits(
        self, tokens: Sequence[int], first: int = 0, *, shared: int = 0
    ) -> Logits:
        found = np.zeros((len(tokens) - first, 256), np.float32)
        asked = NUMBER.search(bytes(tokens).decode())
        assert asked is not None
        choice = answers(self._name, int(asked[1]) - YOUNGEST)
        found[-1, list(LETTERS)] = 3.0
        found[-1, LETTERS[choice]] = 5.0
        return found


def written(folder: Path, pair: TinyPair) -> list[Path]:
    """Four files, each smaller than the one before by the length of its name."""
    swapped = {name: pair.weights[other_layer(name)] for name in pair.weights}
    nearly = {name: value * np.float32(1.0001) for name, value in pair.weights.items()}
    made: list[Path] = []
    for number, (name, weights) in enumerate(
        (("base", pair.weights), ("equal", pair.weights), ("flipped", nearly),
         ("broken", swapped))
    ):  # fmt: skip
        length = 1000 - 200 * number
        file = folder / f"{name}.gguf"
        made.append(write_model(file, weights, pair.tokenizer, name="n" * length))
    assert [f.stat().st_size for f in made] == sorted(
        (f.stat().st_size for f in made), reverse=True
    )
    return made


@pytest.fixture(scope="module")
def planted(files, tmp_path_factory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    made = written(folder, write_pair(folder / "pair"))
    exams = folder / "exams"
    exams.mkdir()
    write_lines(exams / "phrases_no_exclude_test.jsonl", map(medqa, range(QUESTIONS)))
    wishes = replace(
        SMALL,
        tests=frozenset(("quality", "exams")),
        text=files.text,
        exams=exams,
        reference=target(made[0]),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDASSIST_HOME", str(folder / "home"))
        patch.setattr(exam, "GgufScorer", PlantedScorer)
        events = measure(wishes, targets(made), folder / "r.jsonl")
    ended = next(event for event in events if isinstance(event, Ended))
    assert not ended.failed
    planned = next(event for event in events if isinstance(event, Planned))
    found = verdicts(sat(ended.lines), target(made[0]).facts.sha256)
    return Planted(
        *made,
        notes=planned.notes,
        lines=ended.lines,
        verdicts={verdict.row.split(".")[0]: verdict for verdict in found},
        rows={row.name.split(".")[0]: row for row in rows(ended.lines)},
    )


def test_the_equal_file_is_no_worse_and_its_divergence_is_nothing(planted):
    verdict = planted.verdicts["equal"]
    assert verdict.flips is not None and verdict.flips.changed == 0
    assert verdict.no_worse and not verdict.shown
    assert verdict.said.startswith("no worse by more than 1 point (-0.4 to +0.4")
    assert not broken(planted.rows["equal"])


def test_two_percent_that_became_wrong_are_shown_to_be_worse(planted):
    verdict = planted.verdicts["flipped"]
    flips = verdict.flips
    assert flips is not None
    assert (flips.right_to_wrong, flips.wrong_to_right) == (FLIPPED, 0)
    assert verdict.shown == "worse" and not verdict.no_worse
    assert verdict.said.startswith("worse, by -")
    # Its divergence says nothing of it: such a file is found by its answers alone.
    assert not broken(planted.rows["flipped"])


def test_the_broken_file_is_told_by_divergence_and_by_answers(planted):
    assert "broken" in broken(planted.rows["broken"])
    verdict = planted.verdicts["broken"]
    assert verdict.shown == "worse" and not verdict.no_worse
    assert verdict.flips is not None and verdict.flips.difference < -0.2


def test_the_equal_file_is_the_one_to_take_and_the_smaller_ones_are_refused(planted):
    advice = planted.advice()
    assert advice.row is planted.rows["equal"]
    said = " ".join(advice.said)
    assert "flipped.gguf: worse, by" in said
    assert "broken.gguf: it is broken" in said


def test_before_the_run_it_was_said_that_so_many_items_can_tell(planted):
    said = " ".join(planted.notes)
    assert "1,000 items can show, at 2 % flips 0.9" in said


def test_the_table_has_all_of_it(planted):
    text = as_text(planted.lines, list(planted.verdicts.values()))
    for words in ("equal.gguf", "no worse by more than 1 point", "worse, by"):
        assert words in text


def test_an_exam_is_called_as_the_file_is_that_was_read():
    paper = "PubMedQA (pqal_train500.json.xz)"
    of = model("Q8_0")
    lines = [
        one.model_copy(update={"test": {**one.test, "title": paper}})
        for one in exam_lines(of, [True] * 20, task="pubmedqa")
    ]
    text = as_text(lines, [])
    assert paper in text and "labelled test set" not in text
