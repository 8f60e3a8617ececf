"""The packages that a job installs: the versions that run here, as wheels for there.

A job has no network, and the image brings torch alone in the version that is wanted.
pip fetches the wheels, from where it is configured to, into a cache of this computer.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from finetune.sagemaker.errors import SageMakerError
from medassist.core.paths import cache_dir

LIST = Path(__file__).with_name("packages.txt")
PYTHON = "3.12"
"""Python version of the image."""
GLIBC = range(17, 29)
"""Each of 2.17 to 2.28 is named: pip takes a wheel of a listed tag alone, and without
the right one it takes an old version instead."""
QLORA_ALONE = "bitsandbytes"
NOT_INSTALLED = {QLORA_ALONE: "0.50.2"}
"""The versions of what a computer without an NVIDIA GPU need not have."""


def requirements(*, qlora: bool) -> list[str]:
    """`NAME==VERSION` of each package of a job.

    Raises:
        SageMakerError: one is not installed here.
    """
    lines = LIST.read_text("utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    found: list[str] = []
    for name in names:
        if name == QLORA_ALONE and not qlora:
            continue
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            if name not in NOT_INSTALLED:
                raise SageMakerError(
                    f"{name} is not installed here, and a job needs it: pip install "
                    "'medassist[finetune,sagemaker]'"
                ) from None
            found.append(f"{name}=={NOT_INSTALLED[name]}")
    return found


def missing(folder: Path, wanted: list[str]) -> list[str]:
    """Packages of `wanted` without a wheel in `folder`."""
    there = {_key(*file.name.split("-")[:2]) for file in folder.glob("*.whl")}
    return [each for each in wanted if _key(*each.split("==")) not in there]


def fill(wanted: list[str], folder: Path | None = None) -> list[Path]:
    """The wheels of `wanted`; pip fetches those that are not in the cache.

    Args:
        wanted: as `requirements` gives it.
        folder: the cache, if not the program's own.

    Raises:
        SageMakerError: pip cannot fetch one.
    """
    folder = folder or wheel_cache()
    folder.mkdir(parents=True, exist_ok=True)
    lacking = missing(folder, wanted)
    if lacking:
        done = subprocess.run(
            [*pip_download(folder), *lacking],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise SageMakerError(
                f"pip cannot fetch the packages of a job: {said[-1] if said else '?'}"
            )
    wheels: list[Path] = []
    for each in wanted:
        name, _, number = each.partition("==")
        found = [
            file
            for file in sorted(folder.glob("*.whl"))
            if _key(*file.name.split("-")[:2]) == _key(name, number)
        ]
        if not found:
            raise SageMakerError(f"{folder} holds no wheel of {each}")
        wheels.append(found[-1])
    return wheels


def wheel_cache() -> Path:
    """Folder in which fetched wheels are kept."""
    return cache_dir() / "sagemaker-wheels"


def pip_download(folder: Path) -> list[str]:
    """The beginning of pip's command line."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-input"]
    command += ["--only-binary=:all:", "--python-version", PYTHON, "--dest"]
    command.append(str(folder))
    for minor in GLIBC:
        command += ["--platform", f"manylinux_2_{minor}_x86_64"]
    return [*command, "--platform", "manylinux2014_x86_64"]


def _key(name: str, number: str = "") -> tuple[str, str]:
    return name.lower().replace("_", "-").replace(".", "-"), number
