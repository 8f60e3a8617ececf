"""Upstream's converter, out of llama-cpp-python's source package, as an oracle.

It is run as a program of its own, with the gguf-py that lies beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.llama_source import llama_source

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
    no_mtp: bool = False
    """It fails on models that have nothing that guesses ahead, unless it is told."""


def run_upstream(jobs: Sequence[Job]) -> None:
    """Convert all `jobs` in one process, which says what it did on an error."""
    given = json.dumps([asdict(job) for job in jobs])
    done = subprocess.run(
        [sys.executable, str(JOB), str(llama_source())],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
