"""How llama.cpp comes onto a new machine, and whether it is whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tools.package_index import ROOT, Environment, add_wheel
from tools import check_llama
from tools.install_llama import CMAKE_ARGS, Progress

NOBODY = "http://127.0.0.1:1/whl/"
"""An index that cannot be reached."""

# As llama-cpp-python's own: it forces on what llama.cpp would leave out inside it.
OUTER = """\
cmake_minimum_required(VERSION 3.21)
project(llama_cpp NONE)
set(LLAMA_BUILD_COMMON ON CACHE BOOL "forced" FORCE)
add_subdirectory(inner)
"""
INNER = """\
cmake_minimum_required(VERSION 3.14...3.28)
project(llama.cpp NONE)
option(LLAMA_BUILD_COMMON "its common library" OFF)
file(WRITE ${CMAKE_BINARY_DIR}/common "${LLAMA_BUILD_COMMON}")
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
@pytest.mark.parametrize(("flags", "common"), [((), "ON"), (CMAKE_ARGS, "OFF")])
def test_what_the_bindings_do_not_load_is_not_built(
    tmp_path: Path, flags: Sequence[str], common: str
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "CMakeLists.txt").write_text(OUTER)
    (tmp_path / "inner" / "CMakeLists.txt").write_text(INNER)
    build = tmp_path / "build"
    command = ["cmake", "-S", str(tmp_path), "-B", str(build), *flags]
    subprocess.run(command, check=True, capture_output=True)
    assert (build / "common").read_text() == common


def test_the_installed_library_has_all_that_medassist_calls() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.check_llama"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_called_is_read_from_the_source() -> None:
    names = {line.split()[0] for line in check_llama.lacking(object(), object())}
    assert {"llama_decode", "llama_model_quantize", "ggml_backend_dev_count"} <= names
    # It stands in an annotation alone, and is no name of the running module.
    assert "llama_sampler_p" not in names


def install(
    place: Environment, wheels: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    constraints = place.index.parent / "constraints.txt"
    constraints.write_text("llama-cpp-python==0.3.36\n")
    script = (
        "import sys; from pathlib import Path; from tools import install_llama as it; "
        "it.READY_WHEELS = sys.argv[1]; "
        "sys.exit(it.main(Path(sys.argv[2]), sys.argv[3]))"
    )
    settings = {"PIP_RETRIES": "1", **settings}
    return place.run("-c", script, NOBODY, constraints, wheels, **settings)


def add_llama(place: Environment, source: str) -> None:
    modules = {
        "llama_cpp/__init__.py": "",
        "llama_cpp/llama_cpp.py": source,
        "llama_cpp/_ggml.py": "libggml = None\n",
    }
    add_wheel(place.index, "llama-cpp-python", "0.3.36", modules=modules)


def test_a_library_that_lacks_a_function_is_said_to(place: Environment) -> None:
    add_llama(place, "def llama_decode() -> None: ...\n")
    done = install(place)
    assert done.returncode == 1
    sentence = done.stderr.splitlines()[-1]
    assert "was installed, but cannot be used" in sentence
    assert "llama_model_quantize (for convert/quantize_child.py)" in sentence
    assert "llama_decode" not in sentence


def test_a_library_for_another_processor_is_said_to_be_one(place: Environment) -> None:
    add_llama(place, "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    done = install(place)
    assert done.returncode == 1
    sentence = done.stderr.splitlines()[-1]
    assert "signal 4" in sentence
    assert "compiled for another processor" in sentence
    assert "pip cache remove" in sentence


def test_ready_wheels_that_cannot_be_reached_are_told_from_none(
    place: Environment,
) -> None:
    unreachable = install(place, "cpu").stderr.splitlines()
    assert "could not be installed: Cannot install llama-cpp-python" in unreachable[-2]
    assert f"Ready wheels come from {NOBODY}cpu" in unreachable[-1]
    assert "Connection refused" in unreachable[-1]


def test_an_index_that_cannot_be_reached_is_not_taken_for_a_failed_build(
    place: Environment,
) -> None:
    hint = install(place, PIP_INDEX_URL=NOBODY).stderr.splitlines()[-1]
    assert hint.startswith("pip's index could not be reached")
    assert "Connection refused" in hint
    assert "WHEELS" not in hint


def test_how_far_the_compiling_is_goes_up_to_all_of_it() -> None:
    progress = Progress()
    assert progress.sentence().startswith("Fetching")
    shown: list[str] = []
    for done in (1, 20, 83):
        progress.read(f"  [{done}/83] /usr/bin/c++ -o x.o -c x.cpp\n")
        shown.append(progress.sentence().partition(",")[0])
    assert shown == [
        "Compiling llama.cpp: 1%",
        "Compiling llama.cpp: 24%",
        "Compiling llama.cpp: 100%",
    ]
