"""A container's folders, and its process 1, in a temporary folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from finetune.sagemaker.container import entry
from finetune.sagemaker.own_wheel import write_own_wheel


class Container:
    """A container that a job is started in; its folders outlast each start."""

    def __init__(self, folder: Path, run: Path, base: Path, wheel: Path) -> None:
        self.ml = folder / "ml"
        self.scratch = folder / "scratch"
        config = self.ml / "input/config"
        config.mkdir(parents=True)
        for name in ("hyperparameters", "inputdataconfig"):
            (config / f"{name}.json").write_text("{}", "utf-8")
        self.hosts("algo-1", ["algo-1"])
        code = self.ml / "input/data/code"
        (code / "wheels").mkdir(parents=True)
        shutil.copy(Path(entry.__file__), code / "entry.py")
        shutil.copy(wheel, code / "wheels")
        channel = self.ml / "input/data/run"
        shutil.copytree(run / "data", channel / "data")
        shutil.copyfile(run / "recipe.yaml", channel / "recipe.yaml")
        (self.ml / "input/data/base").symlink_to(base)

    def hosts(self, current: str, names: list[str]) -> None:
        content = {"current_host": current, "hosts": names}
        file = self.ml / "input/config/resourceconfig.json"
        file.write_text(json.dumps(content), "utf-8")

    @property
    def model(self) -> Path:
        return self.ml / "model"

    @property
    def kept(self) -> Path:
        return self.ml / "checkpoints"

    @property
    def account(self) -> Path:
        return self.kept / "accounts/job"

    @property
    def failure(self) -> str:
        return (self.ml / "output/failure").read_text("utf-8")

    @property
    def code(self) -> Path:
        return self.ml / "input/data/code"

    def start(
        self, *, first: bool = False, **environment: str
    ) -> subprocess.Popen[str]:
        """Start a fresh container on the same kept folders.

        Args:
            first: as process 1 of its own process namespace.
            environment: further variables.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.model, ignore_errors=True)
        own = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "MEDASSIST_DATA")
        }
        own |= {
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "MEDASSIST_JOB_FOLDER": str(self.ml),
            "MEDASSIST_SCRATCH": str(self.scratch),
            "MEDASSIST_DEVICE": "cpu",
            **environment,
        }
        before = ["unshare", "-r", "--fork", "--pid", "--mount-proc"] if first else []
        return subprocess.Popen(
            [*before, sys.executable, str(self.code / "entry.py")],
            env=own,
            cwd=self.ml,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, **environment: str) -> tuple[int, str]:
        """Start it and wait for its end: exit status, and all that it said."""
        process = self.start(first=False, **environment)
        said, _ = process.communicate(timeout=400)
        return process.returncode, said


def make_wheel(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return write_own_wheel(folder)


def figures(file: Path, name: str) -> dict[int, Any]:
    """A figure of metrics.jsonl by its step."""
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return {line["step"]: line[name] for line in lines if name in line}
