"""A model of a real Ollama as a row, where one is on the PATH and runs."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from medassist.bench.disturbance import Observer
from medassist.bench.errors import BenchError
from medassist.bench.events import StepFailed
from medassist.bench.machine import Sensors, this_machine
from medassist.bench.ollama import Ollama
from medassist.bench.result_rows import rows
from medassist.bench.results import ResultsFile, read_results
from medassist.bench.served import MeasuredOllamaModel, OllamaModels
from medassist.bench.work import Work
from medassist.core.ollama_host import read_host
from tests.bench.measured import SMALL

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(shutil.which("ollama") is None, reason="no ollama on the PATH"),
]
SMALLEST = "smollm2:135m"


def test_its_own_timings_and_the_memory_of_its_processes_stand_in_the_row(
    tmp_path: Path,
) -> None:
    wishes = replace(SMALL, tests=frozenset(("load", "app", "memory")), prompts=(200,))
    sensors = Sensors()
    with ExitStack() as stack:
        server = stack.enter_context(Ollama(read_host(None)))
        try:
            version, facts = server.version(), server.model(SMALLEST)
        except BenchError as error:
            pytest.skip(str(error))
        results = stack.enter_context(ResultsFile(tmp_path / "r.jsonl"))
        machine = this_machine(sensors, "0.3", "abc", ())
        work = Work(wishes, [], machine, Observer(sensors, wait_s=0), results)
        served = OllamaModels(server, version, [MeasuredOllamaModel(SMALLEST, facts)])
        events = list(served.measure(work))
    assert not [event for event in events if isinstance(event, StepFailed)]
    (row,) = rows(read_results(tmp_path / "r.jsonl"))
    assert set(row.app) == {"one", "both"}
    assert all(seconds > 0 for seconds in row.load["warm"]["ready_s"])
    assert all(speed > 1 for speed in row.app["one"]["tok_per_s"])
    assert row.memory["resident"].value > facts.bytes / 2
