"""Models of an Ollama stand beside the app's: its own timings, the same words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from medassist.bench.app_session import Asking
from medassist.bench.disturbance import Observer
from medassist.bench.errors import BenchError
from medassist.bench.events import Ended, Event, Measured, StepFailed
from medassist.bench.machine import Sensors, this_machine
from medassist.bench.ollama import Ollama
from medassist.bench.result_rows import rows
from medassist.bench.result_text import as_text
from medassist.bench.results import ResultsFile, read_results
from medassist.bench.run import run
from medassist.bench.served import OllamaModels, memory_of, processes
from medassist.bench.targets import targets
from medassist.bench.work import Wishes, Work
from medassist.commands.bench.measurement import served_by_ollama
from medassist.commands.bench.request import BenchRequest
from medassist.core.ollama_host import read_host
from tests.bench.measured import SMALL
from tests.convert.ollama.fake_ollama import FakeOllama, Model

TIMINGS = {
    "load_duration": 1_500_000_000,
    "prompt_eval_count": 40,
    "prompt_eval_duration": 800_000_000,
    "eval_count": 4,
    "eval_duration": 500_000_000,
}
BASE, TUNED = "base:latest", "me/tuned:q8"
WISHES = replace(SMALL, tests=frozenset(("load", "app", "memory")), prompts=(200,))


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeOllama]:
    with FakeOllama(tmp_path / "store", None) as server:
        for name in (BASE, TUNED):
            server.state.models[name] = Model("sha256:0", None, {})
        server.state.timings = dict(TIMINGS)
        yield server


def served(fake, stack: ExitStack, *names: str) -> OllamaModels:
    found = served_by_ollama(
        BenchRequest(SMALL, ollama=names, ollama_host=fake.host), stack
    )
    assert found is not None
    found.pids = lambda: [psutil.Process().pid]
    return found


def work_of(file: ResultsFile, wishes: Wishes = WISHES) -> Work:
    sensors = Sensors()
    machine = this_machine(sensors, "0.3", "abc", ())
    return Work(wishes, [], machine, Observer(sensors, wait_s=0), file)


def alone(found: OllamaModels, file: Path, wishes: Wishes = WISHES) -> list[Event]:
    """What happens to the models of the server, without any of the app's."""
    with ResultsFile(file, resume=True) as results:
        return list(found.measure(work_of(results, wishes)))


def test_the_rows_have_the_servers_own_timings(fake, tmp_path):
    file = tmp_path / "r.jsonl"
    with ExitStack() as stack:
        events = alone(served(fake, stack, "base", TUNED), file)
    assert not [e for e in events if isinstance(e, StepFailed)]
    lines = read_results(file)
    base, tuned = rows(lines)
    assert [base.name, tuned.name] == ["ollama:base", "ollama:me/tuned:q8"]
    assert base.load["warm"]["ready_s"] == (1.5,) * 3
    assert base.app["one"]["tok_per_s"] == (8.0, 8.0)
    assert base.app["one"]["read_s"] == (0.8, 0.8)
    assert base.app["one"]["tokens_read"] == (40.0, 40.0)
    assert 0 < base.app["one"]["ttft_s"][0] < 20
    assert "both" not in base.app
    assert tuned.app["both"]["tok_per_s base"] == (8.0, 8.0)
    assert tuned.app["both"]["tok_per_s tuned"] == (8.0, 8.0)
    assert base.memory["resident"].value > 1_000_000
    assert any("all of Ollama's processes" in note for note in base.notes)
    assert base.model.quantization == "Q8_0" and base.model.bytes == 1000
    text = as_text(lines, [])
    assert "ollama:me/tuned:q8" in text and "both: tuned" in text


