"""`medassist bench` beside llama-bench and lm-eval: the same models, tests, threads."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Comparison
from benchmarks.random_llama import random_llama
from convert.gguf.model import convert_model
from convert.quantize import quantize
from convert.unpack.unpack import unpack
from medassist.bench.exam import CONTEXT, FLASH
from medassist.bench.results import Parameters
from medassist.bench.speed import called, warm_up
from medassist.core.values import CHUNK
from medassist.engine.scorer import GgufScorer
from medassist.engine.timing import TimedModel, TimedSettings
from medassist.exams.multiple_choice import ScorerExaminee, ScoringPass, plan, sit
from medassist.exams.question_files import find_exams
from medassist.starter.open_base import SMOLLM2
from tests.exams.exam_model import save_exam_model
from tests.exams.lm_eval_env import run_lm_eval
from tests.exams.papers import SUBJECTS, write_papers
from tests.llama_source import run_tool

TESTS = [
    {"n_prompt": prompt, "n_gen": written, "n_depth": depth}
    for depth in (0, 512)
    for prompt, written in ((512, 0), (0, 64))
]
QUESTIONS = 40  # of each exam, unless it is said; MMLU has two subjects here
BATCHES = ("1", "16")  # lm-eval's default, and one that suits it
AIM = (">=", 3.0)
READING_AIM = (">=", 0.9)


def model_to_measure(folder: Path) -> Path:
    """The open base of the default pair where it lies here, else the random llama."""
    if SMOLLM2.what_is_wrong():
        return random_llama(folder).base
    return SMOLLM2.file


def speeds(model: Path, runs: int, threads: int) -> list[Comparison]:
    """Tokens a second of both, in turn; the one that begins changes from run to run."""
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for run in range(runs):
        both = [(_our_speeds, ours), (_their_speeds, theirs)]
        for measured, found in reversed(both) if run % 2 else both:
            for name, speed in measured(model, threads).items():
                found.setdefault(name, []).append(speed)
    return [
        Comparison(f"{name} (aim: 0.97 to 1.03)", ours[name], theirs[name], "tok/s")
        for name in ours
    ]


def _our_speeds(model: Path, threads: int) -> dict[str, float]:
    found: dict[str, float] = {}
    settings = TimedSettings(context=1024, threads=threads, gpu_layers=0)
    with TimedModel(model, None, settings) as timed:
        warm_up(timed)
        for test in TESTS:
            took = timed.run(
                prompt=test["n_prompt"], written=test["n_gen"], depth=test["n_depth"]
            )
            tokens = test["n_prompt"] + test["n_gen"]
            found[called({**test})] = 1e9 * tokens / took.ns
    return found


def _their_speeds(model: Path, threads: int) -> dict[str, float]:
    said = run_tool(
        "llama-bench",
        *("-m", model, "-t", threads, "-b", 128, "-ub", 128, "-fa", "off"),
        *("-ctk", "f16", "-ctv", "f16", "-ngl", 0, "-p", 512, "-n", 64),
        *("-d", "0,512", "-r", 1, "-o", "json"),
    )
    return {
        called({name: row[name] for name in TESTS[0]}): row["avg_ts"]
        for row in json.loads(said)
    }


def exams(
    runs: int,
    threads: int,
    questions: int = QUESTIONS,
    batches: tuple[str, ...] = BATCHES,
) -> list[Comparison]:
    """Questions a second of a Q8_0 GGUF, and of lm-eval on the folder that it is of.

    And the tokens a second that it reads meanwhile, beside llama-bench on the same file
    and as many tokens at a time: what llama.cpp itself reads bounds both.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, small = _models(folder)
        papers = write_papers(folder / "exams", questions)
        rows = reading(small, papers, runs, threads)
        for batch in batches:
            ours: dict[str, list[float]] = {}
            theirs: dict[str, list[float]] = {}
            for run in range(runs):
                # Whoever begins changes from run to run.
                before = our_exams(small, papers, threads) if run % 2 else None
                tasks = run_lm_eval(
                    model, folder, questions, "--batch", batch, "--only-plain",
                    threads=threads,
                )["tasks"]  # fmt: skip
                own = before or our_exams(small, papers, threads)
                for task, sat in own.items():
                    parts = [task]
                    if task == "mmlu_medical":
                        parts = [f"mmlu_{subject}" for subject in SUBJECTS]
                    whole = sum(tasks[part]["seconds"] for part in parts)
                    ours.setdefault(task, []).append(sat.questions / sat.seconds)
                    theirs.setdefault(task, []).append(sat.questions / whole)
            rows += [
                Comparison(
                    f"{task}, lm-eval with batches of {batch}",
                    *(ours[task], theirs[task], "1/s", AIM),
                )
                for task in ours
            ]
    return rows


