"""Every child process is started in one way, holds to it, and ends in a sentence."""

from __future__ import annotations

import ast
import asyncio
import math
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from pydantic import BaseModel, TypeAdapter

from convert.quantize import quantize
from convert.quantize_wire import REPLIES as QUANTIZED
from convert.quantize_wire import QuantizeDone, QuantizeJob, Tensor
from medassist.core.values import EngineOptions, PairFiles
from medassist.doctor import confinement as doctor
from medassist.engine import child, confine, confinement_trial, replaced, scorer_wire
from medassist.engine import template_probe as probing
from medassist.engine.child import Child, ChildEnded
from medassist.engine.client import Engine
from medassist.engine.document import read_document
from medassist.engine.frames import Hello, Refused, frame, read_frame
from medassist.engine.scorer import GgufScorer
from medassist.engine.wire import EVENTS, Load, Loaded
from medassist.frozen_model import FrozenModel
from medassist.library.template_check import probe_file
from tests.engine.test_confine import CHILD, WITHOUT, needs, permitted
from tests.tiny_models import TinyPair

ROOT = Path(__file__).parents[2]
PLAIN_F16 = 1  # of the enum llama_ftype
Children = dict[str, tuple[BaseModel, TypeAdapter, type[BaseModel]]]


@pytest.fixture
def children(tiny: TinyPair, tmp_path: Path) -> Children:
    """Each child: its only command, what it may answer, and how the last one ends."""
    target = tmp_path / "made.gguf"
    target.touch()
    (tmp_path / "model").touch()
    (tmp_path / "foreign").touch()
    load = Load(files=PairFiles(base=tiny.base), options=EngineOptions(threads=1))
    reading = scorer_wire.OpenScorer(
        model=tiny.base, context=32, batch=32, exact=True, threads=1
    )
    job = QuantizeJob(
        files=(tiny.base,),
        target=target,
        ftype=PLAIN_F16,
        imatrix=None,
        allow_requantize=False,
        most_memory=1 << 30,
        threads=1,
    )
    probe = probing.Probe(file=tiny.base)
    trial = confinement_trial.Try(folder=tmp_path)
    return {
        "medassist.engine.worker": (load, EVENTS, Loaded),
        "medassist.engine.scorer_worker": (
            reading,
            scorer_wire.REPLIES,
            scorer_wire.Opened,
        ),
        "medassist.engine.template_probe": (
            probe,
            probing.REPLIES,
            probing.ProbedTemplate,
        ),
        "medassist.engine.confinement_trial": (
            trial,
            confinement_trial.REPLY,
            confinement_trial.ConfinementTrial,
        ),
        "convert.quantize_child": (job, QUANTIZED, QuantizeDone),
    }


def test_every_child_leaves_the_network_and_all_else_and_says_so(
    children: Children,
) -> None:
    needs(confine.NETWORK_NAMESPACE, confine.LANDLOCK, confine.SECCOMP)
    said: dict[str, str | None] = {}
    for module, (command, replies, last) in children.items():
        with Child(module, replies) as started:
            started.send(command)
            while not isinstance(started.receive(), last):
                pass
            said[module] = started.confined
    assert said == dict.fromkeys(children, permitted())


def test_no_child_is_told_the_users_secrets(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_u8zq")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws_u8zq")
    monkeypatch.setenv("MEDASSIST_TEST_WORD", "told")
    given: list[dict[str, str]] = []
    start = subprocess.Popen

    def noted(*words, env, **more):
        given.append(env)
        return start(*words, env=env, **more)

    monkeypatch.setattr(subprocess, "Popen", noted)
    for module, (_, replies, _) in children.items():
        with Child(module, replies):
            pass
    assert len(given) == len(children)
    for env in given:
        assert env["MEDASSIST_TEST_WORD"] == "told"
        assert "u8zq" not in " ".join(env.values())


def test_nobody_else_starts_python() -> None:
    """Who did would have to know all that a child gives up."""
    found = {
        file.relative_to(ROOT).as_posix()
        for package in ("medassist", "convert")
        for file in (ROOT / package).rglob("*.py")
        if "sys.executable" in file.read_text("utf-8")
        and any(
            isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
        )
    }
    others = {
        "medassist/engine/confinement_trial.py",  # whether it could, confined
        "medassist/starter/by_pip.py",  # pip, which is asked to fetch
    }
    assert found - others == {"medassist/engine/child.py"}


