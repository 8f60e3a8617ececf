"""Install the tested torch, and no gigabytes of CUDA unless they are asked for.

    python tools/install_torch.py CONSTRAINTS [auto|cpu|plain]

plain  what pip takes by itself: on Linux usually the build with CUDA
cpu    the CPU build, from PyTorch's own index
auto   what pip takes by itself, but the CPU build where that would bring CUDA
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def brings_cuda(requirement: str) -> bool:
    """Whether pip's own choice of torch comes with CUDA libraries."""
    report = json.loads(
        pip("install", "--dry-run", "--ignore-installed", "--report", "-", requirement)
    )
    names = (str(i["metadata"]["name"]).lower() for i in report["install"])
    return any(name.startswith(("nvidia-", "cuda-")) for name in names)


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
            choice = "cpu" if brings_cuda(requirement) else "plain"
        print(f"Installing {requirement} ({choice} build; TORCH=cpu|plain decides)")
        # Its dependencies come with ours, from the usual place.
        source = ["--index-url", CPU_INDEX] if choice == "cpu" else []
        pip("install", "--no-deps", *source, requirement)
    except subprocess.CalledProcessError as error:
        return f"pip could not install {requirement} (exit code {error.returncode})."
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))