def test_the_words_the_length_and_the_threads_are_those_of_the_app(
    files, fake, tmp_path, monkeypatch
):
    asked: list[int] = []
    plain = Asking.ask

    def ask(self, words, panes):
        asked.append(words)
        return plain(self, words, panes)

    monkeypatch.setattr(Asking, "ask", ask)
    wishes = replace(WISHES, tests=frozenset(("app",)), repetitions=1, ttft=1)
    sensors = Sensors()
    with ExitStack() as stack:
        found = served(fake, stack, BASE)
        results = stack.enter_context(ResultsFile(tmp_path / "r.jsonl"))
        events = list(
            run(
                wishes,
                targets([files.base]),
                results,
                observer=Observer(sensors, wait_s=0),
                sensors=sensors,
                served=found,
            )
        )
    ended = events[-1]
    assert isinstance(ended, Ended) and not ended.failed
    assert [row.name for row in rows(ended.lines)] == [
        files.base.name,
        "ollama:base:latest",
    ]
    chats = [chat for chat in fake.state.chats if chat["messages"]]
    assert chats[-1]["options"]["num_predict"] == 4
    assert chats[-1]["options"]["num_thread"] == 1
    questions = [chat["messages"][0]["content"] for chat in chats]
    assert len(questions[-1].split()) == asked[-1] + len(["Case", "1."])
    assert len({text[:20] for text in questions}) == len(questions)


def test_two_are_asked_at_once(fake, tmp_path):
    with (
        ExitStack() as stack,
        ResultsFile(tmp_path / "r.jsonl") as results,
    ):
        found = served(fake, stack, BASE)
        work = work_of(results)
        both = next(s for s in found.steps(work) if s.test.get("panes") == "both")
        # A single question would wait for another one, and break.
        fake.state.together = threading.Barrier(2)
        answers = found._asked(work, both, 100)
    assert set(answers) == {" base", " tuned"}


def test_what_was_measured_is_not_measured_again(fake, tmp_path):
    file = tmp_path / "r.jsonl"
    with ExitStack() as stack:
        found = served(fake, stack, BASE)
        assert [e for e in alone(found, file) if isinstance(e, Measured)]
        before = len(fake.state.chats)
        assert alone(found, file) == []
    assert len(fake.state.chats) == before


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("breaks off an answer", "broke off its answer"),
        ("fails within an answer", "refused: an error was encountered"),
        ("cannot load", "refused: llama runner process has terminated"),
    ],
)
def test_where_it_fails_the_other_rows_go_on(fake, tmp_path, fault, said):
    fake.state.faults.add(fault)
    with ExitStack() as stack:
        events = alone(served(fake, stack, BASE, TUNED), tmp_path / "r.jsonl")
    failed = [e for e in events if isinstance(e, StepFailed)]
    assert [one.row for one in failed] == ["ollama:base:latest", f"ollama:{TUNED}"]
    assert all(said in one.message for one in failed)
    assert "\x1b" not in failed[0].message


def test_where_no_server_answers_it_is_said_before_anything_is_measured():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{chosen.getsockname()[1]}"
    request = BenchRequest(SMALL, ollama=("x",), ollama_host=host)
    with (
        ExitStack() as stack,
        pytest.raises(BenchError, match=r"No Ollama answers at .*`ollama serve`"),
    ):
        served_by_ollama(request, stack)


def test_a_model_that_is_not_there_is_named_with_those_that_are(fake):
    with (
        Ollama(read_host(fake.host)) as server,
        pytest.raises(BenchError, match=r"no model 'other'. It has: base:latest, me/"),
    ):
        server.model("other")


def test_what_is_no_ollama_is_refused(fake):
    fake.state.version = "x" * 200
    with (
        Ollama(read_host(fake.host)) as server,
        pytest.raises(BenchError, match="is no Ollama"),
    ):
        server.version()


def test_of_a_server_elsewhere_the_memory_is_not_measured(fake, tmp_path):
    file = tmp_path / "r.jsonl"
    with ExitStack() as stack:
        found = served(fake, stack, BASE)
        found.is_local = False
        found.pids = lambda: pytest.fail("no process of this computer is asked for")
        alone(found, file)
    lines = read_results(file)
    assert {line.kind for line in lines} == {"load", "app"}
    assert "on another computer" in lines[0].notes[0]


def test_the_memory_of_several_processes_is_added_up():
    own = psutil.Process().pid
    one, two = memory_of([own]), memory_of([own, own])
    assert two["resident"].value == pytest.approx(2 * one["resident"].value, rel=0.05)
    assert memory_of([]) == {}
    assert own not in processes()
