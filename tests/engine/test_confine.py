from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medassist.engine import confine
from medassist.engine.protocol import PairFiles
from tests.engine.conversation import tiny_engine
from tests.tiny_models import TinyPair

TRY_ALL = """
import errno, os, socket, sys
from pathlib import Path
from medassist.engine import confine
model, foreign, target = map(Path, sys.argv[1:4])
namespace = confine.leave_network()
landlock = confine.restrict_files([model])
print(confine.describe(namespace, landlock))
def attempt(what, deed):
    try:
        deed()
    except OSError as error:
        print(what, "refused")
    else:
        print(what, "allowed")
attempt("model", model.read_bytes)
attempt("foreign", foreign.read_bytes)
attempt("write", lambda: target.write_text("x"))
def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", 9))
attempt("udp", send)
"""


def permitted() -> str:
    """What this system permits a child to give up."""
    code = (
        "from medassist.engine import confine\n"
        "a = confine.leave_network(); b = confine.restrict_files([])\n"
        "print(confine.describe(a, b))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_confined_child_reads_its_model_and_nothing_else(tmp_path: Path) -> None:
    held = permitted()
    if confine.LANDLOCK not in held or confine.NETWORK_NAMESPACE not in held:
        pytest.skip(f"this system permits: {held}")
    model, foreign = tmp_path / "model.gguf", tmp_path / "story.txt"
    model.write_text("m")
    foreign.write_text("s")
    done = subprocess.run(
        [sys.executable, "-c", TRY_ALL, model, foreign, tmp_path / "new.txt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "network namespace, landlock",
        "model allowed",
        "foreign refused",
        "write refused",
        "udp refused",
    ]
    assert not (tmp_path / "new.txt").exists()


async def test_the_engine_says_what_holds_its_child(tiny: TinyPair) -> None:
    async with tiny_engine(PairFiles(base=tiny.base)) as engine:
        assert engine.confined == permitted()