def reading(model: Path, papers: Path, runs: int, threads: int) -> list[Comparison]:
    """Tokens a second that exams read, and that llama-bench reads of as many."""
    tests = {task: sat.test for task, sat in our_exams(model, papers, threads).items()}
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for run in range(runs):
        before = _their_reading(model, threads, tests.values()) if run % 2 else None
        sat = our_exams(model, papers, threads)
        found = before or _their_reading(model, threads, tests.values())
        for task, test in tests.items():
            name = f"{task}, tokens read, beside llama-bench {called(test)}"
            ours.setdefault(name, []).append(sat[task].tokens / sat[task].seconds)
            theirs.setdefault(name, []).append(found[called(test)])
    return [
        Comparison(name, ours[name], theirs[name], "tok/s", READING_AIM)
        for name in ours
    ]


def _models(folder: Path) -> tuple[Path, Path]:
    """A Hugging Face folder, and the same model at Q8_0."""
    hf, half = folder / "model", folder / "f16.gguf"
    if SMOLLM2.what_is_wrong():
        save_exam_model(hf, 2048)
    else:
        unpack(SMOLLM2.file, hf)
    convert_model(hf, half)
    (made,) = quantize(half, folder / "q8_0.gguf", ["Q8_0"]).files
    half.unlink()
    return hf, made.file


@dataclass(frozen=True)
class SatExam:
    """An exam that was sat.

    Attributes:
        questions: that were answered.
        seconds: that it took, with the cutting into tokens.
        tokens: that were read; what introduces several questions counts once.
        test: of llama-bench that reads as many at a time, behind as many.
    """

    questions: int
    seconds: float
    tokens: int
    test: Parameters


def our_exams(model: Path, folder: Path, threads: int) -> dict[str, SatExam]:
    """Each exam of the folder, by its task."""
    found: dict[str, SatExam] = {}
    with GgufScorer(
        model, context=CONTEXT, batch=CHUNK, threads=threads, flash=FLASH
    ) as scorer:
        examinee = ScorerExaminee(scorer, scorer.tokenize, scorer.opened.context)
        for paper in find_exams(folder, shots=5).papers:
            begun = time.perf_counter()
            readings = list(plan(examinee, paper.questions))
            answered = sum(1 for _ in sit(examinee, paper.questions, readings=readings))
            seconds = time.perf_counter() - begun
            tokens, count = _tokens(readings), len(readings)
            test: Parameters = {
                "n_prompt": round(tokens / count),
                "n_gen": 0,
                "n_depth": round(sum(one.shared for one in readings) / count),
            }
            found[paper.task] = SatExam(answered, seconds, tokens, test)
    return found


def _tokens(readings: Sequence[ScoringPass]) -> int:
    """Tokens that a model reads; what a reading shares with the one before, once."""
    before: tuple[int, ...] = ()
    total = 0
    for reading in readings:
        shared = reading.tokens[: reading.shared]
        total += len(reading.tokens) - (len(shared) if shared == before else 0)
        before = shared
    return total


def _their_reading(
    model: Path, threads: int, tests: Iterable[Parameters]
) -> dict[str, float]:
    """llama-bench's tokens a second, by what it calls the tests."""
    found: dict[str, float] = {}
    for test in tests:
        said = run_tool(
            "llama-bench",
            *("-m", model, "-t", threads, "-b", CHUNK, "-ub", CHUNK),
            *("-fa", "on" if FLASH else "off", "-ngl", 0, "-n", 0, "-r", 20),
            *("-p", test["n_prompt"], "-d", test["n_depth"], "-o", "json"),
        )
        (row,) = json.loads(said)
        found[called(test)] = row["avg_ts"]
    return found
