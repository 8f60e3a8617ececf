from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from medassist.core.values import PairFiles
from medassist.engine import confine
from medassist.engine.confinement_trial import ConfinementTrial, Try
from medassist.engine.forbidden_calls import MACHINES, SystemCalls
from medassist.engine.frames import Hello, frame, read_frame
from tests.engine.conversation import tiny_engine
from tests.tiny_models import TinyPair

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is held there")

CHILD = "from medassist.engine import child_startup, confine, forbidden_calls\n"
TRIAL = "medassist.engine.confinement_trial"
WITHOUT = {
    confine.NETWORK_NAMESPACE: "confine.leave_network = lambda: False\n",
    confine.LANDLOCK: "confine.restrict_files = lambda *_: False\n",
    confine.SECCOMP: "forbidden_calls.forbid_calls = lambda: False\n",
}
FILES = ("read another file", "list a folder", "remove a file")
WRITING = ("write a new file", "write to a file")
NETWORK = ("connect (TCP)", "send (UDP)")
BESIDE = ("speak to another program", "start another program")
DEVICES = ("read shared memory", "write to the terminal")
EVERYTHING = {*FILES, *WRITING, *NETWORK, *BESIDE, *DEVICES, "read another process"}

# As the child of a program with a terminal: there is one that it could write to.
IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """What another program keeps in shared memory."""
    folder = Path("/dev/shm")
    if not folder.is_dir():
        pytest.skip("there is no /dev/shm")
    file = folder / f"medassist-test-{os.getpid()}"
    file.write_text("s")
    yield file
    file.unlink()


def attempted(folder: Path, shared: Path, before: str = "") -> ConfinementTrial:
    """How a child fares that tries everything; `before` changes what holds it."""
    (folder / "model").write_text("m")
    (folder / "foreign").write_text("s")
    script = f"{CHILD}{before}child_startup.main()"
    terminal, its_end = os.openpty()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "listening"))
        listening.listen()
        done = subprocess.run(
            [
                *(sys.executable, "-c", IN_A_TERMINAL, str(its_end)),
                *("-c", script, TRIAL),
            ],
            input=frame(Try(folder=folder, shared=shared)),
            pass_fds=[its_end],
            capture_output=True,
            check=False,
        )
    os.close(terminal)
    os.close(its_end)
    assert done.returncode == 0, done.stderr
    answers = io.BytesIO(done.stdout)
    hello = Hello.model_validate_json(read_frame(answers) or b"")
    trial = ConfinementTrial.model_validate_json(read_frame(answers) or b"")
    assert hello.confined == trial.confined
    return trial


