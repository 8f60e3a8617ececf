"""A process that measures and is killed in the middle: its own, so that it can be.

Run as `python -m tests.bench.killed FILE MODEL ADAPTER EXAMS TEXT STEP half|whole
few|every`: it kills itself when the measurement number STEP (from 0) is over, or in the
middle of writing it down; of speed and exams, or of every kind.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from medassist.bench import results
from medassist.bench.targets import target, targets
from medassist.bench.work import TESTS, Wishes
from tests.bench.measured import SMALL, measure


def wishes(exams: Path, text: Path, model: Path, *, every: bool = False) -> Wishes:
    few = replace(
        SMALL,
        tests=frozenset(("speed", "exams")),
        exams=exams,
        questions=3,
    )
    if not every:
        return few
    return replace(
        few,
        tests=frozenset(TESTS),
        text=text,
        reference=target(model),
        sustained_s=1.0,
    )


def main() -> None:
    file, model, adapter, exams, text = map(Path, sys.argv[1:6])
    step, half, every = int(sys.argv[6]), sys.argv[7] == "half", sys.argv[8] == "every"
    append = results.ResultsFile.append
    count = 0

    def dying(self: results.ResultsFile, line: results.ResultLine) -> None:
        nonlocal count
        if count == step and half:
            text = line.model_dump_json(by_alias=True).encode()
            self._out.write(text[: len(text) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        append(self, line)
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    results.ResultsFile.append = dying
    measure(
        wishes(exams, text, model, every=every),
        targets([model], [adapter]),
        file,
        resume=file.exists(),
    )


if __name__ == "__main__":
    main()
