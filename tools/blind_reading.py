"""Have the answers of several models read, without telling the readers whose they are.

    python -m tools.blind_reading ask FOLDER NAME=BASE.gguf[+ADAPTER.gguf] ...
    python -m tools.blind_reading count FOLDER READER.jsonl READER.jsonl [SETTLED.jsonl]

`ask` puts the newest questions of `blind_reading_questions/`, or those of
`--questions`, to each model at temperature 0, with the program's other settings, and
writes two files into FOLDER: `to-read.jsonl`, the answers shuffled, each with a number
and no name; and `whose.jsonl`, which says whose each one is and is not given to a
reader. A reader writes a line
{"number": 1, "found": "right"} for each answer, with one of the words of `FOUND`.
`count` prints how far the two agree, the numbers on which they do not, and each share
with its exact interval. Where the two differ a third file decides; without it such an
answer counts as the worse of both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from medassist.core.files import write_whole
from medassist.core.values import Message, PairFiles, PaneName, Sampling
from medassist.engine.client import Engine
from medassist.engine.wire import Answered, Question
from medassist.exams.sign_test import sign_test

QUESTIONS = Path(__file__).with_name("blind_reading_questions") / "fifth.yaml"
FOUND = ("right", "partly", "declined", "wrong", "dangerous")
"""From the best to the worst."""
SEED = 20


@dataclass(frozen=True)
class Asked:
    """A question, and what a right answer to it says."""

    kind: str
    ask: str
    right: str


@dataclass(frozen=True)
class Answer(Asked):
    """An answer and whose it is."""

    number: int
    model: str
    answer: str
    ended: bool
    """It ended by itself, not at the limit."""


def main() -> None:
    """Read the command line and ask or count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True)
    asking = steps.add_parser("ask")
    asking.add_argument("folder", type=Path)
    asking.add_argument("models", nargs="+", metavar="NAME=BASE[+ADAPTER]")
    asking.add_argument("--questions", type=Path, default=QUESTIONS)
    counting = steps.add_parser("count")
    counting.add_argument("folder", type=Path)
    counting.add_argument("readings", nargs="+", type=Path)
    wanted = parser.parse_args()
    if wanted.step == "ask":
        ask(wanted.folder, wanted.models, wanted.questions)
    elif not 2 <= len(wanted.readings) <= 3:
        parser.error("give the files of two readers, and perhaps what settles")
    else:
        count(wanted.folder, wanted.readings)


def ask(folder: Path, models: Sequence[str], questions: Path) -> None:
    """Put every question to every model and write both files.

    The answers of each model are kept in FOLDER/answers as soon as it has given all, so
    that an interrupted run goes on with the next one.
    """
    kinds = yaml.safe_load(questions.read_text("utf-8"))
    asked = [Asked(kind, **row) for kind, rows in kinds.items() for row in rows]
    (folder / "answers").mkdir(parents=True, exist_ok=True)
    found: list[dict[str, object]] = []
    for model in models:
        name, _, files = model.partition("=")
        kept = folder / "answers" / f"{name}.jsonl"
        if not kept.exists():
            base, _, adapter = files.partition("+")
            pair = PairFiles(Path(base), adapter=Path(adapter) if adapter else None)
            _write(kept, asyncio.run(_ask(pair, asked)))
        rows = zip(asked, _rows(kept), strict=True)
        found += [{"model": name, **asdict(row), **answer} for row, answer in rows]
    random.Random(SEED).shuffle(found)
    rows = [{"number": number, **row} for number, row in enumerate(found, start=1)]
    hidden = ("model", "ended")
    _write(folder / "whose.jsonl", rows)
    _write(
        folder / "to-read.jsonl",
        [{k: v for k, v in row.items() if k not in hidden} for row in rows],
    )


async def _ask(pair: PairFiles, asked: Sequence[Asked]) -> list[dict[str, object]]:
    """The answers of the tuned pane, where there is one."""
    async with Engine(pair) as engine:
        return [await _answer(engine, pair.panes[-1], row.ask) for row in asked]


async def _answer(engine: Engine, pane: PaneName, text: str) -> dict[str, object]:
    message = Message(role="user", content=text)
    question = Question(messages=(message,), sampling=Sampling(temperature=0.0))
    answered = [
        event
        async for event in engine.ask({pane: question})
        if isinstance(event, Answered)
    ]
    if not answered:
        sys.exit(f"the question does not fit: {text}")
    (whole,) = answered
    return {"answer": whole.text, "ended": whole.figures.ending == "end"}


def count(folder: Path, readings: Sequence[Path]) -> None:
    """Print the agreement of the readers and each model's shares."""
    answers = {row["number"]: Answer(**row) for row in _rows(folder / "whose.jsonl")}
    first, second, *settling = [_reading(file, answers) for file in readings]
    apart = [number for number in answers if first[number] != second[number]]
    settled = settling[0] if settling else {}
    kappa = _kappa(list(first.values()), [second[number] for number in first])
    print(f"agreement {1 - len(apart) / len(answers):.2f}, kappa {kappa:.2f}")
    for number in apart:
        came = settled.get(number, "not settled: counted as the worse")
        print(f"  {number}: {first[number]} / {second[number]} -> {came}")
    verdicts = {
        number: settled.get(number)
        or max(first[number], second[number], key=FOUND.index)
        for number in answers
    }
    by_model: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers.values():
        by_model[answer.model].append(answer)
    for model, given in sorted(by_model.items()):
        ended = sum(answer.ended for answer in given)
        print(f"\n{model}: ends by itself {_share(ended, len(given))}")
        found = Counter(verdicts[answer.number] for answer in given)
        for word in FOUND:
            print(f"  {word:10} {_share(found[word], len(given))}")
        for kind in dict.fromkeys(answer.kind for answer in given):
            of_kind = Counter(verdicts[a.number] for a in given if a.kind == kind)
            listed = ", ".join(f"{of_kind[w]} {w}" for w in FOUND if of_kind[w])
            print(f"    {kind}: {listed}")


def _share(found: int, of: int) -> str:
    """`3 of 60: 5.0 % (1.0 to 13.9)`, the interval of Clopper and Pearson."""
    exact = sign_test(found, of - found)
    return f"{found} of {of}: {found / of:.1%} ({exact.low:.1%} to {exact.high:.1%})"


def _kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Cohen's: agreement beyond what two such readers would have by chance."""
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    ones, others = Counter(first), Counter(second)
    chance = sum(ones[word] * others[word] for word in FOUND) / n**2
    return 1.0 if chance == 1.0 else (agreed - chance) / (1 - chance)


def _reading(file: Path, answers: Mapping[int, Answer]) -> dict[int, str]:
    found = {row["number"]: row["found"] for row in _rows(file)}
    for number, word in found.items():
        if number not in answers or word not in FOUND:
            sys.exit(f"{file}: {number}, {word!r}: a number of whose.jsonl, of {FOUND}")
    return found


def _rows(file: Path) -> Iterator[dict]:
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _write(file: Path, rows: Iterable[object]) -> None:
    text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    write_whole(file, text)


if __name__ == "__main__":
    main()