def permitted() -> str:
    """What this system permits a child to give up."""
    code = (
        "from medassist.engine import confine\n"
        "from medassist.engine.forbidden_calls import forbid_calls\n"
        "a = confine.leave_network(); c = forbid_calls()\n"
        "b = confine.restrict_files([])\n"
        "print(confine.describe(a, b, c))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def needs(*layers: str) -> None:
    held = permitted()
    if any(layer not in held for layer in layers):
        pytest.skip(f"this system permits: {held}")


def refused(trial: ConfinementTrial) -> set[str]:
    return {what for what, how in trial.attempts.items() if how == "refused"}


def test_the_confined_child_reads_its_model_and_nothing_else(
    tmp_path: Path, shared: Path
) -> None:
    needs(confine.NETWORK_NAMESPACE, confine.LANDLOCK, confine.SECCOMP)
    trial = attempted(tmp_path, shared)
    assert trial.confined == "network namespace, landlock, seccomp"
    assert trial.attempts["read its model"] == "allowed"
    assert refused(trial) == EVERYTHING
    assert (tmp_path / "foreign").read_text() == "s"
    assert not (tmp_path / "new").exists()


def test_a_child_that_nothing_holds_can_do_all_that_is_tried(
    tmp_path: Path, shared: Path
) -> None:
    nothing = "".join(WITHOUT.values()) + "confine.forbid_growth = lambda: None\n"
    nothing += "confine.forbid_core_dumps = lambda: None\n"
    nothing += "confine.drop_privileges = lambda: None\n"
    trial = attempted(tmp_path, shared, nothing)
    assert trial.confined == confine.GUARD_ONLY
    assert refused(trial) == set()


def test_no_thread_runs_yet_that_landlock_would_not_hold(
    tmp_path: Path, shared: Path
) -> None:
    assert attempted(tmp_path, shared).threads == 1


@pytest.mark.parametrize(
    ("missing", "still_refused"),
    [
        # As on systems that let no user make a namespace.
        (confine.NETWORK_NAMESPACE, EVERYTHING),
        # As on Linux before 5.13: foreign files can be read there.
        (confine.LANDLOCK, {*WRITING, *NETWORK, *BESIDE}),
    ],
)
def test_where_one_layer_is_missing_the_others_hold(
    missing: str, still_refused: set[str], tmp_path: Path, shared: Path
) -> None:
    needs(*({*WITHOUT} - {missing}))
    trial = attempted(tmp_path, shared, WITHOUT[missing])
    assert missing not in trial.confined
    assert still_refused <= refused(trial)
    left = {f.name: f.read_text() for f in tmp_path.iterdir() if f.is_file()}
    assert left.get("foreign", "s") == "s" and left.get("new", "") == ""


async def test_the_engine_says_what_holds_its_child(tiny: TinyPair) -> None:
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        assert engine.confined == permitted()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux tells it")
async def test_the_kernel_says_the_same_of_that_child(tiny: TinyPair) -> None:
    needs(confine.NETWORK_NAMESPACE, confine.SECCOMP)
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        child = Path("/proc", str(engine.pid))
        for thread in (child / "task").iterdir():
            status = (thread / "status").read_text()
            assert "NoNewPrivs:\t1" in status
            assert "Seccomp:\t2" in status  # a filter
        limits = (child / "limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits)
        if os.geteuid() == 0:  # others may not look at what cannot be dumped
            own = Path("/proc/self/ns/net").readlink()
            assert (child / "ns" / "net").readlink() != own


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("name", MACHINES)
def test_the_numbers_of_the_calls_are_the_kernels(name: str) -> None:
    if not HEADERS[name].exists():
        pytest.skip("the headers of the kernel are not installed")
    found = re.findall(r"__NR_(\w+)\s+(\d+)", HEADERS[name].read_text())
    kernels = {call: int(number) for call, number in found}
    machine = MACHINES[name]
    ours = numbers(machine)
    assert len(ours) > 25
    assert ours == {call: kernels[call] for call in ours}
    assert machine.refused.keys() == MACHINES["x86_64"].refused.keys()


def numbers(machine: SystemCalls) -> Mapping[str, int]:
    named = ("seccomp", "socket", "sendto")
    return {**machine.refused, **{name: getattr(machine, name) for name in named}}


# Calls that go around a list of numbers: the same number by x86-64's other numbering,
# and the calls of 32-bit programs.
AROUND = """
import ctypes, json, mmap
from medassist.engine.forbidden_calls import forbid_calls
forbid_calls()
libc = ctypes.CDLL(None, use_errno=True)
other = (libc.syscall(0x40000000 + 41, 2, 1, 0), ctypes.get_errno())
# int 0x80 with eax = 359 (socket), ebx = 2, ecx = 1, edx = 0
code = bytes.fromhex("53 b867010000 bb02000000 b901000000 31d2 cd80 5b c3")
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
start = ctypes.addressof(ctypes.c_char.from_buffer(page))
print(json.dumps([other, ctypes.CFUNCTYPE(ctypes.c_int)(start)()]))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x86-64 has these ways")
def test_there_is_no_way_around_the_list_of_calls() -> None:
    needs(confine.SECCOMP)
    done = subprocess.run(
        [sys.executable, "-c", AROUND], capture_output=True, text=True, check=True
    )
    other, of_32_bits = json.loads(done.stdout)
    assert other == [-1, 1]  # EPERM
    assert of_32_bits == -1  # the same, as the kernel returns it
