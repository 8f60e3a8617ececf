"""Install the tested llama-cpp-python, and show how far its compiling is.

    python -m tools.install_llama CONSTRAINTS [WHEELS]

Its authors publish source on PyPI, which pip compiles once and keeps in its cache.
WHEELS (cpu, metal, cu124, ...) takes a ready wheel from the authors' own index
instead, and compiles nothing. Either way what was installed is tried at the end.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

from tools.pip_errors import last_error, lost_connection

NAME = "llama-cpp-python"
READY_WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/"
ONLY_WHAT_IS_LOADED = Path(__file__).with_name("llama_cpp.cmake").absolute()
CMAKE_ARGS = (
    # The library for images and sound.
    "-DLLAVA_BUILD=OFF",
    f"-DCMAKE_PROJECT_llama_cpp_INCLUDE={ONLY_WHAT_IS_LOADED.as_posix()}",
)
NINJA_STEP = re.compile(r"^\s*\[(\d+)/(\d+)\]")
MAKE_STEP = re.compile(r"^\s*\[\s*(\d+)%\]")
PLAIN_INTERVAL_S = 10


class Progress:
    """How far pip has come, read from what it prints."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.compiling_since: float | None = None
        self.done = 0
        self.total = 0

    def read(self, line: str) -> None:
        ninja, make = NINJA_STEP.match(line), MAKE_STEP.match(line)
        if ninja:
            done, total = int(ninja[1]), int(ninja[2])
        elif make:
            done, total = int(make[1]), 100
        else:
            return
        if self.compiling_since is None:
            self.compiling_since = time.monotonic()
        # Steps of other parts of the build may count for themselves; never go back.
        if total >= self.total:
            self.done, self.total = max(self.done, done), total

    def sentence(self) -> str:
        now = time.monotonic()
        if self.compiling_since is None:
            return f"Fetching {NAME}, {clock(now - self.started)}"
        spent = now - self.compiling_since
        share = self.done / self.total
        text = f"Compiling llama.cpp: {share:.0%}, {clock(spent)}"
        if spent > 5 and 0 < share < 1:
            text += f", about {clock(spent / share - spent)} to go"
        return text


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def show(progress: Progress, process: subprocess.Popen[str]) -> None:
    """Print the progress until the process ends: in place, or a line now and then."""
    in_place = sys.stdout.isatty()
    last = ""
    while True:
        try:
            process.wait(1 if in_place else PLAIN_INTERVAL_S)
            break
        except subprocess.TimeoutExpired:
            last = progress.sentence()
            print(f"\r\x1b[K{last}" if in_place else last, end="" if in_place else "\n")
            sys.stdout.flush()
    if in_place and last:
        print("\r\x1b[K", end="")


def way_out(said: str, wheels: str) -> str:
    """What to do where pip failed, from what it `said`."""
    lost = lost_connection(said)
    if wheels and lost:
        return (
            f"An index could not be reached ({lost}). Ready wheels come from "
            f"{READY_WHEELS}{wheels}; leave WHEELS out to compile what pip's usual "
            "index has."
        )
    if wheels:
        return (
            "There may be no ready wheel for this Python; leave WHEELS out to compile."
        )
    if lost:
        return (
            f"pip's index could not be reached ({lost}). `pip config list` shows which "
            "index, proxy and certificate pip is set to."
        )
    return "Without compiling: make run WHEELS=cpu"


def what_is_wrong() -> str | None:
    """Try what was installed, in a process of its own, which it may end."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.check_llama"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return (
            f"its library ends the process that loads it (signal {-done.returncode}), "
            "as one does that was compiled for another processor. This compiles it "
            f"anew: {sys.executable} -m pip cache remove 'llama_cpp_python*', then "
            f"{sys.executable} -m pip uninstall {NAME}, and again."
        )
    return (done.stderr.strip() or "nothing said why").splitlines()[-1]


def main(constraints: Path, wheels: str = "") -> str | int | None:
    pins = constraints.read_text(encoding="utf-8").splitlines()
    wanted = next((p for p in pins if p.startswith(f"{NAME}==")), NAME)
    try:
        if wanted == f"{NAME}=={importlib.metadata.version(NAME)}":
            return None
    except importlib.metadata.PackageNotFoundError:
        pass

    command = [sys.executable, "-m", "pip", "install", "--verbose", wanted]
    command += ["--constraint", str(constraints)] if pins else []
    if wheels:
        command += ["--only-binary", NAME, "--extra-index-url", READY_WHEELS + wheels]
        print(f"Installing a ready wheel of {wanted} ({wheels})", flush=True)
    else:
        print(
            f"Installing {wanted}. The first time it is compiled, which takes some "
            "minutes; pip keeps the result.",
            flush=True,
        )
    # The caller's own flags come last, so that they win.
    flags = f"{shlex.join(CMAKE_ARGS)} {os.environ.get('CMAKE_ARGS', '')}".strip()
    log_path = Path(sys.prefix) / "install-llama.log"
    progress = Progress()
    with (
        log_path.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "CMAKE_ARGS": flags},
        ) as process,
    ):
        assert process.stdout is not None
        lines = process.stdout

        def read() -> None:
            for line in lines:
                log.write(line)
                progress.read(line)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            show(progress, process)
        except KeyboardInterrupt:
            process.terminate()
            print("\nStopped. What was compiled so far is lost.")
            return 130
        finally:
            reader.join()
    if process.returncode:
        said = log_path.read_text(encoding="utf-8")
        tail = "\n".join(said.splitlines()[-15:])
        return (
            f"{tail}\n\n{wanted} could not be installed: {last_error(said)}. The "
            f"whole log is {log_path}.\n{way_out(said, wheels)}"
        )
    if lacking := what_is_wrong():
        return f"{wanted} was installed, but cannot be used: {lacking}"
    print(f"Installed {wanted} in {clock(time.monotonic() - progress.started)}")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))
