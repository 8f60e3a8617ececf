"""The training itself, as a child process: its command, its lines, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune.sagemaker.container.contract import Contract

PATIENCE_S = 100
"""Between SIGTERM and the end; SageMaker's own is 120."""
PORT = 29531
_LAST_LINES = 40
_SENTENCE = "finetune: "
"""Words with which `python -m finetune` begins the sentence on why it ended."""


def command(
    contract: Contract, base: Path, budget: float | None, python: str = sys.executable
) -> list[str]:
    """The training's command line.

    Args:
        contract: the job's.
        base: the folder of the base model.
        budget: dollars for all that was trained before and will be; None: no limit.
        python: the interpreter.
    """
    words = ["-m", "finetune", "train", str(contract.run), "--base", str(base)]
    words += ["--resume", "--yes", "--device", contract.device]
    if contract.price is not None:
        words += ["--price", f"{contract.price * len(contract.hosts):.6f}"]
        if budget is not None:
            words += ["--budget", f"{budget:.6f}"]
    if contract.processes == len(contract.hosts) == 1:
        return [python, *words]
    start = ["-m", "torch.distributed.run", "--nproc-per-node", str(contract.processes)]
    start += ["--shutdown-timeout", str(PATIENCE_S), "--nnodes"]
    if len(contract.hosts) == 1:
        start += ["1", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    else:
        start += [str(len(contract.hosts)), "--node-rank", str(contract.rank)]
        start += ["--master-addr", contract.hosts[0], "--master-port", str(PORT)]
    return [python, *start, *words]


def environment(contract: Contract, own: Mapping[str, str]) -> dict[str, str]:
    """The training's environment: our packages first, caches on the scratch disk."""
    temporary = contract.scratch / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    more = {
        "PYTHONPATH": str(contract.packages),
        "PYTHONUNBUFFERED": "1",
        "HF_HOME": str(contract.scratch / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "TMPDIR": str(temporary),
    }
    if len(contract.hosts) > 1 and contract.interface:
        more |= dict.fromkeys(
            ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"), contract.interface
        )
    return {**own, **more}


class JobProcess:
    """A process whose lines are passed on, and the last of them kept."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it, in a group of its own: signals come to it by us alone."""
        self._process = subprocess.Popen(
            list(words),
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    def _pass_on(self) -> None:
        for line in self._process.stdout or ():
            if line.strip():
                self._last.append(line.strip())
            print(line, end="", flush=True)

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None while it still runs after so many seconds."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(5)
        return code

    def ask(self) -> None:
        """Ask it to end; it keeps a checkpoint and makes its adapter."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def why(self) -> str:
        """The sentence with which it ended, else its last line."""
        for line in reversed(self._last):
            if _SENTENCE in line:
                return line[line.index(_SENTENCE) + len(_SENTENCE) :]
        return self._last[-1] if self._last else "it said nothing"