LIMIT = """
import resource
forbid = confine.forbid_growth
def told():
    forbid()
    import sys
    print("limit", resource.getrlimit(resource.RLIMIT_FSIZE), file=sys.stderr)
confine.forbid_growth = told
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize(
    "module",
    [
        "medassist.engine.worker",
        "medassist.engine.scorer_worker",
        "medassist.engine.template_probe",
        "medassist.engine.confinement_trial",
    ],
)
def test_without_landlock_no_child_that_only_reads_lets_a_file_grow(
    module: str, children: Children
) -> None:
    command, _, _ = children[module]
    script = f"{CHILD}{WITHOUT[confine.LANDLOCK]}{LIMIT}child_startup.main()"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", script, module], **pipes) as started:
        assert started.stdin and started.stdout and started.stderr
        started.stdin.write(frame(command))
        started.stdin.flush()
        # Only then is the pipe closed: a child leaves with the app.
        answers = cast("BinaryIO", started.stdout)
        hello = Hello.model_validate_json(read_frame(answers) or b"")
        started.stdin.close()
        said = started.stderr.read()
    assert confine.LANDLOCK not in hello.confined
    assert b"limit (0, 0)" in said


WINDOWS = """
import os, sys, types
modes = []
sys.modules["msvcrt"] = types.SimpleNamespace(setmode=lambda *how: modes.append(how))
os.O_BINARY = 0x8000
from medassist.engine.frames import ChildPipe
sys.platform = "win32"
channel = ChildPipe()
ours = [channel._read.fileno(), channel._write.fileno()]
print([(number in ours, how) for number, how in modes], file=sys.stderr)
"""


def test_on_windows_both_ends_of_every_channel_are_binary() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[(True, 32768), (True, 32768)]"


class Said(FrozenModel):
    word: str


def child_that(work: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module whose `serve` does `work` once it is confined."""
    lines = "".join(f"    {line}\n" for line in work.splitlines())
    (folder / "made_for_a_test.py").write_text(
        "import os, sys, time\n"
        "from medassist.frozen_model import FrozenModel\n"
        "class Said(FrozenModel):\n    word: str\n"
        f"def serve(process):\n    process.keep_files([])\n{lines}"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    # What lies in a folder of the tests is no part of the program.
    monkeypatch.setattr(child, "command", unconfined_files)
    return "made_for_a_test"


def unconfined_files(module: str) -> tuple[str, ...]:
    script = f"{CHILD}{WITHOUT[confine.LANDLOCK]}child_startup.main()"
    return (sys.executable, "-c", script, module)


Making = Callable[..., "Child[Said]"]


@pytest.fixture
def making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    # Whoever runs the tests may edit the program meanwhile.
    monkeypatch.setattr(replaced, "_STARTED", math.inf)

    def make(work: str, limit: float | None = None) -> Child[Said]:
        return Child(child_that(work, tmp_path, monkeypatch), TypeAdapter(Said), limit)

    return make


def test_a_child_may_print_more_than_a_pipe_holds_and_its_end_is_kept(
    making: Making,
) -> None:
    work = "os.write(1, b'talk\\n' * 100_000)\n"
    work += "os.write(2, b'a.cpp:3: no more\\n')\nos.abort()"
    with making(work) as started, pytest.raises(ChildEnded) as caught:
        started.receive()
    assert caught.value.words.why == "a.cpp:3: no more"
    assert caught.value.code != 0


@pytest.mark.parametrize(
    ("work", "broken"),
    [
        ("process.channel._write.write(b'\\xff' * 4)", "announced a message of 4,294"),
        ("process.channel.send(Said(word='x'), b'\\0\\0\\0\\2{}')", "word: Field req"),
        ("process.channel.send(Said(word='x'), b'\\0\\0\\0\\2{]')", "all of it: Inv"),
    ],
)
def test_a_child_that_sends_what_is_no_message_is_ended_and_the_fault_named(
    work: str, broken: str, making: Making
) -> None:
    with making(work + "\nprocess.channel._write.flush()\ntime.sleep(600)") as started:
        with pytest.raises(ChildEnded, match=broken):
            started.receive()
            started.receive()
        assert started.ended().code != 0


UPDATED = """
class NewerSaid(Said):
    page: str = 'a patient of 40'
process.channel.send(NewerSaid(word='x'))
"""


def test_what_stands_in_a_message_that_is_not_known_is_not_told(making: Making) -> None:
    unknown = pytest.raises(ChildEnded, match="page: Extra inputs")
    with making(UPDATED) as started, unknown as caught:
        started.receive()
    assert "patient" not in str(caught.value)
    assert caught.value.to_do == "try again"


@pytest.mark.parametrize(("work", "code"), [(UPDATED, None), ("import not_there", 1)])
def test_a_program_that_was_replaced_while_it_ran_is_to_be_started_again(
    work: str, code: int | None, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaced, "_STARTED", 0.0)
    with making(work) as started, pytest.raises(ChildEnded) as caught:
        started.receive()
    assert caught.value.broken == replaced.REPLACED
    assert caught.value.to_do == "start the program again"
    assert code in (None, caught.value.code)


def test_what_llama_cpp_gives_up_on_is_not_put_down_to_an_update(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaced, "_STARTED", 0.0)
    with making("os.abort()") as started, pytest.raises(ChildEnded) as caught:
        started.receive()
    assert caught.value.broken == ""


def test_a_program_is_replaced_when_a_file_of_it_is_newer_or_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaced, "PACKAGES", (tmp_path,))
    monkeypatch.setattr(replaced, "_STARTED", math.inf)
    (tmp_path / "part.py").touch()
    assert replaced.why_ended(1, "it said x") == "it said x"
    monkeypatch.setattr(replaced, "_STARTED", 0.0)
    assert replaced.why_ended(-9, "it said x") == replaced.REPLACED
    assert replaced.why_ended(-9, "") == ""
    monkeypatch.setattr(replaced, "_STARTED", math.inf)
    gone = types.ModuleType("part_of_it")
    gone.__file__ = str(tmp_path / "gone.py")
    monkeypatch.setitem(sys.modules, gone.__name__, gone)
    assert replaced.why_ended(1, "") == replaced.REPLACED


