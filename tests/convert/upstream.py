"""Upstream's converter, out of llama-cpp-python's source package, as an oracle.

It is fetched once into the user's cache and run as a program of its own, with the
gguf-py that lies beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import platformdirs

PLACE = "MEDASSIST_LLAMA_SOURCE"
"""Set to the unpacked source package (or to its vendor/llama.cpp) to fetch nothing."""
NEEDED = ("conversion/", "gguf-py/", "models/", "convert_")
JOB = Path(__file__).with_name("upstream_job.py")


@dataclass(frozen=True)
class Job:
    """One conversion by upstream."""

    folder: str
    out: str
    type: str
    plain_vocabulary: bool = True
    """Every family reads its tokenizer as byte-level BPE, whatever it usually has."""
    split: str = "0"
    pre: str = "gpt-2"
    """What it is to call the byte-level pre-tokenizer."""
    vocabulary_only: bool = False


def upstream_source() -> Path:
    """The folder of llama.cpp's sources, fetched where it is not there yet."""
    if place := os.environ.get(PLACE):
        folder = Path(place)
        return next(p for p in (folder / "vendor" / "llama.cpp", folder) if p.is_dir())
    package = f"llama_cpp_python-{version('llama-cpp-python')}"
    cache = platformdirs.user_cache_path("medassist-oracles", appauthor=False)
    source = cache / package / "vendor" / "llama.cpp"
    if not (cache / f"{package}.whole").exists():
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
                if member.name.removeprefix(inside).startswith(NEEDED):
                    tar.extract(member, cache, filter="data")
        (cache / f"{package}.whole").touch()
    return source


def run_upstream(jobs: Sequence[Job]) -> None:
    """Convert all `jobs` in one process, which says what it did on an error."""
    given = json.dumps([asdict(job) for job in jobs])
    done = subprocess.run(
        [sys.executable, str(JOB), str(upstream_source())],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
