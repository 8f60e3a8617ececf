"""llama.cpp's sources and tools, out of llama-cpp-python's source package, as oracles.

Both are made once, in the user's cache. The tools stand on the very library that the
bindings load, so that what computes is the same in both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import platformdirs
import pytest

PLACE = "MEDASSIST_LLAMA_SOURCE"
"""Set to the unpacked source package (or to its vendor/llama.cpp) to fetch nothing."""
TOOLS_PLACE = "MEDASSIST_LLAMA_TOOLS"
"""Set to a folder with llama-bench and llama-perplexity to compile nothing."""
TOOLS = ("llama-bench", "llama-perplexity")
NOT_NEEDED = ("docs/", "media/", "tests/", "examples/", "benches/", ".")
BUILD = Path(__file__).with_name("llama_tools")


def llama_source() -> Path:
    """The folder of llama.cpp's sources, fetched where it is not there yet."""
    if place := os.environ.get(PLACE):
        folder = Path(place)
        return next(p for p in (folder / "vendor" / "llama.cpp", folder) if p.is_dir())
    package, cache = _package(), _cache()
    source = cache / package / "vendor" / "llama.cpp"
    if not (cache / f"{package}.unpacked").exists():
        cache.mkdir(parents=True, exist_ok=True)
        wanted = f"llama-cpp-python=={version('llama-cpp-python')}"
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--no-binary", "llama-cpp-python", wanted, "--dest", str(cache)),
            ],
            check=True,
        )
        with tarfile.open(cache / f"{package}.tar.gz") as tar:
            inside = f"{package}/vendor/llama.cpp/"
            for member in tar:
                name = member.name.removeprefix(inside)
                if name != member.name and not name.startswith(NOT_NEEDED):
                    tar.extract(member, cache, filter="data")
        (cache / f"{package}.unpacked").touch()
    return source


def llama_tool(name: str) -> Path:
    """A program of llama.cpp, compiled where it is not there yet: minutes, once."""
    if place := os.environ.get(TOOLS_PLACE):
        return Path(place) / name
    folder = _cache() / f"{_package()}-tools"
    if not (folder / "whole").exists():
        if not shutil.which("cmake") or sys.platform == "win32":
            pytest.skip(f"{name} is compiled with cmake, on Linux or macOS")
        settings = {
            "SOURCE": llama_source(),
            "LIBRARY": _library(),
            "CMAKE_BUILD_TYPE": "Release",
        }
        given = [f"-D{key}={value}" for key, value in settings.items()]
        _run(["cmake", "-S", str(BUILD), "-B", str(folder), *given])
        jobs = str(os.cpu_count() or 1)
        build = ["cmake", "--build", str(folder), "--parallel", jobs]
        _run([*build, "--target", *TOOLS])
        (folder / "whole").touch()
    return folder / "bin" / name


def run_tool(name: str, *arguments: object) -> str:
    """What a program of llama.cpp prints."""
    # The environment of the bindings may have moved since the tools were linked.
    path = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    done = subprocess.run(
        [str(llama_tool(name)), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, path: str(_library())},
    )
    assert done.returncode == 0, f"{name}: {done.stderr[-4000:]}"
    return done.stdout


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:]


def _library() -> Path:
    """The folder with libllama and the libggml that the bindings load."""
    spec = find_spec("llama_cpp")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "lib"


def _package() -> str:
    return f"llama_cpp_python-{version('llama-cpp-python')}"


def _cache() -> Path:
    return platformdirs.user_cache_path("medassist-oracles", appauthor=False)
