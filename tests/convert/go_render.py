"""Go's own text/template, run as a program built from `go/render.go`."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("go") / "render.go"
Turn = dict[str, str]


def go() -> str | None:
    return shutil.which("go")


needs_go = pytest.mark.skipif(go() is None, reason="needs Go (apt: golang-go)")


@cache
def program() -> Path:
    """The program, compiled once in a test run; asks no network."""
    folder = Path(tempfile.mkdtemp(prefix="go-render-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = {
        **os.environ,
        "GOCACHE": str(folder / "cache"),
        "GOPATH": str(folder / "path"),
        "GOFLAGS": "",
        "GO111MODULE": "off",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    built = folder / "render"
    subprocess.run(
        [str(go()), "build", "-o", str(built), str(SOURCE)],
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    )
    return built


def render(cases: Sequence[tuple[str, Sequence[Sequence[Turn]]]]) -> list[list[str]]:
    """What each template writes for each of its conversations."""
    work = {
        "cases": [
            {"template": template, "conversations": [list(c) for c in conversations]}
            for template, conversations in cases
        ]
    }
    done = subprocess.run(
        [str(program())], input=json.dumps(work), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
