"""Install the tested torch, and no gigabytes of CUDA where that can be avoided.

    python -m tools.install_torch CONSTRAINTS [auto|cpu|plain]

plain  what pip takes by itself: on Linux usually the build with CUDA
cpu    the CPU build, from PyTorch's own index
auto   what pip takes by itself; where that would bring CUDA, the CPU build, and
       CUDA after all where the index with the CPU build cannot be reached
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.pip_errors import why

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# An older pip fetches all the wheels, gigabytes, to say which it would install, and
# a newer one does too where a mirror has no metadata beside them: except that it is
# told to read the metadata out of the wheels by ranges.
ASKS_WITHOUT_FETCHING = (23, 3)
BY_RANGES = ("--use-feature", "fast-deps")
# One that lets nothing out often drops what is sent, and each try waits for its end.
IMPATIENT = ("--retries", "1", "--timeout", "15")
ASK_FOR_SIZE_S = 15


class PipFailed(Exception):
    """pip ended with an error; the text says which, in one line."""

    def __init__(self, said: str, code: int) -> None:
        super().__init__(why(said, code))
        self.said = said


@dataclass(frozen=True)
class Wheel:
    """What pip would install."""

    name: str
    url: str

    @property
    def is_cuda(self) -> bool:
        return self.name.startswith(("nvidia-", "cuda-"))

    def bytes(self) -> int:
        """Of the download.

        Raises:
            OSError: the server does not say.
        """
        asked = urllib.request.Request(self.url, method="HEAD")  # noqa: S310
        with urllib.request.urlopen(  # noqa: S310
            asked, timeout=ASK_FOR_SIZE_S, context=certificates()
        ) as answer:
            length = answer.headers["Content-Length"]
        if length is None:
            raise OSError(f"{self.url} has no Content-Length")
        return int(length)


def certificates() -> ssl.SSLContext:
    """Those that pip goes by, where somebody has said so for a mirror."""
    own = os.environ.get("PIP_CERT") or os.environ.get("REQUESTS_CA_BUNDLE")
    return ssl.create_default_context(cafile=own)


def pip(*arguments: str, shown: bool = False) -> str:
    """Run pip; return what it wrote to standard output, unless that is `shown`.

    Raises:
        PipFailed: it ended with an error.
    """
    command = [sys.executable, "-m", "pip", *([] if shown else ["--quiet"])]
    with subprocess.Popen(
        [*command, *arguments],
        stdout=None if shown else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        written, errors = process.communicate()
    if process.returncode:
        raise PipFailed(errors, process.returncode)
    return written or ""


def bring_pip_up_to_date() -> None:
    version = re.findall(r"\d+", importlib.metadata.version("pip"))
    if tuple(map(int, version[:2])) >= ASKS_WITHOUT_FETCHING:
        return
    wanted = ".".join(map(str, ASKS_WITHOUT_FETCHING))
    try:
        pip("install", "--upgrade", f"pip>={wanted}")
    except PipFailed as failure:
        print(f"pip stays as old as it is, which costs time: {failure}")


def own_choice(requirement: str) -> list[Wheel]:
    """What pip would install by itself, with everything that comes with it."""
    asked = ("install", "--dry-run", "--ignore-installed", "--report", "-", requirement)
    try:
        said = pip(*asked, *BY_RANGES)
    except PipFailed:
        # The feature is called experimental: a pip may come that has it no more.
        said = pip(*asked)
    return [
        Wheel(str(item["metadata"]["name"]).lower(), str(item["download_info"]["url"]))
        for item in json.loads(said)["install"]
    ]


def size(wheels: Sequence[Wheel]) -> str:
    """Of all of them together, in words."""
    try:
        total = sum(wheel.bytes() for wheel in wheels)
    except (OSError, ValueError):
        return "several GB (how many, could not be asked for)"
    return f"{total / 1e9:.1f} GB" if total >= 1e9 else f"{total / 1e6:.1f} MB"


def install(requirement: str, build: str, *options: str) -> None:
    print(f"Installing {requirement} ({build} build; TORCH=cpu|plain decides)")
    sys.stdout.flush()
    # Its dependencies come with ours, from the usual place.
    pip("install", "--no-deps", *options, requirement, shown=True)


def install_automatically(requirement: str) -> None:
    """What pip takes by itself, but the CPU build where that would bring CUDA."""
    bring_pip_up_to_date()
    wheels = own_choice(requirement)
    if not any(wheel.is_cuda for wheel in wheels):
        install(requirement, "plain")
        return
    try:
        install(requirement, "cpu", "--index-url", CPU_INDEX, *IMPATIENT)
    except PipFailed as failure:
        print(
            f"\nThe CPU build could not be had from {CPU_INDEX}: {failure}.\n"
            "So torch is installed as pip takes it by itself. That build runs without "
            f"a GPU too, but it brings CUDA: {size(wheels)} to download, and more than "
            "that on the disk. An index with the CPU build that can be reached from "
            "here would save it; name it in PIP_EXTRA_INDEX_URL.\n"
        )
        install(requirement, "plain")


def main(constraints: Path, choice: str = "auto") -> str | None:
    if choice not in ("auto", "cpu", "plain"):
        return f"TORCH={choice} is not known; it is auto, cpu or plain."
    lines = constraints.read_text(encoding="utf-8").splitlines()
    requirement = next((li for li in lines if li.startswith("torch==")), "torch")
    try:
        installed = importlib.metadata.version("torch").split("+")[0]
        if requirement in ("torch", f"torch=={installed}"):
            return None
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        if choice == "auto":
            install_automatically(requirement)
        elif choice == "cpu":
            install(requirement, choice, "--index-url", CPU_INDEX)
        else:
            install(requirement, choice)
    except PipFailed as failure:
        hint = {
            "cpu": f"It comes from {CPU_INDEX}; where that cannot be reached, "
            "TORCH=plain takes the build that pip's usual index has.",
        }.get(
            choice,
            "It comes from the index that pip is set to (`pip config list`).",
        )
        return f"{failure.said}pip could not install {requirement}: {failure}.\n{hint}"
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))
