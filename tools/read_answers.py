"""Ask a finished pair sixty questions, read the answers, count them into its card.

    .venv/bin/python tools/read_answers.py RUN            # ask; answers are kept
    .venv/bin/python tools/read_answers.py RUN --read     # read them, one by one
    .venv/bin/python tools/read_answers.py RUN --count    # counts into RUN/card.json

The questions come from what the run held out, and from finetune/starter/readings.yaml.
Each is asked greedily, at the program's own temperature and at 0.7, with the other
settings of the program.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from finetune.errors import FinetuneError
from finetune.starter.readings import (
    ReadAnswer,
    ReadingQuestion,
    count_into_card,
    read_answers,
    reading_questions,
    repeats,
    write_answers,
)
from medassist.core.run_folder import STARTER_ADAPTERS, STARTER_BASE
from medassist.core.validated import to_json
from medassist.core.values import Message, PairFiles, Sampling
from medassist.engine.client import Engine
from medassist.engine.wire import Answered, Question

TEMPERATURES = (0.0, Sampling().temperature, 0.7)
MAX_TOKENS = 200


def main() -> None:
    """Read the command line and do one of the three."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    step = parser.add_mutually_exclusive_group()
    step.add_argument("--read", action="store_true", help="read the kept answers")
    step.add_argument("--count", action="store_true", help="count them into the card")
    wanted = parser.parse_args()
    try:
        if wanted.read:
            read(wanted.run)
        elif wanted.count:
            for found in count_into_card(wanted.run):
                print(to_json(found))
        else:
            answers = asyncio.run(ask(wanted.run))
            write_answers(wanted.run, answers)
            print(f"{len(answers)} answers are kept; read them with --read")
    except FinetuneError as error:
        sys.exit(str(error))


async def ask(run: Path) -> list[ReadAnswer]:
    """Both panes' answers to all questions, at each temperature."""
    gguf = run / "gguf"
    adapter = gguf / STARTER_ADAPTERS["activated"]
    files = PairFiles(base=gguf / STARTER_BASE, adapter=adapter)
    questions = reading_questions(run)
    found: list[ReadAnswer] = []
    async with Engine(files) as engine:
        for temperature in TEMPERATURES:
            sampling = Sampling(temperature=temperature, max_tokens=MAX_TOKENS)
            for number, asked in enumerate(questions, start=1):
                print(f"\r{temperature}: {number}/{len(questions)}", end="", flush=True)
                message = Message(role="user", content=asked.question)
                question = Question(messages=(message,), sampling=sampling)
                async for event in engine.ask(dict.fromkeys(files.panes, question)):
                    if isinstance(event, Answered):
                        found.append(kept(asked, temperature, event))  # noqa: PERF401
            print()
    return found


def kept(asked: ReadingQuestion, temperature: float, event: Answered) -> ReadAnswer:
    """An answer as it is kept until somebody reads it."""
    return ReadAnswer(
        pane=event.pane,
        temperature=temperature,
        kind=asked.kind,
        question=asked.question,
        answer=event.text,
        ended=event.figures.ending == "end",
        repeated=repeats(event.text),
    )


def read(run: Path) -> None:
    """Show each answer that was not read yet, and keep what the reader says."""
    answers = read_answers(run)
    for answer in answers:
        if answer.fluent is not None and answer.on_topic is not None:
            continue
        print(f"\n{answer.question}\n\n{answer.pane}, {answer.temperature}:")
        print(f"{answer.answer}\n")
        answer.fluent = said("Fluent?")
        answer.on_topic = said("On topic?")
        write_answers(run, answers)


def said(question: str) -> bool:
    """What the reader answers; q ends the reading, and nothing is lost."""
    while (word := input(f"{question} [y/n/q] ").strip().lower()) not in ("y", "n"):
        if word == "q":
            sys.exit("The rest is asked the next time.")
    return word == "y"


if __name__ == "__main__":
    main()