async def start_pair(file: Path) -> None:
    await Engine(PairFiles(base=file)).start()


@pytest.mark.parametrize(
    ("constant", "do"),
    [
        ("medassist.engine.client.WORKER", lambda f: asyncio.run(start_pair(f))),
        ("medassist.engine.scorer.WORKER", lambda f: GgufScorer(f)),
        ("medassist.engine.document.READER", read_document),
        ("medassist.library.template_check.PROBE", probe_file),
        ("convert.quantize.CHILD", lambda f: quantize(f, f.parent / "q", ["Q8_0"])),
    ],
)
def test_whoever_starts_a_child_of_another_version_says_what_helps(
    constant: str,
    do: Callable[[Path], object],
    tiny: TinyPair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = Path(shutil.copy(tiny.base, tmp_path / "m.gguf"))
    monkeypatch.setattr(constant, "medassist.engine.not_there_any_more")
    monkeypatch.setattr(replaced, "_STARTED", 0.0)
    with pytest.raises(Exception, match=replaced.REPLACED) as caught:
        do(file)
    said = str(caught.value)
    assert said.startswith(str(file))
    assert "start the program again" in said.lower()
    assert "damaged" not in said and "memory" not in said and "template." not in said


def test_the_doctor_does_not_put_an_update_down_to_llama_cpp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "TRIAL", "medassist.engine.not_there_any_more")
    monkeypatch.setattr(replaced, "_STARTED", 0.0)
    found = doctor.try_out()
    assert replaced.REPLACED in found.problem
    assert found.do == "Start the program again"


def test_a_child_that_takes_too_long_is_ended_and_it_is_said(making: Making) -> None:
    with making("time.sleep(600)", 0.5) as started, pytest.raises(ChildEnded) as caught:
        started.receive()
    assert caught.value.late


def test_the_app_hears_of_a_refusal_by_name(tmp_path: Path) -> None:
    file = tmp_path / "none.gguf"
    with Child(probing.__name__, probing.REPLIES) as started:
        started.send(probing.Probe(file=file))
        told = started.receive()
    assert isinstance(told, Refused)
    assert str(file) in told.message


def test_the_scorer_says_what_holds_its_child(tiny: TinyPair) -> None:
    with GgufScorer(tiny.base, threads=1) as scorer:
        assert scorer.confined == permitted()


def test_progress_of_the_quantizer_counts_the_tensors(children: Children) -> None:
    command, replies, _ = children["convert.quantize_child"]
    told: list[Tensor] = []
    with Child("convert.quantize_child", replies) as started:
        started.send(command)
        while isinstance(one := started.receive(), Tensor):
            told.append(one)
    assert [one.number for one in told] == [*range(1, told[-1].total + 1)]
